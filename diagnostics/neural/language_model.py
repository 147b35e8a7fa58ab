"""The neural member of the portfolio: one small model per fold, trained on the other folds for a given time.

Every clip is scored by the model that heard neither its fold nor the next one, on which training stops. Normalised, so
its code length bounds the entropy rate from above like any other member's, whatever the time allowed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from ..codes.code_store import CodeStore
from ..codes.members import Scored, check_clips
from .adam import Adam
from .frame_model import FrameModel

SEGMENT_FRAMES = 128
BATCH = 16
_PATIENCE = 3
_RATE = 3e-3
_CHECK_SHARE = 0.1
"""Of a fold's time between looks at the validation clips."""


@dataclass(slots=True)
class LanguageModel:
    """Call it with a store and the fold of each clip."""

    budget_s: float
    """Seconds of training, of all folds together. The same seconds on another machine are other models."""
    vectors: np.ndarray | None = None
    """`[Q, cardinality, D]` of the codec."""
    seed: int = 0
    hidden: int = 256
    embedding: int = 128
    max_steps: int | None = None
    """Per fold; with it and time enough, two runs on one machine are equal."""
    progress: Callable[[str], None] = lambda _: None
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    """Of every fold after training; where those of this model are there already, nothing is trained."""

    def __call__(self, store: CodeStore, fold_of_clip: np.ndarray) -> Scored:
        """Train and score."""
        starts = np.cumsum(store.lengths) - store.lengths
        bits = np.zeros((int(store.lengths.sum()), store.num_codebooks), np.float32)
        num_folds = int(fold_of_clip.max()) + 1
        sampled = check_clips(store, fold_of_clip)
        check: list[list[np.ndarray]] = [[] for _ in sampled]
        with _one_thread(self.seed), torch.no_grad():
            for fold in range(num_folds):
                model = self._fold_model(store, fold_of_clip, fold, num_folds)
                for clip in np.flatnonzero(fold_of_clip == fold):
                    bits[starts[clip] : starts[clip] + store.lengths[clip]] = _clip_bits(model, store, clip)
                after = (fold + 1) % num_folds
                check[after] = [_clip_bits(model, store, clip) for clip in sampled[after]]
        return Scored(bits, np.concatenate([each for part in check for each in part]))

    def _fold_model(self, store: CodeStore, fold_of_clip: np.ndarray, fold: int, num_folds: int) -> FrameModel:
        vectors = None if self.vectors is None else torch.from_numpy(self.vectors.astype(np.float32))
        model = FrameModel(
            store.num_codebooks, store.cardinality, hidden=self.hidden, embedding=self.embedding, vectors=vectors
        )
        prefix = f"fold{fold}."
        kept = {name[len(prefix) :]: torch.from_numpy(w) for name, w in self.weights.items() if name.startswith(prefix)}
        if kept and all(name in kept and kept[name].shape == w.shape for name, w in model.state_dict().items()):
            model.load_state_dict(kept)
            return model.eval()
        validation = (fold + 1) % num_folds
        training = np.flatnonzero((fold_of_clip != fold) & (fold_of_clip != validation))
        check = np.flatnonzero(fold_of_clip == validation)
        with torch.enable_grad():
            self._train(model, store, training, check, self.budget_s / num_folds, f"fold {fold + 1} of {num_folds}")
        self.weights |= {prefix + name: w.numpy().copy() for name, w in model.state_dict().items()}
        return model.eval()

    def _train(
        self, model: FrameModel, store: CodeStore, training: np.ndarray, check: np.ndarray, seconds: float, name: str
    ) -> None:
        rng = np.random.default_rng(self.seed)
        optimizer = Adam(model.parameters())
        held_out = [_frames(store, clip) for clip in check[:64]]
        best, best_state, worse = np.inf, _copied(model), 0
        begin, looked = time.monotonic(), 0.0
        for step, batch in enumerate(_batches(store, training, rng), start=1):
            # what is left of the time, or of the steps, sets the rate: it ends near zero
            done = max((time.monotonic() - begin) / seconds, (step - 1) / self.max_steps if self.max_steps else 0.0)
            weight = (batch[..., 0] >= 0).float()
            loss = (model.nats(batch.clamp_min(0)).sum(-1) * weight).sum() / weight.sum()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step(_RATE * max(0.02, 1 - min(done, 1.0)))
            done = max(done, step / self.max_steps if self.max_steps else 0.0)
            if done - looked >= _CHECK_SHARE or done >= 1:
                looked = done
                found = _mean_nats(model, held_out)
                self.progress(f"{name}: {found / np.log(2):.2f} bits per frame after {step} steps")
                worse = 0 if found < best else worse + 1
                if found < best:
                    best, best_state = found, _copied(model)
                if done >= 1 or worse >= _PATIENCE:
                    break
        model.load_state_dict(best_state)


def _copied(model: FrameModel) -> dict[str, torch.Tensor]:
    return {name: w.detach().clone() for name, w in model.state_dict().items()}


def _mean_nats(model: FrameModel, clips: list[torch.Tensor]) -> float:
    if not clips:
        return 0.0
    with torch.no_grad():
        total = sum(float(model.nats(clip[None]).sum()) for clip in clips)
    return total / sum(clip.shape[0] for clip in clips)


def _clip_bits(model: FrameModel, store: CodeStore, clip: int) -> np.ndarray:
    """`[T, Q]`"""
    return model.nats(_frames(store, clip)[None])[0].numpy() / np.float32(np.log(2))


def _frames(store: CodeStore, clip: int) -> torch.Tensor:
    """`[T, Q]` int64."""
    at, _, _ = store.frames([clip])
    return torch.from_numpy(store.codes_at(at).astype(np.int64))


def _batches(store: CodeStore, clips: np.ndarray, rng: np.random.Generator) -> Iterator[torch.Tensor]:
    """`[BATCH, T, Q]` segments of clips in random order, without end; -1 beyond the end of a segment."""
    segments = [
        (clip, begin)
        for clip in clips
        for begin in range(0, int(store.lengths[clip]), SEGMENT_FRAMES)
        if store.lengths[clip] - begin > 1 or begin == 0
    ]
    while segments:
        order = rng.permutation(len(segments))
        for at in range(0, len(order), BATCH):
            chosen = [segments[i] for i in order[at : at + BATCH]]
            found = [_frames(store, clip)[begin : begin + SEGMENT_FRAMES] for clip, begin in chosen]
            yield torch.nn.utils.rnn.pad_sequence(found, batch_first=True, padding_value=-1)


@contextmanager
def _one_thread(seed: int) -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)

"""The neural member of the portfolio: one small model per fold, trained on the other folds for a given time.

Every clip is scored by the model that heard neither its fold nor the next one, on which training stops. Normalised, so
its code length bounds the entropy rate from above like any other member's, whatever the time allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
import torch

from ..codes.members import Scored, check_clips
from ..estimates.jobs import Here, Jobs, say_nothing, where_worth
from ..ngrams.code_store import CodeStore
from .frame_model import FrameModel
from .training import one_thread, train

SEGMENT_FRAMES = 128
BATCH = 6
"""Small ones: in the same time more steps, and a lower rate."""
_RATE = 3e-3


@dataclass(slots=True)
class LanguageModel:
    """Call it with a store and the fold of each clip."""

    budget_s: float
    """Seconds until all folds are trained. The same seconds on another machine are other models."""
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

    jobs: Jobs = field(default_factory=Here)
    """Trains one fold after the other, or several at once: the time is then that of the longest."""

    def __call__(self, store: CodeStore, fold_of_clip: np.ndarray) -> Scored:
        """Train and score."""
        starts = np.cumsum(store.lengths) - store.lengths
        bits = np.zeros((int(store.lengths.sum()), store.num_codebooks), np.float32)
        num_folds = int(fold_of_clip.max()) + 1
        check: list[list[np.ndarray]] = [[] for _ in range(num_folds)]
        jobs = where_worth(self.jobs, bits.size)
        progress = self.progress
        if jobs.workers > 1:
            if jobs.one_disk:
                store.share()
            progress = say_nothing
        seconds = self.budget_s * min(jobs.workers, num_folds) / num_folds
        alone = replace(self, budget_s=seconds, progress=progress, jobs=Here())
        tasks = [_FoldJob(alone, store, fold_of_clip, fold) for fold in range(num_folds)]
        for fold, found in enumerate(jobs(_train_and_score, tasks)):
            if jobs.workers > 1:
                self.progress(f"neural model of fold {fold + 1} of {num_folds} is there")
            for clip, each in zip(np.flatnonzero(fold_of_clip == fold), found.bits, strict=True):
                bits[starts[clip] : starts[clip] + store.lengths[clip]] = each
            check[(fold + 1) % num_folds] = found.check_bits
            self.weights |= found.weights
        further = _FurtherNeural(replace(alone, progress=say_nothing, weights=dict(self.weights)))
        return Scored(bits, np.concatenate([each for part in check for each in part]), further=further)

    def of_fold(self, store: CodeStore, fold_of_clip: np.ndarray, fold: int) -> FrameModel:
        """The model of one fold, trained for all of `budget_s` unless its weights are there."""
        num_folds = int(fold_of_clip.max()) + 1
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
            self._train(model, store, training, check, self.budget_s, f"fold {fold + 1} of {num_folds}")
        return model.eval()

    def _train(
        self, model: FrameModel, store: CodeStore, training: np.ndarray, check: np.ndarray, seconds: float, name: str
    ) -> None:
        held_out = [_frames(store, clip) for clip in check[:64]]

        def losses() -> Iterator[torch.Tensor]:
            for batch, passes in _batches(store, training, np.random.default_rng(self.seed)):
                # what it sees for the first time it cannot know by heart
                model.train(passes > 0)
                weight = (batch[..., 0] >= 0).float()
                yield (model.nats(batch.clamp_min(0)).sum(-1) * weight).sum() / weight.sum()

        def say(found: float, step: int) -> None:
            self.progress(f"{name}: {found / np.log(2):.2f} bits per frame after {step} steps")

        train(
            model,
            losses(),
            lambda: _mean_nats(model.eval(), held_out),
            seconds=seconds,
            rate=_RATE,
            max_steps=self.max_steps,
            say=say,
        )


@dataclass(frozen=True, slots=True)
class _FurtherNeural:
    """`members.Further`, of a model whose weights are there."""

    model: LanguageModel

    def __call__(self, store: CodeStore, fold_of_clip: np.ndarray, fold: int, clips: np.ndarray) -> np.ndarray:
        with one_thread(self.model.seed + fold), torch.no_grad():
            model = self.model.of_fold(store, fold_of_clip, fold)
            return np.concatenate([_clip_bits(model, store, int(clip)) for clip in clips])


@dataclass(frozen=True, slots=True, eq=False)
class _FoldJob:
    model: LanguageModel
    store: CodeStore
    fold_of_clip: np.ndarray
    fold: int


@dataclass(frozen=True, slots=True, eq=False)
class _ScoredFold:
    bits: list[np.ndarray]
    """`[T, Q]` of each clip of the fold."""
    check_bits: list[np.ndarray]
    """`[T, Q]` of each of the next fold's `check_clips`."""
    weights: dict[str, np.ndarray]


def _train_and_score(job: _FoldJob) -> _ScoredFold:
    store, fold = job.store, job.fold
    sampled = check_clips(store, job.fold_of_clip)
    with one_thread(job.model.seed + fold), torch.no_grad():
        model = job.model.of_fold(store, job.fold_of_clip, fold)
        own = [_clip_bits(model, store, clip) for clip in np.flatnonzero(job.fold_of_clip == fold)]
        check = [_clip_bits(model, store, clip) for clip in sampled[(fold + 1) % len(sampled)]]
    return _ScoredFold(own, check, {f"fold{fold}.{n}": w.numpy().copy() for n, w in model.state_dict().items()})


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


def _batches(store: CodeStore, clips: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[torch.Tensor, int]]:
    """`[BATCH, T, Q]` segments of clips in random order, without end; -1 beyond the end of a segment. And how often all
    were seen before."""
    segments = [
        (clip, begin)
        for clip in clips
        for begin in range(0, int(store.lengths[clip]), SEGMENT_FRAMES)
        if store.lengths[clip] - begin > 1 or begin == 0
    ]
    for passes in count():
        if not segments:
            return
        order = rng.permutation(len(segments))
        for at in range(0, len(order), BATCH):
            chosen = [segments[i] for i in order[at : at + BATCH]]
            found = [_frames(store, clip)[begin : begin + SEGMENT_FRAMES] for clip, begin in chosen]
            yield torch.nn.utils.rnn.pad_sequence(found, batch_first=True, padding_value=-1), passes

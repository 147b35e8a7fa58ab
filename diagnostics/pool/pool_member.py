"""The pool as a member of the portfolio: contexts of one symbol each, multiplied.

Contexts are codes of this frame and the two before, and classes of sound (`sound_classes`). Each is a Kneser-Ney table
of its own, so an hour of speech fills them all; that the past and the codebooks above say different things of a code is
left to the product.

For each fold the classes are fitted once, on clips of neither the fold nor the next one, on which weights are chosen.
All tables of a fold are counts under these classes, so the tables of its training clips are those of all other folds
less those of the next one, exactly, and tables that machines count apart add up. Tables of two folds have different
classes and never meet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from ..codes.members import Scored, check_clips
from ..estimates.folds import sample_clips, training_shares
from ..estimates.jobs import Here, Jobs, say_nothing, where_worth
from ..ngrams.code_store import CodeStore
from .log_linear import fit_weights, nats
from .sound_classes import SoundClasses
from .tables import count, log_probabilities

_FIT_FRAMES = 2500
"""Held-out frames on which the weights of the pool are fitted: some 15 numbers."""
_CURVE_FRAMES = 4000
_SMALLEST = 0.04
"""Tables with less than this weight are left out, and the others weighed again."""
_MOST_CELLS = 1 << 23
"""Of one table; contexts whose table would be larger are left out."""
_CHUNK_FRAMES = 1 << 16


@dataclass(frozen=True, slots=True)
class Pool:
    """Call it with a store and the fold of each clip."""

    vectors: np.ndarray | None = None
    """`[Q, cardinality, D]`, what the codec adds up for each code; without them there are no classes of sound."""
    max_train_frames: int = 500_000
    seed: int = 0
    progress: Callable[[str], None] = lambda _: None
    jobs: Jobs = field(default_factory=Here)
    """Does one fold after the other, or several at once."""

    def __call__(self, store: CodeStore, fold_of_clip: np.ndarray) -> Scored:
        """Fit and score. Memory: up to 40 bytes per training frame and codebook, for each fold at a time."""
        num_folds = int(fold_of_clip.max()) + 1
        starts = np.cumsum(store.lengths) - store.lengths
        bits = np.empty((int(store.lengths.sum()), store.num_codebooks), np.float32)
        check: list[np.ndarray] = [np.zeros(0)] * num_folds
        curve = np.zeros(3)
        jobs = where_worth(self.jobs, bits.size)
        if jobs.workers > 1 and jobs.one_disk:
            store.share()
        alone = replace(self, progress=say_nothing, jobs=Here())
        tasks = [_FoldJob(alone, store, fold_of_clip, fold) for fold in range(num_folds)]
        for fold, found in enumerate(jobs(_score_fold, tasks)):
            self.progress(f"contexts pooled for fold {fold + 1} of {num_folds}")
            check[(fold + 1) % num_folds] = found.check_bits
            curve += found.curve
            own = np.flatnonzero(fold_of_clip == fold)
            ends = np.cumsum(store.lengths[own])
            for clip, begin, end in zip(own, ends - store.lengths[own], ends, strict=True):
                bits[starts[clip] : starts[clip] + end - begin] = found.bits[begin:end]
        note = "" if self.vectors is not None else "the codec gives no codebook vectors: contexts of symbols only"
        quarter, half, whole = (curve / store.lengths.sum()).tolist()
        check_bits = np.concatenate(check).astype(np.float32)
        return Scored(bits, check_bits, (quarter, half, whole), note, _FurtherPool(alone))


@dataclass(frozen=True, slots=True, eq=False)
class _FoldJob:
    pool: Pool
    store: CodeStore
    fold_of_clip: np.ndarray
    fold: int


@dataclass(frozen=True, slots=True)
class _FurtherPool:
    """`members.Further`: fits the pool of the fold again."""

    pool: Pool

    def __call__(self, store: CodeStore, fold_of_clip: np.ndarray, fold: int, clips: np.ndarray) -> np.ndarray:
        sampled = check_clips(store, fold_of_clip)
        model = _FoldPool(self.pool, store, fold_of_clip, fold, sampled[(fold + 1) % len(sampled)])
        return np.concatenate([model.bits(part).astype(np.float32) for part in _chunks(store.lengths, clips)])


@dataclass(frozen=True, slots=True, eq=False)
class _ScoredFold:
    bits: np.ndarray
    """`[F, Q]` float32 of the fold's clips, end to end."""
    check_bits: np.ndarray
    """`[S, Q]` of the next fold's `check_clips`."""
    curve: np.ndarray
    """`[3]` bits as if of all frames of the fold."""


def _score_fold(job: _FoldJob) -> _ScoredFold:
    store, sampled = job.store, check_clips(job.store, job.fold_of_clip)
    model = _FoldPool(job.pool, store, job.fold_of_clip, job.fold, sampled[(job.fold + 1) % len(sampled)])
    own = np.flatnonzero(job.fold_of_clip == job.fold)
    bits = [model.bits(part).astype(np.float32) for part in _chunks(store.lengths, own)]
    curve = model.curve(sampled[job.fold]) * store.lengths[own].sum()
    return _ScoredFold(np.concatenate(bits), model.check_bits, curve)


class _FoldPool:
    """The pool of one held-out fold."""

    def __init__(self, pool: Pool, store: CodeStore, fold_of_clip: np.ndarray, fold: int, check: np.ndarray) -> None:
        """check: clips of the next fold, on which weights are chosen."""
        self._store = store
        after = (fold + 1) % (int(fold_of_clip.max()) + 1)
        others = np.flatnonzero(fold_of_clip != fold)
        index = [(store.keys[i], store.groups[i], int(store.lengths[i])) for i in others]
        chosen = sample_clips(index, pool.max_train_frames, seed=pool.seed)
        others = np.array([i for i in others if store.keys[i] in chosen], np.int64)
        # the order of clips in the store is the caller's: what is fitted must not depend on it
        training = sorted(others[fold_of_clip[others] != after], key=lambda i: store.keys[i])
        self.classes = None
        if pool.vectors is not None and training:
            self.classes = SoundClasses(pool.vectors, [_codes(store, clip) for clip in training], pool.seed)
        self._frames = _Frames(store, others, self.classes)
        later = np.repeat(fold_of_clip[others] == after, store.lengths[others])
        lengths, folds = store.lengths[others].tolist(), fold_of_clip[others].tolist()
        share = training_shares([store.keys[i] for i in others], lengths, folds, pool.seed)
        self._share = np.repeat(share, store.lengths[others])
        held_out = _Frames(store, check, self.classes)
        few = np.arange(held_out.codes.shape[0])[:: max(1, held_out.codes.shape[0] // _FIT_FRAMES)]
        self.check_bits = np.empty(held_out.codes.shape, np.float32)
        self.names: list[list[str]] = []
        self.weights: list[np.ndarray] = []
        self._tables: list[list[np.ndarray]] = []
        for q in range(store.num_codebooks):
            names = self._frames.contexts_of(q)
            whole = {name: self._frames.count(name, q) for name in names}
            fitted = {name: log_probabilities(whole[name] - self._frames.count(name, q, later)) for name in names}
            rows = {name: held_out.rows(name) for name in names}
            codes = held_out.codes[:, q]
            # a third of the frames tells which contexts matter
            some = few[::3]
            found = fit_weights([fitted[n] for n in names], [rows[n][some] for n in names], codes[some])
            kept = [i for i, weight in enumerate(found) if i == 0 or abs(weight) >= _SMALLEST]
            names = [names[i] for i in kept]
            tables = [fitted[n] for n in names]
            weights = fit_weights(tables, [rows[n][few] for n in names], codes[few], found[kept])
            self.check_bits[:, q] = nats(tables, [rows[n] for n in names], codes, weights) / np.log(2)
            self.names.append(names)
            self.weights.append(weights)
            self._tables.append([log_probabilities(whole[n]) for n in names])

    def bits(self, clips: np.ndarray) -> np.ndarray:
        """`[F, Q]` of the codes of these clips, end to end."""
        return self._bits(_Frames(self._store, clips, self.classes), self._tables)

    def curve(self, clips: np.ndarray) -> np.ndarray:
        """Bits per frame of a sample of these clips from a quarter, a half and all of the training frames, `[3]`."""
        lengths = self._store.lengths[clips]
        few = clips[:: max(1, int(lengths.sum()) // _CURVE_FRAMES)]
        frames = _Frames(self._store, few, self.classes)
        found = []
        for most in range(2):
            part = self._share <= most
            tables = [
                [log_probabilities(self._frames.count(name, q, part)) for name in names]
                for q, names in enumerate(self.names)
            ]
            found.append(self._bits(frames, tables).sum(1).mean())
        return np.array([*found, self._bits(frames, self._tables).sum(1).mean()])

    def _bits(self, frames: _Frames, tables: list[list[np.ndarray]]) -> np.ndarray:
        each = [
            nats(tables[q], [frames.rows(name) for name in names], frames.codes[:, q], self.weights[q])
            for q, names in enumerate(self.names)
        ]
        return np.stack(each, axis=1) / np.log(2)


class _Frames:
    """The frames of some clips, and the context symbols of each of their codes."""

    def __init__(self, store: CodeStore, clips: np.ndarray, classes: SoundClasses | None) -> None:
        self.cardinality, self._num_codebooks = store.cardinality, store.num_codebooks
        positions, _, _ = store.frames(clips)
        self.codes = store.codes_at(positions)
        self._symbols = {lag: store.codes_at(positions - lag) for lag in (1, 2)} | {0: self.codes}
        each = [_codes(store, clip) for clip in clips]
        self._labels = {} if classes is None or not each else classes.labels(each)
        self._sizes = {} if classes is None else classes.num_classes()

    def contexts_of(self, q: int) -> list[str]:
        """Names of the contexts of codebook `q`, the empty one first."""
        last = self._num_codebooks - 1
        symbols = [f"c{q}-1", f"c{q}-2", f"c{min(q + 1, last)}-1", "c0-1"]
        symbols += [f"c{above}-0" for above in dict.fromkeys((q - 1, q - 2, 0)) if 0 <= above < q]
        if (self.cardinality + 1) * self.cardinality > _MOST_CELLS:
            symbols = []
        sounds = [n for n in self._sizes if not n.startswith("above") or n.startswith(f"above{q}-")]
        return ["", *dict.fromkeys(symbols), *(n for n in sounds if self._sizes[n] * self.cardinality <= _MOST_CELLS)]

    def rows(self, name: str) -> np.ndarray:
        """The context symbol of every frame, `[F]`."""
        if not name:
            return np.zeros(self.codes.shape[0], np.int64)
        if name in self._labels:
            return self._labels[name]
        book, lag = name[1:].split("-")
        return self._symbols[int(lag)][:, int(book)]

    def count(self, name: str, q: int, where: np.ndarray | None = None) -> np.ndarray:
        """Table of codebook `q` after a context, of the frames `where` `[F]` bool says."""
        rows, codes = self.rows(name), self.codes[:, q]
        if where is not None:
            rows, codes = rows[where], codes[where]
        return count(rows, codes, self._sizes.get(name, self.cardinality + 1) if name else 1, self.cardinality)


def _codes(store: CodeStore, clip: int) -> np.ndarray:
    """`[T, Q]`"""
    positions, _, _ = store.frames([clip])
    return store.codes_at(positions)


def _chunks(lengths: np.ndarray, clips: np.ndarray) -> list[np.ndarray]:
    ends = np.cumsum(lengths[clips])
    return [part for part in np.split(clips, np.flatnonzero(np.diff(ends // _CHUNK_FRAMES)) + 1) if part.size]

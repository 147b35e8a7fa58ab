"""Everything that a diagnosis wants of one codebook: a piece of work of its own, which another process may do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..ngrams.code_store import CodeStore
from ..ngrams.codebook_model import ENTRIES_ONLY, NUM_BUCKETS, CodebookModel, Mixture
from .codebook_rate import CodebookRate, summarise
from .members import check_clips

_SCORING_FRAMES = 1 << 19
_SAMPLE_FRAMES = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class CodebookJob:
    """One codebook of a closed store."""

    store: CodeStore
    codebook: int
    fold_of_clip: np.ndarray
    """`[N]`"""
    positions: np.ndarray
    """`[F]` training frames in the store."""
    parts: np.ndarray
    """`[F]` fold * NUM_BUCKETS + bucket of each."""
    others: list[np.ndarray] | None
    """Of every fold `[S]` bits of the codes of `check_clips` by the cheapest other member; None without members."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredCodebook:
    """What is known of a codebook. Bits are cross-fitted."""

    bits: np.ndarray
    """`[F]` float32 of every code, clips end to end."""
    small_bits: np.ndarray
    """`[N]` of every clip under how often each entry occurs."""
    saved: np.ndarray
    """`[N]` bits that the codebooks above save, of the clips of `sampled`."""
    curve: np.ndarray
    """`[NUM_BUCKETS]` bits with a quarter, a half and all of the training frames, as if of all frames."""
    by_lag: np.ndarray
    """`[MAX_LAG + 1]` bits per code on validation folds with contexts that reach back so far."""
    check_bits: list[np.ndarray]
    """Of every fold `[S]` float32 of the codes of `check_clips`, by models that saw neither it nor the one before."""
    mixtures: list[Mixture]
    """What was chosen for every fold."""
    record: CodebookRate


def sampled(store: CodeStore, fold_of_clip: np.ndarray) -> np.ndarray:
    """Clips that are enough for the learning curve and for a paired difference."""
    return np.concatenate(
        [_sample(store, np.flatnonzero(fold_of_clip == f)) for f in range(int(fold_of_clip.max()) + 1)]
    )


def score_codebook(job: CodebookJob) -> ScoredCodebook:
    """Choose, fit and score the models of a codebook for every fold."""
    store, fold_of_clip, codebook = job.store, job.fold_of_clip, job.codebook
    num_folds = int(fold_of_clip.max()) + 1
    starts = np.cumsum(store.lengths) - store.lengths
    model = CodebookModel(store, codebook, job.positions, job.parts, num_folds)
    check_at = [store.frames(clips)[0] for clips in check_clips(store, fold_of_clip)]
    bits, small_bits = np.zeros(int(store.lengths.sum()), np.float32), np.zeros(len(store))
    saved, curve = np.zeros(len(store)), np.zeros(NUM_BUCKETS)
    check_bits = [np.zeros(0, np.float32)] * num_folds
    choices, total = [], 0.0
    for fold in range(num_folds):
        clips = np.flatnonzero(fold_of_clip == fold)
        after = (fold + 1) % num_folds
        choice = model.choose(fold, check_at[after], None if job.others is None else job.others[after])
        fitted, small = model.fit(choice.mixture, fold), model.fit(ENTRIES_ONLY, fold)
        for at, clip, within in scoring_chunks(store, clips):
            cost = fitted.bits(at)
            bits[starts[clip] + within] = cost
            small_bits += np.bincount(clip, small.bits(at), len(store))
            total += float(cost.sum())
        at, clip, _ = store.frames(_sample(store, clips))
        full = fitted.bits(at)
        fewer = [model.fit(choice.mixture, fold, buckets=buckets).bits(at).mean() for buckets in range(1, NUM_BUCKETS)]
        curve += np.array([*fewer, full.mean()]) * store.lengths[clips].sum()
        if choice.past_only != choice.mixture:
            parallel = model.fit(choice.past_only, fold).bits(at)
            saved += np.bincount(clip, parallel - full, len(store))
        choices.append(choice)
        if job.others is not None:
            check_bits[after] = model.fit(choice.mixture, fold, after).bits(check_at[after]).astype(np.float32)
    chain_gain = float(saved.sum()) / store.lengths[sampled(store, fold_of_clip)].sum()
    by_lag = np.mean([choice.by_lag for choice in choices], axis=0)
    record = summarise(model, choices, total, chain_gain)
    mixtures = [choice.mixture for choice in choices]
    return ScoredCodebook(bits, small_bits, saved, curve, by_lag, check_bits, mixtures, record)


def _sample(store: CodeStore, clips: np.ndarray) -> np.ndarray:
    """Every so many clips of a fold, some `_SAMPLE_FRAMES` frames."""
    return clips[:: max(1, int(store.lengths[clips].sum()) // _SAMPLE_FRAMES)]


def scoring_chunks(store: CodeStore, clips: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """`CodeStore.frames` of these clips, some of them at a time."""
    ends = np.cumsum(store.lengths[clips])
    for group in np.split(clips, np.flatnonzero(np.diff(ends // _SCORING_FRAMES)) + 1):
        yield store.frames(group)

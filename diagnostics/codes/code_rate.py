"""Held-out code rate of discrete codes, in bits per second of audio, and whether it can be trusted.

The rate is the code length of each clip under models fitted on other groups, summed over codebooks by the chain rule
within a frame. As every model is normalised, the expectation of the rate is an upper bound on the source's entropy
rate. How tight it is depends on data; four gates decide whether it is quoted or called unresolved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...schemas.keys import digest
from ..estimates.estimate import Estimate
from ..estimates.folds import Folds, sample_clips
from .code_gates import MIN_EXPONENT, MIN_GROUPS, judge
from .code_store import CodeStore
from .codebook_model import NUM_BUCKETS, CodebookModel
from .codebook_rate import CodebookRate, summarise
from .contexts import MAX_LAG

# A clip's halves are to differ in what is coded, not in what is said: half a second and more per block would make
# every clip with a pause at one end look unreliable.
_BLOCK_S = 0.2
_SCORING_FRAMES = 1 << 19
_SAMPLE_FRAMES = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class CodeRate:
    """The rate of a corpus and of each of its clips."""

    rate: Estimate
    """bit/s."""
    codebooks: tuple[CodebookRate, ...]
    bits: np.ndarray
    """`[N]` cross-fitted code length of each clip, float64; NaN where it could not be cross-fitted."""
    halves: np.ndarray
    """`[N, 2]` the same over even and odd blocks of 0.2 s: how repeatable a clip's rate is."""
    half_seconds: np.ndarray
    """`[N, 2]` audio in each half."""
    curve: tuple[tuple[float, float], ...]
    """(frames of training data, bit/s): a quarter, a half and all of it, on the same held-out frames."""
    exponent: float | None
    """b of a fall like n ** -b, from the curve; None where it no longer falls."""
    extrapolated: float | None
    """bit/s where the curve would end, only for b of at least 0.5; no bound, and wrong where the models cannot fit."""
    by_reach: tuple[tuple[float, float], ...]
    """(seconds, bit/s) with contexts that reach back no further than this, on validation folds."""

    @classmethod
    def unmeasured(cls, num_clips: int, reason: str) -> CodeRate:
        """Nothing could be held out."""
        rate = Estimate.unresolved(reason, f"audio of at least {MIN_GROUPS} speakers or recordings", "bit/s")
        nothing = np.full((num_clips, 2), np.nan)
        return cls(rate, (), nothing[:, 0], nothing, np.zeros((num_clips, 2)), (), None, None, ())


def code_rate(
    store: CodeStore,
    folds: Folds,
    frame_rate: float,
    *,
    group_kind: str,
    seed: int = 0,
    max_train_frames: int = 2_000_000,
) -> CodeRate:
    """Measure all clips of a closed store.

    Models are counted on at most `max_train_frames` frames, clips chosen evenly over groups; every clip is scored.
    Memory: up to 300 bytes per training frame for one codebook at a time, beside the store.
    """
    fold_of_clip = np.array([folds.fold_of(*clip) for clip in zip(store.keys, store.groups, strict=True)], np.int64)
    positions, parts = _training_frames(store, fold_of_clip, seed, max_train_frames)
    block = max(1, round(_BLOCK_S * frame_rate))
    halves, half_frames = np.zeros((len(store), 2)), _half_frames(store.lengths, block)
    books, curve, by_lag = [], np.zeros(NUM_BUCKETS), np.zeros(MAX_LAG + 1)
    for codebook in range(store.num_codebooks):
        model = CodebookModel(store, codebook, positions, parts, folds.num_folds)
        choices, before, chain_gain = [], halves.sum(), 0.0
        for fold in range(folds.num_folds):
            clips = np.flatnonzero(fold_of_clip == fold)
            choice = model.choose(fold)
            fitted = model.fit(choice.mixture, fold)
            for at, clip, within in _chunks(store, clips):
                half = clip * 2 + (within // block) % 2
                halves += np.bincount(half, fitted.bits(at), 2 * len(store)).reshape(-1, 2)
            # a sample of clips is enough for what is quoted without an interval
            num_frames = int(store.lengths[clips].sum())
            sample = store.frames(clips[:: max(1, num_frames // _SAMPLE_FRAMES)])[0]
            full = fitted.bits(sample).mean()
            fewer = [model.fit(choice.mixture, fold, buckets).bits(sample).mean() for buckets in range(1, NUM_BUCKETS)]
            curve += np.array([*fewer, full]) * num_frames
            if choice.past_only != choice.mixture:
                chain_gain += (model.fit(choice.past_only, fold).bits(sample).mean() - full) * num_frames
            choices.append(choice)
        by_lag += np.mean([choice.by_lag for choice in choices], axis=0)
        books.append(summarise(model, choices, float(halves.sum() - before), chain_gain))
    rates = curve / store.lengths.sum() * frame_rate
    exponent = _exponent(rates)
    bits, trained = halves.sum(1), positions.shape[0] * (1 - 1 / folds.num_folds)
    return CodeRate(
        judge(store, group_kind, books, bits, rates, exponent, trained, frame_rate, seed),
        tuple(books),
        bits,
        halves,
        half_frames / frame_rate,
        tuple((trained * share, float(rate)) for share, rate in zip((0.25, 0.5, 1.0), rates, strict=True)),
        exponent,
        _extrapolated(rates, exponent),
        tuple((lag / frame_rate, float(rate * frame_rate)) for lag, rate in enumerate(by_lag)),
    )


def _half_frames(lengths: np.ndarray, block: int) -> np.ndarray:
    """Frames of each clip in even and in odd blocks, `[N, 2]`."""
    pairs, rest = np.divmod(lengths, 2 * block)
    even = pairs * block + np.minimum(rest, block)
    return np.stack((even, lengths - even), axis=1)


def _training_frames(
    store: CodeStore, fold_of_clip: np.ndarray, seed: int, max_frames: int
) -> tuple[np.ndarray, np.ndarray]:
    chosen = sample_clips(
        list(zip(store.keys, store.groups, store.lengths.tolist(), strict=True)), max_frames, seed=seed
    )
    clips = np.array([i for i, key in enumerate(store.keys) if key in chosen], dtype=np.int64)
    bucket = np.empty(len(store), dtype=np.int64)
    for fold in range(int(fold_of_clip.max()) + 1):
        members = sorted(clips[fold_of_clip[clips] == fold], key=lambda i: digest("bucket", seed, store.keys[i]))
        ends = np.cumsum(store.lengths[members]) / max(1, store.lengths[members].sum())
        bucket[members] = np.searchsorted([0.25, 0.5], ends - 1e-9)
    at, clip, _ = store.frames(clips)
    return at, fold_of_clip[clip] * NUM_BUCKETS + bucket[clip]


def _chunks(store: CodeStore, clips: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    ends = np.cumsum(store.lengths[clips])
    for group in np.split(clips, np.flatnonzero(np.diff(ends // _SCORING_FRAMES)) + 1):
        yield store.frames(group)


def _exponent(rates: np.ndarray) -> float | None:
    first, second = rates[0] - rates[1], rates[1] - rates[2]
    return float(np.log2(first / second)) if first > 0 and second > 0 else None


def _extrapolated(rates: np.ndarray, exponent: float | None) -> float | None:
    """Limit of rate(n) = limit + a n^-b through the three points."""
    if exponent is None or exponent < MIN_EXPONENT:
        return None
    return float(rates[2] - (rates[1] - rates[2]) / (2**exponent - 1))

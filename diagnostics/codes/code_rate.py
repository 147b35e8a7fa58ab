"""Held-out code rate of discrete codes, in bits per second of audio, and whether it can be trusted.

The rate is the code length of each clip under models fitted on other groups, summed over codebooks by the chain rule
within a frame. As every model is normalised, the expectation of the rate is an upper bound on the source's entropy
rate. How tight it is depends on data; four gates decide whether it is quoted or called unresolved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..estimates.estimate import Estimate
from ..estimates.folds import Folds, counted, sample_clips, training_shares
from ..estimates.interval import ratio
from ..estimates.jobs import Here, Jobs, say_nothing
from ..ngrams.code_store import CodeStore
from ..ngrams.codebook_model import NUM_BUCKETS
from ..ngrams.contexts import MAX_LAG
from .code_gates import MIN_EXPONENT, MIN_GROUPS, Within, how_far_off, judge
from .codebook_job import CodebookJob, sampled, score_codebook
from .codebook_rate import CodebookRate
from .fitted_codes import FittedCodes
from .members import Member, MixedMembers, Scored, check_clips, mix_members


@dataclass(frozen=True, slots=True, eq=False)
class CodeRate:
    """The rate of a corpus and of each of its clips."""

    rate: Estimate
    """bit/s."""
    codebooks: tuple[CodebookRate, ...]
    bits: np.ndarray
    """`[N]` cross-fitted code length of each clip, float64; NaN where it could not be cross-fitted."""
    frame_bits: np.ndarray
    """`[F]` float32, the same of each frame, clips end to end; empty where nothing could be cross-fitted."""
    small_bits: np.ndarray
    """`[N]` under a model that knows only how often each entry occurs, cross-fitted alike."""
    chain_gain: Estimate
    """bit/s that the codebooks above in the same frame save over predicting all from the past, of all codebooks."""
    fold_of_clip: np.ndarray
    """`[N]`"""
    portfolio: MixedMembers | None
    """The members and what mixing them saved; None where counting was the only one."""
    curve: tuple[tuple[float, float], ...]
    """(frames of training data, bit/s): a quarter, a half and all of it, on the same held-out frames."""
    exponent: float | None
    """b of a fall like n ** -b, from the curve; None where it no longer falls."""
    extrapolated: float | None
    """bit/s where the curve would end, only for b of at least 0.5; no bound, and wrong where the models cannot fit."""
    context_gain: tuple[tuple[float, float], ...]
    """(seconds, bit/s) with contexts that reach back no further than this, on validation folds."""
    within: Within | None
    """How far the bound may still be off; None where nothing could be cross-fitted."""
    fitted: FittedCodes | None
    """For further clips; None where nothing could be cross-fitted."""

    @classmethod
    def unmeasured(cls, num_clips: int, reason: str) -> CodeRate:
        """Nothing could be held out."""
        rate = Estimate.unresolved(reason, f"audio of at least {MIN_GROUPS} speakers or recordings", "bit/s")
        nothing, none = np.full(num_clips, np.nan), np.zeros(num_clips, np.int64)
        return cls(
            rate, (), nothing, np.zeros(0, np.float32), nothing, rate, none, None, (), None, None, (), None, None
        )


def code_rate(
    store: CodeStore,
    folds: Folds,
    frame_rate: float,
    *,
    group_kind: str,
    seed: int = 0,
    max_train_frames: int = 2_000_000,
    members: Mapping[str, Member] | None = None,
    jobs: Jobs = Here(),
    say: Callable[[str], None] = say_nothing,
) -> CodeRate:
    """Measure all clips of a closed store.

    Models are counted on at most `max_train_frames` frames, clips chosen evenly over groups; every clip is scored.
    members: further models, which are mixed with the counts. jobs: does one codebook after the other, or several at
    once. Memory: up to 300 bytes per training frame for each codebook at a time, beside the store. say: told which
    part is under way.
    """
    fold_of_clip = np.array([folds.fold_of(*clip) for clip in zip(store.keys, store.groups, strict=True)], np.int64)
    positions, parts = _training_frames(store, fold_of_clip, seed, max_train_frames)
    starts = np.cumsum(store.lengths) - store.lengths
    if jobs.workers > 1 and jobs.one_disk:
        store.share()
    scored: dict[str, Scored] = {}
    for name, member in (members or {}).items():
        say(f"codes: {name}")
        scored[name] = member(store, fold_of_clip)
    others = _best_checks(scored, [int(store.lengths[clips].sum()) for clips in check_clips(store, fold_of_clip)])
    tasks = [
        CodebookJob(store, q, fold_of_clip, positions, parts, [each[:, q] for each in others] if members else None)
        for q in range(store.num_codebooks)
    ]
    code_bits = np.zeros((int(store.lengths.sum()), store.num_codebooks), np.float32)
    small_bits, saved = np.zeros(len(store)), np.zeros(len(store))
    books, mixtures, checks = [], [], []
    curve, by_lag = np.zeros(NUM_BUCKETS), np.zeros(MAX_LAG + 1)
    say(f"codes: counts of {counted(len(tasks), 'codebook')}")
    for q, found in enumerate(jobs(score_codebook, tasks)):
        say(f"codes: {q + 1} of {counted(len(tasks), 'codebook')} counted")
        code_bits[:, q] = found.bits
        small_bits += found.small_bits
        saved += found.saved
        curve += found.curve
        by_lag += found.by_lag
        books.append(found.record)
        mixtures.append(found.mixtures)
        checks.append(found.check_bits)
    portfolio = weights = None
    if members:
        quarter, half, whole = (curve / store.lengths.sum()).tolist()
        check_bits = np.concatenate([np.stack(each, axis=1) for each in zip(*checks, strict=True)])
        every = {"counts": Scored(code_bits, check_bits, (quarter, half, whole))} | scored
        code_bits, portfolio, weights = mix_members(every, store, fold_of_clip)
        falling = {name: each.curve for name, each in every.items() if each.curve is not None}
        curve = np.array(falling[min(falling, key=lambda name: portfolio.members[name])]) * store.lengths.sum()
    frame_bits = code_bits.sum(1)
    rates = curve / store.lengths.sum() * frame_rate
    exponent = _exponent(rates)
    bits = np.add.reduceat(frame_bits.astype(np.float64), starts) if len(store) else np.zeros(0)
    trained = positions.shape[0] * (1 - 1 / folds.num_folds)
    off = how_far_off(books, rates, exponent, portfolio)
    counted_share = portfolio.weights["counts"] if portfolio is not None else 1.0
    rate = judge(store, group_kind, books, bits, off, counted_share, rates, exponent, trained, frame_rate)
    few = sampled(store, fold_of_clip)
    gain = ratio(saved[few], store.lengths[few] / frame_rate, [store.groups[i] for i in few])
    return CodeRate(
        rate,
        tuple(books),
        bits,
        frame_bits,
        small_bits,
        # a gain between two rates of which one cannot be told is none
        Estimate.resolved(gain.value, gain.low, gain.high, "bit/s")
        if rate.is_resolved
        else Estimate.unresolved(rate.reason, rate.remedy, "bit/s", gain.value),
        fold_of_clip,
        portfolio,
        tuple((trained * share, float(rate)) for share, rate in zip((0.25, 0.5, 1.0), rates, strict=True)),
        exponent,
        _extrapolated(rates, exponent),
        tuple((lag / frame_rate, float(rate * frame_rate)) for lag, rate in enumerate(by_lag)),
        off,
        FittedCodes(
            store, fold_of_clip, positions, parts, mixtures, {n: each.further for n, each in scored.items()}, weights
        ),
    )


def _best_checks(scored: Mapping[str, Scored], sizes: list[int]) -> list[np.ndarray]:
    """Of every fold the check bits `[S, Q]` of the cheapest member; empty without members."""
    if not scored:
        return []
    best = min(scored.values(), key=lambda each: float(each.check.sum(dtype=np.float64)))
    return np.split(best.check, np.cumsum(sizes)[:-1])


def _training_frames(
    store: CodeStore, fold_of_clip: np.ndarray, seed: int, max_frames: int
) -> tuple[np.ndarray, np.ndarray]:
    chosen = sample_clips(
        list(zip(store.keys, store.groups, store.lengths.tolist(), strict=True)), max_frames, seed=seed
    )
    clips = np.array([i for i, key in enumerate(store.keys) if key in chosen], dtype=np.int64)
    bucket = np.zeros(len(store), dtype=np.int64)
    bucket[clips] = training_shares(
        [store.keys[i] for i in clips], store.lengths[clips].tolist(), fold_of_clip[clips].tolist(), seed
    )
    at, clip, _ = store.frames(clips)
    return at, fold_of_clip[clip] * NUM_BUCKETS + bucket[clip]


def _exponent(rates: np.ndarray) -> float | None:
    first, second = rates[0] - rates[1], rates[1] - rates[2]
    return float(np.log2(first / second)) if first > 0 and second > 0 else None


def _extrapolated(rates: np.ndarray, exponent: float | None) -> float | None:
    """Limit of rate(n) = limit + a n^-b through the three points."""
    if exponent is None or exponent < MIN_EXPONENT:
        return None
    return float(rates[2] - (rates[1] - rates[2]) / (2**exponent - 1))

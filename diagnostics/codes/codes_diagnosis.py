"""The diagnosis of a codes representation: raw rate, use of the codebooks, held-out code rate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..estimates.estimate import Estimate
from ..estimates.folds import folds_of_clips
from ..estimates.interval import ratio
from ..estimates.jobs import Here, Jobs, say_nothing, where_worth
from ..estimates.pieces import Corpus, pieces
from ..estimates.samples import Samples, scalars, start
from ..ngrams.code_store import CodeStore
from .clip_costs import ClipBits, ClipCosts, sums_of_frames
from .code_gates import Within
from .code_rate import CodeRate, code_rate
from .codebook_rate import CodebookRate
from .further_clips import PIECE_FRAMES, CodeSource, FurtherJob, score_further
from .members import Member, MixedMembers


@dataclass(frozen=True, slots=True, eq=False)
class CodesDiagnosis:
    """What is known of a codes representation; the arrays hold one value per clip, in the order given."""

    group_kind: str
    folds: str
    """How clips were held out, in words."""
    num_groups: int
    num_clips: int
    num_frames: int
    held_frames: int
    """Of them that models were fitted and chosen on, and gates judged by."""
    total_seconds: float
    frame_rate: float
    cardinality: int
    rate_raw: float
    """bit/s that storing the codes takes: frame_rate * codebooks * log2 cardinality."""
    code_rate: Estimate
    """bit/s, an upper bound on the entropy rate."""
    efficiency: Estimate
    """code_rate / rate_raw."""
    chain_gain: Estimate
    """bit/s that the codebooks above in the same frame save over predicting all from the past of all codebooks."""
    codebooks: tuple[CodebookRate, ...]
    learning_curve: tuple[tuple[float, float], ...]
    """(training frames, bit/s)"""
    learning_exponent: float | None
    """b of a fall like n ** -b; below 0.5 the rate has not converged."""
    learning_limit: float | None
    """bit/s where the curve would end, where b is at least 0.5; no bound."""
    context_gain: tuple[tuple[float, float], ...]
    """(seconds, bit/s) with contexts that reach back this far: what longer contexts gain."""
    skipped: Mapping[str, int]
    """Clips left out, by reason."""
    clip_keys: list[str]
    groups: list[str]
    bits: np.ndarray
    """`[N]` cross-fitted code length of each clip."""
    seconds: np.ndarray
    """`[N]`"""
    portfolio: MixedMembers | None
    """What every member of the portfolio costs alone, bits per frame; None where counting was the only one."""
    within: Within | None
    """How far the bound may still be off, as shares of the rate."""
    clips: ClipCosts
    """More of each clip: what the curriculum ranks by."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, without the arrays."""
        return {
            "kind": "codes",
            **scalars(self),
            "code_rate": self.code_rate.to_dict(),
            "efficiency": self.efficiency.to_dict(),
            "codebooks": [asdict(book) for book in self.codebooks],
            "learning_curve": [{"frames": frames, "bits_per_s": rate} for frames, rate in self.learning_curve],
            "context_gain": [{"seconds": reach, "bits_per_s": rate} for reach, rate in self.context_gain],
            "portfolio": None if self.portfolio is None else asdict(self.portfolio),
            "within": None if self.within is None else self.within.to_dict(),
            "chain_gain": self.chain_gain.to_dict(),
            "difficulty": self.clips.to_dict(),
            "skipped": dict(self.skipped),
        }


def diagnose_codes(
    samples: Samples,
    frame_rate: float,
    cardinality: int,
    *,
    group_kind: str,
    seed: int = 0,
    max_train_frames: int = 2_000_000,
    sound: Mapping[str, np.ndarray] | None = None,
    members: Mapping[str, Member] | None = None,
    jobs: Jobs = Here(),
    corpus: Corpus[CodeSource] | None = None,
    say: Callable[[str], None] = say_nothing,
) -> CodesDiagnosis:
    """Diagnose codes `[K, T]`, integers in [0, cardinality), at `frame_rate` Hz.

    One pass over the samples. Memory: two bytes per code of them (a temporary file beyond 512 MB) and up to 300 bytes
    per training frame, of which there are at most `max_train_frames`; every clip is scored. A clip that is not what it
    should be is left out and counted in `skipped`; with nothing left every estimate is unresolved.

    sound: of each clip `[2, T]`, the level in dB and the voicing of every frame (`sound.SOUND_ROWS`), as the `features`
    representation has them: without it, difficulty cannot be told from level and pauses.
    members: further models by name, as `neural.language_model.LanguageModel`, mixed with the counts.
    jobs: does codebooks one after the other, or several at once where there are many.
    corpus: all clips, where `samples` are only those to hold in memory, at least one of every fold: the others are read
    and scored in pieces, which are jobs as well, by models that were fitted on those held. Raises ValueError for
    members that cannot.
    say: told of progress.
    """
    store, skipped = CodeStore(cardinality), Counter[str]()
    seen: set[str] = set()
    left_out: set[str] = set()
    for key, group, codes in start(samples):
        reason = "duplicate_key" if key in seen else store.add(key, group, codes)
        if reason:
            skipped[reason] += 1
            left_out.add(key)
        else:
            seen.add(key)
    store.close()
    held = list(zip(store.keys, store.groups, store.lengths.tolist(), strict=True))
    index = held if corpus is None else corpus.index
    folds = folds_of_clips(index, group_kind=group_kind, seed=seed)
    jobs = where_worth(jobs, sum(frames for _, _, frames in index) * store.num_codebooks)
    raw = frame_rate * store.num_codebooks * float(np.log2(cardinality))
    if folds.num_folds < 3:
        result = CodeRate.unmeasured(len(store), f"{len(store)} clips, cross-fitting needs 3")
    else:
        result = code_rate(
            store,
            folds,
            frame_rate,
            group_kind=group_kind,
            seed=seed,
            max_train_frames=max_train_frames,
            members=members,
            jobs=jobs,
            say=say,
        )
    clips, sums = sums_of_frames(store, result, frame_rate, sound)
    keys, groups, parts = list(store.keys), list(store.groups), [clips]
    if corpus is not None and result.fitted is not None:
        result.fitted.require_further()
        tasks = [
            FurtherJob(result.fitted, sums, corpus.source, fold, clips)
            for fold, clips in pieces(corpus.index, folds, seen | left_out, PIECE_FRAMES)
        ]
        for number, more in enumerate(jobs(score_further, tasks), start=1):
            say(f"{number} of {len(tasks)} further pieces of the corpus scored")
            keys += more.keys
            groups += more.groups
            parts.append(more.clips)
            skipped.update(more.skipped)
    clips = ClipBits.joined(parts)
    seconds = clips.lengths / frame_rate
    rate = result.rate if len(parts) == 1 else _over(result.rate, clips.bits, seconds, groups)
    return CodesDiagnosis(
        group_kind=group_kind,
        folds=folds.describe(),
        num_groups=len(set(groups)),
        num_clips=len(keys),
        num_frames=int(clips.lengths.sum()),
        held_frames=int(store.lengths.sum()),
        total_seconds=float(clips.lengths.sum() / frame_rate),
        frame_rate=frame_rate,
        cardinality=cardinality,
        rate_raw=raw,
        code_rate=rate,
        efficiency=rate.scaled(1 / raw if raw else 0.0, "of the raw rate"),
        chain_gain=result.chain_gain,
        codebooks=result.codebooks,
        learning_curve=result.curve,
        learning_exponent=result.exponent,
        learning_limit=result.extrapolated,
        context_gain=result.context_gain,
        skipped=dict(skipped),
        clip_keys=keys,
        groups=groups,
        bits=clips.bits,
        seconds=seconds,
        portfolio=result.portfolio,
        within=result.within,
        clips=ClipCosts.of(clips, groups, sums),
    )


def _over(held: Estimate, bits: np.ndarray, seconds: np.ndarray, groups: list[str]) -> Estimate:
    """The rate over all clips, judged by those held: the gates are about what models were fitted on."""
    found = ratio(bits, seconds, groups)
    if held.is_resolved:
        return Estimate.resolved(found.value, found.low, found.high, held.unit, held.relation)
    return Estimate.unresolved(held.reason, held.remedy, held.unit, found.value, held.relation)

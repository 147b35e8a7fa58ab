"""Put clips into the stages of a spec: shared rules, audit, the first stage that fits, quotas, the budget."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...diagnostics.difficulty import quantiles, strata
from ...loaders.plan.hashing import seed_of, splitmix64, words_of
from ...schemas.counted import counted
from ...schemas.curriculum_spec import CurriculumSpec, StageSpec
from ...schemas.errors import ConfigError
from .facts import Facts, distinct

SMALL = 5
"""Strata of fewer clips say little about where a clip stands."""


@dataclass
class Placed:
    """Where each clip is; all arrays are `[N]`."""

    stage: np.ndarray
    """int32, -1 for none."""
    left_out: np.ndarray
    """Why it is in none, "" where it is in one."""
    quota: np.ndarray
    """The value that a quota counts it under, "" without."""
    stratum: np.ndarray
    """int64, place in `strata`."""
    strata: list[str]
    audit: np.ndarray
    """Rows set aside, the hardest first."""
    small: int
    """Clips in small strata; 0 where no stage asks for quantiles."""

    def leave_out(self, rows: np.ndarray, reason: str) -> None:
        """Take these rows out of all stages."""
        self.stage[rows], self.left_out[rows] = -1, reason


def place(facts: Facts, spec: CurriculumSpec) -> Placed:
    """Shared rules, audit, stages with their quotas, and the budget, in this order.

    Raises `ConfigError` for an empty stage, a quota beyond the supply, and a budget that leaves a stage nothing.
    """
    n = len(facts)
    if not n:
        raise ConfigError(f"the curriculum {spec.name!r}: the version has no kept clip with the representation")
    mixed = splitmix64(words_of(facts.table["clip"], 2)[:, 0] ^ seed_of(spec.seed, 0))
    stratum, names = _strata(facts, spec)
    counts = np.bincount(stratum)
    none = np.full(n, "", dtype=object)
    ranked = any(stage.quantiles for stage in spec.stages)
    small = int(counts[counts < SMALL].sum()) if ranked else 0
    made = Placed(np.full(n, -1, np.int32), none, none.copy(), stratum, names, np.empty(0, np.int64), small)
    tests = iter(facts.holds)
    shared = np.logical_and.reduce([np.ones(n, bool), *(next(tests) for _ in spec.rules)])
    made.leave_out(np.flatnonzero(~shared), "rules")
    pool = shared
    if spec.audit is not None:
        made.audit = _hardest(facts, spec, pool, mixed)
        made.leave_out(made.audit, "audit")
        pool = pool & (made.left_out == "")
    standing = {
        score: quantiles(np.where(pool, values, np.nan), facts.numbers("duration_s"), stratum)
        for score, values in facts.ranked.items()
    }
    tiers = np.array(facts.column("tier"), dtype=object)
    free = pool.copy()
    for at, stage in enumerate(spec.stages):
        fits = np.logical_and.reduce([free, *(next(tests) for _ in stage.rules)])
        if stage.tiers:
            fits &= np.isin(tiers, stage.tiers)
        for wanted in stage.quantiles:
            found = standing[wanted.score]
            # quantiles lie inside (0, 1), and NaN fails both
            fits &= (found >= wanted.min) & (found < wanted.max)
        if not fits.any():
            raise ConfigError(empty_stage(spec, at, int(free.sum()), facts, standing))
        made.stage[fits] = at
        free &= ~fits
        if stage.quotas is not None:
            _take_quotas(facts, spec, stage, np.flatnonzero(fits), mixed, made)
    made.leave_out(np.flatnonzero(free), "no_stage")
    if spec.budget is not None:
        _take_budget(facts, spec, mixed, made)
    return made


def _strata(facts: Facts, spec: CurriculumSpec) -> tuple[np.ndarray, list[str]]:
    """Stratum of each clip, numbered in the order of names: `voices|en|duration 1 of 3`."""
    by = [name for name in spec.strata if name != "duration"]
    columns = [[str(value or "(none)") for value in facts.column(name)] for name in by]
    labels = ["|".join(values) for values in zip(*columns, strict=True)] if by else [""] * len(facts)
    classes = spec.duration_classes if "duration" in spec.strata else 1
    found = strata(facts.numbers("duration_s"), labels, num_durations=classes)
    known, place = np.unique(found, return_inverse=True)
    groups = sorted(set(labels))
    said = []
    for s in known.tolist():
        parts = [groups[s // classes]] if by else []
        said.append("|".join(parts + [f"duration {s % classes + 1} of {classes}"] * (classes > 1)))
    return place.astype(np.int64), said


def _hardest(facts: Facts, spec: CurriculumSpec, pool: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """Rows of the audit's share of the clips whose score is known, the hardest first."""
    assert spec.audit is not None
    values = facts.ranked[spec.audit.score] * (1 if spec.audit.end == "high" else -1)
    rows = np.flatnonzero(pool & np.isfinite(values))
    if not rows.size:
        raise ConfigError(f"the curriculum {spec.name!r}: no clip has a {spec.audit.score!r} to be set aside by")
    order = rows[np.lexsort((mixed[rows], -values[rows]))]
    # 0.1 of 30 clips is 3, whatever 0.1 is in binary
    return order[: math.ceil(round(spec.audit.share * rows.size, 9))]


def empty_stage(spec: CurriculumSpec, at: int, left: int, facts: Facts, standing: dict[str, np.ndarray]) -> str:
    """What to say of a stage that no clip reaches. left: clips that are in no stage before it. standing: the scores
    that its quantiles are of, as far as they are known."""
    stage = spec.stages[at]
    asked = [f"tier {' or '.join(stage.tiers)}"] * bool(stage.tiers) + [rule.words for rule in stage.rules]
    asked += [f"quantile of {q.score} from {q.min:g} to {q.max:g}" for q in stage.quantiles]
    there = [f"tiers {distinct(facts.column('tier'))}"] * bool(stage.tiers)
    for q in (q for q in stage.quantiles if q.score in standing):
        known = np.isfinite(standing[q.score])
        scored = counted(int(known.sum()), "clip")
        there.append(f"{scored} with a {q.score}" if known.any() else f"no clip has a {q.score}")
    said = f" (there are {'; '.join(there)})" if there else ""
    return (
        f"the curriculum {spec.name!r}: the stage {stage.name!r} is empty: {left:,} of {counted(len(facts), 'clip')} "
        f"{'is' if left == 1 else 'are'} in no stage before it, and none of them satisfies "
        f"{', '.join(asked) or 'nothing further'}{said}"
    )


def _take_quotas(
    facts: Facts, spec: CurriculumSpec, stage: StageSpec, rows: np.ndarray, mixed: np.ndarray, made: Placed
) -> None:
    """Keep exactly the clips that the quotas ask for, those whose hash is smallest."""
    assert stage.quotas is not None
    values = refuse_short(facts, spec, stage, rows)
    taken = np.zeros(len(facts), bool)
    for value, count in stage.quotas.clips.items():
        own = rows[values[rows] == value]
        own = own[np.argsort(mixed[own], kind="stable")][:count]
        taken[own], made.quota[own] = True, value
    made.leave_out(rows[~taken[rows]], "quota")


def refuse_short(facts: Facts, spec: CurriculumSpec, stage: StageSpec, rows: np.ndarray) -> np.ndarray:
    """Refuse quotas that these rows, those of the stage, cannot fill; gives the value of each clip, `[N]`.

    Raises `ConfigError` that says how many there are of each.
    """
    assert stage.quotas is not None
    values = np.array(facts.column(stage.quotas.by), dtype=object)
    supply = distinct(values[rows].tolist())
    short = [
        f"{count} of {value!r}, of which there are {supply.get(value, 0)}"
        for value, count in stage.quotas.clips.items()
        if supply.get(value, 0) < count
    ]
    if short:
        there = ", ".join(f"{value} {count}" for value, count in list(supply.items())[:20]) or "none"
        raise ConfigError(
            f"the curriculum {spec.name!r}: the quotas of the stage {stage.name!r} are larger than the supply: "
            f"{'; '.join(short)}. Clips in the stage by {stage.quotas.by}: {there}"
        )
    return values


def _take_budget(facts: Facts, spec: CurriculumSpec, mixed: np.ndarray, made: Placed) -> None:
    """Fill the budget stage by stage; the stage where it ends is thinned evenly over strata."""
    assert spec.budget is not None
    tokens = facts.table["tokens"].to_numpy()
    if spec.budget.tokens is not None:
        cost, room, unit = tokens.astype(np.float64), float(spec.budget.tokens), "tokens"
    else:
        assert spec.budget.hours is not None
        cost, room, unit = facts.numbers("duration_s") / 3600, spec.budget.hours, "h"
    for at, stage in enumerate(spec.stages):
        rows = np.flatnonzero(made.stage == at)
        if cost[rows].sum() <= room:
            room -= float(cost[rows].sum())
            continue
        if stage.quotas is not None:
            raise ConfigError(
                f"the curriculum {spec.name!r}: the budget ends inside the stage {stage.name!r}, which has quotas: "
                f"they hold {cost[rows].sum():.6g} {unit}, and {room:.6g} {unit} are left. Raise the budget or lower "
                "the quotas"
            )
        order = rows[np.lexsort((mixed[rows], made.stratum[rows]))]
        size = np.bincount(made.stratum[order])
        within = np.arange(order.size) - (np.cumsum(size) - size)[made.stratum[order]]
        even = order[np.argsort((within + 0.5) / size[made.stratum[order]], kind="stable")]
        fits = np.cumsum(cost[even]) <= room
        if not fits.any():
            raise ConfigError(
                f"the curriculum {spec.name!r}: the budget leaves {room:.6g} {unit} for the stage {stage.name!r}, less "
                f"than its first clip; the stages hold {sum(cost[made.stage >= 0]):.6g} {unit}. Raise the budget, or "
                "leave the stage out"
            )
        made.leave_out(even[~fits], "budget")
        # a crumb that is left would bring one odd clip of the next stage
        room = 0.0

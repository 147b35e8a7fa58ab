"""What no difficulty could mend, refused before any is measured: measuring takes much longer than the rest."""

from __future__ import annotations

import numpy as np

from ...schemas.curriculum_spec import DIFFICULTY, CurriculumSpec
from ...schemas.errors import ConfigError
from .facts import Facts
from .stages import empty_stage, refuse_short


def refuse_unreachable(facts: Facts, spec: CurriculumSpec) -> None:
    """Refuse a stage that stays empty, and a quota beyond the supply, however hard each clip may be.

    facts: without difficulties. Each test of one is taken to hold, and so is every quantile of a score that a clip has;
    a stage that depends on either leaves its clips to the stages after it. So nothing is refused here that `place`
    would accept. Raises `ConfigError`.
    """
    if not len(facts):
        raise ConfigError(f"the curriculum {spec.name!r}: the version has no kept clip with the representation")
    tests = iter(
        np.ones(len(facts), bool) if condition.score == DIFFICULTY else holds
        for condition, holds in zip(spec.conditions(), facts.holds, strict=True)
    )
    free = np.logical_and.reduce([np.ones(len(facts), bool), *(next(tests) for _ in spec.rules)])
    tiers = np.array(facts.column("tier"), dtype=object)
    known = {score: values for score, values in facts.ranked.items() if score != DIFFICULTY}
    for at, stage in enumerate(spec.stages):
        fits = np.logical_and.reduce([free, *(next(tests) for _ in stage.rules)])
        if stage.tiers:
            fits &= np.isin(tiers, stage.tiers)
        for wanted in stage.quantiles:
            if wanted.score in known:
                fits &= np.isfinite(known[wanted.score])
        if not fits.any():
            raise ConfigError(empty_stage(spec, at, int(free.sum()), facts, known))
        if stage.quotas is not None:
            refuse_short(facts, spec, stage, np.flatnonzero(fits))
        if not stage.quantiles and all(rule.score != DIFFICULTY for rule in stage.rules):
            free &= ~fits

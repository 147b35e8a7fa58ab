"""How much of each stage the epochs of a named curriculum draw: the phases of its pacing, as exact fractions.

Epochs count on: of n clips that are drawn w(0), w(1), ... times an epoch, epoch e takes draws [floor(n W(e)),
floor(n W(e + 1))) of an endless sequence, W(e) = w(0) + ... + w(e - 1). So no fraction is lost where a phase ends: the
next one goes on in the sequence where it stopped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ...schemas.counted import counted
from ...schemas.curriculum import CurriculumDocument
from ...schemas.curriculum_spec import Phase
from ...schemas.errors import ConfigError


@dataclass(frozen=True)
class Schedule:
    """The pacing of a named curriculum over the groups of an index: one per stage, or per value of a stage's quotas."""

    name: str
    stages: tuple[str, ...]
    groups: tuple[tuple[int, str], ...]
    """Stage and value of quota (empty without quotas) of each group."""
    quotas: tuple[int | None, ...]
    """Clips that each group holds exactly, None where nothing was demanded."""
    phases: tuple[Phase, ...]

    @classmethod
    def of(cls, document: CurriculumDocument) -> Schedule:
        """Groups are in the order of the stages, then of the quotas as they are written."""
        groups: list[tuple[int, str]] = []
        quotas: list[int | None] = []
        for place, stage in enumerate(document.stages):
            for value, count in stage.quotas.items():
                groups.append((place, value))
                quotas.append(count)
            if not stage.quotas:
                groups.append((place, ""))
                quotas.append(None)
        names = tuple(stage.name for stage in document.stages)
        return cls(document.name, names, tuple(groups), tuple(quotas), tuple(document.phases))

    def label(self, group: int) -> str:
        """The group in words: `clean`, or `clean (en)`."""
        stage, value = self.groups[group]
        return f"{self.stages[stage]} ({value})" if value else self.stages[stage]

    def place(self, stage: Sequence[int], quota: Sequence[str | None]) -> np.ndarray:
        """`[n]` int16 group of clips with these stages and values."""
        stages, found = np.asarray(stage, np.int64), np.full(len(stage), -1, np.int16)
        values = np.array([value or "" for value in quota], dtype=str)
        for place, (at, value) in enumerate(self.groups):
            found[(stages == at) & (values == value)] = place
        return found

    def require_quotas(self, counts: np.ndarray, left_out: Mapping[str, int]) -> None:
        """Refuse an epoch that could not hold what the quotas promise. counts: `[groups]` clips that may be drawn.

        Raises `ConfigError` that names the quota, what is left of it and what was left out.
        """
        for group, quota in enumerate(self.quotas):
            if quota is not None and counts[group] != quota:
                why = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in left_out.items() if n)
                raise ConfigError(
                    f"the curriculum {self.name!r} demands {counted(quota, 'clip')} of {self.label(group)}, and "
                    f"{int(counts[group])} can be read with these settings "
                    f"({why or 'the filter leaves others out, or they lack a representation'}). Allow them, or make a "
                    "curriculum whose rules leave them out"
                )

    def span(self, epoch: int, clips: np.ndarray, frames: np.ndarray) -> list[tuple[int, int]]:
        """First and last draw of each group in an epoch, of its endless sequence.

        clips, frames: `[groups]` of what may be drawn. Raises `ConfigError` where a share has nothing to draw from.
        """
        before = [Fraction(0)] * len(self.groups)
        now = list(before)
        for at, phase in enumerate(self.phases):
            if phase.epoch > epoch:
                break
            end = self.phases[at + 1].epoch if at + 1 < len(self.phases) else epoch + 1
            weights = self._weights(phase, clips, frames)
            passed = min(end, epoch) - phase.epoch
            before = [total + weight * passed for total, weight in zip(before, weights, strict=True)]
            now = weights
        return [
            (int(start * int(n)), int((start + weight) * int(n)))
            for start, weight, n in zip(before, now, clips, strict=True)
        ]

    def _weights(self, phase: Phase, clips: np.ndarray, frames: np.ndarray) -> list[Fraction]:
        """Draws per clip and epoch of each group in a phase."""
        if phase.repeats:
            return [exact(phase.repeats.get(self.stages[stage], 0)) for stage, _ in self.groups]
        size = frames if phase.measure == "frames" else clips
        of_stage = [0] * len(self.stages)
        for (stage, _), n in zip(self.groups, size, strict=True):
            of_stage[stage] += int(n)
        shares = {name: exact(share) for name, share in phase.shares.items() if share}
        empty = [name for name in shares if not of_stage[self.stages.index(name)]]
        if empty:
            raise ConfigError(f"the curriculum {self.name!r}: no clip of {empty[0]!r} is left to give it a share")
        total, whole = sum(of_stage[self.stages.index(name)] for name in shares), sum(shares.values())
        by_stage = [
            shares[name] / whole * total / of_stage[at] if name in shares else Fraction(0)
            for at, name in enumerate(self.stages)
        ]
        return [by_stage[stage] for stage, _ in self.groups]


def exact(weight: float) -> Fraction:
    """What the user wrote: 0.1 is a tenth, not the nearest binary number."""
    return Fraction(str(weight))

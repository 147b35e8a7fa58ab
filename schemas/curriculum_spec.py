"""What a user writes to make a named curriculum: stages, pacing, quotas, a budget, what is set aside for audit."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from .condition import Condition, Strict

SPEC_SCHEMA = "auricle.curriculum_spec/1"
"""Version of `CurriculumSpec`, as users write it."""
NAME = r"^[a-z][a-z0-9_]*$"
DIFFICULTY, DURATION = "difficulty", "duration_s"
OWN_SCORES = (DIFFICULTY, DURATION)
"""Numbers of a clip that rules and quantiles may test besides the scores of curators."""
Stratum = Literal["speaker", "source", "language", "duration"]
QuotaColumn = Literal["speaker", "source", "language", "tier"]


class Quantile(Strict):
    """A range of a score's quantiles, which are taken by hours of audio within each stratum."""

    score: str = Field(description="difficulty, duration_s or a score column that is a number")
    min: float = Field(default=0, ge=0, le=1, description="Clips whose quantile is at least this")
    max: float = Field(default=1, ge=0, le=1, description="Clips whose quantile is below this")

    @model_validator(mode="after")
    def _some_range(self) -> Quantile:
        if self.min >= self.max:
            raise ValueError(f"quantiles of '{self.score}' from {self.min:g} to {self.max:g} hold nothing")
        return self


class StageQuota(Strict):
    """So many clips of each value of a column, neither more nor fewer; other values have none."""

    by: QuotaColumn = Field(description="The column whose values are counted")
    clips: dict[str, int] = Field(description="Value to number of clips", min_length=1)

    @model_validator(mode="after")
    def _positive(self) -> StageQuota:
        for value, count in self.clips.items():
            if count < 1:
                raise ValueError(f"the quota of {value!r} is {count}: at least 1 is required; leave out what has none")
        return self


class StageSpec(Strict):
    """A stage: a clip belongs to the first one whose tiers, rules and quantiles it all satisfies."""

    name: str = Field(pattern=NAME, description="What pacing and the reader call it")
    tiers: list[str] = Field(default_factory=list, description="Tiers of the version; an empty list takes all")
    rules: list[Condition] = Field(
        default_factory=list, description="Conditions on scores, as in `keep`; all must hold"
    )
    quantiles: list[Quantile] = Field(default_factory=list, description="Ranges of quantiles; all must hold")
    quotas: StageQuota | None = Field(default=None, description="Exact numbers of clips by value of a column")


class Audit(Strict):
    """The clips that a person should hear before anything trains on them."""

    share: float = Field(gt=0, lt=1, description="Share of the clips, rounded up to whole clips: at least one")
    score: str = Field(default=DIFFICULTY, description="What they are ranked by")
    end: Literal["high", "low"] = Field(default="high", description="Which end of the score is set aside")


class Budget(Strict):
    """The most that all stages hold together: stages are filled in their order, the last one evenly over strata."""

    hours: float | None = Field(default=None, gt=0, description="Hours of audio")
    tokens: int | None = Field(default=None, gt=0, description="Frames times codebooks of the representation")

    @model_validator(mode="after")
    def _one(self) -> Budget:
        if (self.hours is None) == (self.tokens is None):
            raise ValueError("a budget is in hours or in tokens: give one of them")
        return self


class Phase(Strict):
    """What each epoch draws from one epoch on, until the next phase begins."""

    epoch: int = Field(ge=0, description="First epoch of the phase, from 0")
    repeats: dict[str, float] = Field(
        default_factory=dict,
        description="Stage to how often an epoch draws each of its clips: 2 twice, 0.5 every second one; others not",
    )
    shares: dict[str, float] = Field(
        default_factory=dict,
        description="Instead: the part of an epoch that each stage makes up; scaled to add to 1. The epoch is as large "
        "as the stages named here are together",
    )
    measure: Literal["clips", "frames"] = Field(default="clips", description="What shares are counted in")

    @model_validator(mode="after")
    def _weights(self) -> Phase:
        if bool(self.repeats) == bool(self.shares):
            raise ValueError(f"the phase from epoch {self.epoch} needs either repeats or shares, and not both")
        weights = self.weights
        if any(weight < 0 for weight in weights.values()) or not sum(weights.values()):
            raise ValueError(f"the phase from epoch {self.epoch}: weights are at least 0, and one is above it")
        return self

    @property
    def weights(self) -> dict[str, float]:
        """Repeats or shares by stage."""
        return self.repeats or self.shares


class CurriculumSpec(Strict):
    """A named curriculum as YAML has it."""

    name: str = Field(pattern=NAME, description="How the reader asks for it")
    representation: str | None = Field(
        default=None,
        description="Codes whose bit rate is the difficulty and whose frames are the tokens; default the first",
    )
    strata: list[Stratum] = Field(
        default=["source", "language", "duration"],
        description="Quantiles are taken within clips that are alike in all of these",
    )
    duration_classes: int = Field(default=3, ge=1, le=20, description="Classes of equal numbers of clips by duration")
    seed: int = Field(default=0, ge=0, description="Of which clips a quota or a budget takes")
    rules: list[Condition] = Field(default_factory=list, description="What the clips of all stages satisfy")
    audit: Audit | None = Field(default=None, description="The hardest share: in no stage, and listed")
    stages: list[StageSpec] = Field(min_length=1, description="In their order; a clip is in one of them at most")
    budget: Budget | None = None
    pacing: list[Phase] = Field(
        default_factory=list, description="Phases by ascending epoch; default: every epoch draws all stages, once"
    )

    @model_validator(mode="after")
    def _consistent(self) -> CurriculumSpec:
        names = [stage.name for stage in self.stages]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two stages are called {twice[0]!r}")
        if len(set(self.strata)) != len(self.strata):
            raise ValueError("strata: each column once")
        if self.pacing:
            _check_pacing(self.pacing, names)
        return self

    def phases(self) -> list[Phase]:
        """The pacing, or what it is by default: no order of stages, as none has been shown to help."""
        return self.pacing or [Phase(epoch=0, repeats={stage.name: 1.0 for stage in self.stages})]

    def conditions(self) -> list[Condition]:
        """Every rule: of all stages, then stage by stage."""
        return [*self.rules, *(rule for stage in self.stages for rule in stage.rules)]

    def ranked(self) -> list[str]:
        """Scores whose order matters, each once."""
        names = [quantile.score for stage in self.stages for quantile in stage.quantiles]
        return list(dict.fromkeys([*names, *([self.audit.score] if self.audit else [])]))

    def needs_difficulty(self) -> bool:
        """Whether anything tests how hard a clip is."""
        return DIFFICULTY in {*self.ranked(), *(rule.score for rule in self.conditions())}

    def written(self) -> dict[str, Any]:
        """As the user wrote it, with defaults left out."""
        return self.model_dump(mode="json", exclude_defaults=True)


def _check_pacing(pacing: list[Phase], names: list[str]) -> None:
    epochs = [phase.epoch for phase in pacing]
    if epochs[0] != 0 or epochs != sorted(set(epochs)):
        raise ValueError(f"pacing: the first phase begins at epoch 0 and each later one after it, found {epochs}")
    for phase in pacing:
        if unknown := sorted(set(phase.weights) - set(names)):
            raise ValueError(f"pacing names the stage {unknown[0]!r}; there are {', '.join(names)}")
    drawn = {name for phase in pacing for name, weight in phase.weights.items() if weight}
    if idle := [name for name in names if name not in drawn]:
        raise ValueError(f"no phase of the pacing draws the stage {idle[0]!r}: give it a weight, or leave it out")


EXAMPLE = """\
# Stages of a training. A clip is in the first stage whose tiers, rules and quantiles it all satisfies, or in none.
name: clean_first                       # training asks for it: Settings(curriculum="clean_first")
# representation: builtin-codes         # codes whose bit rate is the difficulty; default the first of the version
strata: [source, language, duration]    # quantiles within clips that are alike in these; also: speaker
duration_classes: 3
rules:                                  # what clips of every stage satisfy; as in `keep`
  - {score: duration_s, min: 0.5}
audit: {share: 0.01, score: difficulty} # the hardest hundredth: in no stage, and listed
stages:
  - name: easy
    rules: [{score: snr_db, min: 15}]
    quantiles: [{score: difficulty, max: 0.5}]
    # tiers: [gold]
    # quotas: {by: language, clips: {en: 100, de: 50}}   # exactly so many, or nothing is written
  - name: rest                          # what is left
# budget: {hours: 100}                  # the most that the stages hold together; or tokens
pacing:                                 # experimental; from the epoch on. Default: all stages in every epoch
  - {epoch: 0, repeats: {easy: 1}}
  - {epoch: 1, shares: {easy: 0.4, rest: 0.6}, measure: frames}
"""

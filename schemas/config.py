"""The configuration of a dataset: what the user writes in YAML, and the resolved form that a version keeps."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from .condition import Rule, Strict, Tier
from .night import Night
from .source_config import Source, not_empty
from .worker_config import Workers


def _finite(options: Any) -> Any:
    """Options of others are of any shape; no number in them may be infinite or not a number."""
    if isinstance(options, float) and not math.isfinite(options):
        raise ValueError("a finite number is required; leave the option out for its default")
    for inner in options.values() if isinstance(options, dict) else options if isinstance(options, list) else ():
        _finite(inner)
    return options


class Segmentation(Strict):
    """How recordings are cut into clips."""

    method: Literal["whole", "fixed", "speech"] = Field(
        default="whole",
        description="whole: one clip per channel (spans of a manifest override it); fixed: windows of max_s; speech: "
        "cut at pauses into clips of min_s to max_s, texts with times laid on what is said "
        "(docs/long_recordings.md)",
    )
    min_s: float = Field(default=3.0, gt=0, description="Shortest clip in seconds when method is speech")
    max_s: float = Field(default=30.0, gt=0, description="Longest clip in seconds when method is fixed or speech")
    truncated: Literal["fail", "accept"] = Field(
        default="fail",
        description="Recordings that hold less audio than their header declares, as an interrupted copy leaves them: "
        "fail, since the transcript is of the whole; accept takes what is there",
    )

    @model_validator(mode="after")
    def _room_to_cut(self) -> Segmentation:
        if self.method == "speech" and self.max_s < 2 * self.min_s:
            raise ValueError(
                f"max_s is {self.max_s:g} and min_s {self.min_s:g}: max_s must be at least twice min_s, or a stretch a "
                "little longer than max_s could not be cut"
            )
        return self


class Duplicates(Strict):
    """Which clips count as the same audio. One of each set stays: it passes the rules, has a transcript, comes
    from the source listed first, has the longest span, then the smallest key."""

    exact: bool = Field(default=True, description="Equal decoded samples at an equal rate, whatever the container")
    near: bool = Field(
        default=True, description="Re-encoded, shifted, band-limited or louder copies, by acoustic fingerprint"
    )


Grouping = Literal["source", "speaker", "language"]
"""What judgements and quotas are taken over. A clip without a speaker counts under the voice that it was found to be
spoken by, where the curator `voice` runs, else under its recording."""


class GroupRule(Strict):
    """Drops a source, speaker or language whole when too many of its clips are bad."""

    by: Grouping = Field(default="source", description="What is dropped as a whole: a source, a speaker or a language")
    max_share: float = Field(
        ge=0,
        lt=1,
        description="Largest share of bad clips; a group is dropped where the lower 95 % bound (Wilson) of its share "
        "is above, so that a few bad clips of a few condemn nobody",
    )
    counting: list[str] = Field(
        default_factory=list,
        description="Reasons of `keep`, or 'failed', that make a clip bad; default: any of them",
    )
    reason: str = Field(
        default="bad_group", pattern=r"^[a-z][a-z0-9_]*$", description="Word that names the drop in tables and reports"
    )


class Quota(Strict):
    """The most that one source, speaker or language may contribute. Better tiers fill it first, then the source listed
    first, then the smallest clip key, which is a fair draw."""

    by: Grouping = Field(description="What the quota is for: each source, speaker or language")
    max_hours: float | None = Field(default=None, gt=0, description="Hours of kept clips per group at most")
    max_clips: int | None = Field(default=None, gt=0, description="Kept clips per group at most")
    reason: str = Field(
        default="quota", pattern=r"^[a-z][a-z0-9_]*$", description="Word that names the drop in tables and reports"
    )

    @model_validator(mode="after")
    def _some_bound(self) -> Quota:
        if self.max_hours is None and self.max_clips is None:
            raise ValueError(f"the quota by {self.by} has no limit: give max_hours or max_clips")
        return self


class RepresentationConfig(Strict):
    """One representation to extract."""

    codec: str = Field(
        description="builtin, mimi, encodec24, encodec48, units, features, conversation (both channels through the "
        "codec that options name), or a codec from an installed package"
    )
    kind: str = Field(description="codes, latents, or another kind that the codec gives; `auricle codecs` lists them")
    rate_hz: float | None = Field(default=None, gt=0, description="Frame rate in Hz; default: the codec's own")
    num_codebooks: int | None = Field(
        default=None, gt=0, description="How many codebooks of a residual quantiser; default: the codec's"
    )
    dtype: Literal["float32", "float16"] = Field(
        default="float32", description="Stored type of latents; codes are uint16"
    )
    weights: str | None = Field(
        default=None, description="hub id, local path or s3:// of the weights; default: the codec's own"
    )
    weights_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$", description="Pin: refuse other weights")
    mode: Literal["exact", "batched", "bf16"] = Field(
        default="exact",
        description="exact: equal to upstream bit for bit on CPU; the others are faster and may change codes",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Further parameters of this kind of representation"
    )

    _finite_options = field_validator("options")(_finite)


class Scoring(Strict):
    """Which curators run, and how."""

    curators: list[str] | None = Field(
        default=None, description="Names of curators to run; default: all that are built in"
    )
    options: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Parameters per curator")
    early_exit: bool = Field(
        default=False,
        description="Run cheap curators first and skip the costly ones for clips that a rule already drops",
    )

    _finite_options = field_validator("options")(_finite)


class Gate(Strict):
    """What a candidate must satisfy before it is published."""

    enabled: bool = Field(default=True, description="Check the candidate before it is published")
    suite: str = Field(
        default="clips_gate", description="Name of a suite shipped in schemas/expectations, or a path to a JSON suite"
    )
    min_clips: int = Field(default=1, ge=0, description="Fewest clips in the version; fewer is critical")
    min_kept_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Smallest kept/clips; less is critical",
    )
    max_flipped_share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Largest share of clips published before whose keep decision may change; more is critical",
    )
    max_drift: float = Field(
        default=0.04,
        ge=0,
        le=1,
        description="Largest difference between the distribution functions of a score for new clips and for those "
        "published before, where it is beyond chance; more is a warning",
    )
    max_speaker_share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Largest share of the kept hours that one speaker may have; more is critical",
    )
    parity_clips: int = Field(
        default=2,
        ge=0,
        le=1000,
        description="Clips of each representation that the codec's own package (moshi, encodec) encodes again, to be "
        "compared with what is stored; 0 for none",
    )
    expect: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Further expectations of your own, as in a suite: {type, kwargs, severity, meta} of "
        "great-expectations, over facts of the clip table (docs/operations.md) or, with meta.on: sample, over clips",
    )

    _finite_expect = field_validator("expect")(_finite)


class Losses(Strict):
    """When files that are gone stop a run before any work: an unmounted disk must not look like a decision. Both
    bounds must be passed, or `include` fits no file any more. `auricle run --accept-losses` says that it is meant."""

    max_share: float = Field(
        default=0.2, ge=0, le=1, description="Largest share of a source's files that may be gone since the last version"
    )
    min_files: int = Field(default=20, ge=1, description="Fewer files than this may always be gone")


class RunConfig(Strict):
    """A dataset: where it lives, what feeds it, what is kept, and what is extracted."""

    dataset: str = Field(
        description="Folder or s3:// prefix of the dataset; created by the first run. A relative one is in the folder "
        "in which the command runs, not in that of this file; so is `path` of a source"
    )
    sources: list[Source] = Field(
        min_length=1, description="Where recordings come from; if two have the same recording, the first one wins"
    )
    segment: Segmentation = Field(default_factory=Segmentation, description="How recordings are cut into clips")
    score: Scoring = Field(default_factory=Scoring, description="Which curators run")
    keep: list[Rule] = Field(default_factory=list, description="Rules that kept clips satisfy")
    drop_groups: list[GroupRule] = Field(
        default_factory=list, description="When a source, speaker or language is dropped as a whole"
    )
    tiers: list[Tier] = Field(default_factory=list, description="Quality tiers, best first")
    duplicates: Duplicates = Field(default_factory=Duplicates, description="Which clips count as the same audio")
    quotas: list[Quota] = Field(
        default_factory=list,
        description="The most that one group may contribute; each quota counts what those above it leave",
    )
    representations: list[RepresentationConfig] = Field(
        default_factory=list, description="What is extracted from kept clips"
    )
    gate: Gate = Field(default_factory=Gate, description="What must hold before a version is published")
    losses: Losses = Field(
        default_factory=Losses,
        description="How many files a source may lose before a run stops and asks for --accept-losses",
    )
    workers: Workers = Field(default_factory=Workers, description="How work is spread")
    shard_bytes: int = Field(default=64 << 20, ge=1 << 20, description="Target size of a shard")
    night: Night = Field(default_factory=Night, description="Whom a run tells how it goes; changes no result")

    @field_validator("dataset")
    @classmethod
    def _some_place(cls, dataset: str) -> str:
        return not_empty(dataset)

    @field_validator("sources")
    @classmethod
    def _distinct_names(cls, sources: list[Source]) -> list[Source]:
        names = [s.name for s in sources]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"two sources are called {twice[0]!r}: give each its own `name`")
        return sources

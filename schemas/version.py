"""The version document: the one small record that makes objects visible."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .errors import IntegrityError, SchemaVersionError
from .representation import RepresentationSpec

VERSION_SCHEMA = "auricle.version/1"


def require_major(found: str, supported: str, subject: str) -> None:
    """Refuse a schema tag such as "auricle.version/2" whose family or major number this code does not read."""
    family, _, number = found.partition("/")
    own_family, _, own_number = supported.partition("/")
    if (family, number.split(".")[0]) != (own_family, own_number.split(".")[0]):
        raise SchemaVersionError(f"{subject}: schema {found!r}, this auricle reads {supported!r}. Upgrade auricle.")


class Record(BaseModel):
    """Unknown minor fields are ignored, so that older code reads newer minor versions."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Object(Record):
    """An immutable file, named by the SHA-256 of its bytes."""

    sha256: str
    num_bytes: int
    rows: int = Field(description="Rows of a table part, members (samples) of a shard")


class Shard(Object):
    """A tar of one representation; members that no kept clip points to are dead."""

    live: int = Field(description="Members that kept clips of this version point to")


class RepresentationEntry(Record):
    """One representation of this version."""

    spec: RepresentationSpec
    shards: list[Shard]
    live: int = Field(description="Kept clips that have it")
    failed: int = Field(default=0, description="Kept clips whose extraction failed")


class CuratorEntry(Record):
    """One curator whose column the clip table has."""

    fingerprint: str
    version: int
    parameters: dict[str, Any] = Field(default_factory=dict)
    inputs: list[str] = Field(default_factory=list)
    columns: list[dict[str, str]] = Field(default_factory=list, description="name, dtype, unit, description")


class Counts(Record):
    """The two ledgers: files = decoded + aliases + failed_files; clips = kept + dropped + failed."""

    files: int = 0
    decoded: int = Field(default=0, description="Distinct recordings that decode")
    aliases: int = Field(default=0, description="Further paths with the bytes of a recording already counted")
    failed_files: int = Field(default=0, description="Distinct files that do not decode")
    clips: int = 0
    kept: int = 0
    dropped: int = 0
    failed: int = 0


class Stage(Record):
    """What one stage of the run did and cost."""

    name: str
    done: int = Field(default=0, description="Items processed")
    reused: int = Field(default=0, description="Items whose result was already known")
    failed: int = 0
    wall_s: float = 0.0
    cpu_s: float = Field(default=0.0, description="CPU seconds of the workers inside units")
    audio_s: float = Field(default=0.0, description="Audio seconds processed")
    units: int = 0
    peak_worker_bytes: int = Field(default=0, description="Largest resident size of a worker process")
    gpu_s: float = Field(default=0.0, description="GPU seconds that workers held while they worked: cards times time")
    read_bytes: int = Field(default=0, description="Read from files by workers inside units; 0 where not Linux")
    written_bytes: int = Field(default=0, description="Payloads and receipts written by workers")
    workers: int = Field(default=0, description="Workers that there was room for; 0 for the driver's own stages")


class GateCheck(Record):
    """One expectation and how it went."""

    expectation: str
    severity: Literal["critical", "warning", "info"]
    success: bool
    observed: str = ""
    required: str = ""


class GateResult(Record):
    """The gate's verdict on the candidate."""

    verdict: Literal["passed", "warning", "critical", "off"]
    checks: list[GateCheck] = Field(default_factory=list)


class WrongTexts(Record):
    """What share of the texts of a source is wrong, estimated from the trusts of its clips."""

    clips: int = Field(description="Clips with a trust")
    share: float = Field(description="Estimated share of wrong texts, drawn to that of the corpus where clips are few")
    low: float = Field(description="Lower end of its 95 % interval, as far as trusts are calibrated for this source")
    high: float
    used: float = Field(description="The share that bounds were meant for: `share` in steps")


class VersionDocument(Record):
    """`versions/000007.json`. Everything a version is, by hash; readable by a person."""

    # `schema` is the key on disk; the attribute is named apart from pydantic's own
    schema_version: str = Field(default=VERSION_SCHEMA, alias="schema")
    number: int
    parent: int | None = None
    parent_sha256: str | None = Field(default=None, description="SHA-256 of the parent document's bytes")
    created: str = Field(description="UTC time of publishing, ISO 8601")
    kind: str = Field(default="run", description="run, rollback, takedown, compact: what made it")
    note: str = ""
    code: dict[str, str] = Field(default_factory=dict, description="auricle version, torch build, instruction set")
    config: dict[str, Any] = Field(default_factory=dict, description="The resolved configuration")
    inputs: str = Field(
        default="", description="Digest of listing, labels, configuration and code: equal means nothing to do"
    )
    counts: Counts = Field(default_factory=Counts)
    hours: dict[str, float] = Field(default_factory=dict, description="Hours of clips, kept, dropped, failed")
    cut_samples: dict[str, int] = Field(
        default_factory=dict,
        description="Of recordings cut at pauses: samples of one channel = clips + gap_<kind>s + taken_down",
    )
    dropped_by_reason: dict[str, int] = Field(
        default_factory=dict, description="A clip counts under each of its reasons"
    )
    failed_by_reason: dict[str, int] = Field(default_factory=dict, description="Files and clips")
    kept_by_tier: dict[str, int] = Field(default_factory=dict)
    wrong_texts: dict[str, dict[str, WrongTexts]] = Field(
        default_factory=dict, description="By score (transcript_trust) and source; empty where no rule wants it"
    )
    untrained: list[str] = Field(default_factory=list, description="Representations made with untrained weights")
    curators: dict[str, CuratorEntry] = Field(default_factory=dict)
    representations: dict[str, RepresentationEntry] = Field(default_factory=dict)
    clips: list[Object] = Field(default_factory=list, description="Parts of the clip table, in order")
    recordings: list[Object] = Field(default_factory=list, description="Parts of the recording table, in order")
    gate: GateResult = Field(default_factory=lambda: GateResult(verdict="off"))
    stages: list[Stage] = Field(default_factory=list)

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    def to_json(self) -> bytes:
        """The document's bytes: indented, stable key order, one trailing newline."""
        return (json.dumps(self.model_dump(by_alias=True), indent=2, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes, path: str = "version document") -> VersionDocument:
        """Parse a document; `path` is what errors call it.

        Raises `SchemaVersionError` for an unknown major, with what to upgrade, `IntegrityError` for a damaged one.
        """
        try:
            raw = json.loads(data)
            require_major(str(raw.get("schema", "")), VERSION_SCHEMA, path)
            return cls.model_validate(raw)
        except (ValueError, AttributeError) as error:
            raise IntegrityError(
                f"{path}: no readable version document ({str(error).splitlines()[0]}). Copy it back from a backup or a "
                "replica; without one, move it away: readers and runs go on from the version before it"
            ) from error

"""The small JSON records of a dataset, beside version documents: tags, companions of retired versions, samples, and
what stands while work goes on."""

from __future__ import annotations

from pydantic import Field

from .version import Counts, Record, Shard

REF_SCHEMA = "auricle.ref/1"
PURGED_SCHEMA = "auricle.purged/1"
SAMPLE_SCHEMA = "auricle.sample/1"
LEASE_SCHEMA = "auricle.lease/1"
PURGE_SCHEMA = "auricle.purge/1"
PACKED_SCHEMA = "auricle.packed/1"


class Ref(Record):
    """`refs/<tag>.json`: a name for a version."""

    schema_version: str = Field(alias="schema")
    name: str
    version: int
    sha256: str = Field(description="Of the version document's bytes")
    created: str = Field(description="UTC time, ISO 8601")


class Purged(Record):
    """`versions/000007.purged`: the companion that retires a version after a takedown with purge."""

    schema_version: str = Field(alias="schema")
    version: int
    redirect: int = Field(description="The version that takes its place")
    retired: str = Field(description="UTC time, ISO 8601")
    created: str = Field(description="When the retired version was published")
    counts: Counts


class SampleFacts(Record):
    """`<key>.json` beside `<key>.npy` in a shard: what the sample's key covers, and the columns that its source
    carries, such as the licence. No score, decision or text."""

    schema_version: str = Field(alias="schema")
    clip: str
    recording: str = Field(description="SHA-256 of the source file's bytes")
    channel: int
    start: int = Field(description="First sample of the clip in its recording")
    end: int = Field(description="Sample after its last")
    sample_rate: int = Field(description="Of the recording, Hz")
    representation: str
    fingerprint: str
    frame_rate: float = Field(description="Hz")
    num_frames: int
    carried: dict[str, str | None] | None = Field(
        default=None,
        description="What the labels carry, as the clip table has it in the version that lists this shard",
    )


class Lease(Record):
    """`lease/00000003.json`: who took the dataset. Empty files beside it are its heartbeats."""

    schema_version: str = Field(alias="schema")
    epoch: int
    host: str
    boot: str = Field(description="Of the machine's last start; empty where it is not known")
    pid: int
    started: str = Field(description="When the process began, in clock ticks of its machine: tells a reused pid apart")


class Purge(Record):
    """`purging/<sha256>.json`: a purge that is going on, or was interrupted."""

    schema_version: str = Field(alias="schema")
    tombstones: str = Field(description="Path of what it purges")


class Packed(Record):
    """`pulling/<selection>/<digest>.json` and the like: a shard that a rewriting has packed already."""

    schema_version: str = Field(alias="schema")
    shard: Shard
    offsets: list[int] = Field(description="Where each sample's .npy bytes begin in it")

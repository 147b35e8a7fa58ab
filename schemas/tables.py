"""Arrow schemas of the two tables of a version: clips and recordings.

The clip table has these core columns, then one struct column per curator (`schemas.score.score_struct`), then one
struct column per representation, named like it (`POINTER`). The core is versioned by `TABLES_SCHEMA`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

import pyarrow as pa

from .score import ScoreColumn, score_struct

TABLES_SCHEMA = "auricle.tables/1"


class Word(str, Enum):
    """A word of a closed list, which prints as itself; `enum.StrEnum` came with Python 3.11."""

    __str__ = str.__str__
    __format__ = str.__format__


class Status(Word):
    """What became of a clip."""

    KEPT = "kept"
    DROPPED = "dropped"
    FAILED = "failed"


class FailureReason(Word):
    """Why a file or clip failed: words, not tracebacks."""

    EMPTY_FILE = "empty_file"
    NOT_AUDIO = "not_audio"
    CORRUPT = "corrupt"
    NO_SAMPLES = "no_samples"
    NOT_FINITE = "not_finite"
    IMPLAUSIBLE_RATE = "implausible_rate"
    UNREADABLE = "unreadable"
    MISSING = "missing"
    CHANGED_WHILE_READ = "changed_while_read"
    KILLED_WORKER = "killed_worker"
    TIMED_OUT = "timed_out"
    EXTRACTION = "extraction"
    INTERNAL = "internal_error"


ALIAS = pa.struct(
    [
        pa.field("source", pa.string()),
        pa.field("path", pa.string()),  # relative to the source's folder, / separated
        pa.field("size", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("etag", pa.string()),
    ]
)

RECORDINGS = pa.schema(
    [
        pa.field("recording", pa.string(), nullable=False),  # SHA-256 of the file's bytes, 64 hex
        pa.field("aliases", pa.list_(ALIAS)),  # every path with these bytes, first by source order then path
        pa.field("size", pa.int64()),
        pa.field("format", pa.string()),  # libsndfile's or PyAV's name of container and subtype
        pa.field("sample_rate", pa.int32()),
        pa.field("num_channels", pa.int16()),
        pa.field("num_samples", pa.int64()),
        pa.field("segmentation", pa.string()),  # fingerprint of how it was cut
        pa.field("status", pa.string()),  # decoded | failed
        pa.field("reason", pa.string()),  # FailureReason
        pa.field("message", pa.string()),
    ]
)

CLIP_CORE = pa.schema(
    [
        pa.field("clip", pa.string(), nullable=False),  # schemas.keys.clip_key
        pa.field("clip_hash64", pa.int64()),  # first 15 hex digits of the key, to shuffle by
        pa.field("group", pa.string()),
        pa.field("recording", pa.string()),
        pa.field("source", pa.string()),
        pa.field("path", pa.string()),
        pa.field("channel", pa.int16()),
        pa.field("num_channels", pa.int16()),
        pa.field("sample_rate", pa.int32()),
        pa.field("start", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("duration_s", pa.float64()),
        pa.field("pcm_sha256", pa.string()),
        pa.field("transcript", pa.string()),
        pa.field("transcript_sha256", pa.string()),
        pa.field("label_source", pa.string()),  # source/path whose label was chosen
        pa.field("label_conflict", pa.bool_()),
        pa.field("language", pa.string()),
        pa.field("speaker", pa.string()),
        pa.field("status", pa.string(), nullable=False),  # Status
        pa.field("reasons", pa.list_(pa.string())),  # of dropping: every rule that applies; of failing: one word
        pa.field("message", pa.string()),  # of failing
        pa.field("tier", pa.string()),
        pa.field("duplicate_of", pa.string()),  # clip that stays in this one's place
        pa.field("introduced", pa.int64()),  # version that first had the clip
    ]
)

POINTER = pa.struct(
    [
        pa.field("fingerprint", pa.string()),
        pa.field("shard", pa.string()),  # SHA-256 of the tar
        pa.field("offset", pa.int64()),  # of the .npy bytes inside the tar
        pa.field("nbytes", pa.int64()),
        pa.field("num_frames", pa.int32()),
        pa.field("crc32", pa.int64()),  # of the .npy bytes
        pa.field("error", pa.string()),  # "<FailureReason>: message" when extraction failed; the rest is then null
    ]
)


def clip_schema(curators: Mapping[str, Sequence[ScoreColumn]], representations: Sequence[str]) -> pa.Schema:
    """Full schema of the clip table for these curators (name to columns) and representations."""
    schema = CLIP_CORE
    for name in sorted(curators):
        schema = schema.append(pa.field(name, score_struct(curators[name])))
    for name in sorted(representations):
        schema = schema.append(pa.field(name, POINTER))
    return schema

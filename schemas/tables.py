"""Arrow schemas of the two tables of a version: clips and recordings.

The clip table has these core columns, `carried` and `label_words` where labels give them, `aligned` where recordings
are cut at pauses (the recording table then has `cutting`), then one struct column per
curator (`schemas.score.score_struct`), then one struct column per representation, named like it (`POINTER`). The core
is versioned by `TABLES_SCHEMA`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

import pyarrow as pa

from .score import ScoreColumn, score_struct

TABLES_SCHEMA = "auricle.tables/1.1"
ADDED = frozenset({"tries"})
"""Columns that parts of auricle.tables/1 lack; null there."""


class Word(str, Enum):
    """A word of a closed list, which prints as itself; `enum.StrEnum` came with Python 3.11."""

    __str__ = str.__str__
    __format__ = str.__format__


class Status(Word):
    """What became of a clip."""

    KEPT = "kept"
    DROPPED = "dropped"
    FAILED = "failed"


class FailureClass(Word):
    """What a failure is a property of."""

    BYTES = "bytes"
    """Of the file, or of code that met it: kept until the file, the configuration or the code changes."""
    MOMENT = "moment"
    """Of when it was tried: every later run tries again by itself, `TRIES` times in all."""


class FailureReason(Word):
    """Why a file or clip failed: words, not tracebacks; and what each is a property of."""

    kind: FailureClass

    def __new__(cls, word: str, kind: FailureClass = FailureClass.BYTES) -> FailureReason:
        reason = str.__new__(cls, word)
        reason._value_, reason.kind = word, kind
        return reason

    EMPTY_FILE = "empty_file"
    NOT_AUDIO = "not_audio"
    CORRUPT = "corrupt"
    NO_SAMPLES = "no_samples"
    NOT_FINITE = "not_finite"
    IMPLAUSIBLE_RATE = "implausible_rate"
    UNREADABLE = "unreadable", FailureClass.MOMENT
    MISSING = "missing", FailureClass.MOMENT
    CHANGED_WHILE_READ = "changed_while_read", FailureClass.MOMENT
    STORAGE = "storage", FailureClass.MOMENT
    OUT_OF_MEMORY = "out_of_memory", FailureClass.MOMENT
    TIMED_OUT = "timed_out", FailureClass.MOMENT
    KILLED_WORKER = "killed_worker"
    PAST_END = "past_end"
    EXTRACTION = "extraction"
    INTERNAL = "internal"


OF_THE_MOMENT = frozenset(reason.value for reason in FailureReason if reason.kind is FailureClass.MOMENT)
TRIES = 5
"""Runs, one after the other, in which something may fail for reasons of the moment before it counts as failed for good;
`--retry-failed` counts anew."""


def kind_of(reason: str) -> FailureClass:
    """The class of a reason in words; a word that this code does not know lasts."""
    return FailureClass.MOMENT if reason in OF_THE_MOMENT else FailureClass.BYTES


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
        pa.field("message", pa.string()),  # of failing, or how a decoded one is damaged
        pa.field("tries", pa.int16()),  # runs in which it failed for reasons of the moment; null where it did not
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
        pa.field("message", pa.string()),  # of failing; or what of its label or recording it lacks, or a rule of scores
        pa.field("tier", pa.string()),
        pa.field("duplicate_of", pa.string()),  # clip that stays in this one's place
        pa.field("introduced", pa.int64()),  # version that first had the clip
        pa.field(
            "tries", pa.int16()
        ),  # runs in which reading, a score or a latent of it failed for the moment, or null
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


CARRIED = "carried"
"""Struct of the text columns that sources `carry` from their labels; absent where none does."""
LABEL_WORDS = "label_words"
"""Words with times that the label gives, as it gives them; absent where no label does."""
WORD = pa.struct(
    [
        pa.field("word", pa.string()),
        pa.field("start_s", pa.float64()),  # from the beginning of the recording
        pa.field("end_s", pa.float64()),
    ]
)

ALIGNED_COLUMN = "aligned"
"""What of its recording's labels was found to be said in a clip; absent where no recording is cut at pauses."""
ALIGNED = pa.struct(
    [
        pa.field("text", pa.string()),  # the words that are said in the clip, as the labels write them
        pa.field("speaker", pa.string()),  # null where several speak, or nobody says who
        pa.field("words", pa.list_(WORD)),
        pa.field(
            "cues",
            pa.list_(
                pa.struct(
                    [
                        pa.field("text", pa.string()),
                        pa.field("start_s", pa.float64()),  # as the label has it; null: it had none
                        pa.field("end_s", pa.float64()),
                        pa.field("placed_start_s", pa.float64()),  # where it was found to be said; null: nowhere
                        pa.field("placed_end_s", pa.float64()),
                        pa.field("how", pa.string()),  # aligned | moved | unmatched
                    ]
                )
            ),
        ),
    ]
)
CUTTING_COLUMN = "cutting"
"""How a recording was cut at pauses; absent where none is."""
CUTTING = pa.struct(
    [
        # what is in no clip, [start, end) samples of every channel; with the clips of one channel the whole recording
        pa.field(
            "gaps",
            pa.list_(
                pa.struct([pa.field("start", pa.int64()), pa.field("end", pa.int64()), pa.field("kind", pa.string())])
            ),
        ),
        pa.field("forced", pa.int32()),  # cuts where nobody paused
        pa.field(
            "timing",
            pa.list_(
                pa.struct(
                    [
                        pa.field("channel", pa.int16()),  # null: labels of every channel
                        pa.field("cues", pa.int32()),
                        pa.field("aligned", pa.int32()),  # of them, those whose words were found
                        pa.field("unmatched", pa.int32()),  # those that match nothing that is said
                        # a cue's time t is said at offset_s + (1 + drift) * t
                        pa.field("offset_s", pa.float64()),
                        pa.field("drift", pa.float64()),
                        pa.field("method", pa.string()),  # aligner | speech | none
                    ]
                )
            ),
        ),
        pa.field(
            "sound",
            pa.list_(
                pa.struct(
                    [
                        pa.field("channel", pa.int16()),
                        pa.field("noise_power", pa.float64()),  # mean square of the pauses at 16 kHz; null: no pause
                        pa.field("unsteadiness", pa.float64()),  # standard deviation of that power over its mean
                        pa.field("pause_s", pa.float64()),
                        pa.field("bandwidth_hz", pa.float64()),  # null: silence
                        pa.field("c50_db", pa.float64()),  # median over two minutes each; null: too little speech
                        pa.field("handed", pa.string()),  # what the curators are given of it
                    ]
                )
            ),
        ),
    ]
)


def recording_schema(cutting: bool = False) -> pa.Schema:
    """Full schema of the recording table; with `cutting` where recordings are cut at pauses."""
    return RECORDINGS.append(pa.field(CUTTING_COLUMN, CUTTING)) if cutting else RECORDINGS


def clip_schema(
    curators: Mapping[str, Sequence[ScoreColumn]],
    representations: Sequence[str],
    carried: Sequence[str] = (),
    words: bool = False,
    aligned: bool = False,
) -> pa.Schema:
    """Full schema of the clip table for these curators (name to columns) and representations, what the labels carry,
    whether they give words, and whether recordings are cut at pauses (`aligned`)."""
    schema = CLIP_CORE
    if carried:
        schema = schema.append(pa.field(CARRIED, pa.struct([pa.field(name, pa.string()) for name in sorted(carried)])))
    if words:
        schema = schema.append(pa.field(LABEL_WORDS, pa.list_(WORD)))
    if aligned:
        schema = schema.append(pa.field(ALIGNED_COLUMN, ALIGNED))
    for name in sorted(curators):
        schema = schema.append(pa.field(name, score_struct(curators[name])))
    for name in sorted(representations):
        schema = schema.append(pa.field(name, POINTER))
    return schema

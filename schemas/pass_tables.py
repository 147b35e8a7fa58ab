"""Arrow schemas of what a pass keeps while it runs (plans, receipts) and of what is derived from a version."""

from __future__ import annotations

import pyarrow as pa

PLAN_SCHEMA = "auricle.plan/1"
RECEIPT_SCHEMA = "auricle.receipt/2"
ERROR_FIELDS = [pa.field("error_reason", pa.string()), pa.field("error_message", pa.string())]
PLAN = pa.schema([pa.field("key", pa.string()), pa.field("place", pa.int64())])
"""What the items of every plan have; the rest is what their pass reads."""
RECEIPT = pa.schema([pa.field("key", pa.string()), *ERROR_FIELDS])
"""What the rows of every receipt have; the rest is what their pass makes."""

DIFFICULTY_SCHEMA = "auricle.difficulty/2"
DIFFICULTY = pa.schema(
    [
        pa.field("clip", pa.string()),
        pa.field("bits_per_s", pa.float64()),
        pa.field("hard_bits_per_s", pa.float64()),  # less what level and voicing explain; all of them without sound
        pa.field("difficulty", pa.float64()),  # hard_bits_per_s, shrunk towards the speaker by its reliability
        pa.field("reliability", pa.float64()),  # share that would show again in other seconds of the clip
        pa.field("bits_per_voiced_s", pa.float64()),  # null without sound
        pa.field("reducible_bits_per_s", pa.float64()),  # what a fitted model saves: little of noise
    ]
)

GAINS_SCHEMA = "auricle.gains/1"
GAINS = pa.schema(
    [
        pa.field("clip", pa.string()),
        pa.field("group", pa.string()),  # speaker, voice or recording, whose frames no model saw that judged it
        pa.field("seconds", pa.float64()),
        pa.field("gain_nats", pa.float64()),  # summed over frames with a whole past; null where it has none
        # nat a frame about the one so much later; corrected for finite data, as all here
        *(pa.field(f"information_{tau}ms_nats", pa.float64()) for tau in (80, 160, 320)),
    ]
)

ARCHIVES_SCHEMA = "auricle.archives/1"
LEFT_OUT = pa.list_(
    pa.struct([pa.field("why", pa.string()), pa.field("count", pa.int64()), pa.field("example", pa.binary())])
)
"""Members of an archive that are not taken, by why; names may be no UTF-8."""
ARCHIVES = pa.schema(
    [
        pa.field("source", pa.string()),
        pa.field("path", pa.string()),  # relative to the source
        pa.field("uri", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("etag", pa.string()),
        pa.field("taken_by", pa.string()),  # names which members its source takes
        pa.field("files", pa.int64()),  # that it gave
        pa.field("mark", pa.string()),  # names all of them, with size, time and place
        pa.field("left_out", LEFT_OUT),
        pa.field("end_offset", pa.int64()),  # of a tar, where its members end; null where it cannot be continued
        pa.field("end_tail_sha256", pa.string()),  # of the last bytes before that
    ]
)
"""A row is an archive that the run of a version knew when it listed its sources."""

JUDGEMENT_SCHEMA = "auricle.judgement/1"
JUDGEMENT = pa.schema(
    [
        pa.field("by", pa.string(), nullable=False),  # source, speaker or language
        pa.field("member", pa.string(), nullable=False),  # its name; a recording's hash where nobody knows who speaks
        pa.field("kind", pa.string(), nullable=False),  # by; of speakers: speaker, voice or recording
        pa.field("rank", pa.int32(), nullable=False),  # 1 is the worst of its `by`
        pa.field("clips", pa.int64()),
        pa.field("hours", pa.float64()),
        pa.field("kept", pa.int64()),
        pa.field("kept_hours", pa.float64()),
        pa.field("kept_share", pa.float64()),  # of hours
        pa.field("corpus_share", pa.float64()),  # of all kept hours
        pa.field("failed", pa.int64()),
        pa.field("bad_share", pa.float64()),  # of clips: failed, or broke a rule
        pa.field("badness", pa.float64()),  # lower 95 % Wilson bound of bad_share: what the rank is by
        pa.field("reasons", pa.map_(pa.string(), pa.float64())),  # share of clips with each reason, every reason
        pa.field("medians", pa.map_(pa.string(), pa.float64())),  # of each numeric score over clips that have it
        pa.field("loudness_spread_db", pa.float64()),  # 90th less 10th percentile of level_dbfs
        pa.field("scarce", pa.bool_()),  # kept hours below a fifth of an even share of the corpus among its `by`
    ]
)

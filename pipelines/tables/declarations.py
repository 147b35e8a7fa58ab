"""The driver's working tables that go from one file to another: their columns, who writes them, who reads them.

They live in the scratch DuckDB of a planning round (`state.State`) and are gone after it; nothing here is on disk.
`columns` are those that other files may rely on, a table may have more. Tables of one file only are not declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class WorkingTable:
    """A table of the driver's scratch database."""

    name: str
    """In SQL; `<name>` stands for a curator or representation."""
    about: str
    """What a row is."""
    columns: Mapping[str, str]
    """Name -> DuckDB type; "struct" for one whose fields depend on the curator or pass."""
    written_by: str
    """File below `pipelines/`, the last one that changes it apart."""
    read_by: tuple[str, ...]
    """Files below `pipelines/`."""


def known(name: str) -> str:
    """Table that holds the valid scores of a curator (clip, val) or the valid pointers of a representation."""
    return f"known_{name}"


def final(representation: str) -> str:
    """Table of the pointers of a representation as the new version has them, into shards old and new."""
    return f"final_{representation}"


_POINTER = {
    "clip": "VARCHAR",
    "fingerprint": "VARCHAR",
    "shard": "VARCHAR",
    "offset": "BIGINT",
    "nbytes": "BIGINT",
    "num_frames": "INTEGER",
    "crc32": "BIGINT",
    "error": "VARCHAR",
}
_FILE = {
    "source": "VARCHAR",
    "source_rank": "INTEGER",
    "path": "VARCHAR",
    "uri": "VARCHAR",
    "size": "BIGINT",
    "mtime_ns": "BIGINT",
    "etag": "VARCHAR",
}
_LABEL = {
    "source": "VARCHAR",
    "path": "VARCHAR",
    "start_s": "DOUBLE",
    "duration_s": "DOUBLE",
    "channel": "SMALLINT",
    "transcript": "VARCHAR",
    "language": "VARCHAR",
    "speaker": "VARCHAR",
    "label_file": "VARCHAR",
}
_UNIT = {"unit": "BIGINT", "place": "BIGINT", "key": "VARCHAR"}
_CLIP_ITEM = _UNIT | {
    "recording": "VARCHAR",
    "uri": "VARCHAR",
    "channel": "SMALLINT",
    "start": "BIGINT",
    "end": "BIGINT",
    "transcript": "VARCHAR",
    "transcript_sha256": "VARCHAR",
    "language": "VARCHAR",
    "speaker": "VARCHAR",
    "recording_sound": "VARCHAR",
}

TABLES = (
    WorkingTable(
        "parent_clips",
        "a row of the newest version's clip table, with every curator and representation that it has",
        {"clip": "VARCHAR", "status": "VARCHAR", "reasons": "VARCHAR[]", "message": "VARCHAR", "tries": "SMALLINT"}
        | {"part_file": "VARCHAR"},
        "tables/state.py",
        (
            *("tables/ingest.py", "tables/remaining.py", "tables/retries.py", "relabel.py"),
            *("publishing/assemble.py", "plan.py"),
        ),
    ),
    WorkingTable(
        "parent_recordings",
        "a row of the newest version's recording table",
        {"recording": "VARCHAR", "segmentation": "VARCHAR", "status": "VARCHAR", "tries": "SMALLINT"}
        | {"part_file": "VARCHAR"},
        "tables/state.py",
        ("tables/ingest.py", "tables/retries.py"),
    ),
    WorkingTable(
        "parent_aliases",
        "a path of a recording of the newest version",
        {"recording": "VARCHAR", "source": "VARCHAR", "path": "VARCHAR", "size": "BIGINT", "mtime_ns": "BIGINT"},
        "tables/ingest.py",
        ("tables/losses.py", "tables/remembered.py", "tables/retries.py", "plan.py"),
    ),
    WorkingTable(
        "files_listed",
        "a file, or a member of an archive, that the sources list now",
        _FILE,
        "tables/ingest.py",
        ("labels/resolve.py", "tables/label_lines.py", "tables/remembered.py", "tables/source_labels.py"),
    ),
    WorkingTable(
        "archives_opened",
        "an archive that was listed now and is whole",
        {"source": "VARCHAR", "path": "VARCHAR"},
        "tables/remembered.py",
        ("run.py",),
    ),
    WorkingTable(
        "archives_now",
        "an archive that a source holds now and is whole, as the next run remembers it",
        {"source": "VARCHAR", "path": "VARCHAR", "size": "BIGINT", "mtime_ns": "BIGINT", "files": "BIGINT"},
        "tables/remembered.py",
        ("run.py",),
    ),
    WorkingTable(
        "labels_read",
        "what a label file says, before it is known which recording it is of",
        _LABEL | {"reference": "VARCHAR"},
        "tables/source_labels.py",
        ("labels/resolve.py",),
    ),
    WorkingTable(
        "label_tallies",
        "how many label lines of a source cannot be used",
        {"source": "VARCHAR", "lines": "BIGINT"},
        "tables/source_labels.py",
        ("tables/label_lines.py",),
    ),
    WorkingTable(
        "labels",
        "what a label file says of a recording, or of a span or channel of it",
        _LABEL,
        "labels/resolve.py",
        (
            *("tables/cues.py", "tables/ingest.py", "tables/label_lines.py", "tables/source_labels.py"),
            "publishing/document.py",
        ),
    ),
    WorkingTable(
        "sources",
        "a source of the configuration, in its order",
        {"source": "VARCHAR", "source_rank": "INTEGER", "prefix": "VARCHAR", "language": "VARCHAR"}
        | {"speaker": "VARCHAR"},
        "tables/ingest.py",
        ("tables/cues.py",),
    ),
    WorkingTable(
        "spans",
        "where the labels of a file cut it; where recordings are cut at pauses, what they say and when",
        {"source": "VARCHAR", "path": "VARCHAR"},
        "tables/cues.py",
        ("tables/ingest.py",),
    ),
    WorkingTable(
        "files",
        "a file that the sources list now, and how it is cut",
        _FILE | {"segmentation": "VARCHAR"},
        "tables/ingest.py",
        ("tables/losses.py", "tables/retries.py", "publishing/document.py", "plan.py"),
    ),
    WorkingTable(
        "known_files",
        "a listed file whose recording the newest version knows by size and time, and that need not be opened",
        {"source": "VARCHAR", "path": "VARCHAR", "recording": "VARCHAR"},
        "tables/ingest.py",
        ("run.py", "plan.py"),
    ),
    WorkingTable(
        "probe_keys",
        "a listed file that is not known",
        _FILE | {"key": "VARCHAR", "segmentation": "VARCHAR"},
        "tables/ingest.py",
        ("plan.py",),
    ),
    WorkingTable(
        "probe_items",
        "a file to probe, with its unit: what has no row in a receipt yet",
        _UNIT | {"uri": "VARCHAR", "size": "BIGINT", "mtime_ns": "BIGINT"},
        "tables/ingest.py",
        ("run.py", "plan.py"),
    ),
    WorkingTable(
        "aliases_now",
        "a path of a recording that is live, and how its labels would cut it",
        _FILE | {"recording": "VARCHAR", "segmentation": "VARCHAR", "probed": "BOOLEAN"},
        "tables/ingest.py",
        ("tables/cues.py", "tables/label_lines.py", "tables/overrides.py", "publishing/document.py"),
    ),
    WorkingTable(
        "clip_facts",
        "a span of a channel of a live recording, before labels are joined",
        {"clip": "VARCHAR", "group": "VARCHAR", "recording": "VARCHAR", "channel": "SMALLINT", "start": "BIGINT"}
        | {"end": "BIGINT", "pcm_sha256": "VARCHAR", "aligned": "struct"},
        "tables/ingest.py",
        ("tables/cues.py", "tables/label_lines.py", "tables/overrides.py"),
    ),
    WorkingTable(
        "recordings_now",
        "a recording that is live after this listing, with all of its paths",
        {"recording": "VARCHAR", "status": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR", "path": "VARCHAR"}
        | {"cutting": "struct"},
        "tables/ingest.py",
        (
            *("tables/cues.py", "tables/label_lines.py", "tables/overrides.py"),
            *("publishing/assemble.py", "publishing/document.py"),
        ),
    ),
    WorkingTable(
        "span_failures",
        "a clip that a label asks for and the recording has not, and why",
        {"clip": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR"},
        "tables/label_lines.py",
        ("tables/remaining.py",),
    ),
    WorkingTable(
        "clip_notes",
        "a clip that is not all that its label is of, or of a damaged recording, and what it lacks",
        {"clip": "VARCHAR", "message": "VARCHAR"},
        "tables/label_lines.py",
        ("policy/decide.py",),
    ),
    WorkingTable(
        "clips_now",
        "a clip that is live after this listing, with the label chosen for it",
        {
            "clip": "VARCHAR",
            "group": "VARCHAR",
            "recording": "VARCHAR",
            "source": "VARCHAR",
            "source_rank": "INTEGER",
            "path": "VARCHAR",
            "uri": "VARCHAR",
            "channel": "SMALLINT",
            "num_channels": "SMALLINT",
            "sample_rate": "INTEGER",
            "start": "BIGINT",
            "end": "BIGINT",
            "duration_s": "DOUBLE",
            "pcm_sha256": "VARCHAR",
            "transcript": "VARCHAR",
            "transcript_sha256": "VARCHAR",
            "label_source": "VARCHAR",
            "label_conflict": "BOOLEAN",
            "language": "VARCHAR",
            "speaker": "VARCHAR",
        },
        "tables/ingest.py",
        (
            *("tables/overrides.py", "tables/remaining.py", "policy/decide.py", "policy/speakers.py", "run.py"),
            *(
                "policy/group_rules.py",
                "publishing/pack.py",
                "publishing/assemble.py",
                "publishing/document.py",
                "plan.py",
            ),
        ),
    ),
    WorkingTable(
        "unmet",
        "a clip without what its sources require of the carried columns, and why",
        {"clip": "VARCHAR", "reasons": "VARCHAR[]", "message": "VARCHAR"},
        "tables/requirements.py",
        ("policy/decide.py", "plan.py"),
    ),
    WorkingTable(
        "known_<curator>",
        "a valid score of a live clip, from the newest version or a receipt",
        {"clip": "VARCHAR", "val": "struct"},
        "tables/remaining.py",
        ("policy/decide.py", "policy/speakers.py", "publishing/assemble.py"),
    ),
    WorkingTable(
        "failures",
        "a clip that scoring could not read, why, and how often for a reason of the moment",
        {"clip": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR", "tries": "BIGINT"},
        "tables/remaining.py",
        ("policy/decide.py", "publishing/assemble.py"),
    ),
    WorkingTable(
        "score_tries",
        "a score that failed for a reason of the moment: in versions before, or by a receipt (`part_file`)",
        {"clip": "VARCHAR", "tries": "BIGINT", "part_file": "VARCHAR"},
        "tables/remaining.py",
        ("publishing/assemble.py",),
    ),
    WorkingTable(
        "score_items",
        "a clip that lacks scores, with its unit and the curators that it lacks",
        _CLIP_ITEM | {"curators": "VARCHAR"},
        "tables/remaining.py",
        ("run.py", "plan.py"),
    ),
    WorkingTable(
        "judged",
        "a clip with the reasons of all rules and group rules that it breaks",
        {"clip": "VARCHAR", "failure": "VARCHAR", "message": "VARCHAR", "broken": "VARCHAR[]"},
        "policy/decide.py",
        ("policy/group_rules.py",),
    ),
    WorkingTable(
        "scores",
        "a live clip with all its valid scores, one struct for each curator: a view",
        {"clip": "VARCHAR", "source": "VARCHAR", "duration_s": "DOUBLE", "transcript": "VARCHAR"},
        "policy/decide.py",
        ("policy/undecided.py",),
    ),
    WorkingTable(
        "decided",
        "what becomes of a clip: kept, dropped or failed, why, its tier, and whose copy it is",
        {
            "clip": "VARCHAR",
            "status": "VARCHAR",
            "reasons": "VARCHAR[]",
            "message": "VARCHAR",
            "tier": "VARCHAR",
            "duplicate_of": "VARCHAR",
        },
        "policy/decide.py",
        ("policy/group_rules.py", "tables/remaining.py", "publishing/pack.py", "publishing/assemble.py", "plan.py"),
    ),
    WorkingTable(
        "known_<representation>",
        "a valid pointer of a live clip: into a shard of the newest version, or to a payload (`file`) of a run",
        _POINTER | {"file": "VARCHAR"},
        "tables/remaining.py",
        ("publishing/pack.py", "publishing/assemble.py"),
    ),
    WorkingTable(
        "lost",
        "a kept clip that extraction could not read, why, and how often for a reason of the moment",
        {"clip": "VARCHAR", "reason": "VARCHAR", "message": "VARCHAR", "tries": "BIGINT"},
        "tables/remaining.py",
        ("publishing/assemble.py",),
    ),
    WorkingTable(
        "extract_tries",
        "`score_tries` of latents",
        {"clip": "VARCHAR", "tries": "BIGINT", "part_file": "VARCHAR"},
        "tables/remaining.py",
        ("publishing/assemble.py",),
    ),
    WorkingTable(
        "extract_items",
        "a kept clip that lacks arrays, with its unit and the representations that it lacks",
        _CLIP_ITEM | {"representations": "VARCHAR"},
        "tables/remaining.py",
        ("run.py", "plan.py"),
    ),
    WorkingTable(
        "final_<representation>",
        "a pointer as the new version has it",
        _POINTER,
        "publishing/pack.py",
        ("publishing/assemble.py", "publishing/document.py"),
    ),
    WorkingTable(
        "outcome",
        "`decided` after extraction: a kept clip of which nothing could be made has failed",
        {"clip": "VARCHAR", "status": "VARCHAR", "reasons": "VARCHAR[]", "message": "VARCHAR", "tier": "VARCHAR"}
        | {"tries": "BIGINT"},
        "publishing/assemble.py",
        ("publishing/document.py", "publishing/pack.py"),
    ),
)
"""In the order in which a round makes them."""

"""Scores of loose files: measure, write, and print them as a table that reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from rich.progress import Progress

from ..curators.registry import build
from ..pipelines.score_files import score_files
from ..schemas.errors import StorageError
from . import console

SUMMARY = ("speech_s", "snr_db", "dnsmos_ovrl", "transcript_trust", "bandwidth_hz", "clip_ratio")
"""Columns of the short table for many clips; one or a few clips show every score."""
FEW = 3


def score_and_write(
    paths: Sequence[Path],
    transcripts: Path | None,
    language: str | None,
    out: Path | None,
    curators: Sequence[str] | None,
    quiet: bool,
) -> pa.Table:
    """Score, show progress, and write a Parquet file when `out` is given."""
    with Progress(console=console.err, transient=True, disable=quiet or not console.err.is_terminal) as bar:
        task = bar.add_task("scoring", total=None)
        table = score_files(
            paths,
            transcripts,
            curators=curators,
            language=language,
            done=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if out is not None:
        try:
            pq.write_table(table, out)
        except OSError as error:
            raise StorageError(f"--out {out}: cannot be written ({error.strerror or error})") from error
        console.say(f"{table.num_rows} rows in {out}")
    return table


def print_scores(table: pa.Table, curators: Sequence[str] | None) -> None:
    """Every score with its unit for a few clips, the main ones for many."""
    rows = table.to_pylist()
    built = build(curators, {})
    if len(rows) <= FEW:
        for row in rows:
            console.say(f"{row['path']}  channel {row['channel'] or 0}")
            if row["error_reason"]:
                console.say(f"  failed: {row['error_message']} ({row['error_reason']})")
                continue
            shown = [
                (c.name, row[c.name], c.unit, row[f"{curator.name}_reason"] if row[c.name] is None else c.description)
                for curator in built
                for c in curator.columns
                if c.dtype != "binary"
            ]
            console.table("", ("score", "value", "unit", ""), shown)
        return
    columns = [c for c in SUMMARY if c in table.column_names]
    units = {c.name: c.unit for curator in built for c in curator.columns}
    heads = [f"{c}" if c.endswith(f"_{units[c].lower()}") or units[c] == "1" else f"{c} ({units[c]})" for c in columns]
    shown = [(row["path"], row["channel"], *(row[c] for c in columns), row["error_message"] or "") for row in rows]
    console.table("", ("path", "ch", *heads, ""), shown)

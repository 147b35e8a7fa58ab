"""Scores of loose files: measure, judge, write, and print them as a table that reads."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from ...curators.registry import build
from ...pipelines.policy.judge_clip import Judge
from ...pipelines.score_files import score_files
from ...schemas.config import RunConfig
from ...schemas.counted import counted
from ...schemas.errors import ConfigError, StorageError
from ...schemas.near import did_you_mean
from ...schemas.score import Curator, ScoreColumn, sigma_name, with_sigma
from ..terminal import console
from ..terminal.config_file import EXAMPLE, load_config

SUMMARY = ("snr_db", "speech_s", "transcript_trust", "dnsmos_ovrl", "clip_ratio", "bandwidth_hz", "c50_db")
"""Columns of the table for many clips, the most telling first; those that no clip has are left out, and the last
where the terminal is narrow. `--columns` names others."""
FEW = 3
"""Up to here every score of every clip is shown with what it means."""
LINES = 40
"""Longest list of reasons below the table for many clips."""


@dataclass(frozen=True)
class Scored:
    """What was measured, by what, and the rules that it was judged by."""

    table: pa.Table
    curators: tuple[Curator, ...]
    judge: Judge
    rules: str
    """Where the rules are from, for the reader."""

    @property
    def columns(self) -> dict[str, ScoreColumn]:
        """Every score that can be shown."""
        return {c.name: c for curator in self.curators for c in curator.columns if c.dtype != "binary"}

    @property
    def all_failed(self) -> bool:
        """Not one file could be scored."""
        return all(status == "failed" for status in self.table["status"].to_pylist())


def score(
    paths: Sequence[Path],
    *,
    transcripts: Path | None = None,
    language: str | None = None,
    curators: Sequence[str] | None = None,
    config: Path | None = None,
    overrides: Sequence[str] = (),
    quiet: bool = False,
) -> Scored:
    """Score the files, judged by the rules of `config`, else by those that `auricle config example` prints."""
    if config is None and overrides:
        raise ConfigError("--set changes a configuration: give --config too")
    settings = load_config(config, overrides) if config else RunConfig.model_validate(yaml.safe_load(EXAMPLE))
    names = curators or settings.score.curators
    options = {name: o for name, o in settings.score.options.items() if names is None or name in names}
    built = build(names, options)
    if config is not None and curators is None:
        from ...pipelines.policy.decide import check_rules  # with the database, which nothing else here needs

        check_rules(settings, built)
    judge = Judge(settings.keep, settings.tiers, built)
    with console.counting("scoring", "files", quiet) as tell:
        table = score_files(
            paths,
            transcripts,
            curators=names,
            options=options,
            language=language or (settings.sources[0].language if config and len(settings.sources) == 1 else None),
            judge=judge,
            accept_truncated=settings.segment.truncated == "accept",
            limit_s=settings.workers.limit_s,
            done=tell,
        )
    if transcripts is not None and not any(table["transcript"].to_pylist()):
        console.err.print(
            f"note: {transcripts} has a transcript for none of these files; its paths are relative to its folder",
            markup=False,
        )
    return Scored(table, tuple(built), judge, str(config) if config else "`auricle config example`")


def require_place(out: Path) -> None:
    """Raise `StorageError` before anything is scored when the result cannot be written."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"--out {out}: its folder cannot be made ({error.strerror or error})") from error
    if out.is_dir() or not os.access(out.parent, os.W_OK):
        raise StorageError(f"--out {out}: a file in a folder that you may write to is required")


def write(scored: Scored, out: Path) -> None:
    """All rows and columns as a Parquet file."""
    try:
        pq.write_table(scored.table, out)
    except OSError as error:
        raise StorageError(f"--out {out}: cannot be written ({error.strerror or error})") from error


def facts(scored: Scored) -> dict[str, Any]:
    """What `auricle score --json` says: every score of every clip, without embeddings and fingerprints."""
    hidden = {c.name for curator in scored.curators for c in curator.columns if c.dtype == "binary"}
    shown = [name for name in scored.table.column_names if name not in hidden]
    return {"clips": scored.table.select(shown), "rules": scored.rules, "not_judged": list(scored.judge.unjudged)}


def print_scores(scored: Scored, columns: str | None) -> None:
    """Every score of a few clips, or the main ones of many; then what was dropped or failed, and why.

    columns: names with commas between, or "all" for every score of every clip.
    """
    rows = scored.table.to_pylist()
    names = [] if columns in (None, "all") else [name.strip() for name in (columns or "").split(",")]
    unknown = [name for name in names if name not in scored.columns]
    if unknown:
        near = did_you_mean(unknown[0], scored.columns)
        raise ConfigError(f"--columns {unknown[0]!r}: not a score here{near} Scores: {', '.join(scored.columns)}")
    if columns == "all" or (not names and len(rows) <= FEW):
        for row in rows:
            _print_clip(scored, row)
    else:
        _print_many(scored, rows, names)
    at_even_odds = [name for name in scored.judge.at_even_odds if any(row[name] is not None for row in rows)]
    if at_even_odds:
        console.say(
            f"{', '.join(at_even_odds)}: judged as if half of the texts were wrong; a run estimates the "
            "share of each source, or give the rule a wrong_share"
        )
    if scored.judge.unjudged:
        console.say(f"not judged, since their curators did not run: rules on {', '.join(scored.judge.unjudged)}")


def _print_clip(scored: Scored, row: dict[str, Any]) -> None:
    if row["error_reason"]:
        console.say(f"{row['path']}  failed: {row['error_message']} ({row['error_reason']})")
        return
    console.say(f"{row['path']}  channel {row['channel']}, {row['duration_s']:.2f} s at {row['sample_rate']:,} Hz")
    console.say(f"  {_verdict(row)} by the rules of {scored.rules}")
    for line in (*row["why"], *(row["undecided"] or ()), *([row["note"]] if row["note"] else ())):
        console.say(f"  {line}")
    shown = [
        (
            c.name,
            _with_sigma(row, c.name),
            "" if c.dtype == "bool" else c.unit,
            row[f"{curator.name}_reason"] if row[c.name] is None else c.description,
        )
        for curator in scored.curators
        for c in curator.columns
        if c.dtype != "binary" and c.name not in {sigma_name(other) for other in scored.columns}
    ]
    console.table("", ("score", "value", "unit", "what it is, or why it is missing"), shown)


def _print_many(scored: Scored, rows: list[dict[str, Any]], names: Sequence[str]) -> None:
    measured = [row for row in rows if not row["error_reason"]]
    columns = names or [n for n in SUMMARY if n in scored.columns and any(row[n] is not None for row in measured)]
    root = _common_folder([row["path"] for row in rows])
    if measured:
        heads = [_head(scored.columns[name]) for name in columns]
        if not names:
            taken = max(len(_below(root, row["path"])) + len(_verdict(row)) for row in measured) + len("  ch  ")
            fitting = _fitting(heads, console.out.width - taken)
            columns, heads = columns[:fitting], heads[:fitting]
        shown = [
            (_below(root, row["path"]), row["channel"], *(_with_sigma(row, name) for name in columns), _verdict(row))
            for row in measured
        ]
        console.table(f"{counted(len(measured), 'clip')} under {root}", ("path", "ch", *heads, "verdict"), shown)
    counts = Counter(row["status"] for row in rows)
    unsure = sum(bool(row["undecided"]) for row in rows)
    console.say(
        f"{counts['kept']} kept and {counts['dropped']} dropped by the rules of {scored.rules}, "
        f"{counted(counts['failed'], 'file')} failed" + (f"; {unsure} of the kept are undecided" if unsure else "")
    )
    _print_reasons(
        "dropped, and why",
        ("path", "ch", "why"),
        [
            (_below(root, row["path"]), row["channel"], why)
            for row in rows
            if row["status"] == "dropped"
            for why in row["why"]
        ],
    )
    _print_reasons(
        "undecided, and why",
        ("path", "ch", "why"),
        [(_below(root, row["path"]), row["channel"], line) for row in rows for line in row["undecided"] or ()],
    )
    _print_reasons(
        "damaged, and scored as far as they could be read",
        ("path", "what is wrong"),
        list(dict.fromkeys((_below(root, row["path"]), row["note"]) for row in rows if row["note"])),
    )
    _print_reasons(
        "failed, and why",
        ("path", "reason", "why"),
        [(_below(root, row["path"]), row["error_reason"], row["error_message"]) for row in rows if row["error_reason"]],
    )
    _print_missing(scored, measured, names)


def _print_reasons(title: str, heads: Sequence[str], lines: list[tuple[Any, ...]]) -> None:
    if lines:
        console.table(title, heads, lines[:LINES])
    if len(lines) > LINES:
        console.say(f"and {len(lines) - LINES} more; --out FILE.parquet has them all")


def _print_missing(scored: Scored, rows: list[dict[str, Any]], names: Sequence[str]) -> None:
    """Why scores of the table are missing, counted."""
    wanted = set(names) or set(SUMMARY)
    found: Counter[tuple[str, str]] = Counter()
    for curator in scored.curators:
        for name in (c.name for c in curator.columns if c.name in wanted):
            for row in rows:
                if row[name] is None:
                    found[name, row[f"{curator.name}_reason"] or "not given"] += 1
    if found:
        lines = [(name, count, reason) for (name, reason), count in found.most_common()]
        console.table("missing scores (-)", ("score", "clips", "why"), lines)


def _value(value: object) -> object:
    """A score as the tables show it: yes or no, "none" for an empty text or list; "-" stays what is missing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if isinstance(value, str | list) and not value else value


def _with_sigma(row: dict[str, Any], score: str) -> object:
    """A score with the standard deviation of its error where there is one: `17.2 ± 3`."""
    value, sigma = row[score], row.get(sigma_name(score))
    return _value(value) if value is None or sigma is None else with_sigma(value, sigma)


def _verdict(row: dict[str, Any]) -> str:
    if row["status"] == "kept":
        return f"kept, {row['tier']}" if row["tier"] else "kept"
    return f"{row['status']}: {', '.join(row['reasons'])}"


def _fitting(heads: Sequence[str], room: int) -> int:
    """How many of the columns have room beside path and verdict; two at least."""
    widths = [sum(len(head) + 2 for head in heads[: i + 1]) for i in range(len(heads))]
    return max(2, sum(width <= room for width in widths))


def _head(column: ScoreColumn) -> str:
    """The name, with the unit where the name does not end with it."""
    ends = column.name.endswith(f"_{column.unit.lower()}") or column.unit in ("1", "text")
    return column.name if ends else f"{column.name}, {column.unit}"


def _common_folder(paths: Sequence[str]) -> Path:
    return Path(os.path.commonpath([Path(path).absolute().parent for path in paths]))


def _below(root: Path, path: str) -> str:
    return str(Path(path).absolute().relative_to(root))

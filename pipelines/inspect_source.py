"""Look at a source before any run: what is there, about how long, and which labels fit. Nothing is written."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pyarrow as pa

from ..schemas.errors import ClipError, ConfigError
from ..schemas.source_config import Source
from ..schemas.sources import is_list
from .audio.declared import claimed_s, truncated, uncounted
from .audio.decode import local_file, open_audio
from .inspect_labels import FoundLabels, Unmatched, found_labels
from .listing.archived import is_named_archive
from .listing.files import FILES, list_sources

HEADERS = 40
"""Recordings that are opened, spread over the listing."""
REMOTE_HEADERS = 5
"""The same of an object store, from which each is copied."""
LARGEST_REMOTE_BYTES = 64 << 20
MOST_PROBLEMS = 5


@dataclass
class Inspection:
    """What a source holds, as far as it was looked at."""

    path: str
    files: int = 0
    more: bool = False
    """Whether the listing was given up at the limit."""
    num_bytes: int = 0
    endings: dict[str, int] = field(default_factory=dict)
    archives: int = 0
    """Archives whose members were listed."""
    opened: int = 0
    hours: float | None = None
    """Estimated from the bytes, by what a second takes in the recordings that were opened."""
    longest_s: float = 0.0
    """Of those that were opened."""
    mean_s: float = 0.0
    formats: dict[str, int] = field(default_factory=dict)
    sample_rates: dict[str, int] = field(default_factory=dict)
    channels: dict[str, int] = field(default_factory=dict)
    labels: list[FoundLabels] = field(default_factory=list)
    """Best first; none that fits no recording."""
    unmatched: list[Unmatched] = field(default_factory=list)
    """Labels that fit no recording."""
    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def inspect_source(path: str, limit: int = 100_000) -> Inspection:
    """What lies in a folder, a file, an archive or a place in an object store.

    limit: files listed and label lines read at most. A table on this machine that does not say where recordings are is
    taken for labels: its folder is inspected, and a notice says so. Raises `ConfigError` for a path that is not there,
    a place without recordings, and a file that is no audio, archive, list or table of labels.
    """
    found = Inspection(path)
    try:
        table = _listed(Source(path=path), limit, found)
    except ConfigError as error:
        if not (is_list(path) and _is_file(path)):
            raise
        table = _of_its_folder(Path(path), limit, found, error)
    source = Source(path=found.path)
    if not found.files:
        raise ConfigError(
            f"{'; '.join(found.notices) or f'{path}: no audio files'}. Inspect a folder or an archive that holds "
            "recordings"
        )
    _open_some(table, found)
    if not found.opened and not found.archives and _is_file(path) and not is_list(path):
        raise ConfigError(
            f"{path} is no audio, archive, list or table of labels that can be read ({'; '.join(found.problems)}). "
            "Inspect a recording, or the folder that holds them"
        )
    found.labels, found.unmatched = found_labels(source, table, limit)
    return found


def _is_file(path: str) -> bool:
    """On this machine."""
    return "://" not in path and Path(path).expanduser().is_file()


def _of_its_folder(labels: Path, limit: int, found: Inspection, why: ConfigError) -> pa.Table:
    """What lies beside a file of labels. Raises `ConfigError` where nothing does."""
    found.path = str(labels.parent)
    table = _listed(Source(path=found.path), limit, found)
    if not found.files:
        raise ConfigError(f"{why}. Nor are there recordings beside it: inspect the folder that holds them") from why
    found.notices.append(
        f"{labels.name} does not say where recordings are, so it is no source of its own: this is its folder, of whose "
        f"recordings it may be the labels (auricle inspect {found.path})"
    )
    return table


def _listed(source: Source, limit: int, found: Inspection) -> pa.Table:
    batches, count = [], 0
    for batch in list_sources([source], found.notices):
        batches.append(batch)
        count += batch.num_rows
        if count >= limit:
            found.more = True
            break
    table = pa.Table.from_batches(batches, FILES).slice(0, limit)
    names = table["path"].to_pylist()
    found.files, found.num_bytes = len(names), sum(table["size"].to_pylist())
    found.endings = dict(Counter(os.path.splitext(name)[1].lower() or "none" for name in names).most_common())
    found.archives = len({archive for name in names for archive in _archive(name)})
    return table


def _archive(path: str) -> Sequence[str]:
    """The archive in a path of a member."""
    parts = path.split("/")
    at = next((k for k, part in enumerate(parts[:-1]) if is_named_archive(part)), None)
    return () if at is None else ("/".join(parts[: at + 1]),)


def _open_some(table: pa.Table, found: Inspection) -> None:
    """Headers of recordings spread over the listing."""
    rows = table.select(["path", "uri", "size"]).to_pylist()
    remote = any("://" in row["uri"] for row in rows)
    if remote:
        rows = [row for row in rows if row["size"] <= LARGEST_REMOTE_BYTES]
    wanted = REMOTE_HEADERS if remote else HEADERS
    chosen = [rows[k * len(rows) // wanted] for k in range(wanted)] if len(rows) > wanted else rows
    formats, rates, channels = Counter[str](), Counter[str](), Counter[str]()
    seconds: dict[str, list[tuple[float, int]]] = {}
    for row in chosen:
        try:
            with local_file(row["uri"]) as path, open_audio(path) as reader:
                info, length = reader.info, claimed_s(path)
                size = path.stat().st_size
                if lacking := truncated(path) or uncounted(path):
                    found.problems.append(f"{row['path']}: {lacking}")
        except ClipError as error:
            # the message begins with the name as well
            why = error.message.removeprefix(f"{PurePosixPath(row['path']).name}: ")
            found.problems.append(f"{row['path']}: {error.reason}: {why}")
            continue
        formats[info.format] += 1
        rates[str(info.sample_rate)] += 1
        channels[str(info.num_channels)] += 1
        if length is not None:
            seconds.setdefault(_ending(row["path"]), []).append((length, size))
    found.opened = sum(formats.values())
    found.formats, found.sample_rates, found.channels = (dict(c.most_common()) for c in (formats, rates, channels))
    found.problems = found.problems[:MOST_PROBLEMS]
    lengths = [length for of_ending in seconds.values() for length, _ in of_ending]
    if lengths:
        found.longest_s, found.mean_s = max(lengths), sum(lengths) / len(lengths)
        found.hours = _hours(table, seconds)


def _hours(table: pa.Table, seconds: dict[str, list[tuple[float, int]]]) -> float:
    """Bytes of each kind of file by what a second of that kind takes; of a kind that was not opened, of all."""

    def rate(pairs: Sequence[tuple[float, int]]) -> float:
        return sum(length for length, _ in pairs) / max(1, sum(size for _, size in pairs))

    overall = rate([pair for of_ending in seconds.values() for pair in of_ending])
    held = Counter[str]()
    for name, size in zip(table["path"].to_pylist(), table["size"].to_pylist(), strict=True):
        held[_ending(name)] += size
    return sum(size * (rate(seconds[e]) if e in seconds else overall) for e, size in held.items()) / 3600


def _ending(path: str) -> str:
    return os.path.splitext(path)[1].lower()

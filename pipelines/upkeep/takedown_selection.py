"""Which clips a takedown means: those asked for, and every other clip with the same audio, in all versions."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...loaders.care.spans import Spans
from ...loaders.reading.tombstones import TOMBSTONES
from ...loaders.reading.where import Where
from ...loaders.storage.parts import read_columns
from ...schemas.errors import ConfigError
from ..audio.listen import source_uri
from ..passes.probe import unread_names
from .takedown_reach import History

SPAN = ("clip", "group", "recording", "channel", "start", "end", "pcm_sha256", "duplicate_of")

LEAST_OF_A_KEY = 4
"""Characters: what is taken down does not come back."""


@dataclass
class Selection:
    """Clips and recordings to take down, and why they count as whole."""

    redact: bool
    clips: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Key to the `SPAN` columns of its row."""
    files: set[str] = field(default_factory=set)
    """Recordings chosen as files: all of their clips go, and they need not have any."""
    whole: set[str] = field(default_factory=set)
    """Recordings of which nothing remains (or that are redacted)."""
    beside: set[str] = field(default_factory=set)
    """Of the clips, those that only overlap with one that holds the audio that was asked for."""
    names: set[str] = field(default_factory=set)
    """What the whole recordings are called while their files cannot be read."""
    asked: int = 0

    def tombstones(self) -> pa.Table:
        """What must never come back (`TOMBSTONES`)."""
        rows: list[dict[str, Any]] = [{"recording": r, "redact": self.redact} for r in sorted(self.whole | self.names)]
        core = Spans([row for key, row in self.clips.items() if key not in self.beside])
        for key, row in self.clips.items() if not self.redact else ():
            stone = {name: row[name] for name in TOMBSTONES.names if name in row} | {"redact": False}
            if key in self.beside:
                # its samples are banned, and of its span only what was asked for: its other neighbours stay
                stone["start"], stone["end"] = core.shared(row)
            rows.append(stone)
        return pa.Table.from_pylist(rows, schema=TOMBSTONES)


def select(
    history: History,
    clips: Sequence[str],
    speaker: str | None,
    source: str | None,
    where: str | None,
    redact: bool,
) -> Selection:
    """The selection that exactly one of the four names. Raises `ConfigError` when it fits nothing."""
    if sum([bool(clips), speaker is not None, source is not None, where is not None]) != 1:
        raise ConfigError(
            "say what to take down by exactly one of --clips, --speaker, --source and --where; without one, takedowns "
            "that were interrupted are finished, and there is none"
        )
    chosen = Selection(redact)
    clips = _keys(history, clips)
    for table in _asked(history, clips, speaker, where) if source is None else ():
        _add(chosen, table)
    if source is not None:
        chosen.files = _files_of(history, source)
        _add_matching(chosen, history, {"recording": chosen.files})
    chosen.asked = len(chosen.clips)
    if redact:
        chosen.whole = {row["recording"] for row in chosen.clips.values()} | chosen.files
    else:
        _same_audio(chosen, history)
        _overlapping(chosen, history)
        chosen.whole = chosen.files | _nothing_left(chosen, history)
    chosen.names = _names_unread(chosen.whole, history)
    if not chosen.clips and not chosen.whole:
        what = f"speaker {speaker!r}" if speaker is not None else f"source {source!r}" if source else repr(where)
        raise ConfigError(f"no clip of any version is of {what}: nothing to take down")
    return chosen


def _keys(history: History, given: Sequence[str]) -> list[str]:
    """The keys that begin as given, one for each. Raises `ConfigError` where none does, or more than one."""
    known = [read_columns(file, ["clip"])["clip"] for file in history.clips.values()] if given else []
    found, unknown = [], []
    for prefix in given:
        if len(prefix) < LEAST_OF_A_KEY:
            raise ConfigError(f"--clips {prefix!r}: give at least {LEAST_OF_A_KEY} characters of the clip's key")
        fits: set[str] = set()
        for keys in known:
            fits.update(keys.filter(pc.starts_with(keys, prefix)).to_pylist())
        if len(fits) > 1:
            raise ConfigError(
                f"--clips {prefix}: {len(fits)} clips begin so, for example {' and '.join(sorted(fits)[:2])}; "
                "give more of the key"
            )
        found += fits
        unknown += [] if fits else [prefix]
    if unknown:
        raise ConfigError(f"no version has the clip {unknown[0]!r} ({len(unknown)} of {len(given)} are unknown)")
    return found


def _asked(history: History, clips: Sequence[str], speaker: str | None, where: str | None) -> Iterator[pa.Table]:
    for number, file in enumerate(history.clips.values()):
        if where is not None:
            try:
                test = Where(where, pq.read_schema(file))
            except ConfigError:
                # an older part may lack a column; the newest version's parts come first and must have it
                if number == 0:
                    raise
                continue
            mask = test.mask(read_columns(file, test.columns or ["clip"]))
        elif speaker is not None:
            mask = pc.equal(read_columns(file, ["speaker"])["speaker"], speaker)
        else:
            mask = pc.is_in(read_columns(file, ["clip"])["clip"], value_set=pa.array(list(clips), pa.string()))
        yield read_columns(file, SPAN).filter(mask)


def _files_of(history: History, source: str) -> set[str]:
    """Recordings with a path in the source, also those whose first path is in another."""
    found: set[str] = set()
    for file in history.recordings.values():
        table = read_columns(file, ["recording", "aliases"])
        parents = pc.list_parent_indices(table["aliases"])
        hit = pc.equal(pc.struct_field(pc.list_flatten(table["aliases"]), "source"), source)
        found.update(table["recording"].take(pc.unique(parents.filter(hit))).to_pylist())
    return found


def _same_audio(chosen: Selection, history: History) -> None:
    """Add clips with equal samples, the duplicates of what was asked for, and the other channels of a shared latent.

    Twice: what equals the clip that a chosen one is a duplicate of is found by the second look.
    """
    for _ in range(2):
        rows = list(chosen.clips.values())
        originals = {row["duplicate_of"] for row in rows if row["duplicate_of"]}
        _add_matching(
            chosen,
            history,
            {
                "recording": chosen.files,
                "pcm_sha256": {row["pcm_sha256"] for row in rows if row["pcm_sha256"]},
                "duplicate_of": set(chosen.clips) | originals,
                "clip": originals,
                # a latent of several channels holds the samples of all of them
                "group": {row["group"] for row in rows} if history.joins_channels else set(),
            },
        )


def _overlapping(chosen: Selection, history: History) -> None:
    """Add clips that share samples with a chosen one; not those that share samples with what is added here."""
    core, spans = set(chosen.clips), Spans(list(chosen.clips.values()))
    for file in history.clips.values():
        table = read_columns(file, SPAN)
        _add(chosen, table.filter(spans.overlap(table)))
    chosen.beside = set(chosen.clips) - core


def _add_matching(chosen: Selection, history: History, values: dict[str, set[str]]) -> None:
    sets = {name: pa.array(sorted(found), pa.string()) for name, found in values.items() if found}
    for file in history.clips.values():
        table = read_columns(file, SPAN)
        hit = pa.chunked_array([pa.repeat(False, table.num_rows)])
        for name, value_set in sets.items():
            hit = pc.or_(hit, pc.is_in(table[name], value_set=value_set))
        _add(chosen, table.filter(hit))


def _names_unread(recordings: set[str], history: History) -> set[str]:
    """Names that files of these recordings have in the ledger on a night when they cannot be read, and so not hashed:
    their paths must not come back either."""
    found: set[str] = set()
    known = pa.array(sorted(recordings), pa.string())
    for version in history.versions:
        for part in version.document.recordings:
            table = read_columns(history.recordings[part.sha256], ["recording", "aliases"])
            for aliases in table.filter(pc.is_in(table["recording"], value_set=known))["aliases"].to_pylist():
                for alias in aliases or ():
                    if alias["path"] is not None:
                        found |= unread_names(source_uri(version, alias["source"], alias["path"]))
    return found


def _nothing_left(chosen: Selection, history: History) -> set[str]:
    """Recordings of chosen clips that have no other clip in any version."""
    touched = {row["recording"] for row in chosen.clips.values()}
    names, keys = pa.array(sorted(touched), pa.string()), pa.array(list(chosen.clips), pa.string())
    other: set[str] = set()
    for file in history.clips.values():
        table = read_columns(file, ["clip", "recording"])
        rest = pc.and_(
            pc.is_in(table["recording"], value_set=names), pc.invert(pc.is_in(table["clip"], value_set=keys))
        )
        other.update(pc.unique(table["recording"].filter(rest)).to_pylist())
    return touched - other


def _add(chosen: Selection, table: pa.Table) -> None:
    for row in table.to_pylist():
        # a clip that is a duplicate in one version may have been the one that stayed in another
        known = chosen.clips.get(row["clip"])
        if known is None or (known["duplicate_of"] is None and row["duplicate_of"]):
            chosen.clips[row["clip"]] = row

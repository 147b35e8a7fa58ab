"""Where taken-down clips still are: which versions and which shards hold them."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ...loaders.care.apply_tombstones import SPAN_COLUMNS, banned_clips, breaks_tombstones
from ...loaders.reading.refs import readable
from ...loaders.reading.tombstones import redacted, whole_recordings
from ...loaders.reading.version import Version, open_version
from ...loaders.storage.layout import clips_path, recordings_path, shard_path
from ...loaders.storage.parts import checked_parts, read_columns
from ...loaders.storage.shards import read_facts
from ...loaders.storage.store import Store
from ...schemas.tables import CARRIED


@dataclass(frozen=True)
class History:
    """All versions that can be read, and the distinct parts of their tables, the newest version's first."""

    versions: list[Version]
    clips: dict[str, Path]
    recordings: dict[str, Path]

    @property
    def newest(self) -> Version:
        return self.versions[0]

    @property
    def joins_channels(self) -> bool:
        """Whether some version has a representation of several channels at once."""
        return any(e.spec.channels > 1 for v in self.versions for e in v.document.representations.values())


@dataclass(frozen=True)
class Reach:
    """What holds something banned."""

    versions: set[int] = field(default_factory=set)
    shards: set[str] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)
    """Of the tables of clips and recordings."""


def read_history(store: Store) -> History:
    """Open every version. Raises `IntegrityError` for a damaged part: what it holds could not be taken down."""
    versions = [open_version(store, number) for number in reversed(readable(store))]
    clips: dict[str, Path] = {}
    recordings: dict[str, Path] = {}
    for version in versions:
        for known, listed, path_of in (
            (clips, version.document.clips, clips_path),
            (recordings, version.document.recordings, recordings_path),
        ):
            parts = [(part, path_of(part.sha256)) for part in listed if part.sha256 not in known]
            files = checked_parts(store, parts, version._cache)
            known |= {part.sha256: file for (part, _), file in zip(parts, files, strict=True)}
    return History(versions, clips, recordings)


def holders(history: History, stones: pa.Table) -> Reach:
    """Versions and shards that hold what `stones` ban or redact."""
    clips, recordings = _parts(history, stones)
    known: dict[str, bool] = {}
    versions, shards = set(), set()
    for version in history.versions:
        bad = tainted_shards(version, stones, known)
        shards |= bad
        if bad or _lists(version, clips | recordings):
            versions.add(version.document.number)
    return Reach(versions, shards, clips | recordings)


def listing(history: History, stones: pa.Table) -> list[Version]:
    """Versions whose tables name what `stones` ban, or show what they redact, oldest first. Opens no shard."""
    clips, recordings = _parts(history, stones)
    return [version for version in reversed(history.versions) if _lists(version, clips | recordings)]


def _parts(history: History, stones: pa.Table) -> tuple[set[str], set[str]]:
    """Parts of the clip tables and of the recording tables that hold what `stones` ban or redact."""
    whole = pc.unique(pa.chunked_array([whole_recordings(stones), redacted(stones)], pa.string()))
    clips = {
        sha256
        for sha256, file in history.clips.items()
        if breaks_tombstones(read_columns(file, [*SPAN_COLUMNS, "path", "transcript"]), stones)
    }
    recordings = {
        sha256
        for sha256, file in history.recordings.items()
        if pc.any(pc.is_in(read_columns(file, ["recording"])["recording"], value_set=whole)).as_py()
    }
    return clips, recordings


def _lists(version: Version, parts: set[str]) -> bool:
    listed = (*version.document.clips, *version.document.recordings)
    return not parts.isdisjoint(part.sha256 for part in listed)


def tainted_shards(version: Version, stones: pa.Table, known: dict[str, bool]) -> set[str]:
    """Shards of the version that hold a banned sample, live or dead, or what a redacted one's labels carry.

    known: shards that were judged before, filled in. A shard with members that no row points to is read for them.
    """
    found = carrying_shards(version, stones)
    hidden = redacted(stones)
    for name, entry in version.document.representations.items():
        pointing: Counter[str] = Counter()
        for file in version.files():
            table = read_columns(file, [*SPAN_COLUMNS, f"{name}.shard"])
            if name not in table.column_names:
                continue
            shard = pc.struct_field(table[name], "shard")
            found.update(pc.unique(shard.filter(banned_clips(table, stones)).drop_null()).to_pylist())
            for row in pc.value_counts(shard.drop_null()).to_pylist():
                pointing[row["values"]] += row["counts"]
        for shard in entry.shards:
            sha256 = shard.sha256
            if sha256 not in known and sha256 not in found and pointing[sha256] < shard.rows:
                known[sha256] = _holds_banned(version.store, name, sha256, stones, hidden)
            if known.get(sha256):
                found.add(sha256)
    return found


def carrying_shards(version: Version, stones: pa.Table) -> set[str]:
    """Shards of the version with a sample of a redacted recording whose json still says what its labels carry."""
    hidden, found = redacted(stones), set[str]()
    if not len(hidden):
        return found
    for file in version.files():
        names = list(version.document.representations)
        table = read_columns(file, ["recording", CARRIED, *(f"{name}.shard" for name in names)])
        if CARRIED not in table.column_names:
            continue
        told = pc.and_(pc.is_in(table["recording"], value_set=hidden), pc.is_valid(table[CARRIED]))
        for name in names:
            if name in table.column_names:
                shards = pc.struct_field(table[name], "shard").filter(told)
                found.update(pc.unique(shards.drop_null()).to_pylist())
    return found


def _holds_banned(store: Store, name: str, sha256: str, stones: pa.Table, hidden: pa.Array) -> bool:
    path = shard_path(name, sha256)
    facts = read_facts(store.get(path), path)
    told = [fact["recording"] for fact in facts if any((fact.get(CARRIED) or {}).values())]
    if pc.any(pc.is_in(pa.array(told, pa.string()), value_set=hidden)).as_py():
        return True
    fields = {"recording": pa.string(), "channel": pa.int16(), "start": pa.int64(), "end": pa.int64()}
    table = pa.table({f: pa.array([fact[f] for fact in facts], t) for f, t in fields.items()})
    table = table.append_column("pcm_sha256", pa.nulls(table.num_rows, pa.string()))
    return bool(pc.any(banned_clips(table, stones)).as_py())

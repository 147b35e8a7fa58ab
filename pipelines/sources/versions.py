"""The kept clips of a version of a dataset as a source: auricle://<dataset>@<version>."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...loaders.reading.version import Version, open_version
from ...loaders.storage.parts import read_columns
from ...schemas.sources import file_uri, source_paths
from ...schemas.tables import CARRIED, CLIP_CORE, LABEL_WORDS, Status
from ..archives.member import located
from ..labels.formats import Options
from ..labels.rows import Row, Unusable, label
from .kinds import Recording, SourceKind

CLIP = "auricle.clip"
"""What is carried besides: the key of the clip. A clip of another key is not the one that the version keeps."""
FACTS = ("clip", "recording", "source", "path", "status", "channel", "num_channels", "sample_rate", "start", "end")
LABELLED = ("transcript", "language", "speaker")
ROWS_AT_ONCE = 1 << 14


def version_of(source_path: str) -> Version:
    """The version that a source's path names. Raises `ConfigError` when there is none."""
    return open_version(source_path.partition("://")[2])


def recordings(source_path: str) -> Iterator[Recording | Unusable]:
    """The recordings of kept clips, where their own sources have them; several may come twice."""
    version = version_of(source_path)
    paths = source_paths(version.document.config)
    for rows in _kept(version, FACTS):
        last = None
        for row in rows:
            if (row["source"], row["path"]) == last:
                continue
            last = row["source"], row["path"]
            if row["path"] is None:
                yield Unusable("its path was redacted", f"clip {row['clip']}")
                continue
            uri = address(paths, row)
            if _is_packed(uri):
                # named by its bytes, since an archive says little of a member that is looked for by name
                yield Recording(uri, row["end"] * row["num_channels"] * 2, 0, row["recording"], uri)
            else:
                yield Recording(uri, uri=uri)


def labels(source_path: str, options: Options) -> Iterator[Row | Unusable]:
    """A label for each kept clip, of exactly its span and channel, with what the version knows of it under the names
    that are carried: columns of the clip table (tier, status, ...), columns that it carries itself, scores."""
    version = version_of(source_path)
    paths, document = source_paths(version.document.config), version.document
    owner = {c["name"]: name for name, entry in document.curators.items() for c in entry.columns}
    wanted = [name for name in options.carry if name in CLIP_CORE.names]
    structs = {CARRIED, *(owner[name] for name in options.carry if name in owner)}
    columns = dict.fromkeys([*FACTS, *LABELLED, *wanted, *structs, LABEL_WORDS])
    for rows in _kept(version, tuple(columns)):
        for row in rows:
            if row["path"] is None:
                continue
            rate = row["sample_rate"]
            yield label(
                address(paths, row),
                transcript=row.get("transcript"),
                language=row.get("language"),
                speaker=row.get("speaker"),
                # always a span, so that the clip is cut as it was, however this dataset cuts
                start_s=row["start"] / rate,
                duration_s=(row["end"] - row["start"]) / rate,
                channel=row["channel"],
                carried={name: _known(row, name, owner) for name in options.carry} | {CLIP: row["clip"]},
                words=row.get(LABEL_WORDS),
            )


def read(uri: str) -> Iterator[bytes]:
    """Never asked for: recordings lie where their own sources have them."""
    raise FileNotFoundError(uri)


def address(paths: Mapping[str, str], row: Mapping[str, Any]) -> str:
    """Where the recording of a clip is, of the sources of its version."""
    return file_uri(paths.get(row["source"], "."), row["path"])


def _known(row: Mapping[str, Any], name: str, owner: Mapping[str, str]) -> Any:
    carried = row.get(CARRIED) or {}
    if name in carried:
        return carried[name]
    found = (row.get(owner[name]) or {}).get(name) if name in owner else row.get(name)
    return ", ".join(map(str, found)) if isinstance(found, list) else found


def _kept(version: Version, columns: tuple[str, ...]) -> Iterator[list[dict[str, Any]]]:
    for file in version.files():
        table = read_columns(file, columns)
        table = table.filter(pc.equal(table["status"], Status.KEPT.value))
        for batch in table.to_batches(ROWS_AT_ONCE):
            yield pa.Table.from_batches([batch]).to_pylist()


def _is_packed(uri: str) -> bool:
    found = located(uri)
    if found is None:
        return False
    return "://" in uri or (os.path.isfile(found.archive) and not os.path.exists(uri))


KIND = SourceKind("auricle", "the kept clips of a version of a dataset", recordings, read, labels)

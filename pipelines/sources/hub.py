"""Datasets of the Hugging Face hub, streamed by `datasets` with the audio undecoded: hf://datasets/<owner>/<name>, or a
local folder that `datasets.load_dataset` reads, hf:///data/folder."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ...schemas.errors import ConfigError
from ...schemas.keys import sha256_bytes
from ...schemas.sources import without_place
from ..archives.member import safe_name
from ..labels.formats import Options
from ..labels.rows import Row, Unusable, label, text
from ..labels.tables import columns_of
from .kinds import Recording, SourceKind

HUB = "datasets/"
OPEN = 2
"""Streams that stay open in this process: the units of a dataset come in its order, each goes on where one ended."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a dataset."""

    split: str
    place: str
    """`<shard>.<row in it>`."""
    name: str
    audio: bytes | str
    """Its bytes, or where they are."""
    cells: Mapping[str, Any]
    """The other columns."""


def recordings(source_path: str) -> Iterator[Recording | Unusable]:
    """Every row with audio, in order. Streams the dataset once: the hash of the bytes is what shows a change."""
    for found in _examples(source_path):
        if isinstance(found, Unusable):
            yield found
            continue
        path = f"{found.split}/{found.name}"
        if isinstance(found.audio, str) and os.path.isabs(found.audio):
            yield Recording(path, uri=found.audio)
            continue
        uri = f"{source_path.rstrip('/')}/{path}#@{found.place}"
        if isinstance(found.audio, str):
            yield Recording(path, 0, 0, found.audio, uri)
        else:
            yield Recording(path, len(found.audio), 0, sha256_bytes(found.audio)[:32], uri)


def labels(source_path: str, options: Options) -> Iterator[Row | Unusable]:
    """A label per row, from columns by any usual name."""
    for found in _examples(source_path):
        if isinstance(found, Unusable):
            # counted where recordings are listed
            continue
        columns = columns_of(tuple(found.cells), {})
        said, speaker, language = (
            found.cells.get(columns[ours]) if ours in columns else None
            for ours in ("transcript", "speaker", "language")
        )
        carried = {name: found.cells.get(name) for name in options.carry}
        path = f"{found.split}/{found.name}"
        yield label(path, transcript=said, speaker=speaker, language=language, carried=carried)


def read(uri: str) -> Iterator[bytes]:
    """The bytes of one row. Raises `FileNotFoundError` when the dataset has it no more."""
    source_path, split, name = _parts(without_place(uri))
    place = uri.rpartition("#@")[2] if uri != without_place(uri) else None
    found = _at(source_path, split, place, name)
    if found is None:
        raise FileNotFoundError(f"{source_path} has no {split}/{name}")
    if isinstance(found.audio, bytes):
        yield found.audio
        return
    import fsspec

    with fsspec.open(found.audio, "rb") as file:
        while piece := file.read(1 << 20):  # pyright: ignore[reportAttributeAccessIssue]
            yield piece


def _parts(uri: str) -> tuple[str, str, str]:
    """(path of the source, split, name) of a recording's URI without its place."""
    rest = uri.partition("://")[2]
    if rest.startswith(HUB):
        owner, name, split, path = rest.removeprefix(HUB).split("/", 3)
        return f"hf://{HUB}{owner}/{name}", split, path
    for folder in PurePosixPath(rest).parents:
        if os.path.isdir(os.path.expanduser(str(folder))) and str(folder) != rest:
            below = rest[len(str(folder)) :].strip("/")
            # a folder of the dataset may be called like a split
            if "/" in below and os.path.basename(str(folder)) != below.split("/")[0]:
                split, _, path = below.partition("/")
                return f"hf://{folder}", split, path
    raise FileNotFoundError(uri)


def _loaded(source_path: str) -> Mapping[str, Any]:
    """Split -> its stream, audio undecoded. Raises `ConfigError` where `datasets` reads none, or it holds no audio."""
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise ConfigError(f"{source_path}: hf:// needs the package datasets: pip install 'auricle[export]'") from error
    rest, revision = source_path.partition("://")[2].rstrip("/"), ""
    if rest.startswith(HUB):
        rest, _, revision = rest.removeprefix(HUB).partition("@")
        if rest.count("/") != 1:
            raise ConfigError(f"{source_path}: hf://datasets/<owner>/<name> is required, with @<revision> or without")
    elif not os.path.isdir(rest := os.path.expanduser(rest)):
        raise ConfigError(
            f"{source_path}: there is no folder {rest}; a dataset of the hub is hf://datasets/<owner>/<name>"
        )
    try:
        return dict(datasets.load_dataset(rest, streaming=True, revision=revision or None))
    except Exception as error:
        raise ConfigError(f"{source_path}: `datasets` cannot read it: {str(error).strip().splitlines()[0]}") from error


def _undecoded(source_path: str, stream: Any) -> tuple[str, Any]:
    """The column with audio, and the stream with it as it is stored: bytes and a path, or a path alone."""
    import datasets

    features = stream.features or stream._resolve_features().features or {}
    column = next((name for name, kind in features.items() if isinstance(kind, datasets.Audio)), None)
    column = column or next((n for n, kind in features.items() if isinstance(kind, dict) and "bytes" in kind), None)
    if column is None:
        raise ConfigError(f"{source_path}: none of the columns {', '.join(features)} is audio")
    stored = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    packed = stream.cast_column(column, stored)
    try:
        next(iter(packed), None)
    except AttributeError:
        # builders of folders give paths
        return column, stream.cast_column(column, datasets.Value("string"))
    return column, packed


def _examples(source_path: str) -> Iterator[Example | Unusable]:
    for split, stream in _loaded(source_path).items():
        column, stream = _undecoded(source_path, stream)
        seen: set[str] = set()
        row = 0
        for shard in range(stream.num_shards):
            for found in _of_shard(stream, column, split, shard):
                if isinstance(found, Example):
                    name = f"{row:08d}-{found.name}" if found.name in seen else found.name or f"{row:08d}"
                    seen.add(name)
                    yield Example(split, found.place, name, found.audio, found.cells)
                else:
                    yield found
                row += 1


def _of_shard(stream: Any, column: str, split: str, shard: int) -> Iterator[Example | Unusable]:
    named = {name: kind for name, kind in (stream.features or {}).items() if hasattr(kind, "int2str")}
    for at, row in enumerate(stream.shard(num_shards=stream.num_shards, index=shard)):
        audio = row.pop(column)
        data, path = (audio.get("bytes"), audio.get("path")) if isinstance(audio, dict) else (None, audio)
        if data is None and not path:
            yield Unusable("it has no audio", f"{split}, shard {shard}, row {at}")
            continue
        for name, kind in named.items():
            if isinstance(row.get(name), int) and row[name] >= 0:
                row[name] = kind.int2str(row[name])
        name = safe_name(PurePosixPath(text(path) or "").name) or ""
        yield Example(split, f"{shard}.{at}", name, str(path) if data is None else data, row)


_open: OrderedDict[tuple[str, str, int], tuple[int, Iterator[Example | Unusable]]] = OrderedDict()
_lock = threading.Lock()


def _at(source_path: str, split: str, place: str | None, name: str) -> Example | None:
    if place is None:
        every = (found for found in _examples(source_path) if isinstance(found, Example))
        return next((found for found in every if (found.split, found.name) == (split, name)), None)
    shard, _, wanted = place.partition(".")
    key = source_path, split, int(shard)
    with _lock:
        at, stream = _open.pop(key, (0, None))
    if stream is None or at > int(wanted):
        splits = _loaded(source_path)
        if split not in splits:
            return None
        column, undecoded = _undecoded(source_path, splits[split])
        if int(shard) >= undecoded.num_shards:
            return None
        at, stream = 0, _of_shard(undecoded, column, split, int(shard))
    found = None
    while at <= int(wanted):
        found, at = next(stream, None), at + 1
        if found is None:
            return None
    with _lock:
        _open[key] = at, stream
        while len(_open) > OPEN:
            _open.popitem(last=False)
    return found if isinstance(found, Example) else None


KIND = SourceKind("hf", "datasets of the Hugging Face hub, streamed", recordings, read, labels)

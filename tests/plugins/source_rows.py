"""Recordings in a SQLite database, `rows:///path/to/calls.db`: table calls (name, audio, said)."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

from auricle.pipelines.labels.formats import Options
from auricle.pipelines.labels.rows import Row, label
from auricle.pipelines.sources.kinds import Recording, SourceKind


def asked(path: str, query: str, *values: str) -> Iterator[tuple]:
    with closing(sqlite3.connect(f"file:{path.removeprefix('rows://')}?mode=ro", uri=True)) as db:
        yield from db.execute(query, values)


def recordings(path: str) -> Iterator[Recording]:
    for name, size, changed in asked(path, "SELECT name, length(audio), changed FROM calls ORDER BY name"):
        yield Recording(name, size, etag=changed)


def read(uri: str) -> Iterator[bytes]:
    path, _, name = uri.rpartition("/")
    for (audio,) in asked(path, "SELECT audio FROM calls WHERE name = ?", name):
        yield audio
        return
    raise FileNotFoundError("the database has no such call any more")


def labels(path: str, options: Options) -> Iterator[Row]:
    for name, said in asked(path, "SELECT name, said FROM calls"):
        yield label(name, transcript=said)


KIND = SourceKind("rows", "calls in a SQLite database", recordings, read, labels)

"""Transcripts that a recogniser proposed, and what became of each: small tables beside the versions.

Each pass of `auricle relabel` leaves one Parquet file under `relabels/`. A run takes the accepted texts in as labels;
the rejected ones stay, so that the same model is not asked again.
"""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from ..reading.pending import require_none
from ..reading.tombstones import redacted
from ..storage.hashed_table import put_hashed, read_hashed
from ..storage.store import Store
from .apply_tombstones import banned_clips

RELABELS_SCHEMA = "auricle.relabels/1"
RELABELS = pa.schema(
    [
        pa.field("clip", pa.string(), nullable=False),
        pa.field("recording", pa.string()),
        pa.field("channel", pa.int16()),
        pa.field("start", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("pcm_sha256", pa.string()),
        pa.field("label_sha256", pa.string()),  # of the source's own text, "" where it has none: what is replaced
        pa.field("old_text", pa.string()),  # what the clip had when it was judged
        pa.field("new_text", pa.string()),  # null: nothing was recognised, or nothing was asked
        pa.field("old_trust", pa.float64()),
        pa.field("new_trust", pa.float64()),
        pa.field("model", pa.string()),  # recogniser and its version
        pa.field("judge", pa.string()),  # fingerprint of the curator that gave both trusts
        pa.field("taken", pa.bool_()),
        pa.field("reason", pa.string()),  # why it was taken or not
    ]
)


def put_relabels(store: Store, rows: pa.Table) -> str:
    """Store the rows (`RELABELS`); returns their path. Equal rows, equal path."""
    return put_hashed(store, "relabels", rows.cast(RELABELS).sort_by("clip"), RELABELS_SCHEMA)


def relabels(store: Store) -> pa.Table:
    """All rows. Raises `SchemaVersionError` for rows that a newer auricle wrote, `IntegrityError` for damaged ones."""
    tables = [_read(store, path) for path in relabel_files(store)]
    return pa.concat_tables(tables) if tables else RELABELS.empty_table()


def relabel_files(store: Store) -> list[str]:
    """Paths of the tables, sorted: equal lists, equal relabels."""
    return sorted(entry.path for entry in store.list("relabels"))


@dataclass(frozen=True)
class Proposals:
    """What a model proposed."""

    answers: int
    """Clips that it was asked about."""
    texts: int
    """Of them, those whose text was taken."""
    files: list[tuple[str, int]]
    """Path and bytes of the tables that hold them; rows of other models stay, in tables written anew."""


def proposals_of(store: Store, model: str) -> Proposals:
    """What `forget_relabels` would take back."""
    answers = texts = 0
    files = []
    for entry in sorted(store.list("relabels"), key=lambda e: e.path):
        table = _read(store, entry.path)
        mine = table.filter(pc.equal(table["model"], model))
        if mine.num_rows:
            answers += mine.num_rows
            texts += pc.sum(mine["taken"]).as_py() or 0
            files.append((entry.path, entry.size))
    return Proposals(answers, texts, files)


def forget_relabels(store: Store, model: str) -> int:
    """Remove what a model proposed; the next run gives its clips their own labels back. Returns the texts undone."""
    require_none(store)
    undone = 0
    for path in relabel_files(store):
        table = _read(store, path)
        mine = pc.equal(table["model"], model)
        if pc.any(mine).as_py():
            undone += pc.sum(table.filter(mine)["taken"]).as_py() or 0
            _replace(store, path, table.filter(pc.invert(mine)))
    return undone


def purge_relabels(store: Store, stones: pa.Table) -> list[tuple[str, int]]:
    """Remove the rows of clips that tombstones ban or redact; path and bytes of the files that went."""
    gone = []
    for entry in sorted(store.list("relabels"), key=lambda e: e.path):
        table = _read(store, entry.path)
        hit = pc.or_(banned_clips(table, stones), pc.is_in(table["recording"], value_set=redacted(stones)))
        if pc.any(hit).as_py():
            _replace(store, entry.path, table.filter(pc.invert(hit)))
            gone.append((entry.path, entry.size))
    return gone


def _replace(store: Store, path: str, rows: pa.Table) -> None:
    if rows.num_rows:
        put_relabels(store, rows)
    store.delete([path])


def _read(store: Store, path: str) -> pa.Table:
    otherwise = "and the clips get their own labels back; `auricle relabel` asks the recogniser again"
    return read_hashed(store, path, RELABELS, RELABELS_SCHEMA, otherwise)

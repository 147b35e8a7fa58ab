"""Relabels are believed only as they were written."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auricle.loaders.care.relabels import RELABELS, put_relabels, relabels
from auricle.loaders.storage.store import Store
from auricle.schemas.errors import IntegrityError, SchemaVersionError

ROW = {"clip": "0" * 32, "new_text": "hello", "model": "m", "taken": True}


def test_a_table_of_another_hash_than_its_name_is_refused_with_what_to_do(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    path = put_relabels(store, pa.Table.from_pylist([ROW], schema=RELABELS))
    assert relabels(store)["new_text"].to_pylist() == ["hello"]
    data = bytearray((tmp_path / path).read_bytes())
    data[len(data) // 3] ^= 1
    (tmp_path / path).write_bytes(data)
    with pytest.raises(IntegrityError, match="auricle relabel"):
        relabels(store)


def test_a_table_of_a_newer_auricle_is_refused_as_such(tmp_path: Path) -> None:
    (tmp_path / "relabels").mkdir()
    table = pa.Table.from_pylist([ROW], schema=RELABELS).replace_schema_metadata(
        {"auricle.schema": "auricle.relabels/2"}
    )
    pq.write_table(table, tmp_path / "relabels/0.parquet")
    with pytest.raises(SchemaVersionError, match="Upgrade"):
        relabels(Store(str(tmp_path)))

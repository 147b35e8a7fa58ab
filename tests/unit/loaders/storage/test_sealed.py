"""A sealed table tells every change of its bytes."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.loaders.storage.parts import require_tag
from auricle.loaders.storage.sealed import BLANK, KEY, is_whole, sealed

TABLE = pa.table({"key": ["a", "b"], "text": [BLANK.decode(), KEY.decode()]})
DATA = sealed(TABLE, "auricle.receipt/2")


def test_a_sealed_table_reads_as_it_was_and_says_its_schema() -> None:
    read = pq.read_table(pa.BufferReader(DATA))
    assert read.replace_schema_metadata(None).equals(TABLE)
    require_tag(read.schema, "auricle.receipt/2", "receipt")
    assert is_whole(DATA)


def test_equal_tables_are_equal_bytes() -> None:
    halves = pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)])
    assert sealed(halves, "auricle.receipt/2") == DATA


@settings(max_examples=300)
@given(st.integers(0, 8 * len(DATA) - 1))
def test_no_flipped_bit_goes_unnoticed(bit: int) -> None:
    flipped = bytearray(DATA)
    flipped[bit // 8] ^= 1 << bit % 8
    assert not is_whole(bytes(flipped))


@given(st.integers(0, len(DATA) - 1))
def test_no_missing_end_goes_unnoticed(size: int) -> None:
    assert not is_whole(DATA[:size])


def test_a_table_without_a_seal_is_not_whole() -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(TABLE, sink)
    assert not is_whole(sink.getvalue().to_pybytes())

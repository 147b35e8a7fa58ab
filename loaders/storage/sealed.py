"""Parquet files that hold a digest of themselves: for tables whose names cannot be that of their bytes.

The digest is the SHA-256 of the file with zeros in the digest's place, in the footer's key-value metadata.
"""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq

from ...schemas.keys import sha256_bytes
from .parts import SCHEMA_KEY

KEY = b"auricle.sha256"
BLANK = b"0" * 64


def sealed(table: pa.Table, tag: str) -> bytes:
    """The table as one Parquet file that says its schema version `tag` and its own digest."""
    buffer = io.BytesIO()
    schema = table.schema.with_metadata({SCHEMA_KEY: tag})
    with pq.ParquetWriter(buffer, schema, compression="zstd", write_page_checksum=True) as writer:
        writer.write_table(table.combine_chunks().replace_schema_metadata(schema.metadata))
        # here and not in the schema, which the footer holds twice
        writer.add_key_value_metadata({KEY.decode(): BLANK.decode()})
    data = buffer.getvalue()
    at = data.index(BLANK, data.rindex(KEY))
    return data[:at] + sha256_bytes(data).encode() + data[at + len(BLANK) :]


def is_whole(data: bytes) -> bool:
    """Whether these are the bytes that `sealed` gave."""
    found = data.rfind(KEY)
    # the field's type and the length of the text stand between
    at = found + len(KEY) + 2
    if found < 0:
        return False
    return sha256_bytes(data[:at] + BLANK + data[at + len(BLANK) :]).encode() == data[at : at + len(BLANK)]

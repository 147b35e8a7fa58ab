"""The list pass: what archives hold, found by the workers. An archive is an item; what it holds is its receipt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ...schemas.keys import digest
from ...schemas.pass_tables import ERROR_FIELDS, LEFT_OUT
from ..archives.member import End, Member
from ..sources.looking import LeftOut
from ..work.contract import Result, Work
from .contents import Contents, Wanted, contents

ARCHIVES_PER_UNIT = 64
_MEMBER = pa.struct(
    [
        pa.field("name", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("place", pa.string()),
        pa.field("is_audio", pa.bool_()),
    ]
)
CONTENTS = pa.schema(
    [
        pa.field("key", pa.string()),
        *ERROR_FIELDS,
        pa.field("recordings", pa.list_(_MEMBER)),
        pa.field("left_out", LEFT_OUT),
        pa.field("broken", pa.string()),
        pa.field("end_offset", pa.int64()),
        pa.field("end_tail_sha256", pa.string()),
        pa.field("continued", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class ListRecipe:
    """Items: key, uri, size, mtime_ns, etag, since_offset and since_tail_sha256 (or null)."""

    name: str = "list"
    loads: bool = False

    @property
    def schema(self) -> pa.Schema:
        return CONTENTS

    @property
    def fingerprint(self) -> str:
        return digest("list/1")

    def build(self) -> Work:
        return _list


def item(wanted: Wanted) -> dict[str, Any]:
    """An archive as an item of the pass."""
    since = wanted.since
    return {
        "key": wanted.key,
        "uri": wanted.uri,
        "size": wanted.size,
        "mtime_ns": wanted.mtime_ns,
        "etag": wanted.etag,
        "since_offset": since.offset if since is not None else None,
        "since_tail_sha256": since.tail_sha256 if since is not None else None,
    }


ITEMS = pa.schema(
    [
        pa.field("key", pa.string()),
        pa.field("uri", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("etag", pa.string()),
        pa.field("since_offset", pa.int64()),
        pa.field("since_tail_sha256", pa.string()),
    ]
)
"""Of `item`."""


def _list(items: Sequence[dict[str, Any]]) -> Iterator[Result]:
    for each in items:
        since = None if each["since_offset"] is None else End(each["since_offset"], each["since_tail_sha256"])
        found = contents(Wanted(each["uri"], each["size"], each["mtime_ns"], each["etag"], since))
        end = found.end
        yield Result(
            {
                "key": each["key"],
                "recordings": [
                    {"name": m.name, "size": m.size, "mtime_ns": m.mtime_ns, "place": m.place, "is_audio": m.is_audio}
                    for m in found.recordings
                ],
                "left_out": left_out_rows(found.left_out),
                "broken": found.broken,
                "end_offset": end.offset if end is not None else None,
                "end_tail_sha256": end.tail_sha256 if end is not None else None,
                "continued": found.continued,
            }
        )


def contents_of(row: dict[str, Any], uri: str) -> Contents:
    """What a row of a receipt says; of an archive whose listing failed, that it is broken."""
    if row["error_reason"] is not None:
        return Contents(broken=f"{uri}: {row['error_message']}")
    end = None if row["end_offset"] is None else End(row["end_offset"], row["end_tail_sha256"])
    recordings = [Member(**each) for each in row["recordings"]]
    return Contents(recordings, left_out_of(row["left_out"]), row["broken"], end, row["continued"])


def left_out_rows(left_out: dict[str, LeftOut]) -> list[dict[str, Any]]:
    """As `LEFT_OUT` has it."""
    return [
        {"why": why, "count": found.count, "example": found.example.encode(errors="surrogateescape")}
        for why, found in left_out.items()
    ]


def left_out_of(rows: list[dict[str, Any]]) -> dict[str, LeftOut]:
    """What `left_out_rows` made rows of."""
    return {row["why"]: LeftOut(row["count"], row["example"].decode(errors="surrogateescape")) for row in rows}

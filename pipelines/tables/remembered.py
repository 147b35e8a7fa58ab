"""Archives that need not be opened: what they held is in the recordings of the newest version.

Beside a version lies which archives its run knew, in which state each was, and how many files it gave: a row each, and
no names of members. Where an archive is as it was, and the version has exactly those files of it, they are taken from
there. A tar that grew is listed from where it ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from ...loaders.storage.layout import derived_path
from ...loaders.storage.sealed import is_whole, sealed
from ...loaders.storage.store import Store
from ...schemas.pass_tables import ARCHIVES, ARCHIVES_SCHEMA
from ...schemas.sql import literal
from ..archives.member import SUFFIXES, End
from ..listing.archived import WHOLE, Archives, Found, Opened
from ..listing.contents import Lister
from ..listing.files import members
from ..listing.list_pass import left_out_of, left_out_rows
from ..sources.looking import LeftOut
from .state import State

NAME = "archives.parquet"
WAITING = pa.schema(
    [
        pa.field("number", pa.int32()),
        pa.field("source_rank", pa.int32()),
        *(field for field in ARCHIVES if field.name in ("source", "taken_by", *Found._fields)),
    ]
)
OPENED = pa.schema(
    [*(field for field in ARCHIVES if field.name not in ("files", "mark")), pa.field("continued", pa.bool_())]
)
_ENDINGS = "|".join(suffix.removeprefix(".") for suffix in SUFFIXES)
_ARCHIVE = f"regexp_extract(path, '(?is)^(.+?\\.(?:{_ENDINGS}))/', 1)"
"""SQL of the archive that a path leads into; empty for a path that leads into none."""
_PLACE = f"split_part(a.etag, {literal(WHOLE)}, 1)"
_SUMS = f"""SELECT source, {_ARCHIVE} AS path, count(*) AS files,
    CAST(bit_xor(hash(path, size, mtime_ns, etag)) AS VARCHAR) AS mark,
    bool_or(contains(etag, {literal(WHOLE)})) AS as_whole"""
"""SQL of how many files each archive gave, and what names them all."""
_NONE = "'0'"
"""The mark of no files."""


def members_of_archives(state: State, archives: Sequence[Archives], lister: Lister, *, paranoid: bool = False) -> None:
    """Add what archives hold to the table `files_listed`; table `archives_now` has what is to be remembered of them.

    With `paranoid` every archive is listed, from its beginning.
    """
    rows = [
        {"number": number, "source_rank": each.rank, "source": each.source.name, "taken_by": each.taken_by}
        | found._asdict()
        for number, each in enumerate(archives)
        for found, _ in each.waiting
    ]
    if not rows:
        state.table("archives_opened", OPENED.empty_table())
        state.table("archives_now", ARCHIVES.empty_table())
        return
    state.table("archives_waiting", pa.Table.from_pylist(rows, WAITING))
    _recognise(state, remembered(state) if not paranoid else ARCHIVES.empty_table())
    before = _take_known(state, archives)
    opened: list[dict[str, Any]] = []

    def note(each: Opened) -> None:
        for why, left_out in before.get((each.archives.source.name, each.found.path), {}).items():
            if each.held.continued:
                each.held.left_out.setdefault(why, LeftOut()).merge(left_out)
        if each.held.broken is None:
            opened.append(_opened(each))

    state.append("files_listed", members(archives, lister, note))
    state.table("archives_opened", pa.Table.from_pylist(opened, OPENED))
    _take_what_was_before(state)
    state.sql(
        f"""CREATE OR REPLACE TABLE archives_now AS
        SELECT {", ".join(ARCHIVES.names)} FROM archives_recognised WHERE same
        UNION ALL BY NAME
        SELECT o.* EXCLUDE (continued), coalesce(s.files, 0) AS files, coalesce(s.mark, {_NONE}) AS mark
        FROM archives_opened o LEFT JOIN (
            {_SUMS} FROM files_listed SEMI JOIN archives_opened USING (source) GROUP BY ALL) s USING (source, path)"""
    )


def remembered(state: State) -> pa.Table:
    """What the newest version that says so knows of archives (`ARCHIVES`); empty where none does, or it is damaged."""
    import pyarrow.parquet as pq

    known = [int(part) for e in state.store.list("derived") if (part := e.path.split("/")[1]).isdigit()
             and e.path.endswith(f"/{NAME}")]  # fmt: skip
    last = state.parent.document.number if state.parent is not None else 0
    for number in sorted((each for each in known if each <= last), reverse=True)[:1]:
        data = state.store.get(derived_path(number, NAME))
        if is_whole(data):
            table = pq.read_table(pa.BufferReader(data))
            if table.schema.equals(ARCHIVES):
                return table
    return ARCHIVES.empty_table()


def remember(store: Store, version: int, archives: pa.Table) -> None:
    """Keep `archives_now` beside a version, for the next run."""
    if archives.num_rows:
        store.put_derived(derived_path(version, NAME), sealed(archives.cast(ARCHIVES), ARCHIVES_SCHEMA))


def _recognise(state: State, known: pa.Table) -> None:
    """Table `archives_recognised`: archives whose files the parent has as they were; `same` where they still are, else
    it grew."""
    state.table("archives_remembered", known)
    state.sql(
        f"""CREATE OR REPLACE TABLE archives_recognised AS
        SELECT w.number, w.source_rank, r.*,
            w.size = r.size AND w.mtime_ns = r.mtime_ns AND w.etag IS NOT DISTINCT FROM r.etag AS same
        FROM archives_waiting w JOIN archives_remembered r USING (source, path, uri, taken_by) LEFT JOIN (
            {_SUMS} FROM parent_aliases SEMI JOIN archives_remembered USING (source)
            WHERE path IS NOT NULL GROUP BY ALL) s USING (source, path)
        WHERE coalesce(s.files, 0) = r.files AND coalesce(s.mark, {_NONE}) = r.mark
            AND (same OR (w.size > r.size AND r.end_offset IS NOT NULL AND NOT coalesce(s.as_whole, FALSE)))"""
    )
    state.sql(
        f"""CREATE OR REPLACE TABLE archive_files AS
        SELECT a.source, r.source_rank, a.path, r.uri || substr(a.path, length(r.path) + 1) || '#@' || {_PLACE} AS uri,
            a.size, a.mtime_ns, a.etag, CAST(NULL AS VARCHAR) AS absent, r.same, r.path AS archive
        FROM (SELECT *, {_ARCHIVE} AS archive FROM parent_aliases
            SEMI JOIN archives_recognised USING (source) WHERE path IS NOT NULL) a
        JOIN archives_recognised r ON r.source = a.source AND r.path = a.archive"""
    )


def _take_known(state: State, archives: Sequence[Archives]) -> dict[tuple[str, str], dict[str, LeftOut]]:
    """Take the files of archives that are as they were; gives what was left out of those that grew."""
    state.sql("INSERT INTO files_listed SELECT * EXCLUDE (same, archive) FROM archive_files WHERE same")
    same: dict[int, set[str]] = {}
    ends: dict[tuple[int, str], End] = {}
    before = {}
    for row in state.arrow("SELECT * FROM archives_recognised").to_pylist():
        each, left_out = archives[row["number"]], left_out_of(row["left_out"])
        if row["same"]:
            each.files += row["files"]
            each.leave_out(row["path"], left_out)
            same.setdefault(row["number"], set()).add(row["path"])
        else:
            ends[row["number"], row["path"]] = End(row["end_offset"], row["end_tail_sha256"])
            before[row["source"], row["path"]] = left_out
    for number, each in enumerate(archives):
        left = (found for found, _ in each.waiting if found.path not in same.get(number, ()))
        each.waiting = [(found, ends.get((number, found.path))) for found in left]
    return before


def _take_what_was_before(state: State) -> None:
    """Take the files of tars that grew, but those that what was appended has anew."""
    state.sql(
        """INSERT INTO files_listed SELECT f.* EXCLUDE (same, archive) FROM archive_files f
        JOIN archives_opened o ON o.source = f.source AND o.path = f.archive AND o.continued
        ANTI JOIN files_listed l ON l.source = f.source AND l.path = f.path
        WHERE NOT f.same"""
    )


def _opened(each: Opened) -> dict[str, Any]:
    """As a row of `OPENED`."""
    end = each.held.end
    return each.found._asdict() | {
        "source": each.archives.source.name,
        "taken_by": each.archives.taken_by,
        "left_out": left_out_rows(each.held.left_out),
        "end_offset": end.offset if end is not None else None,
        "end_tail_sha256": end.tail_sha256 if end is not None else None,
        "continued": each.held.continued,
    }

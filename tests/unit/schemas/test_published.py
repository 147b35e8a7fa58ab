"""The schemas that are checked in are those of the code, and a change of one needs a new version."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from pydantic import Field

from auricle.jobs.datasets.schema_commands import all_documents
from auricle.schemas import json_schemas as publish
from auricle.schemas.config import RunConfig
from auricle.schemas.errors import SchemaVersionError
from auricle.schemas.json_schemas import documents, file_name, read_published, stale, to_write
from auricle.schemas.tables import CLIP_CORE, RECORDINGS, TABLES_SCHEMA
from auricle.schemas.version import VersionDocument

TABLES = file_name(TABLES_SCHEMA)
NEXT = f"auricle.tables/1.{int(TABLES_SCHEMA.partition('.')[2].partition('.')[2] or 0) + 1}"
"""The minor version that a new column would need."""


def test_the_published_schemas_are_those_of_the_code() -> None:
    wrong = stale(all_documents(), read_published())
    assert not wrong, "\n".join(wrong.values())


def test_every_file_says_the_version_that_its_name_carries() -> None:
    published = read_published()
    assert {"config-1.json", "version-1.json", "tables-1.json", "tombstones-1.json", "curriculum-1.json"} <= set(
        published
    )
    for name, text in published.items():
        assert file_name(json.loads(text)["$id"]) == name


def test_writing_twice_gives_the_same_bytes() -> None:
    assert all_documents() == all_documents()
    assert to_write(all_documents(), all_documents()) == {}


def test_a_new_column_without_a_new_version_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    before = documents()
    monkeypatch.setattr(publish, "CLIP_CORE", CLIP_CORE.append(pa.field("mood", pa.string())))
    wrong = stale(documents(), before)
    assert list(wrong) == [TABLES]
    assert NEXT in wrong[TABLES]
    assert "auricle.tables/2" in wrong[TABLES]
    with pytest.raises(SchemaVersionError, match="auricle schemas write"):
        to_write(documents(), before)


def test_a_column_that_changes_its_type_or_nullability_is_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    before = documents()
    at = RECORDINGS.get_field_index("size")
    for field in (pa.field("size", pa.int32()), pa.field("size", pa.int64(), nullable=False)):
        monkeypatch.setattr(publish, "RECORDINGS", RECORDINGS.set(at, field))
        assert list(stale(documents(), before)) == [TABLES]


def test_a_new_field_of_a_record_without_a_new_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Longer(VersionDocument):
        mood: str = ""

    before = documents()
    monkeypatch.setattr(publish, "VersionDocument", Longer)
    assert list(stale(documents(), before)) == ["version-1.json"]


def test_a_new_version_is_a_new_file_beside_the_old_one(monkeypatch: pytest.MonkeyPatch) -> None:
    before = documents()
    monkeypatch.setattr(publish, "CLIP_CORE", CLIP_CORE.append(pa.field("mood", pa.string())))
    monkeypatch.setattr(publish, "TABLES_SCHEMA", NEXT)
    assert list(to_write(documents(), before)) == [file_name(NEXT)]
    assert stale(documents(), before | documents()) == {}


def test_a_better_description_needs_a_new_file_text_but_no_new_version(monkeypatch: pytest.MonkeyPatch) -> None:
    class RunConfigInOtherWords(RunConfig):
        shard_bytes: int = Field(default=64 << 20, ge=1 << 20, description="In other words")

    before = documents()
    monkeypatch.setattr(publish, "RunConfig", RunConfigInOtherWords)
    wrong = stale(documents(), before)
    assert "descriptions only" in wrong["config-1.json"]
    assert list(to_write(documents(), before)) == ["config-1.json"]
    other = before["config-1.json"].replace('"default": 67108864', '"default": 1048576')
    assert "/1.1" in stale(before, before | {"config-1.json": other})["config-1.json"]


def test_a_missing_file_is_told() -> None:
    assert "not written out" in stale(documents(), {})["version-1.json"]

"""The schemas of what is on disk, written out as JSON: one file per record and version, `version-1.json`.

Each file is a JSON Schema (pydantic records) or a list of Arrow fields (tables). Its name carries the version that the
record on disk says (`auricle.version/1`), so a change of the record is a new file and old files stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from .config import RunConfig
from .curriculum import DOCUMENT_SCHEMA, CurriculumDocument
from .curriculum_spec import SPEC_SCHEMA, CurriculumSpec
from .derived import COMPARISON_SCHEMA, DIAGNOSTICS_SCHEMA, PROFILE_SCHEMA, Comparison, Diagnostics, Profile
from .errors import SchemaVersionError
from .models import MODELS_SCHEMA, ModelsDocument
from .night import NIGHT_SCHEMA, NightRecord
from .records import (
    LEASE_SCHEMA,
    PACKED_SCHEMA,
    PURGE_SCHEMA,
    PURGED_SCHEMA,
    REF_SCHEMA,
    SAMPLE_SCHEMA,
    Lease,
    Packed,
    Purge,
    Purged,
    Ref,
    SampleFacts,
)
from .score import score_struct
from .tables import CLIP_CORE, POINTER, RECORDINGS, TABLES_SCHEMA
from .version import VERSION_SCHEMA, VersionDocument

PUBLISHED = Path(__file__).parent / "published"
"""Where the written schemas are checked in, and where a wheel has them."""
CONFIG_SCHEMA = "auricle.config/1"
"""Version of `RunConfig`, as users write it and as a version document keeps it."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"
WORDS = ("title", "description")
"""Annotations: they explain a schema and change no record."""


def documents(more: Mapping[str, Mapping[str, pa.Schema]] | None = None) -> dict[str, str]:
    """File name to JSON text of every published schema.

    more: further tables that this folder cannot import, by schema tag: {"auricle.tombstones/1": {"rows": schema}}.
    """
    tables = {
        "recordings": RECORDINGS,
        "clips": CLIP_CORE,
        "curator_struct": pa.schema(list(score_struct(()))),
        "representation_struct": pa.schema(list(POINTER)),
    }
    made = {
        CONFIG_SCHEMA: _record(CONFIG_SCHEMA, RunConfig),
        VERSION_SCHEMA: _record(VERSION_SCHEMA, VersionDocument),
        REF_SCHEMA: _record(REF_SCHEMA, Ref),
        PURGED_SCHEMA: _record(PURGED_SCHEMA, Purged),
        SAMPLE_SCHEMA: _record(SAMPLE_SCHEMA, SampleFacts),
        MODELS_SCHEMA: _record(MODELS_SCHEMA, ModelsDocument),
        NIGHT_SCHEMA: _record(NIGHT_SCHEMA, NightRecord),
        LEASE_SCHEMA: _record(LEASE_SCHEMA, Lease),
        PURGE_SCHEMA: _record(PURGE_SCHEMA, Purge),
        PACKED_SCHEMA: _record(PACKED_SCHEMA, Packed),
        DIAGNOSTICS_SCHEMA: _record(DIAGNOSTICS_SCHEMA, Diagnostics),
        PROFILE_SCHEMA: _record(PROFILE_SCHEMA, Profile),
        COMPARISON_SCHEMA: _record(COMPARISON_SCHEMA, Comparison),
        SPEC_SCHEMA: _record(SPEC_SCHEMA, CurriculumSpec),
        DOCUMENT_SCHEMA: _record(DOCUMENT_SCHEMA, CurriculumDocument),
        TABLES_SCHEMA: _tables(TABLES_SCHEMA, tables),
    }
    made |= {tag: _tables(tag, of) for tag, of in (more or {}).items()}
    return {file_name(tag): json.dumps(schema, indent=1, ensure_ascii=False) + "\n" for tag, schema in made.items()}


def file_name(tag: str) -> str:
    """`auricle.version/1.2` to `version-1.2.json`."""
    family, _, number = tag.partition("/")
    return f"{family.removeprefix('auricle.')}-{number}.json"


def stale(made: Mapping[str, str], written: Mapping[str, str]) -> dict[str, str]:
    """File name to what is wrong with it: a schema that changed without a new version, or was not written out.

    made: from `documents`; written: the files as they are, of which those of older versions are left alone.
    """
    found = {}
    for name, text in made.items():
        if name not in written:
            found[name] = f"{name} is not written out: run `auricle schemas write` and check the file in"
        elif changed(text, written[name]):
            found[name] = _bump(name)
        elif text != written[name]:
            found[name] = f"{name} differs in its descriptions only: run `auricle schemas write`"
    return found


def changed(a: str, b: str) -> bool:
    """Whether two published schemas differ in more than their words."""
    return _bare(json.loads(a)) != _bare(json.loads(b))


def to_write(made: Mapping[str, str], written: Mapping[str, str]) -> dict[str, str]:
    """The files that `auricle schemas write` has to write.

    Raises `SchemaVersionError` when that would change what a published version means.
    """
    wrong = [_bump(name) for name, text in made.items() if name in written and changed(text, written[name])]
    if wrong:
        raise SchemaVersionError("\n".join(wrong))
    return {name: text for name, text in made.items() if written.get(name) != text}


def read_published(folder: Path = PUBLISHED) -> dict[str, str]:
    """The written files of a folder by name."""
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.json"))}


def _bump(name: str) -> str:
    family, _, number = name.removesuffix(".json").rpartition("-")
    major, _, minor = number.partition(".")
    tag = f"auricle.{family}/"
    return (
        f"{name}: the schema changed but its version is still {tag}{number}. Raise its constant to "
        f"{tag}{major}.{int(minor or 0) + 1} if readers of {tag}{major} may ignore the change (a new optional field), "
        f"else to {tag}{int(major) + 1} with a golden dataset of {tag}{major} that still reads; then run "
        f"`auricle schemas write`. Only if {tag}{number} was never released: delete {name} and write it again"
    )


def _record(tag: str, model: type[BaseModel]) -> dict[str, Any]:
    return {"$schema": DIALECT, "$id": tag, **model.model_json_schema(by_alias=True)}


def _tables(tag: str, tables: Mapping[str, pa.Schema]) -> dict[str, Any]:
    return {"$id": tag, "tables": {name: [_field(field) for field in schema] for name, schema in tables.items()}}


def _field(field: pa.Field) -> dict[str, Any]:
    known: dict[str, Any] = {"name": field.name, "nullable": field.nullable}
    kind = field.type
    if pa.types.is_struct(kind):
        return known | {"type": "struct", "fields": [_field(child) for child in kind]}
    if pa.types.is_list(kind):
        return known | {"type": "list", "items": _field(kind.value_field)}
    return known | {"type": str(kind)}


def _bare(schema: Any) -> Any:
    """The schema without its words. A property that is called like one of them is a mapping, and stays."""
    if isinstance(schema, dict):
        return {k: _bare(v) for k, v in schema.items() if not (k in WORDS and isinstance(v, str))}
    return [_bare(item) for item in schema] if isinstance(schema, list) else schema

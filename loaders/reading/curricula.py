"""Named curricula of a version: immutable files beside it, named by their content, several side by side."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from ...schemas.curriculum import NAMED_DOCUMENT, NAMED_SCHEMA, CurriculumDocument
from ...schemas.errors import ConfigError, IntegrityError
from ...schemas.keys import sha256_bytes
from ..storage.layout import curriculum_path, derived_path
from ..storage.parts import SCHEMA_KEY, require_tag
from ..storage.store import Store

FILE = re.compile(r"curriculum-([a-z][a-z0-9_]*)-([0-9a-f]{64})\.parquet")
SHOWN = 12
"""Digits of the hash that are shown: `clean_first-0a1b2c3d4e5f`."""


@dataclass(frozen=True)
class Listed:
    """A curriculum as a listing shows it."""

    name: str
    sha256: str

    @property
    def id(self) -> str:
        """Its name and the beginning of its hash."""
        return f"{self.name}-{self.sha256[:SHOWN]}"


@dataclass(frozen=True)
class NamedCurriculum:
    """A curriculum, read and checked against its name."""

    document: CurriculumDocument
    table: pa.Table
    """`schemas.curriculum.NAMED`, by ascending key: every kept clip that has the representation."""
    sha256: str
    data: bytes

    @property
    def id(self) -> str:
        """Its name and the beginning of its hash."""
        return Listed(self.document.name, self.sha256).id

    def stage_of(self, stage: int | str) -> int:
        """The place of a stage that is given by name or place. Raises `ConfigError` for one that is not there."""
        names = [found.name for found in self.document.stages]
        if isinstance(stage, str) and stage in names:
            return names.index(stage)
        if isinstance(stage, int) and 0 <= stage < len(names):
            return stage
        raise ConfigError(f"the curriculum {self.id} has no stage {stage!r}; there are: {', '.join(names)}")


def listed(store: Store, number: int) -> list[Listed]:
    """The named curricula of version `number`, by name. A plain web server lists none."""
    if store.is_web:
        return []
    folder = derived_path(number, "x").rpartition("/")[0]
    names = [FILE.fullmatch(entry.path.rpartition("/")[2]) for entry in store.list(folder)]
    return sorted((Listed(match[1], match[2]) for match in names if match), key=lambda each: (each.name, each.sha256))


def find(store: Store, number: int, name: str) -> Listed:
    """The one curriculum that `name` means: its name, or name-hash with at least the beginning of the hash.

    Raises `ConfigError` where there is none or more than one.
    """
    head, _, start = name.partition("-")
    if match := FILE.fullmatch(f"curriculum-{name}.parquet"):
        return Listed(match[1], match[2])
    known = listed(store, number)
    found = [each for each in known if each.name == head and each.sha256.startswith(start)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(each.id for each in found)
        raise ConfigError(
            f"version {number} has several curricula {name!r}, which differ in content: name one of {ids}"
        )
    there = ", ".join(each.id for each in known) or "none"
    raise ConfigError(
        f"version {number} has no curriculum {name!r}; there are: {there}. `auricle curriculum "
        f"{store.root or store.url}@{number} --spec FILE` makes one"
    )


def read_named(store: Store, number: int, name: str) -> NamedCurriculum:
    """A named curriculum of version `number`.

    Raises `ConfigError` as `find` does, `IntegrityError` where the bytes are not what the name says,
    `SchemaVersionError` when a newer auricle wrote it.
    """
    found = find(store, number, name)
    path = curriculum_path(number, found.name, found.sha256)
    data = store.get(path)
    if sha256_bytes(data) != found.sha256:
        raise IntegrityError(
            f"{store.url}/{path}: its bytes do not hash to its name. Delete it and make it again with "
            "`auricle curriculum --spec`, or copy it from another copy of the dataset"
        )
    return parsed(data, path)


def parsed(data: bytes, subject: str) -> NamedCurriculum:
    """A curriculum from the bytes of its file. Raises as `read_named` does."""
    table = pq.read_table(pa.BufferReader(data))
    require_tag(table.schema, NAMED_SCHEMA, subject)
    held = (table.schema.metadata or {}).get(NAMED_DOCUMENT.encode(), b"")
    try:
        document = CurriculumDocument.model_validate_json(held)
    except ValidationError as error:
        raise IntegrityError(f"{subject}: its metadata hold no document of a curriculum ({error})") from error
    # what is in the metadata is of the file, and not of tables made from it
    bare = table.replace_schema_metadata({SCHEMA_KEY: NAMED_SCHEMA})
    return NamedCurriculum(document, bare, sha256_bytes(data), data)

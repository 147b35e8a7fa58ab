"""Tags: names for versions, put once and never moved; garbage collection keeps what they name."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timezone

from ...schemas.errors import ConfigError, IntegrityError
from ...schemas.records import REF_SCHEMA
from ..storage.json_record import read_record
from ..storage.layout import purged_path, ref_path
from ..storage.store import Store
from .version import numbered, open_version


@dataclass(frozen=True)
class Tag:
    """A name for a version."""

    name: str
    version: int
    sha256: str
    """Of the version's document."""
    created: str


def tag(dataset: str | Store, name: str, version: int | str | None = None) -> Tag:
    """Name a version (default the newest). The same name for the same version again changes nothing.

    Raises `ConfigError` for a name that is taken by another version or could be read as a number or a path.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,99}", name):
        raise ConfigError(f"{name!r} cannot be a tag: letters, digits, '.', '_' and '-', a letter first")
    named = open_version(dataset, version)
    made = Tag(name, named.document.number, named.sha256, datetime.now(timezone.utc).isoformat(timespec="seconds"))
    record = {"schema": REF_SCHEMA, **{k: getattr(made, k) for k in ("name", "version", "sha256", "created")}}
    if named.store.put_new(ref_path(name), (json.dumps(record, indent=2) + "\n").encode()):
        return made
    held = _read(named.store, name)
    if held.sha256 == made.sha256:
        return held
    raise ConfigError(f"tag {name!r} is version {held.version} already; choose another name, or remove it first")


def untag(dataset: str | Store, name: str) -> Tag:
    """Forget a name; the version stays until it is collected. Raises `ConfigError` for an unknown one."""
    store = dataset if isinstance(dataset, Store) else Store(dataset)
    if not store.exists(ref_path(name)):
        raise ConfigError(f"no tag {name!r}; there are: {', '.join(t.name for t in tags(store)) or 'none'}")
    try:
        held = _read(store, name)
    except IntegrityError:
        # removing it is what the error says to do
        held = Tag(name, 0, "", "")
    store.delete([ref_path(name)])
    return held


def tags(dataset: str | Store) -> list[Tag]:
    """All tags by name."""
    store = dataset if isinstance(dataset, Store) else Store(dataset)
    names = [m[1] for e in store.list("refs") if (m := re.fullmatch(r"refs/([^/]+)\.json", e.path))]
    return [_read(store, name) for name in sorted(names)]


def readable(store: Store) -> list[int]:
    """Numbers of the versions that open, ascending: published and not retired by a takedown."""
    held = {e.path for e in store.list("versions")}
    return [n for n in numbered(held) if purged_path(n) not in held]


def _read(store: Store, name: str) -> Tag:
    advice = f"remove the tag with `auricle tag DATASET {name} --remove` and give it again"
    record = read_record(store, ref_path(name), REF_SCHEMA, ["version", "sha256", "created"], advice)
    return Tag(name, int(record["version"]), str(record["sha256"]), str(record["created"]))

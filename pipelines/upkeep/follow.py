"""What was derived from a version follows its content: a version with the same samples keeps the curriculum."""

from __future__ import annotations

from collections.abc import Iterator

from ...loaders.reading.refs import readable
from ...loaders.reading.version import Version, open_version
from ...loaders.storage.layout import clips_path, derived_path
from ...loaders.storage.parts import opened_part, read_columns
from ...loaders.storage.store import Store
from ...schemas.version import VersionDocument

OF_A_VERSION = ("report.html", "shadow-")
"""Beginnings of derived files that name their version: those stay with it."""
DECIDES = ("clip", "status", "tier")
"""Columns of the clip table that derived tables are made from, besides the samples."""


def follow_content(store: Store) -> list[str]:
    """Copy what is derived from the version that the newest one repeats (a rollback, a compaction, a redaction) beside
    the newest, where it is not there yet; gives the paths. The caller holds the lease.

    Afterwards and not before publishing, for until then another writer may take the number; what a crash leaves out
    is copied when the next command begins (`pending.at_work`).
    """
    known = readable(store)
    newest = open_version(store, known[-1]) if known else None
    if newest is None or newest.document.kind not in ("rollback", "compact", "takedown"):
        return []
    held = _derived(store, newest.document.number)
    copied = []
    for old in _repeated(store, newest, known[:-1]):
        lacking = sorted(_derived(store, old.document.number) - held)
        if lacking and same_content(old, newest):
            for name in lacking:
                path = derived_path(newest.document.number, name)
                store.put_new(path, store.get(derived_path(old.document.number, name)))
                copied.append(path)
            break
    return copied


def same_content(old: Version, new: Version) -> bool:
    """Whether two versions, of which one was made from the other without a run, hold the same clips, decisions and
    samples."""
    if _facts(old.document) != _facts(new.document):
        return False
    if new.document.kind == "compact":
        return True
    if len(old.document.clips) != len(new.document.clips):
        return False
    for a, b in zip(old.document.clips, new.document.clips, strict=True):
        if a.sha256 != b.sha256:
            files = [opened_part(v.store, clips_path(o.sha256), v._cache) for v, o in ((old, a), (new, b))]
            # a part whose paths were dropped is in another order
            before, after = (read_columns(file, DECIDES).sort_by("clip") for file in files)
            if not before.equals(after):
                return False
    return True


def _facts(document: VersionDocument) -> object:
    """What versions of the same content say alike."""
    samples = {name: (entry.spec.fingerprint, entry.live) for name, entry in document.representations.items()}
    return document.counts, document.hours, document.kept_by_tier, samples


def _repeated(store: Store, newest: Version, older: list[int]) -> Iterator[Version]:
    """Versions that the newest may repeat: its parent; of a rollback, any."""
    for number in reversed(older):
        if newest.document.kind == "rollback" or number == newest.document.parent:
            yield open_version(store, number)


def _derived(store: Store, number: int) -> set[str]:
    names = {entry.path.split("/", 2)[2] for entry in store.list(derived_path(number, "x").rpartition("/")[0])}
    return {name for name in names if not name.startswith(OF_A_VERSION)}

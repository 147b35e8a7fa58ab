"""Why the gate refused what a run was about to publish, read from the candidate that was kept beside the run."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ...loaders.storage.store import Store
from ...schemas.errors import DatasetError
from ...schemas.version import GateCheck, VersionDocument


def failed_checks(document: VersionDocument) -> list[GateCheck]:
    """The critical expectations that a candidate does not meet."""
    return [c for c in document.gate.checks if not c.success and c.severity == "critical"]


def refusal(
    store: Store, paths: Sequence[str], damaged: Callable[[str], None] = lambda path: None
) -> list[GateCheck] | None:
    """The critical checks of the newest refused candidate among `paths`, the files of one run; None where no candidate
    was refused.

    A run that was refused and went on has candidates of each attempt. damaged: told of those that cannot be read; they
    say nothing, and the run makes them again.
    """
    found: list[tuple[str, list[GateCheck]]] = []
    for path in paths:
        if re.fullmatch(r"runs/[^/]+/candidate-[^/]+\.json", path):
            try:
                candidate = VersionDocument.from_json(store.get(path), path)
            except DatasetError:
                damaged(path)
                continue
            if candidate.gate.verdict == "critical":
                found.append((candidate.created, failed_checks(candidate)))
    return max(found, key=lambda one: one[0])[1] if found else None


def words(checks: Sequence[GateCheck]) -> str:
    """The checks in a line: what was required and what was found."""
    return "; ".join(f"{c.expectation}: required {c.required}, observed {c.observed}" for c in checks)

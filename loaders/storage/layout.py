"""Where things are inside a dataset: the only place that spells its paths."""

from __future__ import annotations

import re


def version_path(number: int) -> str:
    """The published document of version `number`."""
    return f"versions/{number:06d}.json"


def purged_path(number: int) -> str:
    """The companion that retires a version after a takedown with purge."""
    return f"versions/{number:06d}.purged"


def ref_path(tag: str) -> str:
    """The document that a tag is."""
    return f"refs/{tag}.json"


def clips_path(sha256: str) -> str:
    """A part of the clip table."""
    return f"objects/clips/{sha256}.parquet"


def recordings_path(sha256: str) -> str:
    """A part of the recording table."""
    return f"objects/recordings/{sha256}.parquet"


def shard_path(representation: str, sha256: str) -> str:
    """One shard of one representation."""
    return f"shards/{representation}/{sha256}.tar"


def derived_path(version: int, name: str) -> str:
    """Something rebuildable that belongs to a version: profile.json, report.html, curriculum.parquet."""
    return f"derived/{version:06d}/{name}"


def curriculum_path(version: int, name: str, sha256: str) -> str:
    """A named curriculum of a version."""
    return derived_path(version, f"curriculum-{name}-{sha256}.parquet")


def run_path(run: str, *parts: str) -> str:
    """A file of an unfinished run."""
    return "/".join(("runs", run, *parts))


def run_verb(run: str) -> str:
    """The command whose work is in a folder under `runs/`: `relabel-<what it asks>` is of relabel, a run's begins with
    the time. Each command resumes only its own work."""
    named = re.match(r"([a-z]+)-", run)
    return named[1] if named else "run"

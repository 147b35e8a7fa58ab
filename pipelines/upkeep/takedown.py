"""Take down: clips that must go, and stay away.

Without purge they are absent from the next version and all that is derived from it; older versions keep them. With
purge the older versions that hold them are retired, and every file under the dataset that holds their samples, text
or paths is rewritten or removed.
"""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from ...loaders.reading.pending import PURGING, TAKING_DOWN, begin
from ...loaders.reading.version import Version
from ...loaders.storage.parts import read_columns
from ...loaders.storage.store import Store
from ...schemas.errors import ConfigError
from .carry_out import Done, carry_out, purge_forecast
from .pending import at_work
from .takedown_reach import History, Reach, holders, listing, read_history
from .takedown_selection import Selection, select

KNOWN_FOLDERS = (
    "versions",
    "refs",
    "objects",
    "shards",
    "derived",
    "runs",
    "lease",
    "tombstones",
    "relabels",
    "models",
    "pulling",
    TAKING_DOWN,
    PURGING,
)


SHOWN = 10
"""Clips that are named; of the others there is a count."""


@dataclass(frozen=True)
class NamedClip:
    """What tells a person which clip it is, as the newest version that has it says."""

    clip: str
    source: str
    path: str | None
    start_s: float
    transcript: str | None


@dataclass(frozen=True)
class Takedown:
    """What a takedown did, or would do."""

    dry_run: bool
    clips: int
    """Clips of any version, those with the same audio included."""
    named: list[NamedClip]
    """The first `SHOWN` of them, those that were asked for before those with the same audio."""
    recordings: int
    """Recordings that are banned whole (or redacted)."""
    same_audio: int
    """Of the clips, those that were not asked for but hold the same audio, or share samples with one that was."""
    version: int
    """The newest version, without them."""
    retired: list[int] = field(default_factory=list)
    """Versions that were retired by a purge."""
    removed: list[tuple[str, int]] = field(default_factory=list)
    """Path and bytes of files that a purge removed, or would remove or write anew."""
    still_in: list[int] = field(default_factory=list)
    """Without a purge: earlier versions of this dataset, which keep the clips (or what a redaction hides)."""
    offered_by: list[int] = field(default_factory=list)
    """Of these, the ones with a curriculum, which may still offer the clips."""
    out_of_reach: list[str] = field(default_factory=list)
    """What may hold copies and was not touched."""


def takedown(
    dataset: str | Store,
    *,
    clips: Sequence[str] = (),
    speaker: str | None = None,
    source: str | None = None,
    where: str | None = None,
    purge: bool = False,
    redact: bool = False,
    dry_run: bool = False,
    wait: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Takedown:
    """Take down clips given by keys, by speaker, by source or by a filter, in every version.

    purge: rewrite or remove whatever holds them, and retire the versions that do.
    redact: keep samples and latents, drop text and paths of the recordings.
    dry_run: only count.
    Takedowns that were interrupted are finished first; without a selection that is all that is done.
    Raises `ConfigError` unless exactly one of the four selections is given and it fits a clip; `BusyError` while a
    run holds the dataset, unless `wait`.
    """
    store = dataset if isinstance(dataset, Store) else Store(dataset)
    with at_work(store, wait=wait, notify=notify, first=not dry_run) as finished:
        history = read_history(store)
        newest = history.newest.document.number
        try:
            chosen = select(history, clips, speaker, source, where, redact)
        except ConfigError:
            if not finished:
                raise
            # what the interrupted one had meant is gone by now
            return _summary(store, Selection(redact), [], _together(finished), dry_run=False)
        named = _named(history, list(chosen.clips)[:SHOWN])
        stones = chosen.tombstones()
        if dry_run:
            reach = holders(history, stones) if purge else Reach()
            going = purge_forecast(store, history, reach) if purge else []
            found = _summary(store, chosen, named, Done(newest, sorted(reach.versions), going), dry_run=True)
        else:
            done = carry_out(store, begin(store, stones, purge=purge))
            found = _summary(store, chosen, named, _together([*finished, done]), dry_run=False)
        left = [] if purge else listing(history, stones)
        return replace(
            found,
            still_in=[version.document.number for version in left],
            offered_by=[version.document.number for version in left if _has_curriculum(version)],
        )


def _has_curriculum(version: Version) -> bool:
    return bool(version.curricula()) or version.derived("curriculum.parquet") is not None


def _together(parts: Sequence[Done]) -> Done:
    return Done(
        parts[-1].version,
        sorted({number for part in parts for number in part.retired}),
        [gone for part in parts for gone in part.removed],
    )


def _named(history: History, keys: Sequence[str]) -> list[NamedClip]:
    found: dict[str, NamedClip] = {}
    wanted = pa.array(keys, pa.string())
    for file in history.clips.values():
        table = read_columns(file, ["clip", "source", "path", "start", "sample_rate", "transcript"])
        for row in table.filter(pc.is_in(table["clip"], value_set=wanted)).to_pylist():
            start_s = row["start"] / row["sample_rate"]
            named = NamedClip(row["clip"], row["source"], row["path"], start_s, row["transcript"])
            found.setdefault(named.clip, named)
    return [found[key] for key in keys]


def _summary(store: Store, chosen: Selection, named: list[NamedClip], done: Done, *, dry_run: bool) -> Takedown:
    strange = sorted({e.path.split("/")[0] for e in store.list()} - set(KNOWN_FOLDERS))
    return Takedown(
        dry_run=dry_run,
        clips=len(chosen.clips),
        named=named,
        recordings=len(chosen.whole),
        same_audio=len(chosen.clips) - chosen.asked,
        version=done.version,
        retired=done.retired,
        removed=done.removed,
        out_of_reach=[
            *(f"{store.url}/{name}: no part of a dataset: look through it" for name in strange),
            "pulls and exports of earlier versions, caches on other machines, backups, models trained on the clips, "
            "and the recordings at their source",
        ],
    )

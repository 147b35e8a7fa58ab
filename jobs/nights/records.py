"""What scheduled nights leave in a dataset: one small record for each attempt, and what follows from them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ...loaders.reading.refs import readable
from ...loaders.reading.version import open_version
from ...loaders.storage.json_record import read_record
from ...loaders.storage.store import Store
from ...schemas.night import NIGHT_SCHEMA, NightRecord

KEPT = 500
"""Records that stay: the older ones go when there are twice as many."""
_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"nights/\d{8}T\d{6}Z-\d{8}T\d{12}Z\.json")


def run_key(night: datetime) -> str:
    """The name of a night: its scheduled time in UTC."""
    return night.strftime(_STAMP)


def attempts(store: Store, night: datetime | None = None) -> list[NightRecord]:
    """Attempts at `night`, or at all nights, in the order of their scheduled times and then of their starts."""
    prefix = f"nights/{run_key(night)}-" if night else "nights/"
    names = sorted(e.path for e in store.list("nights") if e.path.startswith(prefix) and _NAME.fullmatch(e.path))
    advice = "delete it: only the history of nights is lost"
    fields = ("scheduled_for", "started", "ended", "status", "exit_code")
    return [NightRecord.model_validate(read_record(store, name, NIGHT_SCHEMA, fields, advice)) for name in names]


def done(store: Store, night: datetime) -> NightRecord | None:
    """The attempt that did the night; None when there is none."""
    return next((made for made in attempts(store, night) if made.status != "failed"), None)


def keep(store: Store, record: NightRecord) -> None:
    """Write the record; the oldest go when there are many."""
    data = (json.dumps(record.model_dump(by_alias=True), indent=1) + "\n").encode()
    night, started = (datetime.fromisoformat(text) for text in (record.scheduled_for, record.started))
    while not store.put_new(f"nights/{run_key(night)}-{started:%Y%m%dT%H%M%S%fZ}.json", data):
        started += timedelta(microseconds=1)
    names = sorted(e.path for e in store.list("nights"))
    if len(names) > 2 * KEPT:
        store.delete(names[:-KEPT])


@dataclass(frozen=True)
class Freshness:
    """How long ago a dataset was brought up to date."""

    fresh: bool
    age_s: float | None
    """Since a night last ended well, or the newest version was published. None: never."""
    version: int | None
    last: NightRecord | None
    """The newest attempt at a night."""
    failed_since: int
    """Attempts that failed since a night last ended well."""


def freshness(store: Store, max_age_s: float, now: datetime | None = None) -> Freshness:
    """Whether the dataset was brought up to date within `max_age_s`. A night that found nothing new counts."""
    now = now or datetime.now(UTC)
    made = attempts(store)
    good = [datetime.fromisoformat(m.ended) for m in made if m.status != "failed"]
    numbers = readable(store)
    newest = open_version(store, numbers[-1]).document if numbers else None
    times = [*good, *([datetime.fromisoformat(newest.created)] if newest and newest.kind == "run" else [])]
    age_s = (now - max(times)).total_seconds() if times else None
    since = max(good, default=datetime.min.replace(tzinfo=UTC))
    failed = [m for m in made if m.status == "failed" and datetime.fromisoformat(m.ended) > since]
    last = max(made, key=lambda m: datetime.fromisoformat(m.ended), default=None)
    fresh = age_s is not None and age_s <= max_age_s
    return Freshness(fresh, age_s, newest.number if newest else None, last, len(failed))

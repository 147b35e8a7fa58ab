"""When nights are: a time of day in a named zone, on some days of the week."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ...schemas.errors import ConfigError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_AT = re.compile(r"^\s*(?:(?P<days>\S+)\s+)?(?P<hour>\d{1,2}):(?P<minute>\d{2})\s*$")


@dataclass(frozen=True, slots=True)
class NightlyTime:
    """When to run."""

    hour: int
    minute: int
    days: tuple[str, ...]
    """Of `DAYS`, in that order; all seven for every night."""
    timezone: str
    """IANA name: "Europe/Berlin", "UTC"."""

    @classmethod
    def parse(cls, at: str, timezone: str) -> NightlyTime:
        """From "02:30", "Mon-Fri 02:30" or "Sat,Sun 22:00" and the name of a time zone; `ConfigError` otherwise.

        Days are names: as a number, Monday is 1 to cron and 0 to some libraries.
        """
        found = _AT.match(at)
        if not found or int(found["hour"]) > 23 or int(found["minute"]) > 59:
            raise ConfigError(f"--at {at!r} is not a time: write '02:30', 'Mon-Fri 02:30' or 'Sat,Sun 22:00'")
        if not timezone:
            raise ConfigError(
                "--timezone is required, for example Europe/Berlin or UTC: the default differs between servers"
            )
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ConfigError(f"--timezone {timezone!r} is not a known zone: use a name like Europe/Berlin") from None
        days = _days(found["days"], at) if found["days"] else DAYS
        return cls(int(found["hour"]), int(found["minute"]), days, timezone)

    def last(self, now: datetime) -> datetime:
        """The newest such moment that is not after `now`, in UTC. A time that the change to summer time leaves out
        counts as the moment that the clock then shows, one that comes twice as the first of the two."""
        zone = ZoneInfo(self.timezone)
        today = now.astimezone(zone).date()
        for back in range(9):
            day = today - timedelta(days=back)
            moment = datetime(day.year, day.month, day.day, self.hour, self.minute, tzinfo=zone).astimezone(UTC)
            if DAYS[day.weekday()] in self.days and moment <= now:
                return moment
        raise AssertionError("a week has each of its days")

    @property
    def cron(self) -> str:
        """The five fields of a crontab's line, for schedulers that take the zone apart from it; days as names."""
        days = "*" if self.days == DAYS else ",".join(day.upper() for day in self.days)
        return f"{self.minute} {self.hour} * * {days}"

    @property
    def text(self) -> str:
        """As `scheduled_time` reads it."""
        days = "" if self.days == DAYS else ",".join(self.days) + " "
        return f"{days}{self.hour:02d}:{self.minute:02d} {self.timezone}"

    def __str__(self) -> str:
        days = "every night" if self.days == DAYS else ", ".join(self.days)
        return f"{days} at {self.hour:02d}:{self.minute:02d} {self.timezone}"


def scheduled_time(text: str, now: datetime | None = None) -> datetime:
    """The moment, in UTC, of a night: an ISO 8601 time with its offset ("2026-03-01T02:30:00+01:00"), or the newest
    moment of a schedule ("02:30 Europe/Berlin", "Mon-Fri 02:30 UTC"), for schedulers that do not say it.

    Raises `ConfigError` for anything else, and for a moment more than a day ahead.
    """
    now = now or datetime.now(UTC)
    at, _, zone = text.strip().rpartition(" ")
    if ":" in at:
        return NightlyTime.parse(at, zone).last(now)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(
            f"--scheduled-for {text!r}: write a time with its offset, 2026-03-01T02:30:00+01:00, or a schedule, "
            "'02:30 Europe/Berlin'"
        ) from None
    if moment.tzinfo is None:
        raise ConfigError(f"--scheduled-for {text!r} has no offset: add +00:00 or Z, or that of your zone")
    if moment > now + timedelta(days=1):
        raise ConfigError(f"--scheduled-for {text!r} is more than a day ahead")
    return moment.astimezone(UTC)


def _days(text: str, at: str) -> tuple[str, ...]:
    if any(character.isdigit() for character in text):
        raise ConfigError(f"--at {at!r}: name the days (Mon, Mon-Fri); cron and systemd number days differently")
    chosen: set[int] = set()
    for part in text.split(","):
        ends = [_day(name, at) for name in re.split(r"-|\.\.", part)]
        if len(ends) > 2:
            raise ConfigError(f"--at {at!r}: {part!r} is not a day or a range of two days")
        first, last = ends[0], ends[-1]
        # Fri-Mon goes over the end of the week
        chosen.update(day % 7 for day in range(first, (last if last >= first else last + 7) + 1))
    return tuple(DAYS[day] for day in sorted(chosen))


def _day(name: str, at: str) -> int:
    for index, day in enumerate(DAYS):
        if name.lower() == day.lower():
            return index
    raise ConfigError(f"--at {at!r}: {name!r} is not a day; the days are {', '.join(DAYS)}")

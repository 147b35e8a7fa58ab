"""A nightly `run` for the scheduler that the machine already has: cron or systemd. We ship no daemon of our own."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ...schemas.errors import (
    BusyError,
    ClusterError,
    ConfigError,
    DatasetError,
    GateError,
    LossError,
    MissingExtraError,
    PendingError,
    WeightsError,
    WorkerError,
)

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_AT = re.compile(r"^\s*(?:(?P<days>\S+)\s+)?(?P<hour>\d{1,2}):(?P<minute>\d{2})\s*$")
_NO_RETRY = tuple(
    error.exit_code
    for error in (
        ConfigError, MissingExtraError, DatasetError, WeightsError, PendingError, WorkerError, ClusterError, GateError,
        LossError, BusyError,
    )
)  # fmt: skip
"""Exit codes that the same command would only give again minutes later: each waits for somebody, or for the next
night. Workers have by then been started again many times, and a pending takedown that stopped a run is damaged."""


@dataclass(frozen=True, slots=True)
class NightlyTime:
    """When to run: a time of day in a named zone, on some days of the week."""

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


def export(
    format: Literal["cron", "systemd"],
    config_path: str | Path,
    at: str,
    timezone: str,
    command: str = "auricle",
    directory: str | Path | None = None,
) -> dict[str, str]:
    """File name to text: one crontab, or a systemd service with its timer, that runs `command run config_path`.

    directory: where the command runs, which relative paths in the configuration start from; default: here.
    The schedulers have a short PATH, so `command` is looked up now and written in full. Starting twice is safe
    without any of this (the run itself holds a lease and ends with 75); the lock only saves the second start.
    """
    time = NightlyTime.parse(at, timezone)
    folder = Path(directory or ".").absolute()
    config = folder / Path(config_path).expanduser()
    # a virtual environment need not be on the PATH of whoever exports
    program = shutil.which(command) or shutil.which(command, path=str(Path(sys.executable).parent)) or command
    argv = [str(Path(program).absolute()) if "/" in program else program, "run", str(config), "--quiet"]
    for part in (*argv, str(folder)):
        if "\n" in part or "\r" in part:
            raise ConfigError(f"the path {part!r} contains a line break, which neither cron nor systemd can express")
    name = "auricle-" + re.sub(r"[^A-Za-z0-9_.-]+", "-", config.stem)
    if format == "cron":
        return {f"{name}.cron": _cron(time, argv, config, folder)}
    if format == "systemd":
        return {f"{name}.service": _service(argv, config, folder), f"{name}.timer": _timer(time, config)}
    raise ConfigError(f"--format {format!r}: cron and systemd are known")


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


def _cron(time: NightlyTime, argv: list[str], config: Path, folder: Path) -> str:
    """A crontab whose line asks for the time in the zone itself.

    Debian's cron ignores CRON_TZ without a word. So cron wakes the line every quarter of an hour (offsets between
    zones are multiples of that), and the line goes on only where the clock of the zone shows the wanted time.
    """
    minutes = ",".join(str(minute) for minute in sorted((time.minute + 15 * quarter) % 60 for quarter in range(4)))
    wanted = f"{time.hour:02d}:{time.minute:02d}"
    numbers = "".join(str(DAYS.index(day) + 1) for day in time.days)
    guard = f'case "$(TZ={shlex.quote(time.timezone)} date +%u-%H:%M)" in [{numbers}]-{wanted}) ;; *) exit 0 ;; esac'
    run = f"flock -n -E {BusyError.exit_code} {shlex.quote(str(config))} {shlex.join(argv)}"
    line = f"{guard}; cd {shlex.quote(str(folder))} && RAY_AUTH_MODE=disabled {run}"
    # cron reads % as a line break unless it is escaped
    escaped = line.replace("%", r"\%")
    return "\n".join(
        [
            f"# auricle run {config}: {_when(time)}. Install: add these lines with `crontab -e`.",
            "# A start while the last run goes on ends with 75 and changes nothing. Cron does not catch up on nights",
            "# when the machine was off, nor on a time that the change to summer time leaves out; systemd does.",
            f"{minutes} * * * * {escaped}",
            "",
        ]
    )


def _service(argv: list[str], config: Path, folder: Path) -> str:
    if re.search(r"""['"\\]""", argv[0]):
        # systemd takes such names as arguments, not as the program
        argv = ["/usr/bin/env", *argv]
    return "\n".join(
        [
            "[Unit]",
            f"Description=auricle run {_specifiers(str(config))}",
            "Wants=network-online.target",
            "After=network-online.target",
            "StartLimitIntervalSec=12h",
            "StartLimitBurst=3",
            "",
            "[Service]",
            "Type=oneshot",
            f"WorkingDirectory={_specifiers(str(folder))}",
            "Environment=RAY_AUTH_MODE=disabled",
            f"ExecStart={' '.join(_systemd_word(word) for word in argv)}",
            "# another run holds the dataset: nothing to do, nothing wrong",
            f"SuccessExitStatus={BusyError.exit_code}",
            "# the same command goes on where a killed run stopped",
            "Restart=on-failure",
            "RestartSec=5min",
            f"RestartPreventExitStatus={' '.join(map(str, _NO_RETRY))}",
            "TimeoutStartSec=infinity",
            "Nice=10",
            "",
        ]
    )


def _timer(time: NightlyTime, config: Path) -> str:
    days = "" if time.days == DAYS else ",".join(time.days) + " "
    return "\n".join(
        [
            "[Unit]",
            f"Description=auricle run {_specifiers(str(config))}: {_when(time)}",
            "",
            "[Timer]",
            f"OnCalendar={days}*-*-* {time.hour:02d}:{time.minute:02d}:00 {time.timezone}",
            "# a night when the machine was off is made up for at the next start",
            "Persistent=true",
            "",
            "[Install]",
            "WantedBy=timers.target",
            "",
        ]
    )


def _when(time: NightlyTime) -> str:
    days = "every night" if time.days == DAYS else ", ".join(time.days)
    return f"{days} at {time.hour:02d}:{time.minute:02d} {time.timezone}"


def _specifiers(text: str) -> str:
    """`text` where systemd expands %-specifiers."""
    return text.replace("%", "%%")


def _systemd_word(word: str) -> str:
    """`word` as one argument of ExecStart, see systemd.service(5), "Command lines"."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return _specifiers(f'"{escaped}"' if re.search(r"[^A-Za-z0-9_@:,./+=-]", word) else escaped)

"""A crontab."""

from __future__ import annotations

import shlex
from pathlib import Path

from ...schemas.errors import BusyError
from .nightly_time import DAYS, NightlyTime


def crontab(time: NightlyTime, argv: list[str], config: Path, folder: Path) -> str:
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
            f"# auricle run {config}: {time}. Install: add these lines with `crontab -e`.",
            "# A start while the last run goes on ends with 75 and changes nothing. Cron does not catch up on nights",
            "# when the machine was off, nor on a time that the change to summer time leaves out; systemd does.",
            f"{minutes} * * * * {escaped}",
            "",
        ]
    )

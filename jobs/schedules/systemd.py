"""A service of systemd and its timer."""

from __future__ import annotations

import re
from pathlib import Path

from ...schemas.errors import BusyError
from .nightly_time import DAYS, NightlyTime
from .no_retry import NO_RETRY


def service(argv: list[str], config: Path, folder: Path) -> str:
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
            f"RestartPreventExitStatus={' '.join(map(str, NO_RETRY))}",
            "TimeoutStartSec=infinity",
            "Nice=10",
            "",
        ]
    )


def timer(time: NightlyTime, config: Path) -> str:
    days = "" if time.days == DAYS else ",".join(time.days) + " "
    return "\n".join(
        [
            "[Unit]",
            f"Description=auricle run {_specifiers(str(config))}: {time}",
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


def _specifiers(text: str) -> str:
    """`text` where systemd expands %-specifiers."""
    return text.replace("%", "%%")


def _systemd_word(word: str) -> str:
    """`word` as one argument of ExecStart, see systemd.service(5), "Command lines"."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return _specifiers(f'"{escaped}"' if re.search(r"[^A-Za-z0-9_@:,./+=-]", word) else escaped)

"""Schedules that other programs read: checked with those programs where they are installed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.jobs.schedules.export import export
from auricle.jobs.schedules.nightly_time import DAYS, NightlyTime
from auricle.schemas.errors import ConfigError


def _line(files: dict[str, str]) -> tuple[str, str]:
    """The minutes and the shell command of the one line of a crontab, as cron would run it."""
    (text,) = files.values()
    (line,) = [line for line in text.splitlines() if line and not line.startswith("#")]
    minutes, _, _, _, _, command = line.split(" ", 5)
    return minutes, command.replace(r"\%", "%")


@pytest.mark.parametrize(
    ("at", "days"),
    [
        ("02:30", DAYS),
        ("Mon-Fri 02:30", ("Mon", "Tue", "Wed", "Thu", "Fri")),
        ("mon..wed 02:30", ("Mon", "Tue", "Wed")),
        ("Sat,Sun 02:30", ("Sat", "Sun")),
        ("Fri-Mon 02:30", ("Mon", "Fri", "Sat", "Sun")),
    ],
)
def test_times_are_read_with_their_days(at, days):
    assert NightlyTime.parse(at, "UTC") == NightlyTime(2, 30, days, "UTC")


@pytest.mark.parametrize("at", ["1 02:30", "1-5 02:30", "0,6 02:30", "Mon-5 02:30"])
def test_days_as_numbers_are_refused(at):
    with pytest.raises(ConfigError, match="name the days"):
        NightlyTime.parse(at, "UTC")


@pytest.mark.parametrize("at", ["", "24:00", "2:60", "0230", "0 2 * * *", "Fre 02:30", "Mon-Tue-Wed 02:30", "noon"])
def test_what_is_not_a_time_is_refused(at):
    with pytest.raises(ConfigError, match="--at"):
        NightlyTime.parse(at, "UTC")


@pytest.mark.parametrize("zone", ["", "Berlin", "Mars/Olympus", "../etc/passwd", "/etc/localtime"])
def test_a_zone_must_be_given_and_known(zone):
    with pytest.raises(ConfigError, match="--timezone"):
        NightlyTime.parse("02:30", zone)


def test_an_unknown_format_is_refused():
    with pytest.raises(ConfigError, match="cron, systemd"):
        export("launchd", "c.yaml", "02:30", "UTC")  # pyright: ignore[reportArgumentType]


def test_a_path_with_a_line_break_is_refused():
    with pytest.raises(ConfigError, match="line break"):
        export("cron", "a\nb.yaml", "02:30", "UTC")


@given(st.integers(0, 23), st.integers(0, 59))
def test_cron_wakes_at_the_minute_in_every_zone_that_is_quarters_of_an_hour_away(hour, minute):
    minutes, _ = _line(export("cron", "c.yaml", f"{hour:02d}:{minute:02d}", "Asia/Kathmandu"))
    woken = {int(m) for m in minutes.split(",")}
    # Kathmandu is 5:45 ahead: the wanted minute there is minute + 15 here
    assert (minute - 45) % 60 in woken
    assert minute in woken
    assert len(woken) == 4


def _program(folder: Path, body: str) -> Path:
    program = folder / "auricle it's"
    program.write_text(f"#!{sys.executable}\nimport pathlib, sys, time\n{body}\n")
    program.chmod(0o755)
    return program


needs_flock = pytest.mark.skipif(shutil.which("flock") is None, reason="flock (util-linux) is not installed")


@needs_flock
@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns", "UTC"])
def test_the_cron_line_runs_at_its_time_in_its_zone_and_at_no_other(tmp_path, zone):
    program = _program(tmp_path, "pathlib.Path('ran').write_text(' '.join(sys.argv[1:]))")
    (tmp_path / "night 100%.yaml").touch()
    now = datetime.now(ZoneInfo(zone))
    if now.second > 55:
        time.sleep(6)
        now = datetime.now(ZoneInfo(zone))
    today, tomorrow = DAYS[now.weekday()], DAYS[(now.weekday() + 1) % 7]
    other = f"{now.hour:02d}:{(now.minute + 30) % 60:02d}"
    for at in (f"{tomorrow} {now:%H:%M}", other):
        _, command = _line(export("cron", "night 100%.yaml", at, zone, str(program), tmp_path))
        assert subprocess.run(["/bin/sh", "-c", command], check=False).returncode == 0
        assert not (tmp_path / "ran").exists()
    when = f"{today} {now:%H:%M} {zone}"
    _, command = _line(export("cron", "night 100%.yaml", f"{today} {now:%H:%M}", zone, str(program), tmp_path))
    assert subprocess.run(["/bin/sh", "-c", command], check=False, cwd="/").returncode == 0
    assert (tmp_path / "ran").read_text() == f"run {tmp_path}/night 100%.yaml --scheduled-for {when} --quiet"


@needs_flock
def test_a_second_start_ends_with_75_while_the_first_goes_on(tmp_path):
    program = _program(tmp_path, "pathlib.Path('started').touch(); time.sleep(30)")
    (tmp_path / "c.yaml").touch()
    _, command = _line(export("cron", "c.yaml", "00:00", "UTC", str(program), tmp_path))
    run = command.split("esac; ", 1)[1]
    locked = run.split("&& RAY_AUTH_MODE=disabled ")[1]
    first = subprocess.Popen(["/bin/sh", "-c", "exec " + locked], cwd=tmp_path, start_new_session=True)
    try:
        deadline = time.monotonic() + 20
        while not (tmp_path / "started").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert subprocess.run(["/bin/sh", "-c", run], check=False).returncode == 75
    finally:
        # flock's child holds the lock too
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()


def test_systemd_gets_a_persistent_timer_with_days_and_zone_and_a_service_that_knows_the_exit_codes():
    files = export("systemd", "night.yaml", "Mon-Fri 02:30", "Europe/Berlin", directory="/data")
    timer, service = files["auricle-night.timer"], files["auricle-night.service"]
    assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 02:30:00 Europe/Berlin\n" in timer
    assert "Persistent=true\n" in timer
    assert "SuccessExitStatus=75\n" in service
    assert "RestartPreventExitStatus=2 3 4 6 8 9 11 20 21 75\n" in service
    assert "Environment=RAY_AUTH_MODE=disabled\n" in service
    assert "WorkingDirectory=/data\n" in service
    assert service.count("ExecStart=") == 1


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_itself_accepts_the_units_even_for_odd_paths(tmp_path):
    program = _program(tmp_path, "pass")
    files = export("systemd", 'odd $HOME "100%" \\ name.yaml', "Sat 02:30", "Asia/Kathmandu", str(program), tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    units = [str(tmp_path / name) for name in files]
    checked = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in checked.stderr.splitlines() if "auricle-" in line]
    assert (checked.returncode, ours) == (0, [])


def test_the_program_and_the_configuration_are_written_in_full(tmp_path, monkeypatch):
    program = _program(tmp_path, "pass")
    program.rename(tmp_path / "auricle")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (text,) = export("cron", "c.yaml", "02:30", "UTC").values()
    assert f"{tmp_path}/auricle run {tmp_path}/c.yaml --scheduled-for '02:30 UTC' --quiet" in text

"""A week of nights by the command: what comes, a night that the gate stops, one that never ran, a rollback.

`AURICLE_WRITE_DOCS=1 pytest tests/integration/test_week.py` writes docs/nightly.md anew.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from corpus import config, write_corpus
from typer.testing import CliRunner

from auricle.jobs import commands
from auricle.jobs.cli import app, explained
from auricle.jobs.nights.records import attempts, freshness
from auricle.loaders import open_version
from auricle.loaders.storage.store import Store

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]

DOCUMENT = Path(__file__).parents[2] / "docs" / "nightly.md"
HOURS_26 = 26 * 3600


@dataclass
class Week:
    """The dataset, what happened so far, and the command."""

    folder: Path
    rows: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def dataset(self) -> Path:
        return self.folder / "dataset"

    def command(self, *words: str) -> tuple[int, str]:
        """Exit code and output."""
        if not app.registered_commands:
            commands.register(app)
        result = CliRunner().invoke(app, list(words), standalone_mode=False)
        if result.exception is not None:
            return explained(result.exception, list(words))[1], str(result.exception)
        return result.exit_code, result.stdout

    def night(self, day: int, what: str) -> tuple[int, dict[str, Any]]:
        """One start by the scheduler, and its line in the report."""
        code, output = self.command(
            "run", str(self.folder / "nightly.yaml"), "--quiet", "--json", "--scheduled-for", moment(day)
        )
        answer = json.loads(output) if code == 0 else {}
        told = [event["event"] for event in self.told() if event["event"] != "start"]
        last = attempts(Store(str(self.dataset)))[-1]
        state = open_version(str(self.dataset)).document
        self.add(day, what, code, answer.get("status", last.error or ""), told[-1] if told else "", state)
        return code, answer

    def add(self, day: int, what: str, code: int | None, how: str, told: str, state: Any) -> None:
        kept = f"{state.counts.kept} of {state.counts.clips}"
        self.rows.append((str(day), what, "" if code is None else str(code), how, told, f"{state.number}", kept))

    def told(self) -> list[dict[str, Any]]:
        """What the hook was told, and forget it."""
        file = self.folder / "told.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        file.unlink(missing_ok=True)
        return lines


def moment(day: int) -> str:
    """Half past two on that day of a week in the past."""
    return (datetime(2026, 3, 1, 2, 30, tzinfo=UTC) + timedelta(days=day)).isoformat()


def test_a_week_of_nights_can_be_trusted(tmp_path: Path) -> None:
    audio, week = tmp_path / "audio", Week(tmp_path)
    write_corpus(audio, 12)
    hook = f"import sys; open({str(tmp_path / 'told.jsonl')!r}, 'a').write(sys.stdin.read() + chr(10))"
    made = config(
        audio, week.dataset, gate={"min_kept_share": 0.9}, losses={"min_files": 5},
        night={"hooks": [{"events": ["start", "success", "warning", "failure"],
                          "command": [sys.executable, "-c", hook]}],
               "log": str(tmp_path / "night.jsonl"), "metrics": {"file": str(tmp_path / "auricle.prom")}},
    )  # fmt: skip
    (tmp_path / "nightly.yaml").write_text(yaml.safe_dump(made.model_dump(mode="json", exclude_defaults=True)))
    store = Store(str(week.dataset), create=True)

    assert week.night(1, "12 recordings")[0] == 0
    write_corpus(audio, 3, first=12)
    assert week.night(2, "3 more")[1]["status"] == "published"

    # the scheduler starts the second night once more: nothing is opened
    code, output = week.command("run", str(tmp_path / "nightly.yaml"), "--json", "--scheduled-for", moment(2))
    assert (code, json.loads(output)["status"]) == (0, "done before")
    assert week.told() == []

    assert week.night(3, "nothing new")[1]["status"] == "unchanged"
    assert freshness(store, HOURS_26).fresh

    # half a delivery: ten silent files
    for seed in range(20, 30):
        silent = audio / f"clip_{seed:04d}.wav"
        write_corpus(tmp_path / "loud", 1, first=seed)
        data = (tmp_path / "loud" / silent.name).read_bytes()
        silent.write_bytes(data[:44] + bytes(len(data) - 46) + bytes([seed, 0]))
    code, _ = week.night(4, "10 silent recordings: the gate stops it")
    assert code == 20
    assert open_version(str(week.dataset)).document.number == 2, "training goes on with what was there"

    # day 5: the scheduler's machine is off; a monitor elsewhere sees it
    later = datetime.now(UTC) + timedelta(hours=27)
    stale = freshness(store, HOURS_26, later)
    assert (stale.fresh, stale.failed_since) == (False, 1)
    week.add(
        5,
        "the night never ran: `schedule status --max-age 26h`",
        22,
        "StaleError",
        "",
        open_version(str(week.dataset)).document,
    )

    for seed in range(20, 30):
        (audio / f"clip_{seed:04d}.wav").unlink()
    write_corpus(audio, 2, first=15)
    assert week.night(6, "repaired, 2 more")[1]["status"] == "published"

    code, _ = week.command("rollback", str(week.dataset), "2")
    assert code == 0
    week.add(6, "by day: `auricle rollback DATASET 2`", 0, "rollback", "", open_version(str(week.dataset)).document)
    assert week.night(7, "the sources have what was rolled back")[1]["status"] == "published"

    code, output = week.command("schedule", "status", str(week.dataset), "--json")
    assert (code, json.loads(output)["failed_since"]) == (0, 0)
    assert week.command("schedule", "status", str(week.dataset), "--max-age", "0m")[0] == 22
    assert [(a.status, a.exit_code) for a in attempts(store)] == [
        ("published", 0), ("published", 0), ("unchanged", 0), ("failed", 20), ("published", 0), ("published", 0),
    ]  # fmt: skip
    text = (tmp_path / "auricle.prom").read_text()
    assert f'auricle_version{{dataset="{week.dataset}"}} 5.0' in text
    log = [json.loads(line) for line in (tmp_path / "night.jsonl").read_text().splitlines()]
    assert sum(line["event"] == "run ends" for line in log) == 6
    assert "words of clip" not in (tmp_path / "night.jsonl").read_text(), "no transcript in the log"
    config_kept = open_version(str(week.dataset)).document.config
    assert "night" not in config_kept, "a hook's address may be a secret"

    document = page(week.rows)
    if os.environ.get("AURICLE_WRITE_DOCS"):
        DOCUMENT.write_text(document)
    assert DOCUMENT.read_text() == document


def page(rows: list[tuple[str, ...]]) -> str:
    """docs/nightly.md."""
    names = ("day", "what", "exit", "how it ended", "hook told", "newest version", "kept")
    table = [f"| {' | '.join(names)} |", "|-" * len(names) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(
        [
            "# A week of nights",
            "",
            "Written by `tests/integration/test_week.py`, which runs these nights and checks each line. How a night is",
            "set up, and what each exit code asks for: [operations.md](operations.md#nights).",
            "",
            *table,
            "",
            "On day 2 the scheduler started the same night again: it ended at once with 0, and no hook was told.",
            "",
        ]
    )

"""A log of runs: one JSON object per line, appended as things happen."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...pipelines.work.work_units import UnitOutcome
from ...schemas.errors import ConfigError


class RunLog:
    """A `Progress` that writes lines of `{time, run, event, ...}`; times are UTC. A stage's end sums up its units."""

    def __init__(self, path: str, run: str) -> None:
        """Raises `ConfigError` at once for a file that cannot be written."""
        self._path, self._run = Path(path), run
        self._stage: dict[str, Any] = {}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.open("a").close()
        except OSError as error:
            raise ConfigError(f"night.log: {path}: cannot be written: {error.strerror}") from error

    def write(self, event: str, **facts: Any) -> None:
        """Append one line."""
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "run": self._run, "event": event, **facts}
        with self._path.open("a", encoding="utf-8") as file:
            # one write: lines of two runs do not mix
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def notice(self, text: str) -> None:
        self.write("notice", text=text)

    def begin(self, stage: str, items: int, audio_s: float, units: int) -> None:
        self._stage = {"done": 0, "failed": 0, "audio_s": 0.0, "cpu_s": 0.0}
        self.write("stage begins", stage=stage, items=items, audio_s=round(audio_s, 3), units=units)

    def unit(self, outcome: UnitOutcome) -> None:
        for name in self._stage:
            self._stage[name] = round(self._stage[name] + getattr(outcome, name), 3)

    def end(self, stage: str) -> None:
        self.write("stage ends", stage=stage, **self._stage)

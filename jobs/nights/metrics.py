"""OpenMetrics of a run: on a loopback port while it works, in a text file when it has ended."""

from __future__ import annotations

import os
import time
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, start_http_server
from prometheus_client.openmetrics.exposition import generate_latest

from ...pipelines.work.work_units import UnitOutcome
from ...schemas.errors import ConfigError
from ...schemas.night import Metrics
from ...schemas.version import VersionDocument

STAGE = {
    "items": "Items that the stage has to do",
    "done": "Items done",
    "failed": "Items that failed",
    "units_waiting": "Work units that are not finished",
    "audio_seconds": "Audio seconds processed",
    "cpu_seconds": "CPU seconds of the workers",
    "real_time_factor": "Audio seconds per second of wall time",
}


class RunMetrics:
    """A `Progress` that keeps gauges, labelled by dataset and stage."""

    def __init__(self, given: Metrics, dataset: str) -> None:
        """Raises `ConfigError` for a port that is taken and a file that cannot be written."""
        self._given, self._dataset = given, dataset
        self._registry = CollectorRegistry()
        self._stage = {
            name: Gauge(f"auricle_stage_{name}", text, ("dataset", "stage"), registry=self._registry)
            for name, text in STAGE.items()
        }
        self._run: dict[str, Gauge] = {}
        self._now, self._begun, self._audio_s = "", time.monotonic(), 0.0
        self._server = None
        self.port: int | None = None
        self.set("run_in_progress", 1, "1 while the run works")
        self.set("run_start_time_seconds", time.time(), "When the run started, Unix time")
        if given.file and not Path(given.file).absolute().parent.is_dir():
            raise ConfigError(f"night.metrics.file: {given.file}: its folder does not exist")
        if given.port is not None:
            try:
                self._server, _ = start_http_server(given.port, "127.0.0.1", registry=self._registry)
            except OSError as error:
                raise ConfigError(f"night.metrics.port: {given.port}: {error.strerror}") from error
            self.port = self._server.server_port

    def set(self, name: str, value: float, text: str, **labels: str) -> None:
        """A gauge `auricle_<name>` of the run."""
        if name not in self._run:
            self._run[name] = Gauge(f"auricle_{name}", text, ("dataset", *labels), registry=self._registry)
        self._run[name].labels(self._dataset, *labels.values()).set(value)

    def notice(self, text: str) -> None: ...

    def begin(self, stage: str, items: int, audio_s: float, units: int) -> None:
        if not units:
            # the driver's own: nothing of it is counted
            return
        self._now, self._begun, self._audio_s = stage, time.monotonic(), 0.0
        for gauge in self._stage.values():
            gauge.labels(self._dataset, stage).set(0)
        self._of("items").set(items)
        self._of("units_waiting").set(units)

    def unit(self, outcome: UnitOutcome) -> None:
        self._of("done").inc(outcome.done)
        self._of("failed").inc(outcome.failed)
        self._of("audio_seconds").inc(outcome.audio_s)
        self._of("cpu_seconds").inc(outcome.cpu_s)
        self._of("units_waiting").dec()
        self._audio_s += outcome.audio_s
        self._of("real_time_factor").set(self._audio_s / max(time.monotonic() - self._begun, 1e-3))

    def end(self, stage: str) -> None:
        self._of("units_waiting").set(0)

    def ended(self, exit_code: int, document: VersionDocument | None) -> None:
        """The run is over: what it gave, then the file."""
        self.set("run_in_progress", 0, "1 while the run works")
        self.set("run_exit_code", exit_code, "What the last run ended with")
        self.set("run_end_time_seconds", time.time(), "When the last run ended, Unix time")
        if exit_code == 0:
            self.set("run_success_time_seconds", time.time(), "When a run last ended well, Unix time")
        if document is not None:
            self.set("version", document.number, "The newest version")
            for name, value in document.hours.items():
                self.set("hours", value, "Hours of the newest version by what became of them", state=name)
            for name in ("clips", "kept", "dropped", "failed", "failed_files"):
                self.set(f"{name}", getattr(document.counts, name), f"{name} of the newest version")
        if self._given.file:
            target = Path(self._given.file)
            staged = target.with_name(f".{target.name}.{os.getpid()}")
            staged.write_bytes(generate_latest(self._registry))
            staged.replace(target)
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _of(self, name: str) -> Gauge:
        return self._stage[name].labels(self._dataset, self._now)

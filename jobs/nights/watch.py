"""All that a run tells while it works and when it ends: log, metrics, spans, hooks, and the record of the night."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ...loaders.reading.refs import readable
from ...loaders.reading.version import open_version
from ...loaders.storage.store import Store
from ...pipelines.run import Outcome
from ...pipelines.work.progress import Progress
from ...pipelines.work.work_units import UnitOutcome
from ...schemas.config import RunConfig
from ...schemas.errors import AuricleError, BusyError, GateError
from ...schemas.night import Event, NightRecord
from ...schemas.version import VersionDocument
from . import hooks
from .records import keep, run_key
from .run_log import RunLog
from .spans import Spans, tracer

if TYPE_CHECKING:
    from .metrics import RunMetrics

INTERRUPTED = 130


class Together:
    """Several `Progress` as one."""

    def __init__(self, *members: Progress) -> None:
        self.members = members

    def notice(self, text: str) -> None:
        for member in self.members:
            member.notice(text)

    def begin(self, stage: str, items: int, audio_s: float, units: int) -> None:
        for member in self.members:
            member.begin(stage, items, audio_s, units)

    def unit(self, outcome: UnitOutcome) -> None:
        for member in self.members:
            member.unit(outcome)

    def end(self, stage: str) -> None:
        for member in self.members:
            member.end(stage)


@dataclass
class Watched:
    """A run that is watched: give it `progress`, and tell it the `outcome`."""

    progress: Progress
    outcome: Outcome | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@contextlib.contextmanager
def watched(config: RunConfig, progress: Progress, night: datetime | None = None) -> Iterator[Watched]:
    """Around one run. night: its scheduled time; then a record of how it ended is kept in the dataset.

    Raises `ConfigError` before the run for a log, port, file or address that cannot be used.
    """
    given, started = config.night, datetime.now(UTC)
    key = run_key(night or started)
    hooks.check(given.hooks)
    log = RunLog(given.log, key) if given.log else None
    meters = _meters(config)
    made_by = tracer()
    spans = Spans(made_by, config.dataset, key) if made_by is not None else None
    all_told = Together(progress, *(member for member in (log, meters, spans) if member is not None))
    run = Watched(all_told)
    base = {
        "run_key": key, "dataset": config.dataset, "scheduled_for": night.isoformat() if night else None,
        "started": started.isoformat(timespec="milliseconds"),
    }  # fmt: skip
    if meters is not None and meters.port is not None:
        progress.notice(f"metrics: http://127.0.0.1:{meters.port}/metrics")
    if log is not None:
        log.write("run begins", **base)
    hooks.tell(given.hooks, "start", {"event": "start", **base}, progress.notice)
    error: BaseException | None = None
    try:
        yield run
    except BaseException as raised:
        error = raised
        raise
    finally:
        _ended(config, run, base, error, night, started, log, meters, spans)


def _meters(config: RunConfig) -> RunMetrics | None:
    if config.night.metrics.port is None and not config.night.metrics.file:
        return None
    # imported only by those who ask for it
    from .metrics import RunMetrics

    return RunMetrics(config.night.metrics, config.dataset)


def _ended(
    config: RunConfig, run: Watched, base: dict[str, Any], error: BaseException | None, night: datetime | None,
    started: datetime, log: RunLog | None, meters: RunMetrics | None, spans: Spans | None,
) -> None:  # fmt: skip
    ended, code = datetime.now(UTC), exit_code_of(error)
    document = run.outcome.version.document if run.outcome else _newest(config.dataset)
    verdict = document.gate.verdict if document else None
    if isinstance(error, GateError):
        verdict = "critical"
    facts = {
        **base,
        "ended": ended.isoformat(timespec="milliseconds"),
        "seconds": round((ended - started).total_seconds(), 1),
        "status": run.outcome.status if run.outcome else "failed",
        "exit_code": code,
        "error": type(error).__name__ if error else None,
        # what nobody expected may quote anything
        "message": str(error).splitlines()[0] if isinstance(error, AuricleError) and str(error) else None,
        "version": document.number if document else None,
        "worst_severity": verdict,
        "failed_checks": _failed_checks(document) if run.outcome else [],
        "counts": document.counts.model_dump() if document else None,
        "hours": document.hours if document else None,
        "report": run.facts.get("report"),
    }
    if log is not None:
        log.write("run ends", **facts)
    if meters is not None:
        meters.ended(code, document)
    if spans is not None:
        spans.ended(code)
    if isinstance(error, BusyError):
        # whoever holds the dataset does the night, and tells
        return
    if night is not None:
        _keep(config.dataset, facts, run)
    fresh = run.outcome is not None and run.outcome.status == "published"
    event: Event = "failure" if error else "warning" if fresh and verdict == "warning" else "success"
    hooks.tell(config.night.hooks, event, {"event": event, **facts}, run.progress.notice)


def exit_code_of(error: BaseException | None) -> int:
    """What the command ends with."""
    if error is None:
        return 0
    return error.exit_code if isinstance(error, AuricleError) else INTERRUPTED if _interrupt(error) else 1


def _interrupt(error: BaseException) -> bool:
    return isinstance(error, KeyboardInterrupt)


def _failed_checks(document: VersionDocument | None) -> list[str]:
    return [c.expectation for c in document.gate.checks if not c.success] if document else []


def _newest(dataset: str) -> VersionDocument | None:
    try:
        store = Store(dataset)
        numbers = readable(store)
        return open_version(store, numbers[-1]).document if numbers else None
    except AuricleError:
        return None


def _keep(dataset: str, facts: dict[str, Any], run: Watched) -> None:
    record = NightRecord.model_validate(facts | {"gate": facts["worst_severity"], "schema": "auricle.night/1"})
    try:
        keep(Store(dataset), record)
    except AuricleError as error:
        run.progress.notice(f"the record of this night could not be kept: {str(error).splitlines()[0]}")

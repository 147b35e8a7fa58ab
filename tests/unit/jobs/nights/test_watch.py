"""What a run tells: hooks, log, metrics, spans, and the record of its night."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from auricle.jobs.nights import records
from auricle.jobs.nights.watch import Watched, watched
from auricle.loaders.storage.store import Store
from auricle.pipelines.work.progress import Silent
from auricle.pipelines.work.work_units import UnitOutcome
from auricle.schemas.config import RunConfig
from auricle.schemas.errors import BusyError, ConfigError, GateError
from auricle.schemas.version import Counts, GateCheck, GateResult, VersionDocument

NIGHT = datetime(2026, 3, 4, 1, 30, tzinfo=UTC)
UNIT = UnitOutcome("u", done=3, failed=1, audio_s=60.0, cpu_s=2.0, started_s=0.0, finished_s=1.0, peak_bytes=0)


class Said(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def notice(self, text: str) -> None:
        self.lines.append(text)


def configured(tmp_path: Path, **night: Any) -> RunConfig:
    return RunConfig.model_validate(
        {"dataset": str(tmp_path / "d"), "sources": [{"path": str(tmp_path)}], "night": night}
    )


def telling(tmp_path: Path, *events: str) -> dict[str, Any]:
    """A hook that appends what it is told to a file."""
    code = f"import sys; open({str(tmp_path / 'told')!r}, 'a').write(sys.stdin.read() + chr(10))"
    return {"events": list(events), "command": [sys.executable, "-c", code]}


def told(tmp_path: Path) -> list[dict[str, Any]]:
    file = tmp_path / "told"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def published(verdict: str = "passed", status: str = "published") -> Any:
    checks = [GateCheck(expectation="hours", severity="warning", success=verdict == "passed")]
    document = VersionDocument(
        number=7, created="2026-03-04T01:40:00+00:00", counts=Counts(clips=10, kept=8, dropped=2),
        hours={"clips": 1.0, "kept": 0.8}, gate=GateResult(verdict=verdict, checks=checks),  # pyright: ignore[reportArgumentType]
    )  # fmt: skip
    return SimpleNamespace(status=status, version=SimpleNamespace(document=document))


def work(run: Watched) -> None:
    run.progress.begin("score", 4, 60.0, 1)
    run.progress.unit(UNIT)
    run.progress.end("score")


def test_hooks_hear_of_start_and_success_with_the_facts_and_no_text_of_a_clip(tmp_path):
    Store(str(tmp_path / "d"), create=True)
    config = configured(tmp_path, hooks=[telling(tmp_path, "start", "success", "warning", "failure")])
    with watched(config, Silent(), NIGHT) as run:
        run.outcome = published()
    start, end = told(tmp_path)
    assert (start["event"], start["run_key"]) == ("start", "20260304T013000Z")
    assert (end["event"], end["status"], end["version"], end["exit_code"]) == ("success", "published", 7, 0)
    assert (end["counts"]["kept"], end["hours"]["kept"], end["worst_severity"]) == (8, 0.8, "passed")
    assert not {"transcript", "speaker"} & set(end)


@pytest.mark.parametrize(
    ("outcome", "error", "event"),
    [
        (published("warning"), None, "warning"),
        # the verdict of a version of long ago is no news
        (published("warning", "unchanged"), None, "success"),
        (None, GateError("the gate refused the candidate\n  hours: required 1, observed 0"), "failure"),
        (None, KeyError("a transcript nobody should see"), "failure"),
        (None, BusyError("another run holds it"), None),
    ],
)
def test_each_end_is_told_as_what_it_is(tmp_path, outcome, error, event):
    Store(str(tmp_path / "d"), create=True)
    config = configured(tmp_path, hooks=[telling(tmp_path, "success", "warning", "failure")])
    if error is None:
        with watched(config, Silent(), NIGHT) as run:
            run.outcome = outcome
    else:
        with pytest.raises(type(error)), watched(config, Silent(), NIGHT):
            raise error
    heard = told(tmp_path)
    assert [h["event"] for h in heard] == ([event] if event else [])
    assert "nobody should see" not in json.dumps(heard)
    if isinstance(error, GateError):
        assert (heard[0]["exit_code"], heard[0]["worst_severity"]) == (20, "critical")
        assert heard[0]["message"] == "the gate refused the candidate"


@pytest.fixture
def posted() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address on this machine, and what was sent to it."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if self.path == "/broken" else 200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()


def test_an_address_gets_the_facts_or_slacks_line_and_a_secret_one_is_named_by_its_variable(
    tmp_path, posted, monkeypatch
):
    url, got = posted
    hooks = [{"events": ["success"], "url_env": "TOLD_AT", "body": "slack"}, {"events": ["success"], "url": url}]
    with pytest.raises(ConfigError, match="TOLD_AT is not set"), watched(configured(tmp_path, hooks=hooks), Silent()):
        raise AssertionError("refused before any work")
    monkeypatch.setenv("TOLD_AT", url)
    with watched(configured(tmp_path, hooks=hooks), Silent()) as run:
        run.outcome = published()
    line, facts = got
    assert line == {"text": f"auricle success: {tmp_path / 'd'}, version 7, 8 of 10 clips kept, 0.80 h, gate: passed"}
    assert facts["version"] == 7


def test_a_hook_that_fails_costs_a_notice_and_no_secret(tmp_path, posted):
    url, _ = posted
    said = Said()
    hooks = [
        {"events": ["success"], "command": [sys.executable, "-c", "import sys; sys.exit('no pager')"]},
        {"events": ["success"], "command": [sys.executable, "-c", "import time; time.sleep(60)"], "timeout_s": 0.3},
        {"events": ["success"], "command": [str(tmp_path / "nothing")]},
        {"events": ["success"], "url": f"{url}/broken"},
        telling(tmp_path, "success"),
    ]
    with watched(configured(tmp_path, hooks=hooks), said) as run:
        run.outcome = published()
    assert len(told(tmp_path)) == 1, "the others are told all the same"
    text = "\n".join(said.lines)
    for part in ("exit code 1: no pager", "no end within 0.3 s", "No such file", "HTTP 500"):
        assert part in text
    assert url not in text


@pytest.mark.parametrize(
    "hook",
    [
        {},
        {"command": ["a"], "url": "http://x"},
        {"url": "file:///etc/passwd"},
        {"command": []},
        {"command": ["a"], "events": []},
    ],
)
def test_a_hook_is_one_way_to_tell_at_one_event_at_least(tmp_path, hook):
    with pytest.raises(ValueError, match=r"hooks"):
        configured(tmp_path, hooks=[hook])


def test_the_log_has_a_line_for_each_thing_that_happened(tmp_path):
    Store(str(tmp_path / "d"), create=True)
    config = configured(tmp_path, log=str(tmp_path / "logs" / "night.jsonl"))
    with watched(config, Silent(), NIGHT) as run:
        run.progress.notice("a notice")
        work(run)
        run.outcome = published()
    with pytest.raises(RuntimeError), watched(config, Silent()):
        raise RuntimeError
    lines = [json.loads(line) for line in (tmp_path / "logs" / "night.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == [
        "run begins", "notice", "stage begins", "stage ends", "run ends", "run begins", "run ends",
    ]  # fmt: skip
    assert lines[3] | {"time": "", "run": ""} == {
        "time": "", "run": "", "event": "stage ends", "stage": "score", "done": 3, "failed": 1, "audio_s": 60.0,
        "cpu_s": 2.0,
    }  # fmt: skip
    assert lines[-1]["exit_code"] == 1


def families(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    return {
        f.name: {tuple(v for k, v in sorted(s.labels.items()) if k != "dataset"): s.value for s in f.samples}
        for f in text_string_to_metric_families(text)
    }


def test_metrics_are_served_on_loopback_while_it_works_and_written_when_it_ends(tmp_path):
    said = Said()
    file = tmp_path / "auricle.prom"
    with watched(configured(tmp_path, metrics={"port": 0, "file": str(file)}), said) as run:
        work(run)
        url = said.lines[0].split()[-1]
        assert url.startswith("http://127.0.0.1:")
        with urlopen(url) as answered:
            served = answered.read().decode()
        assert 'auricle_stage_done{dataset="' in served
        assert not file.exists(), "nothing half-written is visible"
        run.outcome = published()
    found = families(file.read_text())
    assert found["auricle_stage_done"] == {("score",): 3.0}
    assert found["auricle_stage_failed"] == {("score",): 1.0}
    assert found["auricle_stage_units_waiting"] == {("score",): 0.0}
    assert found["auricle_stage_real_time_factor"][("score",)] > 60
    assert found["auricle_hours"] == {("clips",): 1.0, ("kept",): 0.8}
    assert (found["auricle_version"], found["auricle_run_in_progress"]) == ({(): 7.0}, {(): 0.0})
    assert found["auricle_run_exit_code"] == {(): 0.0}
    assert "auricle_run_success_time_seconds" in found
    with pytest.raises(OSError, match="refused"):
        urlopen(url)
    assert list(tmp_path.glob(".auricle*")) == []


def test_a_port_that_is_taken_and_a_folder_that_is_not_there_are_refused_at_the_start(tmp_path, posted):
    url, _ = posted
    port = int(url.rpartition(":")[2])
    for metrics in ({"port": port}, {"file": str(tmp_path / "no" / "x.prom")}):
        with (
            pytest.raises(ConfigError, match=r"night\.metrics"),
            watched(configured(tmp_path, metrics=metrics), Silent()),
        ):
            raise AssertionError("refused before any work")
    (tmp_path / "log").mkdir()
    with (
        pytest.raises(ConfigError, match=r"night\.log"),
        watched(configured(tmp_path, log=str(tmp_path / "log")), Silent()),
    ):
        raise AssertionError("refused before any work")


def test_spans_cover_the_run_and_its_stages_and_an_error_is_one(tmp_path, monkeypatch):
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr("auricle.jobs.nights.watch.tracer", lambda: provider.get_tracer("auricle"))

    def refused() -> None:
        with watched(configured(tmp_path), Silent()) as run:
            work(run)
            raise GateError("refused")

    with pytest.raises(GateError):
        refused()
    stage, whole = kept.get_finished_spans()
    assert (stage.name, whole.name) == ("auricle score", "auricle run")
    assert stage.parent is not None
    assert whole.context is not None
    assert stage.parent.span_id == whole.context.span_id
    assert dict(stage.attributes or {})["auricle.done"] == 3
    assert dict(whole.attributes or {})["auricle.exit_code"] == 20
    assert whole.status.status_code.name == "ERROR"


def test_each_attempt_at_a_night_leaves_a_record_and_one_that_ended_well_is_enough(tmp_path):
    store = Store(str(tmp_path / "d"), create=True)
    config = configured(tmp_path)
    with pytest.raises(GateError), watched(config, Silent(), NIGHT):
        raise GateError("refused")
    with pytest.raises(BusyError), watched(config, Silent(), NIGHT):
        raise BusyError("held")
    assert records.done(store, NIGHT) is None
    with watched(config, Silent(), NIGHT) as run:
        run.outcome = published(status="unchanged")
    with watched(config, Silent()) as run:
        run.outcome = published()
    failed, good = records.attempts(store)
    assert (failed.status, failed.exit_code, failed.error, failed.gate) == ("failed", 20, "GateError", "critical")
    assert (good.status, good.version, good.exit_code) == ("unchanged", 7, 0)
    assert records.done(store, NIGHT) == good
    assert records.done(store, NIGHT + timedelta(days=1)) is None


def test_a_dataset_is_fresh_as_long_as_a_night_ended_well_and_stale_when_none_came(tmp_path):
    store = Store(str(tmp_path / "d"), create=True)
    now = datetime.now(UTC)
    never = records.freshness(store, 26 * 3600)
    assert (never.fresh, never.age_s, never.last) == (False, None, None)
    with watched(configured(tmp_path), Silent(), NIGHT) as run:
        run.outcome = published(status="unchanged")
    assert records.freshness(store, 26 * 3600).fresh
    with pytest.raises(GateError), watched(configured(tmp_path), Silent(), NIGHT + timedelta(days=1)):
        raise GateError("refused")
    later = records.freshness(store, 26 * 3600, now + timedelta(hours=27))
    assert (later.fresh, later.failed_since) == (False, 1)
    assert later.last is not None
    assert later.last.error == "GateError"


def test_records_of_long_ago_go(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "KEPT", 3)
    store = Store(str(tmp_path / "d"), create=True)
    for day in range(8):
        with watched(configured(tmp_path), Silent(), NIGHT + timedelta(days=day)) as run:
            run.outcome = published(status="unchanged")
    kept = [made.scheduled_for for made in records.attempts(store)]
    assert len(kept) <= 6
    assert kept[-1] == (NIGHT + timedelta(days=7)).isoformat()


def test_the_dashboard_asks_only_for_metrics_that_there_are_and_the_docs_name_them_all(tmp_path):
    file = tmp_path / "auricle.prom"
    with watched(configured(tmp_path, metrics={"file": str(file)}), Silent()) as run:
        work(run)
        run.outcome = published()
    there = set(families(file.read_text()))
    docs = Path(__file__).parents[4] / "docs"
    asked = set(re.findall(r"auricle_\w+", (docs / "grafana.json").read_text()))
    assert asked <= there
    named = (docs / "operations.md").read_text()
    assert [name for name in sorted(there) if f"`{name.removeprefix('auricle_')}`" not in named] == []


def test_the_example_of_the_docs_is_a_configuration_as_yaml_reads_it(tmp_path):
    """YAML 1.1 takes a key called `on` for true."""
    page = (Path(__file__).parents[4] / "docs" / "operations.md").read_text()
    (example,) = re.findall(r"```yaml\n(night:\n.*?)```", page, re.DOTALL)
    night = RunConfig.model_validate(
        {"dataset": "d", "sources": [{"path": str(tmp_path)}], **yaml.safe_load(example)}
    ).night
    assert [hook.events for hook in night.hooks] == [["warning", "failure"], ["success", "failure"]]
    assert (night.report, night.metrics.port) == (True, 9464)

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dataset_factory import Recording, write_version

from auricle.jobs.datasets.status_lines import lines
from auricle.loaders import open_version
from auricle.loaders.reading.pending import begin
from auricle.loaders.reading.refs import tag
from auricle.loaders.reading.tombstones import TOMBSTONES
from auricle.loaders.storage.store import Store
from auricle.pipelines.publishing.lease import lease
from auricle.pipelines.publishing.publish import keep_candidate
from auricle.pipelines.upkeep.status import dataset_status
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.version import GateResult

RUN = "20260101T000000-aaaaaa"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    url = str(tmp_path / "data")
    write_version(url, [Recording("a", speaker="ann"), Recording("b", speaker="bob")])
    return Store(url)


def test_a_quiet_dataset_is_told_in_a_few_lines(store: Store) -> None:
    tag(store, "paper")
    made = datetime.fromisoformat(open_version(store).document.created)
    found = dataset_status(store, made.astimezone(UTC) + timedelta(hours=3))
    assert found.newest is not None
    assert (found.newest.version, found.newest.age_s, found.newest.kept) == (1, 3 * 3600, 2)
    assert (found.held_by, found.unfinished, found.retired, found.tags) == (None, [], [], {"paper": 1})
    text = "\n".join(lines(found))
    assert "version 1 by run, 3.0 h old" in text
    assert "free" in text
    assert "no run" in text


def test_before_the_first_version_there_may_be_a_run(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "new"), create=True)
    store.put_new(f"runs/{RUN}/probe/plan.parquet", b"1234")
    found = dataset_status(store)
    assert found.newest is None
    assert [(r.run, r.verb, r.state, r.files, r.num_bytes) for r in found.unfinished] == [
        (RUN, "run", "unfinished", 1, 4)
    ]
    assert "no version is published yet" in "\n".join(lines(found))


def test_unfinished_work_is_named_with_its_verb_and_what_to_do(store: Store) -> None:
    store.put_new(f"runs/{RUN}/score/plan.parquet", b"x")
    store.put_new("runs/relabel-0123456789ab/relabel/plan.parquet", b"x")
    store.put_new("runs/diagnose-0123456789ab/diagnose/plan.parquet", b"x")
    refused = open_version(store).document.model_copy(update={"gate": GateResult(verdict="critical")})
    keep_candidate(store, "20260102T000000-bbbbbb", refused)
    store.put_new("pulling/x", b"")
    found = dataset_status(store)
    assert [(r.verb, r.state) for r in found.unfinished] == [
        ("run", "unfinished"),
        ("run", "refused by the gate"),
        ("diagnose", "unfinished"),
        ("relabel", "unfinished"),
    ]
    assert found.interrupted_pull
    text = "\n".join(lines(found))
    assert f"auricle abandon DATASET {RUN}" in text
    assert "read `gate.checks` in runs/20260102T000000-bbbbbb/candidate-*.json" in text
    with lease(store, wait=False):
        held = dataset_status(store)
    assert {r.state for r in held.unfinished} == {"going on"}
    assert held.held_by is not None
    assert "process" in held.held_by


def test_retired_versions_are_listed_with_their_successor(store: Store) -> None:
    takedown(store, speaker="ann", purge=True)
    found = dataset_status(store)
    assert found.newest is not None
    assert found.newest.version == 2
    assert [(r.version, r.successor) for r in found.retired] == [(1, 2)]
    assert json.loads(store.get("versions/000001.purged"))["retired"] == found.retired[0].retired


def test_a_takedown_that_was_interrupted_is_pending(store: Store) -> None:
    begun = begin(store, TOMBSTONES.empty_table(), purge=True)
    found = dataset_status(store)
    assert [(p.path, p.purge) for p in found.pending] == [(begun.path, True)]
    assert "a purge is running or was interrupted" in "\n".join(lines(found))

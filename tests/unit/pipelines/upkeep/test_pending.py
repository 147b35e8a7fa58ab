"""A takedown that was interrupted is finished by the next verb that works, whichever it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from dataset_factory import CODES, Recording, voices, write_version

from auricle.jobs.models.codes_to_audio import decode_clip
from auricle.jobs.models.train_units import units_of
from auricle.loaders import Version, export, open_version, pull
from auricle.loaders.care.relabels import forget_relabels
from auricle.loaders.reading.pending import PURGING, begin, pending, rows_of
from auricle.loaders.reading.refs import readable
from auricle.loaders.reading.tombstones import TOMBSTONES, put_tombstones
from auricle.loaders.storage.store import Store
from auricle.pipelines.curricula.paced import curriculum
from auricle.pipelines.derived.fit_speech_units import Heard, fit_version
from auricle.pipelines.derived.judge import judge
from auricle.pipelines.diagnosis.diagnose import diagnose
from auricle.pipelines.trial.promoted import candidate, promote, roll_back
from auricle.pipelines.trial.shadow import compare_codec, compare_curator
from auricle.pipelines.upkeep import carry_out as steps
from auricle.pipelines.upkeep.compact import compact
from auricle.pipelines.upkeep.garbage import abandon, collect_garbage
from auricle.pipelines.upkeep.repair import repair
from auricle.pipelines.upkeep.rollback import rollback
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.errors import ConfigError, PendingError
from auricle.schemas.records import PURGE_SCHEMA

EVE = Recording("eve", speaker="eve", text="what eve said")
WORK: dict[str, Callable[[str], object]] = {
    "takedown": takedown,
    "takedown of another": lambda url: takedown(url, clips=[voices(1)[0].key]),
    "compact": compact,
    "rollback": lambda url: rollback(url, 1),
    "repair": repair,
    "gc": lambda url: collect_garbage(url, dry_run=False),
    "abandon": lambda url: abandon(url, "left"),
}

MAKE: dict[str, Callable[[Version, str], object]] = {
    "pull": lambda version, out: pull(version.store.url, out, [CODES.name]),
    "export": lambda version, out: export(version.store, out, "manifest"),
    "judge": lambda version, out: judge(version),
    "diagnose": lambda version, out: diagnose(version),
    "curriculum": lambda version, out: curriculum(version),
    "fit": lambda version, out: fit_version(version, Heard({}), [2], 1, 0, kept=Path(out)),
    "compare a curator": lambda version, out: compare_curator(version, candidate("snr"), 2),
    "compare a codec": lambda version, out: compare_codec(version, lambda _: {}, lambda _: {}, candidate("snr"), 2),
    "promote": lambda version, out: promote(version.store, candidate("snr")),
    "roll models back": lambda version, out: roll_back(version.store),
    "decode": lambda version, out: decode_clip(version, EVE.key, CODES.name, Path(out)),
    "train units": lambda version, out: units_of(version, [2], Path(out)),
    "forget relabels": lambda version, out: forget_relabels(version.store, "a model"),
}
"""Functions that make something of a dataset which they do not hold."""


class Killed(BaseException):
    """Ends a verb where a kill would."""


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    """Two versions that hold her clip, and an unfinished run."""
    url = str(tmp_path / "data")
    write_version(url, voices(3))
    write_version(url, [*voices(3), EVE])
    Store(url).put_new("runs/left/score/attempts/x.0", b"")
    return url


def interrupted(url: str, step: str, monkeypatch: pytest.MonkeyPatch, *, purge: bool) -> None:
    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(steps, step, killed)
        with pytest.raises(Killed):
            takedown(url, speaker="eve", purge=purge)


def keys(url: str) -> set[str]:
    return set(open_version(url).clips(["clip"])["clip"].to_pylist())


@pytest.mark.parametrize("verb", WORK)
@pytest.mark.parametrize("step", ["put_tombstones", "_publish_without"])
def test_whatever_works_next_finishes_a_takedown(
    dataset: str, monkeypatch: pytest.MonkeyPatch, verb: str, step: str
) -> None:
    interrupted(dataset, step, monkeypatch, purge=False)
    assert EVE.key in keys(dataset)
    assert [str(begun).split(" is ")[0] for begun in pending(Store(dataset))] == ["a takedown"]
    WORK[verb](dataset)
    assert pending(Store(dataset)) == []
    assert EVE.key not in keys(dataset)


@pytest.mark.parametrize("verb", sorted(set(WORK) - {"abandon"}))
@pytest.mark.parametrize("step", ["put_tombstones", "_publish_without", "sweep", "purge_relabels"])
def test_whatever_works_next_finishes_a_purge(
    dataset: str, monkeypatch: pytest.MonkeyPatch, verb: str, step: str
) -> None:
    interrupted(dataset, step, monkeypatch, purge=True)
    assert [begun.purge for begun in pending(Store(dataset))] == [True]
    WORK[verb](dataset)
    assert pending(Store(dataset)) == []
    assert 2 not in readable(Store(dataset))
    assert not any(EVE.sha256.encode() in p.read_bytes() for p in Path(dataset, "shards").rglob("*.tar"))


@pytest.mark.parametrize("verb", MAKE)
def test_functions_that_make_something_of_it_refuse_as_their_commands_do(
    dataset: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: str
) -> None:
    version = open_version(dataset)
    interrupted(dataset, "_publish_without", monkeypatch, purge=True)
    before = sorted(Path(dataset).rglob("*"))
    with pytest.raises(PendingError, match="a purge is not done"):
        MAKE[verb](version, str(tmp_path / "out"))
    assert sorted(Path(dataset).rglob("*")) == before
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_what_is_pending_and_leaves_it(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(dataset, "_publish_without", monkeypatch, purge=False)
    said: list[str] = []
    collect_garbage(dataset, notify=said.append)
    takedown(dataset, clips=[voices(1)[0].key], dry_run=True, notify=said.append)
    assert len(said) == 2
    assert all("a takedown is not done" in line for line in said)
    assert len(pending(Store(dataset))) == 1


def test_a_takedown_that_cannot_be_finished_is_named(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(dataset, "_publish_without", monkeypatch, purge=True)
    part = open_version(dataset, 1).document.clips[0]
    Path(dataset, f"objects/clips/{part.sha256}.parquet").unlink()
    with pytest.raises(PendingError, match=f"{PURGING}/.*cannot be finished now.*{part.sha256}"):
        compact(dataset)
    assert PendingError.exit_code == 8


def test_damage_that_a_takedown_fails_at_can_be_repaired_first(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(dataset, "_publish_without", monkeypatch, purge=False)
    shard = next(iter(open_version(dataset).document.representations["toy-codes-50hz"].shards))
    Path(dataset, f"shards/toy-codes-50hz/{shard.sha256}.tar").unlink()
    with pytest.raises(PendingError, match="the object is missing"):
        compact(dataset)
    assert len(repair(dataset).shards) == 1
    assert pending(Store(dataset)) == []


def test_nothing_to_finish_and_nothing_chosen_is_refused(dataset: str) -> None:
    with pytest.raises(ConfigError, match="there is none"):
        takedown(dataset)


def test_a_purge_that_an_older_auricle_had_begun_is_finished(dataset: str) -> None:
    """It wrote a record that names the tombstones, after them."""
    store = Store(dataset)
    rows = pa.Table.from_pylist([{"recording": EVE.sha256, "redact": False}], schema=TOMBSTONES)
    path = put_tombstones(store, rows)
    record = {"schema": PURGE_SCHEMA, "tombstones": path}
    store.put_new(path.replace("tombstones", PURGING).replace("parquet", "json"), json.dumps(record).encode())
    (begun,) = pending(store)
    assert rows_of(store, begun).equals(rows)
    assert takedown(dataset).retired == [2]
    assert EVE.key not in keys(dataset)


def test_the_same_decision_begins_in_one_place_however_often_it_is_given(dataset: str) -> None:
    rows = pa.Table.from_pylist([{"recording": EVE.sha256, "redact": False}], schema=TOMBSTONES)
    assert begin(Store(dataset), rows, purge=True) == begin(Store(dataset), rows, purge=True)
    assert len(pending(Store(dataset))) == 1

"""A full disk, lost and flipped objects, torn receipts: a clear error, nothing lost, nothing half published."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
import pytest
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.loaders import open_version
from auricle.loaders.pull import pull
from auricle.loaders.store import Store
from auricle.loaders.verify import verify
from auricle.loaders.version import numbers
from auricle.pipelines.compact import compact
from auricle.pipelines.repair import repair
from auricle.pipelines.rollback import rollback
from auricle.pipelines.run import run
from auricle.pipelines.takedown import takedown
from auricle.schemas.errors import AuricleError, IntegrityError, StorageError

CODES = "cheap-codes-100hz"


@pytest.fixture
def two_nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset of two versions with eight and twelve clips."""
    without_ray(monkeypatch)
    for first, count in ((0, 8), (8, 4)):
        write_corpus(tmp_path / "audio", count, first=first)
        run(config(tmp_path / "audio", tmp_path / "data"))
    return tmp_path


def shards(root: Path) -> list[Path]:
    entry = open_version(str(root / "data")).document.representations[CODES]
    return [root / "data" / "shards" / CODES / f"{s.sha256}.tar" for s in entry.shards]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


OPERATIONS: dict[str, Callable[[Path], Any]] = {
    "run": lambda root: run(config(root / "audio", root / "data", keep=[])),
    "takedown": lambda root: takedown(str(root / "data"), speaker="speaker1", purge=True),
    "rollback": lambda root: rollback(str(root / "data"), 1),
    "compact": lambda root: compact(str(root / "data")),
    "pull": lambda root: pull(str(root / "data"), str(root / "pulled"), ["cheap-codes"], where="speaker <> 'speaker1'"),
}


def attempted(operation: Callable[[Path], Any], root: Path) -> tuple[bool, str]:
    """Whether it ended well, or what it said."""
    try:
        operation(root)
    except StorageError as error:
        return False, str(error)
    return True, ""


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_full_disk_is_said_and_the_same_command_works_when_there_is_room(
    two_nights: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    write_corpus(two_nights / "audio", 2, first=12)
    real = obstore.put
    failures = 0
    for room in (0, 1, 3, 6, 10, 15, 30, 60):
        left = room

        def full(store: Any, path: str, data: Any, **options: Any) -> Any:
            nonlocal left
            # the lease is written before the disk fills up
            if not path.startswith("lease"):
                left -= 1
                if left < 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
            return real(store, path, data, **options)

        with monkeypatch.context() as patch:
            patch.setattr(obstore, "put", full)
            done, said = attempted(OPERATIONS[name], two_nights)
        if done:
            break
        assert "No space left on device" in said
        failures += 1
        assert verify(str(two_nights / "data")) == []
        assert numbers(Store(str(two_nights / "data")))[:2] == [1, 2]
    assert failures >= 1
    assert verify(str(two_nights / "data")) == []


def test_a_lost_shard_stops_the_next_publish_and_repair_brings_its_samples_back(two_nights: Path) -> None:
    shards(two_nights)[0].unlink()
    write_corpus(two_nights / "audio", 2, first=12)
    with pytest.raises(IntegrityError, match="nothing was published"):
        run(config(two_nights / "audio", two_nights / "data"))
    assert open_version(str(two_nights / "data")).document.number == 2
    assert repair(str(two_nights / "data")).document is not None
    outcome = run(config(two_nights / "audio", two_nights / "data"))
    assert {s.name: s.done for s in outcome.version.document.stages}["extract"] == 8
    assert len(list(outcome.version.samples(CODES))) == 14
    assert verify(str(two_nights / "data")) == []


def test_a_flipped_shard_is_repaired_without_touching_the_others(two_nights: Path) -> None:
    whole = shards(two_nights)[1]
    before = whole.read_bytes()
    flip(shards(two_nights)[0])
    assert len(repair(str(two_nights / "data")).shards) == 1
    outcome = run(config(two_nights / "audio", two_nights / "data"))
    assert whole.read_bytes() == before
    assert len(list(outcome.version.samples(CODES))) == 12
    assert verify(str(two_nights / "data")) == []


def test_a_lost_part_of_the_table_is_answered_by_a_rollback_and_a_run(two_nights: Path) -> None:
    data = str(two_nights / "data")
    fresh = {o.sha256 for o in open_version(data, 2).document.clips} - {
        o.sha256 for o in open_version(data, 1).document.clips
    }
    for sha256 in fresh:
        (two_nights / "data/objects/clips" / f"{sha256}.parquet").unlink()
    with pytest.raises(AuricleError, match="missing"):
        run(config(two_nights / "audio", two_nights / "data", keep=[]))
    rollback(data, 1)
    outcome = run(config(two_nights / "audio", two_nights / "data"))
    assert outcome.version.document.counts.kept == 12
    assert verify(data) == []


def test_a_torn_receipt_is_named_and_the_run_goes_on_without_it(
    two_nights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_corpus(two_nights / "audio", 2, first=12)
    with monkeypatch.context() as patch:
        patch.setattr("auricle.pipelines.run.decide", _killed)
        with pytest.raises(RuntimeError, match="killed"):
            run(config(two_nights / "audio", two_nights / "data"))
    receipts = sorted((two_nights / "data/runs").rglob("score/receipts/**/*.parquet"))
    assert receipts
    receipts[0].write_bytes(receipts[0].read_bytes()[:-20])
    with pytest.raises(AuricleError) as caught:
        run(config(two_nights / "audio", two_nights / "data"))
    assert receipts[0].name in str(caught.value)
    receipts[0].unlink()
    outcome = run(config(two_nights / "audio", two_nights / "data"))
    assert outcome.version.document.counts.kept == 14
    assert verify(str(two_nights / "data")) == []


def _killed(*_: Any) -> None:
    raise RuntimeError("killed")

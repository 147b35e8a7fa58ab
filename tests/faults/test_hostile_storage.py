"""A full disk, lost and flipped objects, a clock that jumps: a clear error, nothing lost, nothing half published."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import obstore
import pytest
from corpus import config, write_corpus
from damage import flip, killed

from auricle.loaders import open_version
from auricle.loaders.care.verify import verify
from auricle.loaders.copies.pull import pull
from auricle.loaders.reading.refs import tag, untag
from auricle.loaders.reading.version import numbers
from auricle.loaders.storage.store import Store
from auricle.pipelines.run import run
from auricle.pipelines.upkeep.compact import compact
from auricle.pipelines.upkeep.garbage import collect_garbage
from auricle.pipelines.upkeep.repair import repair
from auricle.pipelines.upkeep.rollback import rollback
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.errors import AuricleError, IntegrityError, StorageError

CODES = "cheap-codes-100hz"


def shards(root: Path) -> list[Path]:
    entry = open_version(str(root / "data")).document.representations[CODES]
    return [root / "data" / "shards" / CODES / f"{s.sha256}.tar" for s in entry.shards]


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


def test_a_damaged_object_is_replaced_by_whoever_writes_it_again(two_nights: Path) -> None:
    """The bytes that a rollback and a compaction make again are those that a disk had flipped."""
    data = str(two_nights / "data")
    compact(data)
    rollback(data, 2)
    newest = open_version(data, 3).document
    [shard] = newest.representations[CODES].shards
    for file in (f"objects/clips/{newest.clips[0].sha256}.parquet", f"shards/{CODES}/{shard.sha256}.tar"):
        flip(two_nights / "data" / file)
    compact(data)
    assert verify(data) == verify(data, 3) == []


def test_a_read_only_dataset_is_said_and_still_reads(two_nights: Path) -> None:
    data = two_nights / "data"
    write_corpus(two_nights / "audio", 1, first=12)
    (two_nights / "auricle.yaml").write_text(config(two_nights / "audio", data).model_dump_json())
    folders = [p for p in (data, *data.rglob("*")) if p.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        for words in (["run", str(two_nights / "auricle.yaml")], ["gc", str(data)], ["rollback", str(data), "1"]):
            done = without_override("-m", "auricle.jobs.cli", *words)
            assert done.returncode == 5, done.stderr
            assert "denied" in done.stderr.lower()
            assert str(data) in done.stderr
        done = without_override("-m", "auricle.jobs.cli", "verify", str(data))
        assert done.returncode == 0, done.stderr
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert numbers(Store(str(data))) == [1, 2]
    assert run(config(two_nights / "audio", data)).version.document.counts.kept == 13


def without_override(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in a process that permissions bind, also where the tests run as root."""

    def drop() -> None:
        # PR_CAPBSET_DROP of CAP_DAC_OVERRIDE; refused, and not needed, where this is no root
        ctypes.CDLL(None).prctl(24, 1)

    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, preexec_fn=drop)


PLACES = (0.02, 0.4, 0.95)


@pytest.mark.parametrize("place", PLACES)
def test_one_flipped_bit_in_any_file_is_a_clear_error_or_does_no_harm(two_nights: Path, place: float) -> None:
    """In version documents, tags, leases, tombstones, parts and shards: nothing is published that carries it on."""
    data = two_nights / "data"
    tag(str(data), "paper", 1)
    takedown(str(data), speaker="speaker1")
    write_corpus(two_nights / "audio", 2, first=12)
    kinds = set()
    for file in sorted(p for p in data.rglob("*") if p.is_file() and p.stat().st_size):
        copy = Path(shutil.copytree(data, two_nights / "copy"))
        name = file.relative_to(data)
        kinds.add(name.parts[0])
        flip(copy / name, place)
        known = {p.relative_to(copy): p.read_bytes() for p in copy.rglob("*") if p.is_file()}
        for operation in (
            lambda copy=copy: open_version(str(copy), "paper").clips(),
            lambda copy=copy: list(open_version(str(copy)).samples(CODES)),
            lambda copy=copy: verify(str(copy)),
            lambda copy=copy: rollback(str(copy), 2),
            lambda copy=copy: run(config(two_nights / "audio", copy, keep=[])),
        ):
            with contextlib.suppress(AuricleError):
                operation()
        # what was there is as it was, or healed, and new versions hold no damage but the one file
        for path, before in known.items():
            if path.parts[0] in ("versions", "objects", "shards", "tombstones"):
                assert (copy / path).read_bytes() in (before, (data / path).read_bytes()), f"{path} changed"
        fresh = [n for n in numbers(Store(str(copy))) if n > 3]
        for number in fresh:
            assert {f.path for f in verify(str(copy), number)} <= {name.as_posix()}
            paths = open_version(str(copy), number).clips(["path"])["path"].to_pylist()
            assert not {"clip_0001.wav", "clip_0005.wav", "clip_0009.wav"}.intersection(paths)
        shutil.rmtree(copy)
    assert kinds == {"lease", "objects", "refs", "shards", "tombstones", "versions"}


def test_a_damaged_version_document_says_what_to_do_and_moving_it_away_goes_on(two_nights: Path) -> None:
    data = two_nights / "data"
    path = data / "versions/000002.json"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(IntegrityError, match=r"versions/000002\.json.*backup.*move it away"):
        open_version(str(data))
    path.unlink()
    assert open_version(str(data)).document.number == 1
    outcome = run(config(two_nights / "audio", data))
    assert (outcome.version.document.number, outcome.version.document.counts.kept) == (2, 12)
    assert verify(str(data)) == []


def test_a_damaged_tag_is_removed_and_given_again(two_nights: Path) -> None:
    data = str(two_nights / "data")
    tag(data, "paper", 1)
    path = two_nights / "data/refs/paper.json"
    path.write_bytes(path.read_bytes()[:30])
    with pytest.raises(IntegrityError, match="--remove"):
        open_version(data, "paper")
    untag(data, "paper")
    tag(data, "paper", 1)
    assert open_version(data, "paper").document.number == 1


def test_a_tag_on_a_document_that_changed_is_refused(two_nights: Path) -> None:
    data = str(two_nights / "data")
    tag(data, "paper", 1)
    path = two_nights / "data/versions/000001.json"
    path.write_bytes(path.read_bytes().replace(b'"note": ""', b'"note": "x"'))
    with pytest.raises(IntegrityError, match="other bytes"):
        open_version(data, "paper")


def test_a_flipped_part_of_the_table_is_never_written_again_under_a_new_hash(two_nights: Path) -> None:
    data = two_nights / "data"
    flip(data / f"objects/clips/{open_version(str(data)).document.clips[1].sha256}.parquet", 0.3)
    write_corpus(two_nights / "audio", 2, first=12)
    with pytest.raises(IntegrityError, match="do not hash to its name"):
        run(config(two_nights / "audio", data, keep=[{"score": "loudness_db", "min": -21, "reason": "quiet"}]))
    assert numbers(Store(str(data))) == [1, 2]


@pytest.mark.parametrize("year", [1971, 2222])
def test_a_clock_that_jumps_neither_loses_nor_doubles_anything(
    two_nights: Path, monkeypatch: pytest.MonkeyPatch, year: int
) -> None:
    """A night is killed while the clock is decades away; the next goes on with the right one."""
    data = two_nights / "data"
    write_corpus(two_nights / "audio", 4, first=12)
    far = datetime(year, 1, 2, tzinfo=UTC)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return far

    before = {p for p in data.rglob("*") if p.is_file()}
    with monkeypatch.context() as patch:
        for module in ("run", "publishing.document", "upkeep.amend"):
            patch.setattr(f"auricle.pipelines.{module}.datetime", Clock)
        patch.setattr("time.time", far.timestamp)
        rollback(str(data), 1)
        patch.setattr("auricle.pipelines.run.extract", killed)
        with pytest.raises(RuntimeError, match="killed"):
            run(config(two_nights / "audio", data))
    for file in {p for p in data.rglob("*") if p.is_file()} - before:
        os.utime(file, (far.timestamp(), far.timestamp()))
    outcome = run(config(two_nights / "audio", data))
    # the four of night two, which the rollback had left out, and the four that are new
    assert {s.name: s.done for s in outcome.version.document.stages}["score"] == 0
    assert outcome.version.document.counts.kept == 16
    assert numbers(Store(str(data))) == [1, 2, 3, 4]
    collect_garbage(str(data), keep_last=4, dry_run=False)
    for number in (1, 2, 3, 4):
        assert verify(str(data), number) == []
    assert run(config(two_nights / "audio", data)).status == "unchanged"

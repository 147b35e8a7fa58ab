import os
from pathlib import Path

import pytest
from dataset_factory import Recording, voices, write_version

from auricle.loaders import open_version
from auricle.loaders.care.verify import verify
from auricle.loaders.reading.refs import tag
from auricle.loaders.reading.version import numbers
from auricle.loaders.storage.objects import objects
from auricle.loaders.storage.store import Store
from auricle.pipelines.publishing.publish import close_run, keep_candidate
from auricle.pipelines.upkeep.garbage import abandon, collect_garbage, unfinished
from auricle.schemas.errors import ConfigError
from auricle.schemas.version import VersionDocument


def nights(url: str, count: int) -> None:
    """Every night one recording goes and one comes."""
    for night in range(count):
        write_version(url, [Recording(f"r{i}", num_samples=16000 + i) for i in range(night, night + 3)], per_shard=1)


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    url = str(tmp_path / "data")
    nights(url, 5)
    return url


def files(url: str) -> set[str]:
    return {e.path for e in Store(url).list() if not e.path.startswith("lease/")}


def test_a_dry_run_removes_nothing_and_says_exactly_what_would_go(dataset: str) -> None:
    before = files(dataset)
    told = collect_garbage(dataset, keep_last=2, grace_s=0)
    assert files(dataset) == before
    done = collect_garbage(dataset, keep_last=2, dry_run=False, grace_s=0)
    assert sorted(told.files) == sorted(done.files)
    assert before - files(dataset) == {path for path, _ in done.files}
    assert done.versions == [1, 2, 3]


def test_the_last_versions_and_the_tagged_ones_stay_whole(dataset: str) -> None:
    tag(dataset, "paper", 2)
    Store(dataset).put_new("derived/000001/profile.json", b"{}")
    Store(dataset).put_new("derived/000002/profile.json", b"{}")
    result = collect_garbage(dataset, keep_last=1, dry_run=False, grace_s=0)
    assert numbers(Store(dataset)) == result.kept == [2, 5]
    assert verify(dataset, 2) == verify(dataset, 5) == []
    assert "derived/000001/profile.json" not in files(dataset)
    assert "derived/000002/profile.json" in files(dataset)


def test_nothing_is_left_but_what_the_kept_versions_reach(dataset: str) -> None:
    Store(dataset).put_new("shards/toy-codes-50hz/" + "0" * 64 + ".tar", b"left by a lost race")
    collect_garbage(dataset, keep_last=1, dry_run=False, grace_s=0)
    reached = {path for path, _ in objects(open_version(dataset).document)}
    assert files(dataset) == reached | {"versions/000005.json"}
    assert collect_garbage(dataset, keep_last=1, grace_s=0).files == []


def test_young_orphans_stay_by_the_clock_of_the_store(dataset: str) -> None:
    orphan = "objects/clips/" + "1" * 64 + ".parquet"
    Store(dataset).put_new(orphan, b"of a run that was paused")
    assert orphan not in dict(collect_garbage(dataset, keep_last=5, grace_s=60).files)
    stamp = (Path(dataset) / orphan).stat().st_mtime - 61
    os.utime(Path(dataset) / orphan, (stamp, stamp))
    assert orphan in dict(collect_garbage(dataset, keep_last=5, grace_s=60).files)


def test_collecting_between_a_kill_and_its_resume_leaves_what_the_run_needs(dataset: str) -> None:
    store = Store(dataset)
    document = write_version(dataset, voices(3))
    (Path(dataset) / "versions/000006.json").unlink()
    keep_candidate(store, "20260101T000000-abcdef", document)
    for path in ("plan/a.parquet", "receipts/x/b.parquet", "payloads/toy/c"):
        store.put_new(f"runs/20260101T000000-abcdef/extract/{path}", b"work")
    collect_garbage(dataset, keep_last=1, dry_run=False, grace_s=0)
    assert {path for path, _ in objects(document)} <= files(dataset)
    assert len([f for f in files(dataset) if f.startswith("runs/")]) == 4
    store.put_new("versions/000006.json", document.to_json())
    assert verify(dataset) == []


def test_a_run_is_given_up_only_by_name(dataset: str) -> None:
    store = Store(dataset)
    for run in ("a", "ab"):
        store.put_new(f"runs/{run}/score/receipts/x/b.parquet", b"work")
    with pytest.raises(ConfigError, match="there are: a, ab"):
        abandon(dataset, "b")
    assert abandon(dataset, "a").num_bytes == 4
    assert [left.run for left in unfinished(dataset)] == ["ab"]


def test_the_newest_version_cannot_be_collected(dataset: str) -> None:
    with pytest.raises(ConfigError, match="newest version stays"):
        collect_garbage(dataset, keep_last=0)


def test_an_unreadable_candidate_stops_the_collection(dataset: str) -> None:
    Store(dataset).put_new("runs/a/candidate-0.json", b'{"schema": "auricle.version/2"}')
    with pytest.raises(Exception, match="Upgrade"):
        collect_garbage(dataset, keep_last=1, dry_run=False, grace_s=0)
    assert numbers(Store(dataset)) == [1, 2, 3, 4, 5]


def test_documents_of_versions_stay_readable_by_an_older_minor(dataset: str) -> None:
    raw = (Path(dataset) / "versions/000005.json").read_bytes().replace(b'"note": ""', b'"note": "", "later": 1')
    assert VersionDocument.from_json(raw).number == 5


def test_a_published_run_that_was_not_tidied_up_keeps_nothing(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its version is collected like any other, and what is left of it goes with the next verb that works."""
    store, run = Store(dataset), "20260101T000000-abcdef"
    document = open_version(dataset, 2).document
    keep_candidate(store, run, document)
    store.put_new(f"runs/{run}/extract/payloads/toy/c", b"work")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "delete", lambda self, paths: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            close_run(store, run, document)
    would = dict(collect_garbage(dataset, keep_last=1, grace_s=0).files)
    assert {path for path in files(dataset) if path.startswith("runs/")} <= set(would)
    collect_garbage(dataset, keep_last=1, dry_run=False, grace_s=0)
    reached = {path for path, _ in objects(open_version(dataset).document)}
    assert files(dataset) == reached | {"versions/000005.json"}

"""The same on an object store: moto's server on the loopback interface, through obstore."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dataset_factory import CODES, voices, write_version
from object_store import s3_server, use_s3

from auricle.loaders import Loader, Settings, TrainingData, open_version
from auricle.loaders.care.verify import verify
from auricle.loaders.copies.diff import diff
from auricle.loaders.copies.export import export
from auricle.loaders.copies.pull import pull
from auricle.loaders.reading.refs import tag, tags
from auricle.loaders.storage.store import Store
from auricle.loaders.training import data
from auricle.pipelines.publishing.lease import lease
from auricle.pipelines.publishing.publish import publish
from auricle.pipelines.upkeep.amend import amend
from auricle.pipelines.upkeep.compact import compact
from auricle.pipelines.upkeep.garbage import collect_garbage
from auricle.pipelines.upkeep.rollback import rollback
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.errors import BusyError, IntegrityError

BUCKET = "auricle-tests"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def dataset(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """An empty prefix of the bucket."""
    use_s3(endpoint, BUCKET, tmp_path / "cache", monkeypatch)
    return f"s3://{BUCKET}/{request.node.name}"


def objects_of(url: str) -> set[str]:
    return {e.path for e in Store(url).list()}


def test_a_put_of_an_existing_object_changes_nothing(dataset: str) -> None:
    store = Store(dataset)
    assert store.put_new("a/b", b"first")
    assert not store.put_new("a/b", b"second")
    assert store.get("a/b") == b"first"


def test_of_many_writers_of_one_name_exactly_one_wins(dataset: str) -> None:
    stores = [Store(dataset) for _ in range(8)]
    barrier = threading.Barrier(8)

    def write(i: int) -> bool:
        barrier.wait()
        return stores[i].put_new("versions/000001.json", f"writer {i}".encode())

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(write, range(8)))
    assert sum(won) == 1
    assert Store(dataset).get("versions/000001.json") == f"writer {won.index(True)}".encode()


def test_two_publishers_of_one_number_cannot_both_win(dataset: str) -> None:
    store = Store(dataset)
    first = write_version(store, voices(3))
    rivals = [first.model_copy(update={"number": 2, "parent": 1, "note": f"rival {i}"}) for i in range(4)]
    barrier = threading.Barrier(4)

    def race(i: int) -> bool:
        barrier.wait()
        return publish(Store(dataset), rivals[i])

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(race, range(4)))
    assert sum(won) == 1
    assert open_version(dataset).document.note == f"rival {won.index(True)}"
    assert publish(store, rivals[won.index(True)]), "a repeated request that had succeeded is no lost race"


def test_a_loser_of_the_race_makes_its_change_again_on_the_winner(dataset: str) -> None:
    store = Store(dataset)
    write_version(store, voices(3))
    made: list[int] = []

    def make(newest):
        made.append(newest.document.number)
        if len(made) == 1:
            write_version(store, voices(4))
        return newest.document.model_copy(update={"note": "amended"})

    document = amend(store, "rollback", make)
    assert document is not None
    assert (made, document.number, document.counts.clips) == ([1, 2], 3, 4)


def test_nothing_is_published_while_an_object_is_missing(dataset: str) -> None:
    store = Store(dataset)
    document = write_version(store, voices(2))
    store.delete([f"shards/{CODES.name}/{document.representations[CODES.name].shards[0].sha256}.tar"])
    with pytest.raises(IntegrityError, match="nothing was published"):
        publish(store, document.model_copy(update={"number": 2}))
    assert not store.exists("versions/000002.json")


def test_a_second_run_is_turned_away_at_once(dataset: str) -> None:
    store = Store(dataset, create=True)
    with lease(store, wait=False), pytest.raises(BusyError, match="at work"), lease(store, wait=False):
        pass
    with lease(store, wait=False):
        pass


def test_every_operation_on_versions_works_as_on_a_disk(dataset: str, tmp_path) -> None:
    write_version(dataset, voices(4))
    write_version(dataset, [*voices(3), *voices(3, "w", speaker="bob")])
    assert verify(dataset) == []
    assert diff(dataset, 1, 2).came == {"new": 3}
    tag(dataset, "paper", 1)
    assert [t.version for t in tags(dataset)] == [1]
    assert open_version(f"{dataset}@paper").document.number == 1
    assert compact(dataset) is not None
    assert rollback(dataset, 2).number == 4
    assert export(dataset, str(tmp_path / "out"), "webdataset").clips == 6
    taken = takedown(dataset, speaker="bob", purge=True)
    assert taken.retired == [2, 3, 4]
    assert {s.key for s in open_version(dataset).samples(CODES.name)} == {r.key for r in voices(3)}
    assert verify(dataset) == []
    gone = collect_garbage(dataset, keep_last=1, dry_run=False, grace_s=0)
    assert gone.versions == []
    assert open_version(dataset, "paper").document.counts.kept == 4


def test_a_purge_reaches_the_copies_of_shards_and_tables_that_this_machine_holds(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # samples of a few bytes are little of a shard
    monkeypatch.setattr(data, "WHOLE_SHARE", 0.0)
    write_version(dataset, [*voices(3), *voices(3, "w", speaker="bob")])
    for cache in (None, tmp_path / "mine"):
        assert len(list(Loader(TrainingData(dataset, CODES.name, Settings(batch_rows=2), cache=cache)))) == 3
    old = {shard.sha256 for shard in open_version(dataset).document.representations[CODES.name].shards}
    old |= {part.sha256 for part in open_version(dataset).document.clips}

    def held(folder: Path) -> set[str]:
        return {file.stem for file in folder.rglob("*") if file.stem in old}

    assert held(tmp_path / "cache") == old
    takedown(dataset, speaker="bob", purge=True)
    assert held(tmp_path / "cache") == set()
    # what the purge does not know of goes when it is next opened
    assert held(tmp_path / "mine")
    TrainingData(dataset, CODES.name, Settings(batch_rows=2), cache=tmp_path / "mine")
    assert held(tmp_path / "mine") == set()


def test_a_version_is_pulled_from_and_into_the_object_store(dataset: str, tmp_path) -> None:
    write_version(dataset, [*voices(5), *voices(2, "fr", language="fr")])
    local = pull(dataset, str(tmp_path / "local"), ["toy-codes"], where="language = 'fr'")
    assert local.live == {CODES.name: 2}
    assert verify(str(tmp_path / "local")) == []
    remote = pull(dataset, f"{dataset}-copy", ["toy-codes"])
    assert remote.live == {CODES.name: 7}
    assert verify(f"{dataset}-copy") == []
    assert pull(dataset, f"{dataset}-copy", ["toy-codes"]).status == "unchanged"


def test_a_damaged_copy_on_this_machine_is_fetched_again(dataset: str) -> None:
    write_version(dataset, voices(3))
    copy = open_version(dataset).files()[0]
    data = bytearray(copy.read_bytes())
    data[50] ^= 1
    copy.write_bytes(data)
    assert verify(dataset) == []
    assert open_version(dataset).clips().num_rows == 3

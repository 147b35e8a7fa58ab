"""A crash at every write between the last receipt and the version document, and two publishers that race."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from corpus import config, write_corpus

from auricle.loaders.reading.version import numbers, open_version
from auricle.loaders.storage.store import Store
from auricle.pipelines.publishing.publish import publish
from auricle.pipelines.run import run
from auricle.schemas.errors import ConfigError

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]


class Crash(BaseException):
    """Ends the process as far as the code under test can tell: nothing catches it."""


def tree(dataset: Path, *folders: str) -> dict[str, bytes]:
    """Files of a dataset by path."""
    files = [p for folder in folders for p in sorted((dataset / folder).rglob("*")) if p.is_file()]
    return {str(p.relative_to(dataset)): p.read_bytes() for p in files}


def test_a_crash_at_any_step_of_publishing_leaves_nothing_visible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after each write; the same command then ends with the bytes of an undisturbed run."""
    audio = tmp_path / "audio"
    write_corpus(audio, 6)
    undisturbed = tmp_path / "undisturbed"
    run(config(audio, undisturbed))
    dataset = tmp_path / "dataset"
    real = Store.put_new
    steps: list[str] = []
    crash_at: int | None = None
    after = False

    def put_new(self: Store, path: str, data: Any, **how: Any) -> bool:
        if not path.startswith(("objects/", "shards/", "versions/")):
            return real(self, path, data, **how)
        steps.append(path)
        if crash_at == len(steps) and not after:
            raise Crash(path)
        done = real(self, path, data, **how)
        if crash_at == len(steps):
            raise Crash(path)
        return done

    monkeypatch.setattr(Store, "put_new", put_new)
    crashed = 0
    for step in range(1, 20):
        for after in (False, True):
            crash_at, steps[:] = step, []
            try:
                outcome = run(config(audio, dataset))
            except Crash as crash:
                crashed += 1
                published = str(crash).startswith("versions/") and after
                assert numbers(Store(str(dataset))) == ([1] if published else [])
                if not published:
                    with pytest.raises(ConfigError, match="no version"):
                        open_version(str(dataset))
            else:
                break
        else:
            continue
        break
    assert crashed >= 8, "a shard, two parts and the document, each before and after its write"
    assert outcome.version.document.number == 1
    folders = ("objects", "shards")
    assert tree(dataset, *folders) == tree(undisturbed, *folders)
    assert {s.key for s in outcome.version.samples("cheap")} == {
        s.key for s in open_version(str(dataset)).samples("cheap")
    }


def test_of_two_racing_publishers_one_wins_and_one_is_told(tmp_path: Path) -> None:
    """Eight threads publish the same number at once, over and over."""
    audio, dataset = tmp_path / "audio", tmp_path / "dataset"
    write_corpus(audio, 2)
    base = run(config(audio, dataset)).version
    for number in range(2, 12):
        results: list[bool] = []
        barrier = threading.Barrier(8)

        def race(note: str, number: int = number, results: list[bool] = results, barrier: Any = barrier) -> None:
            document = base.document.model_copy(update={"number": number, "note": note})
            barrier.wait()
            results.append(publish(base.store, document))

        threads = [threading.Thread(target=race, args=(f"publisher {i}",)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == [False] * 7 + [True]
    assert numbers(base.store) == list(range(1, 12))


def test_an_object_lost_before_publishing_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishing checks every object again, so a document never lists what is not there."""
    from auricle.pipelines import run as module
    from auricle.schemas.errors import IntegrityError

    audio, dataset = tmp_path / "audio", tmp_path / "dataset"
    write_corpus(audio, 2)
    real = module.publish

    def lose_a_shard(store: Store, document: Any) -> bool:
        next((dataset / "shards").rglob("*.tar")).unlink()
        return real(store, document)

    monkeypatch.setattr(module, "publish", lose_a_shard)
    with pytest.raises(IntegrityError, match="nothing was published"):
        run(config(audio, dataset))
    monkeypatch.undo()
    assert run(config(audio, dataset)).version.document.counts.kept == 2

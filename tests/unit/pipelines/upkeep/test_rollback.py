from collections.abc import Callable
from pathlib import Path

import pyarrow.compute as pc
import pytest
from dataset_factory import CODES, voices, write_version

from auricle.loaders import open_version
from auricle.loaders.care.verify import verify
from auricle.loaders.storage.store import Store
from auricle.pipelines.upkeep.compact import compact
from auricle.pipelines.upkeep.garbage import collect_garbage
from auricle.pipelines.upkeep.rollback import rollback
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.errors import ConfigError


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    url = str(tmp_path / "data")
    write_version(url, voices(5))
    write_version(url, voices(3) + voices(2, "w"))
    return url


def test_the_old_list_comes_back_under_a_new_number(dataset: str) -> None:
    Store(dataset).put_new("derived/000001/curriculum.parquet", b"stages")
    document = rollback(dataset, 1)
    old, new = open_version(dataset, 1), open_version(dataset)
    assert (document.number, document.parent, document.kind) == (3, 2, "rollback")
    assert document.note == "rolled back to version 1"
    assert new.clips().equals(old.clips())
    assert new.document.representations == old.document.representations
    assert new.derived("curriculum.parquet") == b"stages"
    assert verify(dataset) == []


def test_rolling_back_and_forth_writes_no_object(dataset: str) -> None:
    objects = {e.path for e in Store(dataset).list() if e.path.startswith(("objects", "shards"))}
    rollback(dataset, 1)
    rollback(dataset, 2)
    assert open_version(dataset).clips().equals(open_version(dataset, 2).clips())
    assert {e.path for e in Store(dataset).list() if e.path.startswith(("objects", "shards"))} == objects


def test_rolling_back_to_the_newest_or_the_unknown_is_refused(dataset: str) -> None:
    with pytest.raises(ConfigError, match="newest already"):
        rollback(dataset, 2)
    with pytest.raises(ConfigError, match="no version 8"):
        rollback(dataset, 8)
    assert open_version(dataset).document.number == 2


def test_what_was_taken_down_stays_away_from_a_rollback(dataset: str) -> None:
    gone = voices(1)[0]
    takedown(dataset, clips=[gone.key])
    assert rollback(dataset, 1).note == "rolled back to version 1 without 1 clip that was taken down"
    version = open_version(dataset)
    assert version.document.counts.kept == 4
    assert gone.key not in {s.key for s in version.samples(CODES.name)}
    assert gone.sha256 not in version.recordings()["recording"].to_pylist()
    assert verify(dataset) == []


def test_what_was_redacted_stays_hidden_after_a_rollback(dataset: str) -> None:
    hidden = voices(1)[0]
    takedown(dataset, clips=[hidden.key], redact=True)
    rollback(dataset, 1)
    row = open_version(dataset).clips(where=pc.field("clip") == hidden.key).to_pylist()[0]
    assert row["transcript"] is None
    assert row["path"] is None


def test_a_curriculum_follows_its_content_through_rollback_compaction_and_redaction(
    dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the copying was interrupted; the report, which names its version, stays where it is."""
    for name, data in (("curriculum.parquet", b"stages"), ("difficulty-toy.parquet", b"hard"), ("report.html", b"1")):
        Store(dataset).put_new(f"derived/000001/{name}", data)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("auricle.pipelines.upkeep.amend.follow_content", killed)
        with pytest.raises(KeyboardInterrupt):
            rollback(dataset, 1)
    assert open_version(dataset, 3).derived("curriculum.parquet") is None
    collect_garbage(dataset, 1, dry_run=False, grace_s=0)
    steps: list[Callable[[], object]] = [
        lambda: takedown(dataset, clips=[voices(1)[0].key], redact=True),
        lambda: compact(dataset, shard_bytes=1 << 30),
        lambda: rollback(dataset, 3),
    ]
    for step in steps:
        version = open_version(dataset)
        assert (version.derived("curriculum.parquet"), version.derived("report.html")) == (b"stages", None)
        assert version.derived("difficulty-toy.parquet") == b"hard"
        step()
    assert open_version(dataset).derived("curriculum.parquet") == b"stages"


def test_named_curricula_follow_under_the_hash_that_checkpoints_name(dataset: str) -> None:
    Store(dataset).put_new(f"derived/000001/curriculum-mine-{'5' * 64}.parquet", b"staged")
    rollback(dataset, 1)
    assert [(found.name, found.sha256) for found in open_version(dataset).curricula()] == [("mine", "5" * 64)]
    takedown(dataset, clips=[voices(1)[0].key])
    assert open_version(dataset).curricula() == []


def test_what_is_derived_from_other_content_does_not_follow(dataset: str) -> None:
    """A curriculum names clips: after a takedown it would bring their keys back."""
    Store(dataset).put_new("derived/000001/curriculum.parquet", b"stages")
    takedown(dataset, clips=[voices(1)[0].key])
    rollback(dataset, 1)
    assert open_version(dataset).derived("curriculum.parquet") is None

"""A crash at every write and deletion of takedown, purge, redaction, compaction, rollback and relabelling: the next
verb, whichever it is, finishes what was begun, and then nothing of the speaker is in any file."""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from corpus import config, write_corpus, write_labels
from dataset_factory import CODES, Recording, payload, voices, write_version
from everything import Needle, holders
from inprocess import without_ray

from auricle.curators import registry
from auricle.curators.words.relabel import RECOGNISERS
from auricle.loaders import open_version
from auricle.loaders.care.verify import verify
from auricle.loaders.reading.pending import pending
from auricle.loaders.reading.version import numbers
from auricle.loaders.storage.parts import parquet_bytes
from auricle.loaders.storage.store import Store
from auricle.pipelines.relabel import relabel_dataset
from auricle.pipelines.run import run
from auricle.pipelines.upkeep.compact import compact
from auricle.pipelines.upkeep.garbage import collect_garbage
from auricle.pipelines.upkeep.repair import repair
from auricle.pipelines.upkeep.rollback import rollback
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.curriculum import CURRICULUM_SCHEMA
from auricle.schemas.keys import fingerprint
from auricle.schemas.score import ScoreColumn

EVE = [Recording(f"eve-{i}", speaker="eve", text=f"what eve said {i}", path=f"of eve/take {i}.wav") for i in range(2)]
OTHERS = voices(3, speaker="bob")
NEXT: tuple[Callable[[str], object], ...] = (
    lambda url: collect_garbage(url, dry_run=False),
    compact,
    repair,
    takedown,
    lambda url: rollback(url, numbers(Store(url))[0]),
    lambda url: takedown(url, clips=[OTHERS[0].key]),
)
"""Verbs that may come next; the two that are refused for reasons of their own finish first."""


class Crash(BaseException):
    """Ends the process as far as the code under test can tell: nothing catches it."""


@contextlib.contextmanager
def crashing(at: int, *, after: bool) -> Iterator[None]:
    """The write or deletion with this number (the lease's not counted) does not return, before or after it is done."""
    count = itertools.count()
    patch = pytest.MonkeyPatch()

    def guarded(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(store: Store, path: str, *rest: Any, **how: Any) -> Any:
            now = not path.startswith("lease/") and next(count) == at
            if now and not after:
                raise Crash(path)
            done = real(store, path, *rest, **how)
            if now:
                raise Crash(path)
            return done

        return call

    put, derived, delete = guarded(Store.put_new), guarded(Store.put_derived), Store.delete
    one = guarded(lambda store, path: delete(store, [path]))
    with patch.context() as patched:
        patched.setattr(Store, "put_new", put)
        patched.setattr(Store, "put_derived", derived)
        patched.setattr(Store, "delete", lambda self, paths: [one(self, path) for path in paths])
        yield


@pytest.fixture
def pristine(tmp_path: Path) -> Path:
    """Three versions, two with her, a curriculum, a report, an unfinished run, and what a killed write left."""
    url = str(tmp_path / "pristine")
    write_version(url, OTHERS[:2], representations=[CODES])
    for recordings in ([*OTHERS[:2], *EVE], [*OTHERS, *EVE]):
        write_version(url, recordings, representations=[CODES], per_shard=2)
    for number in (1, 2, 3):
        Store(url).put_new(f"derived/{number:06d}/curriculum.parquet", stages(url, number))
    for name in ("derived/000003/report.html", "runs/left/extract/payloads/x", "shards/toy-codes-50hz/x.tar#1"):
        Path(url, name).parent.mkdir(parents=True, exist_ok=True)
        Path(url, name).write_text(f"{EVE[0].text} {EVE[1].file} {EVE[0].key}")
    return tmp_path / "pristine"


def stages(url: str, number: int) -> bytes:
    table = open_version(url, number).clips(["clip"])
    return parquet_bytes(table.append_column("stage", [[0] * table.num_rows]), CURRICULUM_SCHEMA)


def needles(*kinds: str) -> dict[str, Needle]:
    """What must not be found of her."""
    found: dict[str, Needle] = {}
    for r in EVE:
        samples = payload(r, CODES).tobytes()
        of = {"text": r.text or "", "path": r.file, "key": r.key, "recording": r.sha256, "samples": samples}
        found |= {f"{kind} of {r.name}": needle for kind, needle in of.items() if not kinds or kind in kinds}
    return found


def found(url: str, *kinds: str) -> dict[str, set[str]]:
    """Files that hold something of her, tombstones apart, which are hashes of what must not come back."""
    held = {name: {p for p in paths if not p.startswith("tombstones/")} for name, paths in
            holders(Path(url), needles(*kinds)).items()}  # fmt: skip
    return {name: paths for name, paths in held.items() if paths}


def crashes(pristine: Path, work: Callable[[str], object]) -> Iterator[tuple[int, str]]:
    """A dataset for every crash of `work` in turn, until it gets through. Every one before the write, every third
    also after it."""
    for at in range(200):
        for after in (False, True) if at % 3 == 0 else (False,):
            url = str(pristine.with_name(f"{at}-{after}"))
            shutil.copytree(pristine, url)
            try:
                with crashing(at, after=after):
                    work(url)
            except Crash:
                yield at, url
                shutil.rmtree(url)
            else:
                assert at > 0, "it writes something"
                return
    raise AssertionError("it never got through")


def test_a_purge_that_crashed_anywhere_is_finished_by_whatever_comes_next(pristine: Path) -> None:
    assert set(found(str(pristine))) == set(needles())
    for at, url in crashes(pristine, lambda url: takedown(url, speaker="eve", purge=True)):
        if not pending(Store(url)):
            # not begun, or all done
            takedown(url, speaker="eve", purge=True) if found(url) else None
        NEXT[at % len(NEXT)](url)
        assert pending(Store(url)) == []
        assert found(url) == {}, at
        assert verify(url) == []


def test_a_takedown_that_crashed_anywhere_is_finished_by_whatever_comes_next(pristine: Path) -> None:
    for at, url in crashes(pristine, lambda url: takedown(url, speaker="eve")):
        if not pending(Store(url)) and any(r.key in keys(url) for r in EVE):
            takedown(url, speaker="eve")
        NEXT[at % len(NEXT)](url)
        assert pending(Store(url)) == []
        assert not {r.key for r in EVE} & keys(url), at
        assert open_version(url).derived("report.html") is None


def test_a_redaction_that_crashed_anywhere_is_finished_by_whatever_comes_next(pristine: Path) -> None:
    for at, url in crashes(pristine, lambda url: takedown(url, speaker="eve", redact=True, purge=True)):
        if not pending(Store(url)):
            takedown(url, speaker="eve", redact=True, purge=True) if found(url, "text", "path") else None
        collect_garbage(url, dry_run=False) if at % 2 else repair(url)
        assert pending(Store(url)) == []
        assert found(url, "text", "path") == {}, at
        assert {r.key for r in EVE} <= keys(url)
        assert verify(url) == []


@pytest.mark.parametrize("verb", ["compact", "rollback"])
def test_after_a_crash_of_a_verb_that_publishes_the_content_stands_and_a_purge_still_finds_everything(
    pristine: Path, verb: str
) -> None:
    work = {"compact": lambda url: compact(url, shard_bytes=1 << 30), "rollback": lambda url: rollback(url, 2)}[verb]
    for at, url in crashes(pristine, work):
        assert keys(url) >= {r.key for r in (*OTHERS[:2], *EVE)}
        assert [f.problem for f in verify(url)] == ["left behind"]
        if at % 2:
            # the version, where there is one, has its curriculum as soon as something works on the dataset
            collect_garbage(url, dry_run=False)
            assert open_version(url).derived("curriculum.parquet") is not None
        takedown(url, speaker="eve", purge=True)
        assert found(url) == {}, at
        assert verify(url) == []


def keys(url: str) -> set[str]:
    return set(open_version(url).clips(["clip"])["clip"].to_pylist())


class Parrot:
    """Hears the same in every clip."""

    languages, min_difference, name = None, 0.0, "parrot-1"

    def transcribe(self, batch: list[object]) -> list[str]:
        return ["what was heard of eve" for _ in batch]


def test_a_relabelling_that_crashed_anywhere_goes_on_and_a_purge_leaves_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_ray(monkeypatch)
    monkeypatch.setitem(RECOGNISERS, "parrot", Parrot)
    installed = {**registry._third_party(), "truster": Installed()}
    monkeypatch.setattr(registry, "_third_party", lambda: installed)
    write_corpus(tmp_path / "audio", 4)
    write_labels(tmp_path / "audio", clip_0001="wrong text of hers")
    run(config(tmp_path / "audio", tmp_path / "pristine", score={"curators": ["truster"]}, keep=[]))
    sought: dict[str, Needle] = {n: n for n in ("wrong text", "heard of eve", "clip_0001")}
    for at, url in crashes(tmp_path / "pristine", lambda url: relabel_dataset(url, "parrot")):
        if at % 2:
            assert relabel_dataset(url, "parrot").asked <= 1
            assert list(Store(url).list("runs")) == []
        takedown(url, speaker="speaker1", purge=True)
        assert holders(Path(url), sought) == {}, at
        assert verify(url) == []


class Truster:
    """Trusts every text but a wrong one."""

    name, version, inputs = "truster", 1, ("transcript",)
    columns = (ScoreColumn("transcript_trust", "float32", "1", "Trust"),)
    parameters: ClassVar[dict[str, Any]] = {}
    fingerprint = fingerprint("truster", 1, {})

    def score(self, batch: list[Any]) -> list[dict[str, Any]]:
        trust = [0.1 if (clip.transcript or "").startswith("wrong") else 0.9 for clip in batch]
        return [{"transcript_trust": value, "reason": None} for value in trust]


class Installed:
    """The entry point of `Truster`."""

    def load(self) -> type:
        return Truster

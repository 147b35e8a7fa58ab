"""What fails for a moment is tried again by later runs, by itself and not for ever; one bad item never ends a pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.loaders import Version, open_version
from auricle.loaders.care.verify import verify
from auricle.pipelines.passes.score import _Score
from auricle.pipelines.plan import plan
from auricle.pipelines.run import Outcome, run
from auricle.pipelines.work.progress import Silent
from auricle.schemas.config import RunConfig

CODES = "cheap-codes-100hz"
TWO_KINDS = [{"codec": "cheap", "kind": kind} for kind in ("codes", "latents")]


class Away(Silent):
    """A file is away during one pass."""

    def __init__(self, file: Path, stage: str) -> None:
        self.file, self.stage = file, stage

    def begin(self, stage: str, items: int, audio_s: float, units: int) -> None:
        if stage == self.stage:
            self.file.rename(self.file.with_suffix(".away"))

    def end(self, stage: str) -> None:
        if stage == self.stage:
            self.file.with_suffix(".away").rename(self.file)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    without_ray(monkeypatch)
    write_corpus(tmp_path / "audio", 3)
    return config(tmp_path / "audio", tmp_path / "data")


def night(settings: RunConfig, stage: str | None = None, **how: Any) -> Outcome:
    file = Path(settings.sources[0].path) / "clip_0001.wav"
    return run(settings, progress=Away(file, stage) if stage else None, **how)


def failed(version: Version) -> list[tuple[str, str, str, int | None]]:
    rows = version.clips(["path", "status", "reasons", "message", "tries"]).to_pylist()
    return [(r["path"], r["reasons"][0], r["message"], r["tries"]) for r in rows if r["status"] == "failed"]


def content(version: Version) -> list[dict[str, Any]]:
    rows = version.clips(["clip", "status", "transcript", "tries", "loudness", "words", CODES]).to_pylist()
    return sorted(({**row, CODES: (row[CODES] or {}).get("crc32")} for row in rows), key=lambda row: row["clip"])


@pytest.mark.parametrize("stage", ["score", "extract"])
def test_a_source_that_is_away_during_a_pass_is_taken_in_by_the_next_night_by_itself(
    settings: RunConfig, tmp_path: Path, stage: str
) -> None:
    first = night(settings, stage).version
    assert failed(first) == [("clip_0001.wav", "missing", "clip_0001.wav: gone since it was probed", 1)]
    assert first.document.failed_by_reason == {"missing": 1}
    found = plan(settings)
    assert (found.unchanged, found.to_try_again, found.given_up) == (False, {"missing": 1}, {})
    second = night(settings).version
    assert failed(second) == []
    assert second.document.failed_by_reason == {}
    undisturbed = night(settings.model_copy(update={"dataset": str(tmp_path / "undisturbed")})).version
    assert content(second) == content(undisturbed)
    assert night(settings).status == "unchanged"
    assert verify(settings.dataset) == []


@pytest.mark.parametrize("stage", ["score", "extract"])
def test_what_is_away_every_night_is_tried_a_bounded_number_of_times(
    settings: RunConfig, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    most = 2
    monkeypatch.setattr("auricle.pipelines.tables.retries.TRIES", most)
    for tries in range(1, most + 1):
        assert failed(night(settings, stage).version)[0][1::2] == ("missing", tries)
    assert night(settings, stage).status == "unchanged"
    found = plan(settings)
    assert (found.unchanged, found.to_try_again, found.given_up) == (True, {}, {"missing": 1})
    # the others' nights go on without it
    write_corpus(Path(settings.sources[0].path), 1, first=3)
    later = night(settings).version
    assert [row[3] for row in failed(later)] == [most]
    assert later.document.counts.kept == 3
    again = night(settings, retry_failed=True).version
    assert failed(again) == []
    assert again.document.counts.kept == 4


@pytest.mark.parametrize(
    ("stage", "kinds"), [("score", ["codes"]), ("extract", ["codes"]), ("extract", ["codes", "latents"])]
)
def test_the_resumed_run_tries_again_what_failed_for_a_moment(
    settings: RunConfig, monkeypatch: pytest.MonkeyPatch, stage: str, kinds: list[str]
) -> None:
    def crash(*given: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr("auricle.pipelines.run.publish", crash)
        with pytest.raises(KeyboardInterrupt):
            night(settings, stage)
    others = [{"codec": "cheap", "kind": kind} for kind in kinds]
    settings = RunConfig.model_validate(settings.model_dump() | {"representations": others})
    version = night(settings).version
    assert version.document.number == 1
    assert failed(version) == []
    assert {entry.live for entry in version.document.representations.values()} == {3}
    assert set(version.clips(["tries"])["tries"].to_pylist()) == {None}


def test_a_score_that_failed_for_want_of_memory_is_made_again_and_one_that_raises_is_kept(
    settings: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from auricle_test_plugins import Words

    real = Words.score

    def starved(self: Any, batch: Any) -> Any:
        if any(clip.transcript.endswith("0001") for clip in batch):
            raise MemoryError
        if any(clip.transcript.endswith("0002") for clip in batch):
            raise ValueError("odd")
        return real(self, batch)

    with monkeypatch.context() as night_one:
        night_one.setattr(Words, "score", starved)
        first = night(settings).version
    odd = "failed: words: ValueError: odd"
    assert words(first) == {0: None, 1: "failed: out_of_memory: words: MemoryError", 2: odd}
    assert plan(settings).to_try_again == {"score": 1}
    assert plan(settings).to_score == {"words": (1, pytest.approx(0.5 / 3600))}
    second = night(settings).version
    assert words(second) == {0: None, 1: None, 2: odd}
    assert night(settings).status == "unchanged"


def test_a_latent_that_failed_for_want_of_memory_is_made_again(
    settings: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starved(self: Any, *given: Any) -> Any:
        raise MemoryError("8 GB wanted")

    with monkeypatch.context() as night_one:
        night_one.setattr("auricle_test_plugins._CheapExtractor.extract", starved)
        first = night(settings).version
    assert {row[1:] for row in failed(first)} == {("out_of_memory", "MemoryError: 8 GB wanted", 1)}
    second = night(settings).version
    assert failed(second) == []
    assert second.document.representations[CODES].live == 3


def test_a_clip_that_lacks_its_second_representation_for_a_night_keeps_the_first_and_the_counts_agree(
    settings: RunConfig,
) -> None:
    night(settings)
    both = RunConfig.model_validate(settings.model_dump() | {"representations": TWO_KINDS})
    without = night(both, "extract").version
    assert [row[:2] for row in failed(without)] == [("clip_0001.wav", "missing")]
    assert verify(settings.dataset) == []
    codes = without.document.representations[CODES]
    [shard] = codes.shards
    assert (codes.live, shard.live, shard.rows) == (2, 2, 3)
    with_it = night(both).version
    assert failed(with_it) == []
    assert {entry.live for entry in with_it.document.representations.values()} == {3}
    assert [s.sha256 for s in with_it.document.representations[CODES].shards] == [shard.sha256], "nothing is made anew"
    assert verify(settings.dataset) == []


def words(version: Version) -> dict[int, str | None]:
    return {int(r["path"][5:9]): r["words"]["reason"] for r in version.clips(["path", "words"]).to_pylist()}


@pytest.mark.parametrize("where", ["probe", "score", "extract"])
def test_an_unexpected_exception_on_one_item_is_its_row_and_not_the_end_of_the_pass(
    settings: RunConfig, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def broken(real: Any, at: int) -> Any:
        def call(*given: Any) -> Any:
            if "clip_0001" in str(given[at]):
                raise KeyError("a defect")
            return real(*given)

        return call

    if where == "probe":
        target = "auricle.pipelines.passes.probe.probe_file"
        from auricle.pipelines.passes.probe import probe_file as real

        monkeypatch.setattr(target, broken(real, 0))
    elif where == "score":
        monkeypatch.setattr(_Score, "_score", broken(_Score._score, 1))
    else:
        from auricle.pipelines.passes.extract import _Extract

        monkeypatch.setattr(_Extract, "_result", broken(_Extract._result, 1))
    document = run(settings).version.document
    assert document.counts.kept == 2
    version = open_version(settings.dataset)
    if where == "probe":
        [row] = [r for r in version.recordings().to_pylist() if r["status"] == "failed"]
        assert (row["reason"], row["message"]) == ("internal", "clip_0001.wav: KeyError: 'a defect'")
        assert document.failed_by_reason == {"internal": 1}
    else:
        [(path, reason, message, tries)] = failed(version)
        said = "clip_0001.wav: KeyError: 'a defect'"
        expected = ("internal", said) if where == "score" else ("extraction", f"internal: {said}")
        assert (path, (reason, message), tries) == ("clip_0001.wav", expected, None)
    assert run(settings).status == "unchanged", "a defect is not tried again by itself"


def test_a_full_disk_ends_the_run_instead_of_failing_every_clip(
    settings: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> Iterator[Any]:
        raise OSError(28, "No space left on device", "/tmp")

    monkeypatch.setattr("auricle.pipelines.passes.probe.probe_file", full)
    with pytest.raises(OSError, match="No space left"):
        run(settings)

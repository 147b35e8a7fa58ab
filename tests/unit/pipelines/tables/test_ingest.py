"""Files become recordings and clips; whatever happens to a file, the ledger has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.loaders import Version
from auricle.pipelines.passes.probe import _Probe
from auricle.pipelines.plan import plan
from auricle.pipelines.run import run
from auricle.pipelines.work.contract import Result, failure
from auricle.schemas.errors import ConfigError, GateError


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    without_ray(monkeypatch)
    write_corpus(tmp_path / "audio", 4)
    return tmp_path


def test_a_file_that_ended_its_worker_before_it_was_hashed_is_in_the_ledger(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = _Probe.__call__

    def isolated(self: _Probe, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
        for item in items:
            if "clip_0001" in item["uri"]:
                yield failure(item, "timed_out", "clip_0001.wav: its decoder gave nothing for 60 s, twice")
            else:
                yield from probe(self, [item])

    settings = config(corpus / "audio", corpus / "data")
    with monkeypatch.context() as hanging:
        hanging.setattr(_Probe, "__call__", isolated)
        version = run(settings).version
    counts = version.document.counts
    assert (counts.files, counts.decoded, counts.failed_files) == (4, 3, 1)
    assert version.document.failed_by_reason == {"timed_out": 1}
    failed = [r for r in version.recordings().to_pylist() if r["status"] == "failed"]
    assert failed[0]["aliases"][0]["path"] == "clip_0001.wav"
    assert "nothing for 60 s" in failed[0]["message"]
    assert failed[0]["tries"] == 1
    assert plan(settings).to_try_again == {"timed_out": 1}
    assert run(settings).version.document.counts.decoded == 4


def test_labels_of_recordings_that_are_not_there_are_counted(corpus: Path) -> None:
    (corpus / "audio" / "clip_0003.wav").unlink()
    (corpus / "audio" / "clip_0000.wav").unlink()
    found = plan(config(corpus / "audio", corpus / "data"))
    assert found.notices == (
        "source 'corpus': 2 of 4 recordings that its labels name are not there, for example clip_0000.wav",
    )


def test_labels_that_describe_no_recording_are_said(corpus: Path) -> None:
    source = {"path": str(corpus / "audio"), "name": "corpus", "transcripts": "*.json"}
    found = plan(config(Path("."), corpus / "data", sources=[source]))
    assert found.notices == (
        "source 'corpus': its labels (*.json) describe none of its 4 recordings; they are taken without text. "
        "`auricle inspect` shows which labels fit",
    )


def test_a_refused_candidate_says_why_its_clips_were_dropped(corpus: Path) -> None:
    keep = [{"score": "loudness_db", "min": 0, "reason": "quiet"}]
    with pytest.raises(GateError, match=r"observed 0[\s\S]*dropped: quiet 4\n"):
        run(config(corpus / "audio", corpus / "data", keep=keep, gate={"enabled": True}))


def test_a_folder_that_is_not_there_is_refused_before_workers_start(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object) -> None:
        raise AssertionError("workers were started")

    monkeypatch.setattr("auricle.pipelines.run.Run.get_ready", started)
    with pytest.raises(ConfigError, match="does not exist"):
        run(config(corpus / "nowhere", corpus / "data"))


def test_a_recording_that_was_cut_off_fails_until_the_configuration_accepts_it(corpus: Path) -> None:
    cut = corpus / "audio" / "clip_0002.wav"
    cut.write_bytes(cut.read_bytes()[:-8000])
    version = run(config(corpus / "audio", corpus / "data")).version
    assert version.document.failed_by_reason == {"corrupt": 1}
    accepting = config(corpus / "audio", corpus / "data", segment={"truncated": "accept"})
    version = run(accepting).version
    assert version.document.failed_by_reason == {}
    assert version.document.counts.clips == 4
    assert version.document.stages[0].done == 4, "a changed segmentation opens every file again"


def test_scores_and_latents_that_failed_are_made_again_on_request(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = config(corpus / "audio", corpus / "data")

    def broken(self: Any, *given: Any) -> Any:
        raise RuntimeError("no memory on the device")

    with monkeypatch.context() as night:
        night.setattr("auricle_test_plugins.Words.score", broken)
        night.setattr("auricle_test_plugins._CheapExtractor.extract", broken)
        first = run(settings).version
    assert set(reasons(first)) == {"failed: words: RuntimeError: no memory on the device"}
    assert first.document.representations["cheap-codes-100hz"].live == 0
    assert run(settings).status == "unchanged"
    again = run(settings, retry_failed=True).version
    assert set(reasons(again)) == {None}
    assert again.document.representations["cheap-codes-100hz"].live == 4


def reasons(version: Version) -> list[str | None]:
    return [row["words"]["reason"] for row in version.clips(["words"]).to_pylist()]

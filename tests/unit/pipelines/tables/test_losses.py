"""A night that finds many files gone stops before any work, unless it is told that it is meant."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.pipelines.plan import plan
from auricle.pipelines.run import run
from auricle.schemas.errors import LossError


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    without_ray(monkeypatch)
    write_corpus(tmp_path / "audio", 30, seconds=0.1)
    run(config(tmp_path / "audio", tmp_path / "data"))
    return tmp_path


def remove(audio: Path, count: int) -> None:
    for seed in range(count):
        (audio / f"clip_{seed:04d}.wav").unlink()


def test_a_source_that_lost_many_of_its_files_stops_the_night_before_any_work(corpus: Path) -> None:
    settings = config(corpus / "audio", corpus / "data")
    remove(corpus / "audio", 21)
    before = sorted(corpus.joinpath("data").rglob("*"))
    with pytest.raises(LossError) as refused:
        run(settings)
    assert "source 'corpus' lost 21 of its 30 files, for example clip_0000.wav, clip_0001.wav" in str(refused.value)
    assert "--accept-losses" in str(refused.value)
    assert refused.value.exit_code == 21
    kept_apart = [path for path in before if "lease" not in path.parts]
    assert [path for path in sorted(corpus.joinpath("data").rglob("*")) if "lease" not in path.parts] == kept_apart
    assert any("lost 21 of its 30 files" in line for line in plan(settings).notices)
    assert run(settings, accept_losses=True).version.document.counts.files == 9
    assert run(settings).status == "unchanged"


def test_few_files_gone_and_small_shares_are_an_ordinary_night(corpus: Path) -> None:
    remove(corpus / "audio", 19)
    assert run(config(corpus / "audio", corpus / "data")).version.document.counts.files == 11


def test_a_source_whose_include_fits_nothing_any_more_is_refused_however_few_files_it_had(corpus: Path) -> None:
    audio, data = corpus / "audio", corpus / "data"
    remove(audio, 19)
    run(config(audio, data))
    source = {"path": str(audio), "name": "corpus", "transcripts": "transcripts.tsv", "include": ["**/*.flac"]}
    with pytest.raises(LossError) as refused:
        run(config(audio, data, sources=[source], gate={"enabled": True}))
    assert "lost 11 of its 11 files" in str(refused.value)
    assert f"no audio file in {audio} fits `include` ['**/*.flac']" in str(refused.value)
    any_share = {"max_share": 1.0, "min_files": 1}
    assert run(config(audio, data, sources=[source], losses=any_share)).version.document.counts.files == 0


def test_the_share_and_the_number_are_of_the_configuration(corpus: Path) -> None:
    remove(corpus / "audio", 4)
    audio, data = corpus / "audio", corpus / "data"
    with pytest.raises(LossError, match="lost 4 of its 30"):
        run(config(audio, data, losses={"max_share": 0.1, "min_files": 2}))
    assert run(config(audio, data, losses={"max_share": 0.2, "min_files": 2})).version.document.counts.files == 26


def test_a_renamed_folder_is_no_loss(corpus: Path) -> None:
    audio = corpus / "audio"
    (audio / "below").mkdir()
    for path in audio.glob("*.wav"):
        path.rename(audio / "below" / path.name)
    assert run(config(audio, corpus / "data")).version.document.counts.files == 30


def test_files_of_a_source_that_keeps_what_is_gone_are_no_loss(corpus: Path) -> None:
    audio = corpus / "audio"
    remove(audio, 25)
    keeping = {"path": str(audio), "name": "corpus", "transcripts": "transcripts.tsv", "missing": "keep"}
    assert run(config(audio, corpus / "data", sources=[keeping])).version.document.counts.clips == 30


def test_a_folder_that_becomes_a_link_to_itself_elsewhere_under_the_source_keeps_its_clips(corpus: Path) -> None:
    audio = corpus / "audio"
    (audio / "month").mkdir()
    for path in audio.glob("*.wav"):
        path.rename(audio / "month" / path.name)
    first = run(config(audio, corpus / "data")).version
    (audio / "store").mkdir()
    shutil.move(audio / "month", audio / "store" / "month")
    (audio / "month").symlink_to(Path("store") / "month")
    second = run(config(audio, corpus / "data")).version
    assert second.document.counts.clips == first.document.counts.clips == 30
    assert second.document.counts.kept == first.document.counts.kept
    assert second.document.counts.aliases == 30, "each file has a path through the link and one without"
    assert sorted(second.clips(["path"])["path"].to_pylist()) == sorted(first.clips(["path"])["path"].to_pylist())

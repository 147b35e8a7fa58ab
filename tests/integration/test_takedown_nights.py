"""What was taken down does not come back with the next night, whatever the sources say."""

import shutil
from pathlib import Path

import pytest
import soundfile
from corpus import config, write_clip, write_corpus, write_labels
from inprocess import without_ray

from auricle.loaders import Version, open_version
from auricle.loaders.verify import verify
from auricle.pipelines.rollback import rollback
from auricle.pipelines.run import run
from auricle.pipelines.takedown import takedown


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of eight clips of four speakers and a dataset of one version made from it."""
    without_ray(monkeypatch)
    write_corpus(tmp_path / "audio", 8)
    run(config(tmp_path / "audio", tmp_path / "data"))
    return tmp_path


def again(root: Path) -> Version:
    version = run(config(root / "audio", root / "data")).version
    assert verify(str(root / "data")) == []
    return version


def speakers(version: Version) -> set[str]:
    return set(version.clips(["speaker"])["speaker"].to_pylist())


@pytest.mark.parametrize("purge", [False, True])
def test_a_speaker_stays_away_when_the_next_night_brings_new_files(night: Path, purge: bool) -> None:
    takedown(str(night / "data"), speaker="speaker1", purge=purge)
    write_corpus(night / "audio", 3, first=8)
    version = again(night)
    # speaker1 also has a clip among the new files, which nobody took down
    assert {r["path"] for r in version.clips(["path"]).to_pylist()} == {
        f"clip_{i:04d}.wav" for i in range(11) if i not in (1, 5)
    }
    assert version.document.counts.files == version.document.counts.decoded == 9


def test_nothing_changed_means_nothing_is_published_after_a_takedown(night: Path) -> None:
    takedown(str(night / "data"), speaker="speaker1", purge=True)
    assert run(config(night / "audio", night / "data")).status == "unchanged"
    assert speakers(open_version(str(night / "data"))) == {"speaker0", "speaker2", "speaker3"}


def test_renamed_copied_touched_and_re_encoded_files_stay_away_too(night: Path) -> None:
    takedown(str(night / "data"), speaker="speaker1")
    audio = night / "audio"
    (audio / "clip_0001.wav").rename(audio / "other_0041.wav")
    shutil.copy(audio / "clip_0005.wav", audio / "copy_0045.wav")
    samples, rate = soundfile.read(audio / "clip_0005.wav", dtype="int16")
    soundfile.write(audio / "flac_0055.flac", samples, rate)
    write_labels(audio)
    version = again(night)
    assert {r["path"][-8:-4] for r in version.clips(["path"]).to_pylist()} == {
        "0000",
        "0002",
        "0003",
        "0004",
        "0006",
        "0007",
    }


def test_a_new_segmentation_does_not_bring_back_the_samples(night: Path) -> None:
    takedown(str(night / "data"), speaker="speaker1")
    settings = config(night / "audio", night / "data", segment={"method": "fixed", "max_s": 0.2})
    version = run(settings).version
    assert speakers(version) == {"speaker0", "speaker2", "speaker3"}
    assert version.document.counts.clips == 18


def test_a_rollback_and_the_next_night_keep_them_away(night: Path) -> None:
    write_clip(night / "audio" / "clip_0020.wav", 20)
    again(night)
    takedown(str(night / "data"), speaker="speaker1")
    rollback(str(night / "data"), 1)
    assert "speaker1" not in speakers(open_version(str(night / "data")))
    assert "speaker1" not in speakers(again(night))


def test_redacted_recordings_keep_latents_and_stay_without_text(night: Path) -> None:
    data = str(night / "data")
    takedown(data, speaker="speaker1", redact=True, purge=True)
    write_corpus(night / "audio", 1, first=8)
    version = again(night)
    rows = version.clips().to_pylist()
    hidden = [r for r in rows if r["speaker"] == "speaker1"]
    assert len(hidden) == 2
    assert {(r["transcript"], r["path"], r["label_source"], r["status"]) for r in hidden} == {
        (None, None, None, "kept")
    }
    assert {r["words"]["num_words"] for r in hidden} == {None}
    assert len(list(version.samples("cheap-codes"))) == 9
    everything = b"".join(p.read_bytes() for p in (night / "data").rglob("*") if p.suffix == ".json")
    assert b"clip_0001" not in everything
    assert again(night).document.number == version.document.number

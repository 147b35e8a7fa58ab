"""What was taken down does not come back with the next night, whatever the sources say."""

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import soundfile
from corpus import config, write_clip, write_corpus, write_labels
from everything import Needle, holders
from inprocess import without_ray

from auricle.jobs.cli import main
from auricle.jobs.judging.report import write_report
from auricle.loaders import Version, open_version
from auricle.loaders.care.verify import verify
from auricle.loaders.reading.tombstones import TOMBSTONES, put_tombstones
from auricle.loaders.storage.store import Store
from auricle.pipelines.curricula.paced import curriculum
from auricle.pipelines.passes import probe
from auricle.pipelines.plan import plan
from auricle.pipelines.run import run
from auricle.pipelines.upkeep import carry_out
from auricle.pipelines.upkeep.rollback import rollback
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.clip import Clip
from auricle.schemas.config import RunConfig
from auricle.schemas.errors import ClipError, GateError


@pytest.fixture
def night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of eight clips of four speakers and a dataset of one version made from it."""
    without_ray(monkeypatch)
    write_corpus(tmp_path / "audio", 8)
    run(config(tmp_path / "audio", tmp_path / "data"))
    return tmp_path


class Killed(BaseException):
    """Ends a run where a kill would."""


GONE = (1, 5, 9, 13)
"""Clips of speaker1 among the first sixteen."""


@pytest.fixture
def nights(night: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five versions with reports, judgements and curricula, their clips in several shards and parts, dead members
    among them; then a candidate that the gate refused and a run that was killed."""
    settings = full(night)
    for first, count in ((0, 8), (8, 4), (12, 4)):
        write_corpus(night / "audio", count, first=first)
        version = run(settings).version
        curriculum(version, "cheap-codes")
        write_report(version)
    write_report(run(full(night, keep=[{"score": "loudness_db", "min": -21, "reason": "quiet"}])).version)
    write_corpus(night / "audio", 4, first=16)
    with pytest.raises(GateError):
        run(full(night, gate={"enabled": True, "min_clips": 1000}))
    with monkeypatch.context() as patch:
        patch.setattr("auricle.pipelines.run.extract", killed)
        with pytest.raises(Killed):
            run(full(night, score={"curators": ["loudness", "words"], "options": {"loudness": {"floor_db": -90}}}))
    return night


def full(root: Path, **changes: Any) -> RunConfig:
    both = [{"codec": "cheap", "kind": "codes"}, {"codec": "cheap", "kind": "latents"}]
    return config(root / "audio", root / "data", **{"representations": both, "gate": {"enabled": True}, **changes})


def killed(*_: Any) -> None:
    raise Killed


def needles(root: Path, clips: Sequence[int]) -> dict[str, Needle]:
    """What must not be found of these clips: words, paths, keys, hashes, samples of the audio and of both latents."""
    found: dict[str, Needle] = {}
    version = open_version(str(root / "data"), 4)
    rows = {row["path"]: row for row in version.clips().to_pylist()}
    keys = {rows[f"clip_{i:04d}.wav"]["clip"]: i for i in clips}
    for name in version.document.representations:
        for sample in version.samples(name):
            if sample.key in keys:
                found[f"{name} of {keys[sample.key]}"] = sample.array.tobytes()
    for key, i in keys.items():
        samples, _ = soundfile.read(root / "audio" / f"clip_{i:04d}.wav", dtype="float32")
        row = rows[f"clip_{i:04d}.wav"]
        found |= {
            f"audio of {i}": samples, f"words of {i}": f"words of clip_{i:04d}",
            f"path of {i}": f"clip_{i:04d}.wav", f"key of {i}": key, f"recording of {i}": row["recording"],
            f"samples of {i}": row["pcm_sha256"], f"words' hash of {i}": row["transcript_sha256"],
        }  # fmt: skip
    return found


def without_tombstones(found: dict[str, set[str]]) -> dict[str, set[str]]:
    """Tombstones hold two hashes of each clip, so that it is known when it comes back."""
    rest = {name: {f for f in files if not f.startswith("tombstones/")} for name, files in found.items()}
    return {name: files for name, files in rest.items() if files}


def test_a_purge_after_several_nights_leaves_nothing_in_any_file_and_the_next_night_brings_nothing_back(
    nights: Path,
) -> None:
    data = nights / "data"
    sought = needles(nights, GONE)
    before = holders(data, sought)
    played = {name for name in before if name.startswith("audio")}
    assert played, "a page plays some of them"
    assert set(before) - played == {name for name in sought if not name.startswith("audio")}
    assert {path.split("/")[0] for files in before.values() for path in files} >= {
        "objects", "shards", "derived", "runs",
    }  # fmt: skip
    result = takedown(str(data), speaker="speaker1", purge=True)
    assert result.retired == [1, 2, 3, 4, 5]
    assert without_tombstones(holders(data, sought)) == {}
    assert without_tombstones(holders(data, {"speaker": "speaker1"})) == {}
    assert verify(str(data)) == []
    # the sources still have her clips, under old names and new, and clip 17, which nobody had seen published
    shutil.copy(nights / "audio/clip_0001.wav", nights / "audio/again_0001.wav")
    write_corpus(nights / "audio", 4, first=20)
    version = run(full(nights)).version
    write_report(version)
    curriculum(version, "cheap-codes")
    assert {r["path"] for r in version.clips(["path"]).to_pylist()} == {
        f"clip_{i:04d}.wav" for i in range(24) if i not in GONE
    }
    assert without_tombstones(holders(data, sought)) == {}
    assert verify(str(data)) == []


def test_redaction_after_several_nights_keeps_latents_and_leaves_no_text_or_path_in_any_file(nights: Path) -> None:
    data = nights / "data"
    sought = needles(nights, GONE)
    hidden = {name: needle for name, needle in sought.items() if name.startswith(("words", "path"))}
    takedown(str(data), speaker="speaker1", redact=True, purge=True)
    assert holders(data, hidden) == {}
    write_corpus(nights / "audio", 1, first=20)
    version = run(full(nights)).version
    write_report(version)
    assert holders(data, hidden) == {}
    left = holders(data, {name: needle for name, needle in sought.items() if name.startswith("cheap")})
    assert len(left) == 2 * len(GONE)
    live = {sample.key for sample in version.samples("cheap-latents")}
    assert live.issuperset(str(sought[f"key of {i}"]) for i in GONE)
    assert verify(str(data)) == []


def test_neither_logs_nor_output_carry_what_is_said(
    night: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a night is refused, fails, or a takedown names who goes."""
    caplog.set_level("DEBUG")
    (night / "audio/broken_0008.wav").write_bytes(b"no audio")
    write_labels(night / "audio", clip_0002="a zanzibar that nobody may read")
    path = night / "auricle.yaml"

    def command(*words: str, **changes: Any) -> int:
        path.write_text(full(night, **changes).model_dump_json())
        monkeypatch.setattr("sys.argv", ["auricle", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    data = str(night / "data")
    assert command("plan", str(path)) == 0
    assert command("run", str(path), gate={"enabled": True, "min_clips": 1000}) == 20
    assert command("run", str(path), gate={"enabled": True, "suite": "absent.json"}) == 2
    assert command("run", str(path)) == 0
    assert command("show", data) == 0
    assert command("diff", data, "1", "2") == 0
    assert command("verify", data) == 0
    assert command("takedown", data, "--where", "nothing = 'a zanzibar that nobody may read'") == 2
    assert command("takedown", data, "--speaker", "speaker1", "--purge", "--yes") == 0
    assert command("gc", data, "--keep-last", "1", "--yes") == 0
    told = "".join(capfd.readouterr()) + caplog.text
    assert "version 2" in told
    assert "words of" not in told
    assert "zanzibar" not in told.replace("nothing = 'a zanzibar that nobody may read'", "")


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


@pytest.mark.parametrize("step", ["put_tombstones", "_publish_without"])
def test_the_night_after_a_takedown_that_was_killed_finishes_it(
    night: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    settings = config(night / "audio", night / "data")
    with monkeypatch.context() as patch:
        patch.setattr(carry_out, step, killed)
        with pytest.raises(Killed):
            takedown(str(night / "data"), speaker="speaker1")
    assert any("a takedown is not done" in line for line in plan(settings).notices)
    assert "speaker1" not in speakers(again(night))
    assert run(settings).status == "unchanged"


def test_a_night_over_tombstones_not_yet_applied_to_the_newest_version_is_not_called_unchanged(night: Path) -> None:
    """As they are found after a restored backup, or a takedown that an older auricle did not end."""
    row = next(r for r in open_version(str(night / "data")).clips().to_pylist() if r["speaker"] == "speaker1")
    for stone in ({"recording": row["recording"]}, {n: row[n] for n in ("recording", "channel", "start", "end")}):
        rows = pa.Table.from_pylist([stone | {"redact": False}], schema=TOMBSTONES)
        put_tombstones(Store(str(night / "data")), rows)
        assert row["clip"] not in again(night).clips(["clip"])["clip"].to_pylist()
    hidden = next(r for r in open_version(str(night / "data")).clips().to_pylist())
    rows = pa.Table.from_pylist([{"recording": hidden["recording"], "redact": True}], schema=TOMBSTONES)
    put_tombstones(Store(str(night / "data")), rows)
    assert hidden["path"] not in again(night).clips(["path"])["path"].to_pylist()


def test_failures_of_later_nights_do_not_bring_the_name_of_a_redacted_file_back(
    night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether scoring or extraction says it, and in whatever column."""
    data = night / "data"
    takedown(str(data), speaker="speaker1", redact=True, purge=True)
    hidden: dict[str, Needle] = {name: name for name in ("clip_0001", "clip_0005")}
    assert holders(data, hidden) == {}

    @contextlib.contextmanager
    def missing(uri: str, recording: str) -> Iterator[Path]:
        raise ClipError("corrupt", f"{uri}: is broken")
        yield

    def refused(self: object, batch: Sequence[Clip]) -> list[dict[str, Any]]:
        raise ValueError(f"a curator that quotes {sorted(hidden)}")

    with monkeypatch.context() as patch:
        patch.setattr("auricle_test_plugins.Loudness.score", refused)
        settings = {"curators": ["loudness"], "options": {"loudness": {"floor_db": -90}}}
        version = run(config(night / "audio", data, score=settings, keep=[])).version
    rows = version.clips(["path", "loudness"]).to_pylist()
    assert [r["loudness"]["reason"] for r in rows if r["path"] is None] == ["failed: redacted"] * 2
    # what is said of others stays, and must not be mistaken for it
    assert all("a curator that quotes" in r["loudness"]["reason"] for r in rows if r["path"])
    hidden = {name: f"{name}.wav" for name in hidden}
    with monkeypatch.context() as patch:
        patch.setattr("auricle.pipelines.audio.clip_reader.opened", missing)
        # latents for all, which had codes only
        version = run(full(night, score=settings, keep=[], gate={"enabled": False})).version
    assert version.document.counts.failed == 8
    assert holders(data, hidden) == {}


@pytest.mark.parametrize("redact", [False, True])
def test_a_file_that_was_taken_down_or_redacted_and_cannot_be_read_tonight_is_not_named(
    night: Path, monkeypatch: pytest.MonkeyPatch, redact: bool
) -> None:
    """It has no hash on that night, and is known by where it is."""
    data = night / "data"
    takedown(str(data), speaker="speaker1", redact=redact, purge=True)
    real = probe.sha256_of

    def refused(path: Path) -> str:
        if path.name in ("clip_0001.wav", "clip_0005.wav"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(probe, "sha256_of", refused)
    version = run(config(night / "audio", data, keep=[])).version
    assert version.document.counts.failed_files == (2 if redact else 0)
    assert holders(data, {name: name for name in ("clip_0001", "clip_0005")}) == {}


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

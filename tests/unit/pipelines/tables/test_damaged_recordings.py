"""A recording that is damaged and decodes is kept with a note, in both tables and wherever people read of a version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.jobs.datasets.damaged import damaged
from auricle.jobs.datasets.show import print_version
from auricle.jobs.judging.report import write_report
from auricle.jobs.terminal import console
from auricle.pipelines.run import run
from auricle.pipelines.score_files import score_files

NOTE = "damaged recording: its last frame lacks 50 bytes, so it was cut off"


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ray(monkeypatch)


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    """Three whole recordings, and one whose last frame is not all there."""
    write_corpus(tmp_path / "audio", 3)
    path = tmp_path / "audio" / "torn.mp3"
    samples = np.random.default_rng(9).normal(0, 0.1, 16000).astype(np.float32)
    soundfile.write(path, samples, 16000, bitrate_mode="CONSTANT")
    path.write_bytes(path.read_bytes()[:-50])
    return tmp_path / "audio"


def test_both_tables_have_the_note_and_whole_recordings_have_none(audio: Path, tmp_path: Path) -> None:
    given: dict[str, Any] = {"segment": {"method": "fixed", "max_s": 0.4}}
    version = run(config(audio, tmp_path / "data", **given)).version
    rows = version.clips(["path", "status", "message"]).to_pylist()
    torn = [row for row in rows if row["path"] == "torn.mp3"]
    assert len(torn) >= 2
    assert {(row["status"], row["message"]) for row in torn} == {("kept", NOTE)}
    # their labels are of whole recordings, which is said of them and of no other
    assert {(row["message"] or "")[:7] for row in rows if row["path"] != "torn.mp3"} == {"no text"}
    assert (damaged(version, 5).total, damaged(version, 5).examples) == (1, [("torn.mp3", NOTE)])
    assert run(config(audio, tmp_path / "data", **given)).status == "unchanged"


def test_a_version_that_takes_the_recording_over_keeps_its_note(audio: Path, tmp_path: Path) -> None:
    run(config(audio, tmp_path / "data"))
    keep = [{"score": "loudness_db", "min": 0, "reason": "quiet"}]
    version = run(config(audio, tmp_path / "data", keep=keep)).version
    assert version.document.counts.dropped == 4
    assert damaged(version, 5).examples == [("torn.mp3", NOTE)]
    assert [row["message"] for row in version.clips(["message"]).to_pylist()].count(NOTE) == 1


def test_show_and_the_report_say_it(audio: Path, tmp_path: Path) -> None:
    version = run(config(audio, tmp_path / "data")).version
    with console.out.capture() as said:
        print_version(version)
    assert f"of the decoded files 1 is damaged, and what is left of it is used: torn.mp3: {NOTE};" in said.get()
    page = write_report(version, tmp_path / "report.html", diagnose_first=False)
    assert isinstance(page, Path)
    html = page.read_text()
    assert "1 of the decoded recordings is not whole." in html
    assert NOTE in html


def test_neither_speaks_of_damage_where_there_is_none(audio: Path, tmp_path: Path) -> None:
    (audio / "torn.mp3").unlink()
    version = run(config(audio, tmp_path / "data")).version
    with console.out.capture() as said:
        print_version(version)
    assert "damaged" not in said.get()
    page = write_report(version, tmp_path / "report.html", diagnose_first=False)
    assert isinstance(page, Path)
    assert "Damaged recordings" not in page.read_text()


def test_scores_of_loose_files_come_with_the_note(audio: Path) -> None:
    table = score_files([audio], curators=["loudness"], workers=1)
    notes = dict(zip([Path(path).name for path in table["path"].to_pylist()], table["note"].to_pylist(), strict=True))
    assert notes.pop("torn.mp3") == NOTE
    assert set(notes.values()) == {None}

"""Loose files: one row per channel, every failure a row, no dataset."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import write_clip

from auricle.curators.registry import build
from auricle.pipelines.policy.judge_clip import Judge
from auricle.pipelines.score_files import score_files
from auricle.schemas.condition import Rule
from auricle.schemas.errors import ConfigError

NAMES = ["loudness", "words", "poison"]


def test_every_channel_and_every_failure_is_a_row_with_what_the_rules_say(tmp_path: Path) -> None:
    """The file that kills its process loses neither its neighbours nor their second channels."""
    write_clip(tmp_path / "a.wav", 1, channels=2)
    write_clip(tmp_path / "b_kills.wav", 2, poison=True)
    write_clip(tmp_path / "c.wav", 3, channels=2)
    (tmp_path / "d.wav").write_text("no audio at all, only words" * 4)
    (tmp_path / "t.tsv").write_text("file\tspeaker\tlanguage\ttranscript\na.wav\ts1\ten\tone two three\n")
    judge = Judge([Rule(score="num_words", min=4, reason="short")], [], build(NAMES, {}))
    table = score_files([tmp_path], tmp_path / "t.tsv", curators=NAMES, judge=judge, workers=2)
    rows = {(Path(r["path"]).name, r["channel"]): r for r in table.to_pylist()}
    assert set(rows) == {("a.wav", 0), ("a.wav", 1), ("b_kills.wav", None), ("c.wav", 0), ("c.wav", 1), ("d.wav", None)}
    assert rows["a.wav", 1]["why"] == ["short: num_words 3, required at least 4"]
    assert rows["a.wav", 1]["speaker"] == "s1"
    assert rows["c.wav", 1]["status"] == "kept"
    assert rows["c.wav", 1]["words_reason"] == "not_applicable: no transcript"
    assert rows["b_kills.wav", None]["error_reason"] == "killed_worker"
    assert rows["d.wav", None]["reasons"] == ["not_audio"]


def test_a_curator_that_hangs_on_a_file_is_its_row(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.wav", 1, seconds=0.05, poison=True)
    write_clip(tmp_path / "b.wav", 2, seconds=0.05)
    rows = score_files([tmp_path], curators=["loudness", "stuck"], limit_s=1.0, workers=2).to_pylist()
    assert [row["error_reason"] for row in rows] == ["timed_out", None]
    assert rows[0]["error_message"] == "a.wav: stuck took longer than 1 s"
    assert rows[1]["stuck_ok"]


def test_a_folder_without_audio_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no audio files here"):
        score_files([tmp_path], curators=["loudness"])

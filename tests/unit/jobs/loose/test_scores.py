"""How scores of loose files are printed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.jobs.demo.espeak import Voice, synthesise
from auricle.jobs.loose.scores import print_scores, score
from auricle.schemas.score import with_sigma


def clips(folder: Path, count: int) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [folder / f"{i}.wav" for i in range(count)]
    for path in paths:
        soundfile.write(path, rng.normal(0, 0.1, 8000), 16000)
    lines = "".join(f"{path.name}\ts\ten\twe walked along the river bank\n" for path in paths)
    (folder / "t.tsv").write_text("file\tspeaker\tlanguage\ttranscript\n" + lines)
    return paths


def test_a_yes_or_no_is_printed_as_such_without_a_unit_and_an_empty_text_as_none(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scored = score(clips(tmp_path, 1), transcripts=tmp_path / "t.tsv", curators=["text"], quiet=True)
    print_scores(scored, None)
    rows = {line.split()[0]: line.split() for line in capfd.readouterr().out.splitlines() if line.startswith("text_")}
    assert rows["text_empty"][1:4] == ["no", "No", "letter"]
    assert rows["text_language_match"][1:3] == ["yes", "False"]
    assert rows["text_machine_signs"][1:3] == ["none", "text"]


def test_a_table_of_many_clips_says_yes_and_no_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    scored = score(clips(tmp_path, 4), transcripts=tmp_path / "t.tsv", curators=["text"], quiet=True)
    print_scores(scored, "text_empty,text_machine_signs")
    lines = [line.split() for line in capfd.readouterr().out.splitlines()[2:6]]
    assert [line[2:4] for line in lines] == [["no", "none"]] * 4


def test_a_score_is_printed_with_its_deviation_and_an_undecided_clip_with_the_rule(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    voice, rate = synthesise("the boats came back before the rain and nobody was late", Voice("en-us"))
    x = voice.astype(np.float32) / 32768
    noise = np.random.default_rng(0).normal(0, np.sqrt(np.mean(x**2)) * 10 ** (-9.5 / 20), x.size)
    for i in range(4):
        soundfile.write(tmp_path / f"{i}.wav", np.roll(0.3 * (x + noise), 16 * i), rate)
    scored = score([tmp_path / "0.wav"], curators=["snr"], quiet=True)
    (row,) = scored.table.to_pylist()
    assert row["tier"] == "undecided"
    shown = with_sigma(row["snr_db"], row["snr_sigma_db"])
    print_scores(scored, None)
    said = " ".join(capfd.readouterr().out.split())
    assert f"snr_db {shown} dB" in said
    assert f"undecided: snr_db {shown} dB, required at least 10, 0.9 sure" in said
    print_scores(score([tmp_path], curators=["snr"], quiet=True), None)
    said = " ".join(capfd.readouterr().out.split())
    assert f"0.wav 0 {shown} " in said
    assert "4 of the kept are undecided" in said


def test_the_share_of_wrong_texts_is_a_matter_only_where_there_is_a_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (path,) = clips(tmp_path, 1)
    voice, rate = synthesise("we walked along the river bank", Voice("en-us"))
    soundfile.write(path, voice, rate)
    said = "judged as if half of the texts were wrong"
    print_scores(score([path], curators=["alignment"], quiet=True), None)
    assert said not in capfd.readouterr().out
    print_scores(score([path], transcripts=tmp_path / "t.tsv", curators=["alignment"], quiet=True), None)
    assert said in capfd.readouterr().out.replace("\n", " ")

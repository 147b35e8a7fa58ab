"""The command as a user meets it: what is printed, what is refused, and with which exit code."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import typer
from rich.console import Console
from safetensors.numpy import save_file

from auricle.jobs import cli, commands
from auricle.jobs.loose.codec_table import codec_rows
from auricle.jobs.terminal import console
from auricle.jobs.terminal.config_file import EXAMPLE
from auricle.loaders import open_version

GOLDEN = str(Path(__file__).parents[2] / "golden" / "v1")


class Auricle:
    """Runs the command in this process; returns exit code, output and errors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capfd = monkeypatch, capfd

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["auricle", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = self._capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err


@pytest.fixture
def auricle(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Auricle:
    return Auricle(monkeypatch, capfd)


@pytest.mark.parametrize(
    "arguments",
    [
        ["versions", "PLACE"],
        ["show", "PLACE"],
        ["show", "PLACE@3"],
        ["pull", "PLACE", "PLACE-copy", "-r", "builtin"],
        ["diagnose", "PLACE"],
        ["report", "PLACE"],
        ["verify", "PLACE"],
        ["repair", "PLACE"],
        ["gc", "PLACE"],
        ["compact", "PLACE"],
        ["tag", "PLACE"],
        ["rollback", "PLACE", "1"],
        ["takedown", "PLACE", "--speaker", "x"],
        ["abandon", "PLACE"],
        ["decode", "PLACE", "4f1c"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
@pytest.mark.parametrize("exists", [False, True], ids=["absent", "another folder"])
def test_a_path_without_a_dataset_is_said_and_left_as_it_is(
    auricle: Auricle, tmp_path: Path, arguments: list[str], exists: bool
) -> None:
    place = tmp_path / "mistyped"
    if exists:
        place.mkdir()
    code, _, err = auricle(*(a.replace("PLACE", str(place)) for a in arguments))
    assert code == 2
    assert f"no dataset at {place}" in err
    assert list(tmp_path.rglob("*")) == ([place] if exists else [])


def test_clips_are_listed_with_the_keys_that_other_verbs_take(auricle: Auricle) -> None:
    keys = open_version(GOLDEN).clips(["clip"])["clip"].to_pylist()
    code, out, _ = auricle("show", GOLDEN, "--clips")
    assert code == 0
    assert all(key in out for key in keys)
    code, out, _ = auricle("show", GOLDEN, "--clips", "--where", "status = 'dropped'")
    assert "quiet, short" in out
    assert "1 of 1 clip where status = 'dropped'" in out
    code, out, _ = auricle("show", GOLDEN, "--clips", "--limit", "2")
    assert f"2 of {len(keys)} clips; --limit {len(keys)} lists all" in out


def test_a_condition_without_clips_is_refused(auricle: Auricle) -> None:
    assert auricle("show", GOLDEN, "--where", "status = 'kept'")[0] == 2


def test_a_pull_says_what_it_brought_and_that_it_had_it(auricle: Auricle, tmp_path: Path) -> None:
    dest = str(tmp_path / "mine")
    code, out, _ = auricle("pull", GOLDEN, dest, "-r", "tone-codes", "--quiet")
    assert code == 0
    assert f"pulled version 1 into {dest}: 4 samples of tone-codes-50hz" in out
    code, out, _ = auricle("pull", GOLDEN, dest, "-r", "tone-codes", "--quiet")
    assert f"{dest} already has version 1: 4 samples of tone-codes-50hz; nothing was copied" in out


def test_every_codec_is_listed_with_kinds_and_rates_that_can_be_asked_for(auricle: Auricle) -> None:
    from auricle.extractors.coding.registry import codecs, describe
    from auricle.schemas.config import RepresentationConfig

    rows = codec_rows()
    assert set(codecs()) <= {row[0] for row in rows}
    ours = [row for row in rows if row[0] in ("builtin", "features", "units")]
    for codec, kind, rates, *_ in ours:
        for i, rate in enumerate(map(float, rates.split(", "))):
            asked = RepresentationConfig(codec=codec, kind=kind, rate_hz=rate)
            assert describe(asked).frame_rate == rate
            if i == 0:
                assert describe(RepresentationConfig(codec=codec, kind=kind)).frame_rate == rate
    code, out, _ = auricle("codecs")
    assert code == 0
    assert "12.5, 25" in out


def test_weights_are_checked_against_the_codec_they_are_for(auricle: Auricle, tmp_path: Path) -> None:
    code, out, _ = auricle("weights", "check", "builtin")
    assert (code, out.split()[-2]) == (0, "sha256")
    code, _, err = auricle("weights", "check", "builtin", "--sha256", "0" * 64)
    assert (code, "the packaged weights hash to" in err) == (6, True)
    foreign = tmp_path / "other.safetensors"
    save_file({"layer.weight": np.zeros(3, np.float32)}, foreign)
    code, _, err = auricle("weights", "check", "encodec24", "--from", str(foreign))
    assert (code, "is not a checkpoint of this codec" in err) == (6, True)
    code, _, err = auricle("weights", "check", "nonsense")
    assert (code, "codec 'nonsense' is not known" in err) == (2, True)


def test_the_doctor_takes_a_configuration_or_a_dataset(auricle: Auricle, tmp_path: Path) -> None:
    config = tmp_path / "speech.yaml"
    config.write_text(EXAMPLE)
    code, out, _ = auricle("doctor", str(config))
    assert code == 0
    assert "valid: " in out
    assert "source recordings" in out
    assert "weights of builtin codes" in out
    config.write_text("dataset: ./d\nsauces: []\n")
    assert "sauces" in auricle("doctor", str(config))[1]
    assert "config" not in auricle("doctor", GOLDEN)[1].split("\n")[1]


def tone(path: Path, seconds: float = 1.0) -> str:
    time = np.arange(int(seconds * 16000)) / 16000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * 440 * time), 16000)
    return str(path)


def test_score_shows_units_rules_and_reasons_and_fails_only_when_every_file_does(
    auricle: Auricle, tmp_path: Path
) -> None:
    good, bad = tone(tmp_path / "good.wav"), tmp_path / "bad.wav"
    bad.write_text("no audio, only words. " * 9)
    config = tmp_path / "c.yaml"
    config.write_text(
        f"dataset: {tmp_path}/d\nsources: [{{path: {tmp_path}}}]\n"
        "keep:\n  - {score: level_dbfs, min: -5, reason: faint}\n  - {score: snr_db, min: 5, reason: noisy}\n"
    )
    signal = ["--curator", "signal", "--config", str(config), "--quiet"]
    code, out, err = auricle("score", good, str(bad), *signal)
    assert (code, err) == (0, "")
    assert "dropped: faint" in out
    assert "faint: level_dbfs -13.5 dB, required at least -5" in out
    assert "bad.wav: Format not recognised" in out
    assert "not judged, since their curators did not run: rules on snr_db" in out
    code, out, err = auricle("score", str(bad), *signal)
    assert code == 7
    assert "the file could not be scored" in err
    code, out, _ = auricle("score", good, *signal, "--set", "keep.0.min=-20", "--out", str(tmp_path / "s.parquet"))
    assert code == 0
    row = pq.read_table(tmp_path / "s.parquet").to_pylist()[0]
    assert (row["status"], row["why"], "snr_db" in row) == ("kept", [], False)


def test_score_refuses_a_result_that_cannot_be_written_before_it_scores(auricle: Auricle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for out in (tmp_path, tmp_path / "file" / "s.parquet"):
        code, shown, err = auricle("score", str(tmp_path / "file"), "--out", str(out))
        assert code == 5
        assert "--out" in err
        assert shown == ""


@pytest.mark.parametrize(("width", "columns"), [(50, 2), (100, 3)])
def test_a_narrow_terminal_gets_fewer_columns_not_broken_words(
    auricle: Auricle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int, columns: int
) -> None:
    monkeypatch.setattr(console, "out", Console(width=width, highlight=False, soft_wrap=True))
    for i in range(4):
        tone(tmp_path / f"recording_{i}.wav", 1 + i / 10)
    _, out, _ = auricle("score", str(tmp_path), "--curator", "signal", "--curator", "vad")
    heads = out.splitlines()[1].split()
    assert heads[:3] == ["path", "ch", "speech_s"]
    assert heads[-1] == "verdict"
    assert len(heads) == 3 + columns


def test_score_says_when_a_transcript_table_fits_no_file(auricle: Auricle, tmp_path: Path) -> None:
    table = tmp_path / "elsewhere" / "t.tsv"
    table.parent.mkdir()
    table.write_text("file\tspeaker\tlanguage\ttranscript\na.wav\ts\ten\tone two\n")
    arguments = ["score", tone(tmp_path / "a.wav"), "--curator", "signal", "--transcripts"]
    code, _, err = auricle(*arguments, str(table))
    assert code == 0
    assert "has a transcript for none of these files" in err
    table.rename(tmp_path / "t.tsv")
    assert "has a transcript for none" not in auricle(*arguments, str(tmp_path / "t.tsv"))[2]


def test_score_shows_the_columns_that_are_asked_for_and_names_those_there_are(auricle: Auricle, tmp_path: Path) -> None:
    paths = [tone(tmp_path / f"{i}.wav", 0.5 + i) for i in range(4)]
    code, out, _ = auricle("score", *paths, "--curator", "signal", "--columns", "dc_offset,peak_dbfs")
    assert code == 0
    assert out.splitlines()[1].split()[:3] == ["path", "ch", "dc_offset"]
    code, _, err = auricle("score", paths[0], "--curator", "signal", "--columns", "loudness")
    assert code == 2
    assert "'loudness': not a score here. Scores: level_dbfs" in err


def leaves(command: Any, path: str) -> list[tuple[str, Any]]:
    """Every verb that does something, with its whole name."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return [(path, command)]
    return [leaf for name, child in inner.items() for leaf in leaves(child, f"{path} {name}")]


def test_every_verb_has_a_heading_and_an_example_that_names_it() -> None:
    app = typer.Typer()
    commands.register(app)
    top = typer.main.get_command(app)
    named = {verb for verbs in commands.HEADINGS.values() for verb in verbs}
    assert {name.split()[1] for name, _ in leaves(top, "auricle")} <= named
    for name, verb in leaves(top, "auricle"):
        takes = [parameter.name for parameter in verb.params if parameter.name != "help"]
        assert not takes or name in (verb.help or ""), name

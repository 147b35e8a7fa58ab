"""What `auricle diff` and `auricle show` print for a person."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import said
from dataset_factory import voices, write_version

from auricle.jobs.terminal import console
from auricle.schemas.errors import ConfigError
from auricle.schemas.score import PROVENANCE


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    """Three versions of a growing corpus, with a clip that gets louder."""
    url = str(tmp_path / "data")
    first, *rest = voices(5)
    write_version(url, [first, *rest[:2]])
    write_version(url, [first, *rest[:3]])
    noisy = rest[3].but(status="dropped", reasons=("noisy",), tier=None)
    write_version(url, [first.but(snr_db=22.0), *rest[1:3], noisy])
    return url


def test_a_diff_says_which_versions_it_compares(dataset: str) -> None:
    for arguments in ((), ("3",)):
        assert said("diff", dataset, *arguments).startswith("from version 2, its parent, to version 3, the newest\n")
    assert said("diff", dataset, "1").startswith("from version 1 to version 3, the newest\n")
    assert said("diff", dataset, "1", "2").startswith("from version 1, its parent, to version 2\n")


def test_a_diff_lists_clips_of_one_version_by_what_they_are_there(dataset: str) -> None:
    out = " ".join(said("diff", dataset).split())
    assert "only after noisy 1" in out
    assert "only before kept 1" in out


def test_a_diff_has_no_row_of_a_score_that_changed_for_no_clip(dataset: str) -> None:
    out = said("diff", dataset)
    assert "snr_db" in out
    assert "transcript_trust" not in out
    assert "snr_db" not in said("diff", dataset, "1", "2")


def test_clips_come_with_their_transcript_their_start_and_the_scores_asked_for(dataset: str) -> None:
    found = json.loads(said("show", dataset, "--clips", "--columns", "snr_db, snr_reason,source", "--json"))
    first = found["clips"][0]
    assert (first["transcript"], first["start_s"], first["snr_db"], first["snr_reason"], first["source"]) == (
        "sentence v 0", 0.0, 22.0, None, "voices",
    )  # fmt: skip
    out = said("show", dataset, "--clips", "--columns", "snr_db")
    assert "sentence v 0" in out
    assert "snr_db" in out.splitlines()[0]
    assert "snr_db" not in said("show", dataset, "--clips")


def test_keys_stay_on_one_line_in_a_narrow_terminal(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [row["clip"] for row in json.loads(said("show", dataset, "--clips", "--json"))["clips"]]
    assert [len(key) for key in keys] == [32] * 4
    for width in (160, 80, 40):
        monkeypatch.setattr(console.out, "_width", width)
        out = said("show", dataset, "--clips", "--columns", "snr_db,transcript_trust")
        assert [key for key in keys if key in out] == keys


def test_a_clip_is_a_line_of_a_table_or_two_where_that_is_too_wide(
    dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = json.loads(said("show", dataset, "--clips", "--json"))["clips"]
    for width in (200, 160, 120, 80, 60, 40):
        monkeypatch.setattr(console.out, "_width", width)
        lines = said("show", dataset, "--clips", "--columns", "snr_db").splitlines()
        for row in found:
            (at,) = (i for i, line in enumerate(lines) if line.startswith(row["clip"]))
            clip = lines[at] if width > 120 else f"{lines[at]}\n{lines[at + 1]}"
            assert row["path"] in clip
            assert row["speaker"] in clip
            assert all(reason in clip for reason in row["reasons"])
        assert len(lines) == (2 + len(found) if width > 120 else 1 + 2 * len(found)), width
        assert max(len(line.rstrip()) for line in lines) <= max(width, 60)


def test_brackets_of_names_are_printed_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = voices(1)
    write_version(str(tmp_path / "data"), [one.but(path="take [1].wav", text="so [laughs] it was")])
    for width in (200, 80):
        monkeypatch.setattr(console.out, "_width", width)
        out = said("show", str(tmp_path / "data"), "--clips")
        assert "take [1].wav" in out
        assert "so [laughs] it" in out


@pytest.mark.parametrize("name", ["clip", "status", "speaker", "language", "path", "channel", "transcript"])
def test_a_column_of_every_table_is_not_printed_twice(dataset: str, name: str) -> None:
    plain = said("show", dataset, "--clips")
    assert said("show", dataset, "--clips", "--columns", name) == plain
    assert said("show", dataset, "--clips", "--columns", f"snr_db,{name},snr_db").count("snr_db") == 1


def test_names_that_are_listed_are_of_scores_and_facts_not_of_their_provenance(dataset: str) -> None:
    for arguments in (("--columns", "zzzz"), ("--where", "zzzz = 1")):
        with pytest.raises(ConfigError) as refused:
            said("show", dataset, "--clips", *arguments)
        assert "snr_db" in str(refused.value)
        for ending in PROVENANCE:
            assert f"snr_{ending}" not in str(refused.value)
    with pytest.raises(ConfigError) as refused:
        said("show", dataset, "--clips", "--columns", "snr")
    assert str(refused.value) == "--columns: there is no column 'snr'; did you mean 'snr_db'?"


def test_a_column_that_is_not_there_is_refused_with_the_nearest(dataset: str) -> None:
    for columns, words in (("snr", "did you mean 'snr_db'?"), ("nothing", "There are: ")):
        with pytest.raises(ConfigError) as refused:
            said("show", dataset, "--clips", "--columns", columns)
        assert words in str(refused.value)
    with pytest.raises(ConfigError, match="give --clips too"):
        said("show", dataset, "--columns", "snr_db")


def test_copies_of_files_that_failed_are_counted_apart_from_those_of_decoded_ones(tmp_path: Path) -> None:
    first, second, broken, cut = voices(4)
    ours = [first.but(aliases=2), second, broken.but(decodes=False, aliases=1), cut.but(decodes=False)]
    for name, recordings, line in (
        ("mixed", ours, "files 7 = 2 decoded + 2 copies of them, byte for byte, + 2 failed + 1 copy of them"),
        ("whole", [*ours[:2], ours[3]], "files 5 = 2 decoded + 2 copies of them, byte for byte, + 1 failed"),
        ("lone", ours[1:3], "files 3 = 1 decoded + 0 copies of them, byte for byte, + 1 failed + 1 copy of it"),
    ):
        write_version(str(tmp_path / name), recordings)
        assert line in said("show", str(tmp_path / name)).splitlines()

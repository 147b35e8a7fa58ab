"""What `auricle takedown` and `auricle rollback` say of the clips that go and of those that do not come back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import app, said
from dataset_factory import voices, write_version
from typer.testing import CliRunner

from auricle.loaders.storage.store import Store
from auricle.schemas.errors import NotConfirmedError

GONE = voices(1)[0]


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    """Two versions with the same five clips and another text, then a third without one of them."""
    url = str(tmp_path / "data")
    write_version(url, voices(5))
    write_version(url, [*voices(4), voices(5)[4].but(text="other words")])
    return url


def test_a_rollback_over_a_takedown_says_how_many_clips_stay_away(dataset: str) -> None:
    said("takedown", dataset, "--clips", GONE.key, "--yes")
    assert said("rollback", dataset, "1") == (
        "version 4 has the content of version 1 without 1 clip that was taken down\n"
    )
    assert "rolled back to version 1 without 1 clip that was taken down" in said("versions", dataset)
    assert json.loads(said("rollback", dataset, "2", "--json"))["clips_left_out"] == 1


def test_a_rollback_with_nothing_taken_down_has_the_whole_content(dataset: str) -> None:
    assert said("rollback", dataset, "1") == "version 3 has the content of version 1\n"


def test_a_takedown_without_a_purge_says_which_versions_hold_the_clips_and_whose_curricula(dataset: str) -> None:
    Store(dataset).put_new("derived/000002/curriculum.parquet", b"stages")
    asked = ("takedown", dataset, "--clips", GONE.key)
    assert "versions 1, 2 of this dataset would hold them as before: --purge" in said(*asked, "--dry-run")
    out = said(*asked, "--yes")
    assert "versions 1, 2 of this dataset hold them as before: --purge removes them from there" in out
    assert "curricula of version 2 may still offer them" in out
    out = said(*asked, "--purge", "--yes")
    assert "retired versions: 1, 2" in out
    assert "as before" not in out
    assert "curricula" not in out


def test_versions_without_the_clips_are_not_named(tmp_path: Path) -> None:
    url = str(tmp_path / "data")
    write_version(url, voices(5)[1:])
    write_version(url, voices(5))
    found = json.loads(said("takedown", url, "--clips", GONE.key, "--yes", "--json"))
    assert (found["still_in_versions"], found["offered_by_curricula_of"]) == ([2], [])
    assert "version 2 of this dataset holds the text" in said("takedown", url, "--clips", GONE.key, "--redact", "--yes")


def test_a_takedown_names_the_clips_before_and_only_their_keys_after(dataset: str) -> None:
    line = f"{GONE.key}  voices/v0.wav  from 0.00 s  sentence v 0\n"
    asked = ("takedown", dataset, "--clips", GONE.key)
    assert said(*asked, "--dry-run").startswith(line)
    refused = CliRunner().invoke(app, [*asked])
    assert isinstance(refused.exception, NotConfirmedError)
    assert refused.stdout.startswith(line)
    [named] = json.loads(said(*asked, "--dry-run", "--json"))["first_clips"]
    assert (named["clip"], named["transcript"]) == (GONE.key, "sentence v 0")
    # logs of what was done do not keep what is gone
    [named] = json.loads(said(*asked, "--yes", "--json"))["first_clips"]
    assert (named["clip"], named["path"], named["transcript"]) == (GONE.key, None, None)


def test_of_many_clips_ten_are_named_and_the_rest_are_counted(tmp_path: Path) -> None:
    url = str(tmp_path / "data")
    many = [v.but(speaker="eve", text=None) for v in voices(12)]
    write_version(url, [many[0].but(text="word " * 40), *many[1:], *voices(2, "w", speaker="bob")])
    out = said("takedown", url, "--speaker", "eve", "--yes").splitlines()
    assert {line[:32] for line in out[:10]} < {v.key for v in many}
    assert out[10] == "and 2 more"
    assert out[11].startswith("clips: 12,")
    assert all(len(line) < 120 for line in out[:10])

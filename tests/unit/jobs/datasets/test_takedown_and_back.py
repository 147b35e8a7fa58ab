"""What `auricle takedown` and `auricle rollback` say of the clips that go and of those that do not come back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from dataset_factory import voices, write_version
from typer.testing import CliRunner

from auricle.jobs import commands

app = typer.Typer()
commands.register(app)
GONE = voices(1)[0]


def said(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


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

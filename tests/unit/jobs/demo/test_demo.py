"""The demo makes its folder anew, but only one of its own."""

from pathlib import Path

import pytest

from auricle.jobs.demo.demo import run_demo
from auricle.schemas.errors import ConfigError


@pytest.mark.parametrize("name", ["audio", "dataset"])
def test_a_folder_with_somebodys_recordings_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    own = tmp_path / name / "mine.wav"
    own.parent.mkdir()
    own.write_bytes(b"years of work")
    with pytest.raises(ConfigError, match="no demo made"):
        run_demo(tmp_path, 0, quiet=True)
    assert own.read_bytes() == b"years of work"

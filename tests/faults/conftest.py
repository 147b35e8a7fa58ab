"""The dataset that is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.pipelines.run import run


@pytest.fixture
def two_nights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset of two versions with eight and twelve clips."""
    without_ray(monkeypatch)
    for first, count in ((0, 8), (8, 4)):
        write_corpus(tmp_path / "audio", count, first=first)
        run(config(tmp_path / "audio", tmp_path / "data"))
    return tmp_path

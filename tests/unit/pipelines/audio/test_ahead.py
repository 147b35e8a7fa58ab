"""Threads that decode ahead change nothing but the time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from corpus import write_clip

from auricle.pipelines.audio.ahead import read_ahead
from auricle.pipelines.audio.clip_reader import read_clips
from auricle.schemas.clip import Clip
from auricle.schemas.errors import ClipError
from auricle.schemas.keys import sha256_file


@pytest.fixture
def items(tmp_path: Path) -> list[dict[str, Any]]:
    made = []
    for seed in range(9):
        path = write_clip(tmp_path / f"{seed}.wav", seed)
        name = sha256_file(path)
        for start in range(0, 8000, 2000):
            span = {"start": start, "end": start + 2000}
            made.append({"key": f"{seed}-{start}", "recording": name, "uri": str(path), "channel": 0, **span})
    (tmp_path / "4.wav").unlink()
    return made


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_same_clips_and_failures_in_the_same_order(items: list[dict[str, Any]], threads: int) -> None:
    plain, ahead = list(read_clips(items)), list(read_ahead(items, threads))
    assert [item["key"] for item, _ in ahead] == [item["key"] for item, _ in plain]
    for (_, a), (_, b) in zip(plain, ahead, strict=True):
        if isinstance(a, Clip) and isinstance(b, Clip):
            assert a.waveform.tobytes() == b.waveform.tobytes()
        else:
            assert isinstance(a, ClipError)
            assert isinstance(b, ClipError)


def test_no_thread_is_left_when_nobody_reads_on(items: list[dict[str, Any]]) -> None:
    before = threading.active_count()
    reading = read_ahead(items, 3)
    next(reading)
    reading.close()
    assert threading.active_count() == before

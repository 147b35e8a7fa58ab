"""Clips too long to hold: read piece by piece they are the same samples, and give the same arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from auricle.pipelines.audio import long_clip
from auricle.pipelines.audio.long_clip import LongClip
from auricle.pipelines.audio.tape import Tape, read_spans
from auricle.pipelines.passes import extract
from auricle.pipelines.passes.extract import ExtractRecipe
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.errors import ClipError
from auricle.schemas.keys import sha256_file

RATE = 16_000


def recording(folder: Path, name: str, seconds: float = 40.0, channels: int = 2) -> Path:
    rng = np.random.default_rng(3)
    path = folder / name
    soundfile.write(path, 0.1 * rng.standard_normal((int(seconds * RATE), channels)), RATE)
    return path


def item(path: Path, start: int, end: int, representations: str, channel: int = 0) -> dict[str, Any]:
    span = {"channel": channel, "start": start, "end": end}
    return {"key": "k", "recording": sha256_file(path), "uri": str(path), "representations": representations, **span}


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_pieces_in_any_order_are_the_samples_of_the_recording(tmp_path, monkeypatch, name):
    monkeypatch.setattr(long_clip, "KEPT_BEHIND_S", 1.0)
    path = recording(tmp_path, name)
    ((_, whole, _),) = read_spans(Tape(path), [(0, 640_000)])
    clip = LongClip(Tape(path), 5_000, 600_000, 1)
    assert (clip.num_samples, clip.sample_rate) == (595_000, RATE)
    for start, end in ((0, 10), (0, 300_000), (290_000, 595_000), (594_999, 595_000), (100, 20_000), (7, 7)):
        assert np.array_equal(clip.read(start, end), whole[:, 5_000 + start : 5_000 + end])
        assert np.array_equal(clip.read_channel(start, end), whole[1:, 5_000 + start : 5_000 + end])


def test_what_was_read_is_forgotten_beyond_what_may_be_looked_back_at(tmp_path, monkeypatch):
    monkeypatch.setattr(long_clip, "KEPT_BEHIND_S", 1.0)
    path = recording(tmp_path, "a.wav", seconds=300, channels=1)
    tape = Tape(path)
    clip = LongClip(tape, 0, 300 * RATE, 0)
    held = []
    for start in range(0, 300 * RATE, RATE):
        clip.read(start, start + RATE)
        held.append(sum(block.shape[1] for _, block in tape._held))
    assert max(held) <= 3 * (1 << 18)


def test_a_recording_that_ends_before_its_clip_does_fails_with_the_reason(tmp_path):
    clip = LongClip(Tape(recording(tmp_path, "a.wav", seconds=1)), 0, 2 * RATE, 0)
    with pytest.raises(ClipError, match=r"corrupt: a.wav: ends at sample 16000, a clip in it needs sample 32000"):
        clip.read(RATE - 10, RATE + 10)


VIEWS = (
    {"codec": "builtin", "kind": "codes"},
    {"codec": "builtin", "kind": "latents", "rate_hz": 25},
    {"codec": "features", "kind": "features"},
    {"codec": "units", "kind": "codes"},
    {"codec": "conversation", "kind": "codes", "num_codebooks": 2},
    {"codec": "conversation", "kind": "features", "options": {"codec": "features"}},
)


def test_streamed_clips_give_the_arrays_of_clips_in_memory(tmp_path, monkeypatch):
    path = recording(tmp_path, "a.flac", seconds=75)
    recipe = ExtractRecipe(tuple(RepresentationConfig.model_validate(view) for view in VIEWS))
    work = recipe.build()
    wanted = item(path, 1000, 75 * RATE - 7, ",".join(spec.name for spec in recipe.specs), channel=1)
    (in_memory,) = work([wanted])
    monkeypatch.setattr(extract, "LONG_SAMPLES", 1000)
    (streamed,) = work([wanted])
    assert set(streamed.payloads) == {spec.name for spec in recipe.specs}
    assert streamed.payloads == in_memory.payloads
    assert streamed.row == in_memory.row
    assert streamed.audio_s == in_memory.audio_s


def test_a_long_clip_whose_recording_is_gone_changed_or_cut_is_a_row_with_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(extract, "LONG_SAMPLES", 1000)
    path = recording(tmp_path, "a.wav", seconds=2)
    recipe = ExtractRecipe((RepresentationConfig(codec="builtin", kind="codes"),))
    work = recipe.build()
    cut = item(path, 0, 3 * RATE, "builtin-codes-75hz")
    changed = cut | {"recording": "0" * 64}
    gone = cut | {"uri": str(tmp_path / "b.wav")}
    found = [next(iter(work([wanted]))).row for wanted in (cut, changed, gone)]
    assert found[0]["builtin-codes-75hz"]["error"].startswith("corrupt: a.wav: ends at sample 32000")
    assert [row.get("error_reason") for row in found[1:]] == ["changed_while_read", "missing"]

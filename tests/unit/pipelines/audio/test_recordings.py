"""Units of a long recording: its bytes are hashed once and its samples decoded once, and the clips are the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from auricle.pipelines.audio import decode, recordings
from auricle.pipelines.audio.clip_reader import read_clips
from auricle.pipelines.audio.tape import Tape, read_spans
from auricle.schemas.clip import Clip
from auricle.schemas.config import Segmentation
from auricle.schemas.errors import ClipError
from auricle.schemas.keys import sha256_file

RATE = 16_000
SECONDS = 100
NAMES = ("a.wav", "a.flac", "a.mp3", "a.ogg", "a.opus", "a.m4a")


@pytest.fixture(autouse=True)
def nothing_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(decode, "BLOCK_SAMPLES", RATE)
    recordings.close_all()
    yield
    recordings.close_all()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Samples of every block that a decoder gave, as they come."""
    found: list[int] = []
    for reader in (decode._SoundFileReader, decode._AvReader):
        blocks = reader.blocks

        def counted(self: Any, start: int = 0, blocks: Any = blocks) -> Iterator[tuple[int, np.ndarray]]:
            for first, block in blocks(self, start):
                found.append(block.shape[1])
                yield first, block

        monkeypatch.setattr(reader, "blocks", counted)
    return found


def recording(folder: Path, name: str) -> Path:
    path = folder / name
    noise = (0.1 * np.random.default_rng(3).standard_normal((2, SECONDS * RATE))).astype(np.float32)
    if path.suffix in (".wav", ".flac", ".mp3", ".ogg"):
        soundfile.write(path, noise.T, RATE)
        return path
    codec = {".opus": "libopus", ".m4a": "aac"}[path.suffix]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48_000 if codec == "libopus" else RATE, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="stereo")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


def unit(path: Path, first: int, count: int = 5, seconds: int = 2) -> list[dict[str, Any]]:
    """Items of one unit: clips of two seconds, both channels."""
    sha256 = sha256_file(path)
    return [
        {"key": f"{start}/{channel}", "recording": sha256, "uri": str(path), "channel": channel}
        | {"start": start * RATE, "end": (start + seconds) * RATE}
        for start in range(first, first + count * seconds, seconds)
        for channel in (0, 1)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_units_of_a_recording_decode_it_once_and_give_the_samples_of_one_pass(
    tmp_path: Path, decoded: list[int], name: str
) -> None:
    path = recording(tmp_path, name)
    units = [unit(path, first) for first in range(0, 90, 10)]
    spans = sorted({(item["start"], item["end"]) for items in units for item in items})
    whole = {span: waveform for span, waveform, _ in read_spans(Tape(path), spans)}
    once = sum(decoded)
    decoded.clear()
    for items in units:
        for item, clip in read_clips(items):
            assert isinstance(clip, Clip)
            assert np.array_equal(clip.waveform, whole[item["start"], item["end"]][item["channel"]])
    assert sum(decoded) <= 1.2 * once


@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "a.m4a"])
def test_units_in_another_order_give_the_same_samples(tmp_path: Path, name: str) -> None:
    path = recording(tmp_path, name)
    found: dict[str, np.ndarray] = {}
    for first in (0, 70, 30, 70, 0):
        for item, clip in read_clips(unit(path, first)):
            assert isinstance(clip, Clip)
            assert np.array_equal(found.setdefault(item["key"], clip.waveform), clip.waveform)


def test_the_bytes_of_a_recording_are_hashed_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recording(tmp_path, "a.wav")
    units = [unit(path, first) for first in range(0, 90, 10)]
    hashed: list[Path] = []
    monkeypatch.setattr(recordings, "sha256_of", lambda path: hashed.append(path) or sha256_file(path))
    for items in units:
        assert all(isinstance(clip, Clip) for _, clip in read_clips(items))
    assert len(hashed) == 1
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    errors = [clip for _, clip in read_clips(units[0])]
    assert {str(e.reason) for e in errors if isinstance(e, ClipError)} == {"changed_while_read"}
    assert len(errors) == len(units[0])


@pytest.mark.parametrize("most_bytes", [0, 1 << 30])
def test_a_recording_on_a_store_is_fetched_once_for_all_its_units_and_its_copy_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    path, asked = recording(tmp_path, "a.flac"), []

    class Remote:
        def pieces(self, name: str, most: int) -> Iterator[bytes]:
            asked.append(name)
            yield (tmp_path / name).read_bytes()

    monkeypatch.setattr(decode, "located", lambda uri: (Remote(), uri.removeprefix("s3://bucket/")))
    monkeypatch.setattr(recordings, "local_sound", partial(decode.local_sound, most_bytes=most_bytes))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    units = [unit(path, first) for first in range(0, 90, 10)]
    for items in units:
        remote = [item | {"uri": "s3://bucket/a.flac"} for item in items]
        assert all(isinstance(clip, Clip) for _, clip in read_clips(remote))
    assert asked == ["a.flac"]
    # what stays in memory needs no copy
    assert len(list(tmp_path.glob("auricle-*/*/a.flac"))) == (0 if most_bytes else 1)
    recordings.close_all()
    assert not list(tmp_path.glob("auricle-*/*/*"))


def test_only_the_last_recordings_stay_open(tmp_path: Path) -> None:
    for seed in range(5):
        folder = tmp_path / str(seed)
        folder.mkdir()
        path = folder / "a.wav"
        soundfile.write(path, np.full(RATE * 4, seed / 10), RATE)
        list(read_clips(unit(path, 0, 1)[:1]))
    assert len(recordings._kept) == recordings.MOST


def test_a_probe_looks_at_each_clip_of_a_long_recording_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from auricle.pipelines.passes import probe

    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, SECONDS * RATE), RATE)
    updates: list[int] = []

    class Counted(probe.PcmHash):
        def update(self, samples: np.ndarray) -> None:
            updates.append(len(samples))
            super().update(samples)

    monkeypatch.setattr(probe, "PcmHash", Counted)
    facts = probe.probe_file(path, "r", Segmentation(method="fixed", max_s=1.0))
    assert len(facts["clips"]) == SECONDS
    assert sum(updates) == SECONDS * RATE
    assert len(updates) <= 2 * SECONDS


def test_a_recording_of_many_clips_is_cut_in_time_that_grows_with_their_number(tmp_path: Path) -> None:
    looks: list[str] = []

    class Item(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            looks.append(name)
            return super().__getitem__(name)

    path = recording(tmp_path, "a.wav")
    found: dict[int, float] = {}
    for count in (500, 2000):
        items = [Item(item) for item in unit(path, 0, 1)[:1] * count]
        for number, item in enumerate(items):
            item |= {"key": str(number), "start": number * 640, "end": number * 640 + 1280}
        looks.clear()
        assert [item["key"] for item, _ in read_clips(items)] == [str(number) for number in range(count)]
        found[count] = len(looks) / count
    assert found[2000] <= 1.05 * found[500]

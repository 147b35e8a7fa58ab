"""A recording that decodes and is not whole says what it lacks; one that is whole says nothing."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from auricle.pipelines.audio.mpeg_frames import frame_at, read_frames
from auricle.pipelines.passes.probe import probe_file
from auricle.schemas.config import Segmentation

RATE = 16000


def written(path: Path, container: str, seconds: float = 3.0, rate: int = RATE, **how: str) -> Path:
    samples = np.random.default_rng(0).normal(0, 0.05, int(seconds * rate)).astype(np.float32)
    soundfile.write(path, samples, rate, format=container, **how)
    return path


def note(path: Path) -> str | None:
    return probe_file(path, "r", Segmentation(truncated="accept"))["note"]


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "FLAC", "OGG", "MP3", "CAF"])
@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_nothing_is_said_of_whole_files(tmp_path: Path, container: str, rate: int) -> None:
    assert note(written(tmp_path / "a.audio", container, rate=rate)) is None


@pytest.mark.parametrize("mode", ["CONSTANT", "AVERAGE", "VARIABLE"])
def test_the_frames_of_an_mp3_are_as_many_as_its_header_counts(tmp_path: Path, mode: str) -> None:
    found = read_frames(written(tmp_path / "a.mp3", "MP3", bitrate_mode=mode))
    assert found is not None
    assert found.declared_samples == found.num_samples
    assert (found.foreign_bytes, found.missing_bytes, found.rate_hz) == (0, 0, RATE)
    assert 3.0 <= found.num_samples / RATE < 3.2


@pytest.mark.parametrize(
    ("head", "num_bytes", "num_samples", "rate"),
    [
        ("fffb9064", 417, 1152, 44100),  # MPEG-1 layer 3, 128 kbit/s
        ("fffb9264", 418, 1152, 44100),  # the same, padded
        ("fff384c4", 192, 576, 24000),  # MPEG-2 layer 3, 64 kbit/s
        ("ffe34888", 288, 576, 8000),  # MPEG-2.5 layer 3, 32 kbit/s
        ("fffda404", 576, 1152, 48000),  # MPEG-1 layer 2, 192 kbit/s
        ("ffff5404", 160, 384, 48000),  # MPEG-1 layer 1, 160 kbit/s
    ],
)
def test_headers_say_how_long_their_frame_is(head: str, num_bytes: int, num_samples: int, rate: int) -> None:
    frame = frame_at(bytes.fromhex(head), 0)
    assert frame is not None
    assert (frame.num_bytes, frame.num_samples, frame.rate_hz) == (num_bytes, num_samples, rate)


@pytest.mark.parametrize("head", ["fffb0064", "fffbf064", "fffb9c64", "ffeb9064", "fff99064", "00fb9064", "fffb90"])
def test_what_is_no_header_is_none(head: str) -> None:
    assert frame_at(bytes.fromhex(head), 0) is None


def test_zeros_in_an_mp3_are_said_with_their_place(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp3", "MP3")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = bytes(600)
    path.write_bytes(data)
    found = note(path)
    assert found is not None
    assert found.startswith("damaged recording: ")
    assert "bytes are no MPEG audio, the first after 1.4" in found or "the first after 1.5" in found


def test_an_mp3_that_was_cut_off_says_what_is_there_of_what(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp3", "MP3")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3 + 5])
    found = note(path)
    assert found is not None
    assert "its last frame lacks" in found
    assert "its header declares 3.1" in found


def test_tags_around_an_mp3_and_zeros_before_it_are_no_damage(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mp3", "MP3")
    head = b"ID3\x04\x00\x00" + bytes([0, 0, 1, 2]) + bytes(130)
    path.write_bytes(head + path.read_bytes() + b"TAG" + bytes(125))
    assert note(path) is None


def test_a_torn_ogg_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "a.ogg", "OGG", subtype="VORBIS", seconds=20)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    assert note(path) == "damaged recording: its last page is not all there, so it was cut off"
    pages = [i for i in range(len(data)) if data.startswith(b"OggS", i)]
    assert len(pages) > 5
    path.write_bytes(data[: pages[3]] + data[pages[4] :])
    assert note(path) == "damaged recording: 1 page is missing"
    path.write_bytes(data[: pages[3]] + bytes(40) + data[pages[3] :])
    assert note(path) == "damaged recording: 40 bytes are no Ogg"


def test_a_wav_whose_header_says_more_or_less_than_is_there_says_both_lengths(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav", "WAV", subtype="PCM_16")
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    for length, said in (
        (96_000 * 10, "truncated: its header declares 960,000 bytes of audio, the file has only 96,000"),
        (8_000, "its header declares 8,000 bytes of audio, and is followed by 88,000 bytes that are not read"),
    ):
        data[place : place + 4] = struct.pack("<I", length)
        path.write_bytes(data)
        assert note(path) == f"damaged recording: {said}"


@pytest.mark.parametrize("padded", [True, False])
def test_chunks_and_zeros_after_the_samples_are_no_damage(tmp_path: Path, padded: bool) -> None:
    path = written(tmp_path / "a.wav", "WAV", subtype="PCM_U8", rate=RATE + 1, seconds=1)
    data = path.read_bytes()
    body = data[: data.index(b"data") + 8 + RATE + 1]
    chunk = b"LIST" + struct.pack("<I", 200) + b"INFO" + b"x" * 196
    path.write_bytes(body + (b"\0" if padded else b"") + chunk)
    assert note(path) is None
    path.write_bytes(body + bytes(5000))
    assert note(path) is None


def test_a_matroska_that_was_cut_off_says_how_long_it_should_be(tmp_path: Path) -> None:
    path = tmp_path / "a.mka"
    samples = np.random.default_rng(0).normal(0, 0.05, (1, RATE * 4)).astype(np.float32)
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("aac", rate=RATE)
        stream.layout = "mono"
        for first in range(0, samples.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(samples[:, first : first + 1024].copy(), format="fltp", layout="mono")
            frame.rate, frame.pts = RATE, first
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert note(path) is None
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found = note(path)
    assert found is not None
    assert "damaged recording: its header declares 4.0" in found

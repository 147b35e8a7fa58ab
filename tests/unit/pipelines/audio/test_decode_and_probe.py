"""Decoding and cutting: any format, any block size, spans that are exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.pipelines.audio import decode
from auricle.pipelines.audio.decode import open_audio
from auricle.pipelines.audio.tape import Tape, read_spans
from auricle.pipelines.passes.probe import probe_file
from auricle.schemas.config import Segmentation
from auricle.schemas.errors import ClipError
from auricle.schemas.keys import pcm_sha256

RATE = 8000


def write(path: Path, samples: np.ndarray, rate: int = RATE, **options: str) -> Path:
    soundfile.write(path, samples, rate, **options)
    return path


def noise(num: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(0, 0.1, (num, channels)).clip(-1, 1) * 32767).astype(np.int16)


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "BLOCK_SAMPLES", 100)


@settings(deadline=None, max_examples=30)
@given(
    spans=st.lists(st.tuples(st.integers(0, 999), st.integers(1, 400)), min_size=1, max_size=6),
    suffix=st.sampled_from([".wav", ".flac"]),
)
def test_spans_are_exactly_the_samples_asked_for(
    tmp_path_factory: pytest.TempPathFactory, spans: list[tuple[int, int]], suffix: str
) -> None:
    """Also when they overlap, and whatever the decoder's blocks are."""
    samples = noise(1000, 2)
    path = write(tmp_path_factory.mktemp("a") / f"a{suffix}", samples)
    asked = [(start, min(start + length, 1000)) for start, length in spans]
    old, decode.BLOCK_SAMPLES = decode.BLOCK_SAMPLES, 64
    try:
        found = {span: waveform for span, waveform, _ in read_spans(Tape(path), asked)}
    finally:
        decode.BLOCK_SAMPLES = old
    assert set(found) == set(asked)
    for (start, end), waveform in found.items():
        np.testing.assert_array_equal(waveform, samples[start:end].T.astype(np.float32) / 32768)


def test_a_span_beyond_the_end_is_a_clip_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(100))
    with pytest.raises(ClipError, match="ends at sample 100"):
        list(read_spans(Tape(path), [(50, 200)]))


@pytest.mark.usefixtures("short_blocks")
def test_one_container_or_another_gives_the_same_clip_content(tmp_path: Path) -> None:
    samples = noise(1234)
    wav = probe_file(write(tmp_path / "a.wav", samples), "r", Segmentation())
    flac = probe_file(write(tmp_path / "a.flac", samples), "r", Segmentation())
    assert wav["clips"] == flac["clips"]
    assert wav["clips"][0]["pcm_sha256"] == pcm_sha256(samples[:, 0].astype(np.float32) / 32768, RATE)
    assert (wav["clips"][0]["start"], wav["clips"][0]["end"]) == (0, 1234)


@pytest.mark.usefixtures("short_blocks")
def test_windows_tile_the_recording_and_hash_what_they_hold(tmp_path: Path) -> None:
    samples = noise(1050, 2)
    row = probe_file(write(tmp_path / "a.wav", samples), "r", Segmentation(method="fixed", max_s=0.05))
    left = [c for c in row["clips"] if c["channel"] == 0]
    assert [(c["start"], c["end"]) for c in left] == [(0, 400), (400, 800), (800, 1050)]
    for c in row["clips"]:
        part = samples[c["start"] : c["end"], c["channel"]].astype(np.float32) / 32768
        assert c["pcm_sha256"] == pcm_sha256(part, RATE)
    assert len({c["clip"] for c in row["clips"]}) == 6
    assert len({c["group"] for c in row["clips"]}) == 3


def test_spans_of_a_manifest_are_cut_to_the_recording(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(800))
    spans = [
        {"start_s": 0.0, "duration_s": 0.05},
        {"start_s": 0.05, "duration_s": None},
        {"start_s": 9.0, "duration_s": 1.0},
    ]
    row = probe_file(path, "r", Segmentation(), spans)
    assert [(c["start"], c["end"]) for c in row["clips"]] == [(0, 400), (400, 800)]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.wav", b"", "empty_file"),
        ("a.wav", b"text that is no audio, longer than a header would be" * 4, "not_audio"),
        ("a.wav", b"RIFF\x24\x00\x00\x00WAVE", "corrupt"),
        ("a.flac", b"fLaC" + bytes(40), "corrupt"),
    ],
)
def test_what_is_not_audio_says_so(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ClipError) as caught:
        probe_file(tmp_path / name, "r", Segmentation())
    assert str(caught.value.reason) == reason
    assert name in caught.value.message


def test_samples_that_are_not_finite_fail_the_file(tmp_path: Path) -> None:
    samples = np.zeros(100, np.float32)
    samples[50] = np.nan
    with pytest.raises(ClipError, match="not_finite"):
        probe_file(write(tmp_path / "a.wav", samples, subtype="FLOAT"), "r", Segmentation())


def test_aac_is_decoded_though_libsndfile_cannot(tmp_path: Path) -> None:
    import av

    path = tmp_path / "a.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    with open_audio(path) as reader:
        assert reader.info.sample_rate == 16000
        assert sum(block.shape[1] for _, block in reader.blocks()) >= 16000

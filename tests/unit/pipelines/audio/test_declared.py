"""A recording that was cut off fails with the lengths; headers of streams and sloppy ones pass."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.pipelines.audio.declared import check_whole, why_empty
from auricle.pipelines.passes.probe import probe_file, segmentation_fingerprint
from auricle.schemas.config import Segmentation
from auricle.schemas.errors import ClipError

SAMPLES = np.arange(8000, dtype=np.int16)
CONTAINERS = ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU"]


def written(path: Path, container: str = "WAV") -> Path:
    soundfile.write(path, SAMPLES, 8000, format=container, subtype="PCM_16")
    return path


def with_data_length(path: Path, length: int) -> Path:
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = struct.pack("<I", length)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_whole_file_passes_and_half_of_it_is_refused_with_both_lengths(tmp_path: Path, container: str) -> None:
    path = written(tmp_path / "a.audio", container)
    check_whole(path)
    path.write_bytes(path.read_bytes()[:8000])
    with pytest.raises(
        ClipError, match=r"a\.audio: truncated: its header declares 16,00\d bytes.*has only 7,\d\d\d"
    ) as caught:
        check_whole(path)
    assert caught.value.reason == "corrupt"


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFDB, 0x80000000])
def test_lengths_that_streams_write_are_no_declaration(tmp_path: Path, length: int) -> None:
    check_whole(with_data_length(written(tmp_path / "a.wav"), length))


@pytest.mark.parametrize("length", [100, 16000 + 44])
def test_shorter_declarations_and_a_counted_header_pass(tmp_path: Path, length: int) -> None:
    check_whole(with_data_length(written(tmp_path / "a.wav"), length))


def test_a_chunk_before_the_samples_is_stepped_over(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav")
    data = path.read_bytes()
    place = data.index(b"data")
    path.write_bytes(data[:place] + b"LIST" + struct.pack("<I", 5) + b"abcde\0" + data[place:])
    check_whole(path)
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(ClipError, match="truncated"):
        check_whole(path)


def test_a_recorder_that_never_wrote_its_length_is_told_from_an_empty_file(tmp_path: Path) -> None:
    assert why_empty(with_data_length(written(tmp_path / "a.wav"), 0)).startswith(
        "its header declares no samples, and 16,000 bytes follow it"
    )
    soundfile.write(tmp_path / "b.wav", SAMPLES[:0], 8000)
    assert why_empty(tmp_path / "b.wav") == "a valid header and no samples"


def test_a_long_run_of_zeros_is_not_searched_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(written(tmp_path / "whole.wav").read_bytes()[:12] + bytes(1 << 20))
    check_whole(path)


@pytest.mark.parametrize("container", ["FLAC", "OGG"])
def test_formats_whose_decoder_notices_are_left_to_it(tmp_path: Path, container: str) -> None:
    path = tmp_path / "a"
    soundfile.write(path, SAMPLES, 8000, format=container)
    check_whole(path)


def test_what_is_there_of_a_cut_recording_is_taken_only_where_the_configuration_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:8044])
    with pytest.raises(ClipError, match="truncated"):
        probe_file(path, "r", Segmentation())
    accept = Segmentation(truncated="accept")
    assert probe_file(path, "r", accept)["num_samples"] == 4000
    assert segmentation_fingerprint(accept) != segmentation_fingerprint(Segmentation())

"""What is decoded from memory is what is decoded from a file, also where it is broken."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.loaders.storage.store import Store
from auricle.pipelines.audio.decode import local_file, local_sound, open_audio
from auricle.pipelines.audio.held import Held
from auricle.pipelines.passes.probe import probe_file
from auricle.schemas.config import Segmentation
from auricle.schemas.errors import ClipError

FORMATS = [
    ("a.wav", "WAV", "PCM_16"),
    ("a.wav", "WAV", "FLOAT"),
    ("a.wav", "RF64", "PCM_24"),
    ("a.flac", "FLAC", "PCM_24"),
    ("a.ogg", "OGG", "VORBIS"),
    ("a.opus", "OGG", "OPUS"),
]


def packed(tmp_path: Path, name: str, data: bytes) -> str:
    """The URI of a member of a tar that holds `data`."""
    (tmp_path / name).write_bytes(data)
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / name, arcname=name)
    return f"{tmp_path}/a.tar/{name}"


def sound(path: Path, container: str, subtype: str) -> bytes:
    rng = np.random.default_rng(5)
    soundfile.write(path, rng.normal(0, 0.1, (48_000, 2)), 48_000, format=container, subtype=subtype)
    return path.read_bytes()


@pytest.mark.parametrize(("name", "container", "subtype"), FORMATS)
def test_a_member_in_memory_has_the_samples_of_its_copy(
    tmp_path: Path, name: str, container: str, subtype: str
) -> None:
    uri = packed(tmp_path, name, sound(tmp_path / "made", container, subtype))
    with local_sound(uri) as held, local_file(uri) as copy:
        assert isinstance(held, Held)
        assert probe_file(held, "r", Segmentation()) == probe_file(copy, "r", Segmentation())


@pytest.mark.parametrize(("name", "container", "subtype"), FORMATS)
@pytest.mark.parametrize("share", [0.0001, 0.01, 0.5, 0.9])
def test_a_broken_member_fails_in_the_same_words(
    tmp_path: Path, name: str, container: str, subtype: str, share: float
) -> None:
    whole = sound(tmp_path / "made", container, subtype)
    uri = packed(tmp_path, name, whole[: int(len(whole) * share)])

    def outcome(of: str) -> object:
        with local_sound(uri) if of == "memory" else local_file(uri) as path:
            try:
                return probe_file(path, "r", Segmentation())
            except ClipError as error:
                return error.reason, error.message

    assert outcome("memory") == outcome("disk")


def test_what_is_large_or_known_by_its_name_is_copied(tmp_path: Path) -> None:
    uri = packed(tmp_path, "a.wav", sound(tmp_path / "made", "WAV", "PCM_16"))
    with local_sound(uri, most_bytes=1000) as path:
        assert isinstance(path, Path)
        with open_audio(path) as reader:
            assert sum(block.shape[1] for _, block in reader.blocks()) == 48_000
    mp3 = packed(tmp_path, "a.mp3", sound(tmp_path / "made", "MP3", "MPEG_LAYER_III"))
    with local_sound(mp3) as path:
        assert isinstance(path, Path)


def test_an_object_comes_in_pieces_of_bounded_size(tmp_path: Path) -> None:
    (tmp_path / "o").write_bytes(bytes(range(256)) * 10)
    pieces = list(Store(str(tmp_path)).pieces("o", 1000))
    assert [len(piece) for piece in pieces] == [1000, 1000, 560]
    assert b"".join(pieces) == bytes(range(256)) * 10
    assert list(Store(str(tmp_path)).pieces("o", 2560)) == [bytes(range(256)) * 10]

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from auricle.dashboards.explorer.sounds import SoundError, Sources, byte_range, read_span, wav


@pytest.fixture
def recording(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A stereo file in a source, and the row of its second channel's second half."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    ramp = np.linspace(-0.9, 0.9, 8000, dtype=np.float32)
    soundfile.write(folder / "a.wav", np.stack([ramp, -ramp], 1), 8000, subtype="PCM_16")
    sha = hashlib.sha256((folder / "a.wav").read_bytes()).hexdigest()
    span = {"channel": 1, "start": 4000, "end": 8000, "sample_rate": 8000}
    return folder, {"source": "corpus", "path": "a.wav", "recording": sha, **span}


def test_a_clip_is_its_channel_and_span(recording: tuple[Path, dict[str, Any]]) -> None:
    folder, row = recording
    waveform, rate = Sources({"sources": [{"path": str(folder), "name": "corpus"}]}).clip(row)
    assert rate == 8000
    assert np.allclose(waveform, -np.linspace(-0.9, 0.9, 8000)[4000:], atol=1e-4)


@pytest.mark.parametrize("container", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_later_span_is_cut_at_the_very_sample_in_every_container(tmp_path: Path, container: str) -> None:
    tone = 0.5 * np.sin(2 * np.pi * np.cumsum(np.linspace(200, 2000, 48000)) / 16000)
    path = tmp_path / "tone"
    soundfile.write(path, tone, 16000, format=container)
    whole, _ = read_span(path, 0, 0, 40000)
    part, rate = read_span(path, 0, 20011, 40000)
    assert rate == 16000
    assert np.array_equal(part, whole[20011:])


def test_a_source_without_a_name_goes_by_its_folder(recording: tuple[Path, dict[str, Any]]) -> None:
    folder, row = recording
    assert Sources({"sources": [{"path": str(folder)}]}).clip(row)[1] == 8000


def test_what_cannot_be_heard_says_why(recording: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, row = recording
    sources = Sources({"sources": [{"path": str(folder)}, {"path": "s3://bucket/x", "name": "far"}, "?"]})
    (tmp_path / "secret.wav").write_bytes((folder / "a.wav").read_bytes())
    (folder / "link.wav").symlink_to(tmp_path / "secret.wav")
    (folder / "text.wav").write_text("no audio")
    text_sha = hashlib.sha256(b"no audio").hexdigest()
    for change, words in (
        ({"source": "other"}, "no source 'other'"),
        ({"source": "far"}, "not on this machine"),
        ({"path": "b.wav"}, "not in"),
        ({"path": "../secret.wav"}, "leads out"),
        ({"path": str(tmp_path / "secret.wav")}, "not in"),
        ({"path": "link.wav"}, "leads out"),
        ({"recording": "0" * 64}, "other bytes"),
        ({"start": None, "end": None}, "never decoded"),
        ({"end": 9000}, "2 channels of 8000"),
        ({"channel": 2}, "2 channels of 8000"),
        ({"end": 8000 * 601}, "at most 600 s"),
        ({"path": "text.wav", "recording": text_sha}, "text.wav"),
    ):
        with pytest.raises(SoundError, match=words):
            sources.clip(row | change)


def test_a_member_of_an_archive_is_heard_where_the_packages_for_it_are(recording: tuple[Path, dict[str, Any]]) -> None:
    from auricle.jobs.models.hearing import hearing

    folder, row = recording
    loose, _ = Sources({"sources": [{"path": str(folder)}]}).clip(row)
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.write(folder / "a.wav", "deep/a.wav")
    packed = row | {"path": "all.zip/deep/a.wav"}
    config = {"sources": [{"path": str(folder)}]}
    waveform, _ = Sources(config, hearing()).clip(packed)
    assert np.array_equal(waveform, loose)
    with pytest.raises(SoundError, match="in an archive"):
        Sources(config).clip(packed)
    with pytest.raises(SoundError, match=r"no member 'b\.wav'"):
        Sources(config, hearing()).clip(packed | {"path": "all.zip/b.wav"})


def test_a_recording_on_a_web_server_is_heard_where_the_packages_for_it_are(
    recording: tuple[Path, dict[str, Any]],
) -> None:
    from auricle.jobs.models.hearing import hearing

    folder, row = recording
    loose, _ = Sources({"sources": [{"path": str(folder)}]}).clip(row)
    with served(folder) as address:
        config = {"sources": [{"path": f"{address}/list.txt", "name": row["source"]}]}
        waveform, _ = Sources(config, hearing()).clip(row)
        assert np.array_equal(waveform, loose)
        with pytest.raises(SoundError, match="gone"):
            Sources(config, hearing()).clip(row | {"path": "b.wav"})
        with pytest.raises(SoundError, match="extra `curate`"):
            Sources(config).clip(row)
    odd = {"sources": [{"path": "nothere://x", "name": row["source"]}]}
    with pytest.raises(SoundError, match="nothere"):
        Sources(odd, hearing()).clip(row)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a web server over a folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...


def test_a_file_that_changes_while_the_explorer_runs_is_noticed(recording: tuple[Path, dict[str, Any]]) -> None:
    folder, row = recording
    sources = Sources({"sources": [{"path": str(folder)}]})
    sources.clip(row)
    soundfile.write(folder / "a.wav", np.zeros((9000, 2)), 8000)
    with pytest.raises(SoundError, match="other bytes"):
        sources.clip(row)


def test_a_wav_holds_the_samples_clipped_to_full_scale() -> None:
    decoded, rate = soundfile.read(io.BytesIO(wav(np.array([0.5, 2.0, -3.0], np.float32), 16000)))
    assert rate == 16000
    assert np.allclose(decoded, [0.5, 1.0, -1.0], atol=1e-4)


@given(st.integers(1, 1000), st.integers(0, 1200), st.integers(0, 1200))
def test_ranges_are_those_of_the_standard(size: int, first: int, last: int) -> None:
    whole = list(range(size))
    if first <= last and first < size:
        start, end = byte_range(f"bytes={first}-{last}", size) or (0, 0)
        assert whole[start:end] == [b for b in whole if first <= b <= last]
    else:
        with pytest.raises(ValueError, match="not in a body"):
            byte_range(f"bytes={first}-{last}", size)
    if last:
        assert byte_range(f"bytes=-{last}", size) == (max(0, size - last), size)


def test_headers_that_are_not_one_range_give_the_whole() -> None:
    for header in (None, "", "bytes=", "bytes=-", "bytes=a-b", "items=0-1", "bytes=0-1,3-4", "bytes=1-2-3"):
        assert byte_range(header, 10) is None
    assert byte_range("bytes=3-", 10) == (3, 10)

"""What native decoders print stays off the terminal; what anybody else prints does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.pipelines.audio.quiet import mpg123_quiet


def broken_mp3(path: Path) -> Path:
    """A second of noise with a hole in the middle."""
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 44100), 22050, format="MP3")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 600] = bytes(600)
    path.write_bytes(data)
    return path


DECODE = """
import sys
from pathlib import Path
from auricle.pipelines.audio.decode import open_audio
with open_audio(Path(sys.argv[1])) as reader:
    print(sum(block.shape[1] for _, block in reader.blocks()))
"""


def test_decoding_a_broken_mp3_prints_nothing(tmp_path: Path) -> None:
    path = broken_mp3(tmp_path / "a.mp3")
    bare = subprocess.run(
        [sys.executable, "-c", f"import soundfile; soundfile.read({str(path)!r})"], capture_output=True, text=True
    )
    assert "Note:" in bare.stderr, "libsndfile itself is no longer noisy: mpg123_quiet can go"
    ours = subprocess.run([sys.executable, "-c", DECODE, str(path)], capture_output=True, text=True, check=True)
    assert ours.stderr == ""
    assert int(ours.stdout) > 20000


def test_what_is_not_mpg123s_still_comes_through(capfd: pytest.CaptureFixture[str]) -> None:
    with mpg123_quiet():
        os.write(2, b"Note: Trying to resync...\nfree(): invalid pointer\n[src/libmpg123/parse.c:x():1] error: y\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "free(): invalid pointer\nafter\n"

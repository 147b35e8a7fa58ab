"""What the explorer reads sounds with: everything that a run decodes, where the packages for it are installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ...dashboards.explorer.sounds import Hearing, SoundError
from ...schemas.counted import counted
from ...schemas.errors import AuricleError, ClipError


def hearing() -> Hearing:
    """Reads with libsndfile and FFmpeg's libraries, also out of archives and from elsewhere; without the latter (extra
    `curate`), with libsndfile alone, and loose files of this machine only."""
    try:
        import av  # noqa: F401
    except ModuleNotFoundError:
        return Hearing()
    return Hearing(read_any, copy)


@contextmanager
def copy(uri: str) -> Iterator[Path]:
    """A copy of a member of an archive, of an object or of a recording of any other source, for a moment.

    Raises `SoundError` when it cannot be had.
    """
    from ...pipelines.audio.decode import local_file

    try:
        with local_file(uri) as path:
            yield path
    except ClipError as error:
        raise SoundError(error.message) from error
    except AuricleError as error:
        # a kind of source that is not installed here, a dataset that is gone
        raise SoundError(str(error).partition("\n")[0]) from error


def read_any(path: Path, channel: int, start: int, end: int) -> tuple[np.ndarray, int]:
    """Samples [start, end) of one channel, `[T]` float32, and the sample rate, decoded as a run decodes them.

    Raises `SoundError` for what cannot be decoded or is shorter.
    """
    from ...pipelines.audio.tape import Tape, read_spans

    try:
        tape = Tape(path)
        try:
            ((_, waveform, rate),) = read_spans(tape, [(start, end)])
        finally:
            tape.close()
    except ClipError as error:
        raise SoundError(error.message) from error
    if channel >= len(waveform):
        raise SoundError(f"{path.name} has {counted(len(waveform), 'channel')}")
    return np.ascontiguousarray(waveform[channel]), rate

"""Decode recordings: block by block, any format, a bad file as a `ClipError` that names the problem."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ...loaders.storage.store import located
from ...schemas.errors import ClipError, IntegrityError, StorageError
from ...schemas.sources import uri_name, without_place
from ...schemas.tables import FailureReason
from ..archives.member import ArchiveError
from ..archives.packed import member_of, read
from ..sources.kinds import SourceKind, kind_of
from ..work.hang import bounded
from ..work.scratch import scratch_file
from .held import MOST_BYTES, Held, Sound, may_be_held
from .quiet import mpg123_quiet

BLOCK_SAMPLES = 1 << 18
"""Samples per channel and block: 16 s at 16 kHz, 1 MiB of float32."""
PIECE_BYTES = 16 << 20
"""Of an object that are fetched at once."""
LONGEST_NAME = 120
"""Characters of a copy's name."""
RATES_HZ = range(1_000, 768_001)
"""Plausible sample rates; headers outside them are broken."""
MAX_CHANNELS = 64
EXACT_SEEK = frozenset({"WAV", "WAVEX", "RF64", "W64", "FLAC", "AIFF", "AU", "CAF", "NIST"})
"""libsndfile containers where a seek lands on the sample asked for; the others are read from their start."""
AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf"}
    | {".w64", ".rf64", ".bwf", ".sph", ".nist", ".voc", ".ircam", ".pvf", ".gsm", ".wve", ".amr", ".awb", ".spx"}
    | {".mp1", ".mp2", ".mpga", ".m4b", ".m4r", ".f4a", ".ac3", ".eac3", ".ec3", ".dts", ".thd", ".mlp", ".adts"}
    | {".wv", ".ape", ".tta", ".tak", ".mpc", ".shn", ".dsf", ".wma", ".asf", ".ra", ".rm", ".oma", ".aa3", ".mka"}
    | {".webm", ".mp4", ".m4v", ".mov", ".mkv", ".avi", ".3gp", ".3g2", ".mpg", ".mpeg", ".mts", ".m2ts", ".vob"}
    | {".ogx", ".ogv", ".flv", ".wmv"}
)
"""Names that are taken for audio when a folder is listed."""


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """Facts of a decodable file, as its header states them."""

    format: str
    """Container and encoding: "WAV PCM_16", "mp4 aac"."""
    sample_rate: int
    num_channels: int
    declared_s: float | None = None
    """How long it says to be, where that is kept apart from the audio: MP4, QuickTime and Matroska."""


class Reader(Protocol):
    """An open recording that yields blocks `[C, T]` float32."""

    info: AudioInfo
    seeks: bool
    """Whether `blocks` may be called again and then begins exactly at `start`; else it is called once."""

    def blocks(self, start: int = 0) -> Iterator[tuple[int, np.ndarray]]:
        """`(first sample, block)` from `start` or earlier, in order, contiguous."""
        ...


@contextlib.contextmanager
def local_file(uri: str) -> Iterator[Path]:
    """A local path of `uri`: itself, or a temporary copy of an object on a store or of a member of an archive.

    Raises `ClipError` for a copy that cannot be made.
    """
    with local_sound(uri, most_bytes=0) as path:
        assert isinstance(path, Path)
        yield path


@contextlib.contextmanager
def local_sound(uri: str, most_bytes: int = MOST_BYTES) -> Iterator[Sound]:
    """As `local_file`, but for what is no file of this machine: up to `most_bytes` of it stay in memory where that
    changes nothing for the decoder."""
    pieces = _pieces(uri)
    if pieces is None:
        yield Path(uri)
        return
    # a name says what some formats are, and is what messages call it; copies that a killed worker left are removed by
    # the next one
    name = uri_name(uri)[-LONGEST_NAME:].lstrip(".") or "recording"
    with _in_our_words(uri, name):
        held, size = [], 0
        while size <= most_bytes and (piece := next(pieces, None)) is not None:
            held.append(piece)
            size += len(piece)
    if size <= most_bytes and held and may_be_held(held[0]):
        yield Held(name, held[0] if len(held) == 1 else b"".join(held))
        return
    with scratch_file(name) as path:
        with _in_our_words(uri, name), path.open("wb") as file:
            file.writelines(held)
            held.clear()
            file.writelines(pieces)
        yield path


def _pieces(uri: str) -> Iterator[bytes] | None:
    """The bytes of what is no file of this machine. Raises `ClipError` where it cannot be looked for."""
    kind = kind_of(uri)
    try:
        member = member_of(uri) if kind is None else None
    except (StorageError, ArchiveError) as error:
        raise ClipError(FailureReason.STORAGE, str(error)) from error
    if kind:
        return _of_kind(kind, uri)
    if member is not None:
        return iter(read(member))
    return _bytes(uri) if "://" in uri else None


@contextlib.contextmanager
def _in_our_words(uri: str, name: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise ClipError(FailureReason.MISSING, f"{without_place(uri)}: the object is gone") from error
    except StorageError as error:
        raise ClipError(FailureReason.STORAGE, str(error)) from error
    except ArchiveError as error:
        raise ClipError(FailureReason.UNREADABLE, f"{name}: {error}") from error


def _of_kind(kind: SourceKind, uri: str) -> Iterator[bytes]:
    try:
        yield from kind.read(uri)
    except FileNotFoundError as error:
        raise ClipError(FailureReason.MISSING, f"{without_place(uri)}: {error}") from error
    except OSError as error:
        raise ClipError(FailureReason.STORAGE, f"{without_place(uri)}: {error}") from error


def _bytes(uri: str) -> Iterator[bytes]:
    """An object in pieces: one of hours is never whole in memory."""
    store, name = located(uri)
    yield from store.pieces(name, PIECE_BYTES)


@contextlib.contextmanager
def open_audio(path: Sound) -> Iterator[Reader]:
    """Open a recording with libsndfile, else with FFmpeg's libraries; check what its header claims.

    Raises `ClipError` for what cannot be decoded, with a `FailureReason`.
    """
    import soundfile

    try:
        found = path.stat()
    except FileNotFoundError as error:
        raise ClipError(FailureReason.MISSING, f"{path.name}: the file is gone") from error
    except OSError as error:
        raise ClipError(FailureReason.UNREADABLE, f"{path.name}: {error.strerror}") from error
    if not stat.S_ISREG(found.st_mode):
        raise ClipError(FailureReason.UNREADABLE, f"{path.name}: not a regular file")
    if found.st_size == 0:
        raise ClipError(FailureReason.EMPTY_FILE, f"{path.name}: 0 bytes")
    held = isinstance(path, Held)
    try:
        # what is held is no MP3
        with bounded(), contextlib.nullcontext() if held else mpg123_quiet():
            file = soundfile.SoundFile(path.open() if held else str(path))
    except (soundfile.LibsndfileError, OSError, UnicodeError) as error:
        with _on_disk(path) as copy, _open_av(copy, _reason(error)) as reader:
            yield reader
        return
    with file:
        info = AudioInfo(f"{file.format} {file.subtype}", file.samplerate, file.channels)
        _check(path, info)
        yield _SoundFileReader(path, file, info)


@contextlib.contextmanager
def _on_disk(sound: Sound) -> Iterator[Path]:
    if isinstance(sound, Path):
        yield sound
        return
    with scratch_file(sound.name) as path:
        path.write_bytes(sound.data)
        yield path


class _SoundFileReader:
    def __init__(self, path: Sound, file, info: AudioInfo) -> None:
        self._path, self._file, self.info = path, file, info
        self.seeks = file.format in EXACT_SEEK

    def blocks(self, start: int = 0) -> Iterator[tuple[int, np.ndarray]]:
        import soundfile

        position = 0
        try:
            if self.seeks:
                position = self._file.seek(min(start, self._file.frames))
            while True:
                with bounded(), mpg123_quiet() if self._file.format == "MP3" else contextlib.nullcontext():
                    block = self._file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)
                if block.shape[0] == 0:
                    return
                yield position, _finite(self._path, np.ascontiguousarray(block.T))
                position += block.shape[0]
        except (soundfile.LibsndfileError, OSError) as error:
            raise ClipError(
                FailureReason.CORRUPT, f"{self._path.name}: {_reason(error)} after sample {position:,}"
            ) from error


class _AvReader:
    def __init__(self, path: Path, container, info: AudioInfo) -> None:
        self._path, self._container, self.info, self.seeks = path, container, info, False

    def blocks(self, start: int = 0) -> Iterator[tuple[int, np.ndarray]]:
        import av
        import av.error

        resampler = av.AudioResampler(format="fltp", rate=self.info.sample_rate)
        position, held, waiting = 0, [], 0
        try:
            frames = self._container.decode(audio=0)
            while True:
                with bounded():
                    frame = next(frames, None)
                if frame is None:
                    break
                for part in resampler.resample(frame):
                    held.append(np.array(part.to_ndarray(), dtype=np.float32))
                    waiting += held[-1].shape[1]
                # frames are 20 ms: few and long blocks cost less
                if waiting >= BLOCK_SAMPLES:
                    block = np.concatenate(held, axis=1)
                    yield position, _finite(self._path, block)
                    position, held, waiting = position + block.shape[1], [], 0
        except (av.error.FFmpegError, OSError, ValueError) as error:
            # what came before the damage is sound
            if held:
                block = np.concatenate(held, axis=1)
                yield position, _finite(self._path, block)
                position += block.shape[1]
            raise ClipError(
                FailureReason.CORRUPT, f"{self._path.name}: {_reason(error)} after sample {position:,}"
            ) from error
        if held and (block := np.concatenate(held, axis=1)).shape[1]:
            yield position, _finite(self._path, block)


@contextlib.contextmanager
def _open_av(path: Path, sndfile_error: str) -> Iterator[Reader]:
    import av
    import av.error
    import av.logging

    av.logging.set_level(av.logging.PANIC)
    recognised = "not recognised" not in sndfile_error and "Format" not in sndfile_error
    try:
        with bounded():
            container = av.open(str(path), metadata_errors="replace")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = FailureReason.CORRUPT if recognised else FailureReason.NOT_AUDIO
        raise ClipError(reason, f"{path.name}: {_reason(sndfile_error)}") from error
    with container:
        if not container.streams.audio:
            raise ClipError(FailureReason.NOT_AUDIO, f"{path.name}: no audio stream in a {container.format.name} file")
        stream = container.streams.audio[0]
        codec = stream.codec_context
        if not codec.sample_rate or not codec.channels:
            raise ClipError(FailureReason.CORRUPT, f"{path.name}: {_reason(sndfile_error)}")
        name = container.format.name.split(",")[0]
        info = AudioInfo(f"{name} {codec.name}", codec.sample_rate, codec.channels, _declared_s(name, container))
        _check(path, info)
        yield _AvReader(path, container, info)


def _declared_s(name: str, container) -> float | None:
    """Seconds of the first audio stream by the header; None where FFmpeg would guess them from the bytes."""
    (stream, *others) = container.streams.audio
    if name == "mov" and stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    # that of the whole file is that of its sound where it has nothing else
    if name == "matroska" and not others and len(container.streams) == 1 and container.duration is not None:
        return container.duration / 1e6
    return None


def _check(path: Sound, info: AudioInfo) -> None:
    if info.sample_rate not in RATES_HZ:
        raise ClipError(
            FailureReason.IMPLAUSIBLE_RATE,
            f"{path.name}: the header says {info.sample_rate} Hz; {RATES_HZ[0]} to {RATES_HZ[-1]} Hz is plausible",
        )
    if not 1 <= info.num_channels <= MAX_CHANNELS:
        raise ClipError(
            FailureReason.CORRUPT, f"{path.name}: {info.num_channels} channels; at most {MAX_CHANNELS} are read"
        )


def _finite(path: Sound, block: np.ndarray) -> np.ndarray:
    # one pass and no array where all is well: the energy is finite unless a sample is not, or it overflows
    with np.errstate(over="ignore", invalid="ignore"):
        flat = block.reshape(-1)
        total = np.dot(flat, flat)
    if not np.isfinite(total) and not np.isfinite(block).all():
        raise ClipError(FailureReason.NOT_FINITE, f"{path.name}: holds NaN or infinite samples")
    return block


def _reason(error: object) -> str:
    """The library's words, without the path that it repeats."""
    words = str(getattr(error, "error_string", error)).rstrip(".").rsplit("': ", 1)[-1].rsplit('": ', 1)[-1]
    return words.removeprefix("Error : ")

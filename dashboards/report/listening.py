"""Audio small enough to sit inside a page: an excerpt in a format that every browser plays."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import soundfile

MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
MP3_LEVELS = (0.3, 0.6)
"""libsndfile's compression levels: about 6 and 4 kB/s for 16 kHz speech."""


@dataclass(frozen=True)
class Excerpt:
    """What a page plays, and the samples that it was made from."""

    data: bytes
    mime: str
    lossless: bool
    """Of 16-bit samples."""
    duration_s: float
    total_s: float
    """Of the whole clip; the excerpt is its beginning."""
    waveform: np.ndarray
    """`[T]` float32, the excerpt."""
    sample_rate: int


def excerpt(audio: bytes, budget: int, max_s: float = 15.0) -> Excerpt:
    """The beginning of `audio` (a WAV or FLAC file, first channel) in at most about `budget` bytes.

    FLAC where that fits, so that one hears exactly what was scored; else MP3; else a shorter piece. Raises
    `ValueError` for bytes that are not audio.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(audio)) as file:
            rate, total = file.samplerate, file.frames
            waveform = file.read(int(max_s * rate) + 1, dtype="float32", always_2d=True)[:, 0]
    except soundfile.LibsndfileError as error:  # its text names the buffer's address, error_string does not
        raise ValueError(f"not audio: {error.error_string}") from error
    except (RuntimeError, OSError) as error:
        raise ValueError(f"not audio: {error}") from error
    if not total:
        raise ValueError("not audio: it has no samples")
    waveform = np.clip(np.nan_to_num(waveform[: int(max_s * rate)]), -1.0, 1.0)
    while True:
        candidates = [_flac(waveform, rate)]
        if rate in MP3_RATES:
            candidates += [_mp3(waveform, rate, level) for level in MP3_LEVELS]
        fitting = [data for data in candidates if len(data) <= budget]
        if fitting or waveform.size <= rate:  # never cut below one second
            data = fitting[0] if fitting else min(candidates, key=len)
            lossless = data is candidates[0]
            mime = "audio/flac" if lossless else "audio/mpeg"
            return Excerpt(data, mime, lossless, waveform.size / rate, total / rate, waveform, rate)
        waveform = waveform[: max(rate, int(0.9 * waveform.size * budget / min(map(len, candidates))))]


def _flac(waveform: np.ndarray, rate: int) -> bytes:
    return _encode(waveform, rate, "FLAC", "PCM_16")


def _mp3(waveform: np.ndarray, rate: int, level: float) -> bytes:
    return _encode(waveform, rate, "MP3", "MPEG_LAYER_III", compression_level=level, bitrate_mode="VARIABLE")


def _encode(waveform: np.ndarray, rate: int, container: str, subtype: str, **options: object) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, waveform, rate, format=container, subtype=subtype, **options)  # pyright: ignore[reportArgumentType]
    return out.getvalue()

"""Audio files whose bytes depend on nothing but the samples: no clock, no random stream number."""

from __future__ import annotations

import io

import numpy as np

from ...schemas.errors import MissingExtraError

FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
}
"""Extension to libsndfile's container and subtype. No float WAV: its PEAK chunk carries the time of writing."""


def encode(waveform: np.ndarray, sample_rate: int, extension: str) -> bytes:
    """`[T]` or `[T, C]` float in [-1, 1] at `sample_rate` Hz as the bytes of a file of one of `FORMATS`."""
    try:
        import soundfile
    except ImportError:
        raise MissingExtraError("demo", "curate", "soundfile") from None
    container, subtype = FORMATS[extension]
    buffer = io.BytesIO()
    if subtype == "PCM_16":
        # libsndfile rounds floats differently from one container to the next
        waveform = np.clip(np.rint(waveform * 32768.0), -32768, 32767).astype(np.int16)
    soundfile.write(buffer, waveform, sample_rate, format=container, subtype=subtype)
    data = buffer.getvalue()
    return _with_fixed_serial(data) if container == "OGG" else data


def _with_fixed_serial(data: bytes, serial: int = 1) -> bytes:
    """An Ogg stream with `serial` in every page in place of libsndfile's random number, checksums corrected.

    Page layout of RFC 3533 section 6: serial at byte 14, checksum at 22, number of segments at 26.
    """
    stream = bytearray(data)
    start = 0
    while start < len(stream):
        num_segments = stream[start + 26]
        header = 27 + num_segments
        end = start + header + sum(stream[start + 27 : start + header])
        stream[start + 14 : start + 18] = serial.to_bytes(4, "little")
        stream[start + 22 : start + 26] = bytes(4)
        stream[start + 22 : start + 26] = _ogg_crc(bytes(stream[start:end])).to_bytes(4, "little")
        start = end
    return bytes(stream)


def _ogg_crc(page: bytes) -> int:
    """CRC-32 of RFC 3533: polynomial 0x04c11db7, not reflected, initial value and final XOR zero."""
    crc = 0
    for byte in page:
        crc = ((crc << 8) & 0xFFFFFFFF) ^ _CRC_TABLE[(crc >> 24) ^ byte]
    return crc


def _crc_entry(index: int) -> int:
    crc = index << 24
    for _ in range(8):
        crc = ((crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


_CRC_TABLE = tuple(_crc_entry(index) for index in range(256))

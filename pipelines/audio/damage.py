"""What is wrong with a recording that decodes all the same: decoders step over gaps and say nothing."""

from __future__ import annotations

from pathlib import Path

from ...schemas.counted import counted
from .declared import truncated, uncounted
from .decode import AudioInfo
from .held import Sound
from .mpeg_frames import read_frames
from .ogg_pages import read_pages

SHORT_S = 0.5
"""Seconds that a recording may fall short of its header: containers round, and count what encoders add."""


def damage(sound: Sound, info: AudioInfo, num_samples: int) -> str | None:
    """Words for what a decoded recording lacks, or None.

    num_samples: that were decoded. MP3 and Ogg are walked frame by frame and page by page; WAV, AIFF and AU are
    compared with the length in their header, MP4 and Matroska with their duration. FLAC and AAC need nothing: their
    decoders refuse what is damaged. Damage inside a frame or page whose frame header is whole is not seen.
    """
    if info.format.lower().startswith("mp3") and isinstance(sound, Path):
        found = _mpeg(sound)
    elif info.format.startswith("OGG"):
        found = _ogg(sound)
    else:
        found = _lengths(sound, info, num_samples)
    return None if found is None else f"damaged recording: {found}"


def _mpeg(path: Path) -> str | None:
    frames = read_frames(path)
    if frames is None:
        return None
    said: list[str] = []
    if frames.foreign_bytes:
        at = frames.foreign_at_sample / frames.rate_hz
        foreign = counted(frames.foreign_bytes, "byte is", "bytes are")
        said.append(f"{foreign} no MPEG audio, the first after {at:.2f} s")
    if frames.missing_bytes:
        said.append(f"its last frame lacks {counted(frames.missing_bytes, 'byte')}, so it was cut off")
    here, declared = frames.num_samples / frames.rate_hz, (frames.declared_samples or 0) / frames.rate_hz
    if declared - here > SHORT_S:
        said.append(f"its header declares {declared:.2f} s, {here:.2f} s are there")
    return "; ".join(said) or None


def _ogg(sound: Sound) -> str | None:
    pages = read_pages(sound)
    said: list[str] = []
    if pages.lost_pages:
        said.append(f"{counted(pages.lost_pages, 'page is', 'pages are')} missing")
    if pages.foreign_bytes:
        said.append(f"{counted(pages.foreign_bytes, 'byte is', 'bytes are')} no Ogg")
    if pages.cut:
        said.append("its last page is not all there, so it was cut off")
    return "; ".join(said) or None


def _lengths(sound: Sound, info: AudioInfo, num_samples: int) -> str | None:
    if found := truncated(sound) or uncounted(sound):
        return found
    here = num_samples / info.sample_rate
    if info.declared_s is not None and info.declared_s - here > SHORT_S:
        return f"its header declares {info.declared_s:.2f} s, {here:.2f} s are there"
    return None

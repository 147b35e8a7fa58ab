"""What is wrong with the demo's corpus, and the record of it: damage done on purpose, and its truth."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np


class Defect(StrEnum):
    """What was planted in one file; `clean` and `stereo` have nothing wrong with them."""

    CLEAN = "clean"
    STEREO = "stereo"
    NOISY = "noisy"
    SLIGHTLY_NOISY = "slightly_noisy"
    CLIPPED = "clipped"
    SILENT = "silent"
    NARROWBAND = "narrowband"
    WRONG_TRANSCRIPT = "wrong_transcript"
    TRUNCATED_TRANSCRIPT = "truncated_transcript"
    FOREIGN_TRANSCRIPT = "foreign_transcript"
    SAME_SAMPLES = "same_samples"
    REENCODED = "reencoded"
    SAME_BYTES = "same_bytes"
    TRUNCATED_FILE = "truncated_file"
    NOT_AUDIO = "not_audio"


@dataclass(frozen=True, slots=True)
class Planted:
    """One file of the corpus as it really is."""

    path: str
    """Relative to the audio folder, / separated."""
    defect: Defect
    speaker: str = ""
    language: str = ""
    """Of the speech, whatever the transcript is in."""
    sample_rate: int = 0
    """Hz, as the file claims; 0 where it is not audio."""
    spoken: str = ""
    transcript: str = ""
    """What the table says is spoken."""
    original: str = ""
    """Path of the file that this one is a copy of."""
    snr_db: float | None = None
    """Active speech level over noise power (noise floor included); None without speech or where not known."""
    detail: dict[str, Any] = field(default_factory=dict)
    """How it was made: kind of noise, overdrive in dB, codec of a copy."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Every file of a corpus, in the order of their paths."""

    seed: int
    files: tuple[Planted, ...]

    def of(self, *defects: Defect) -> tuple[Planted, ...]:
        """The files with one of `defects`."""
        return tuple(f for f in self.files if f.defect in defects)

    def write(self, path: Path) -> None:
        """Write as JSON, one file per line."""
        lines = ",\n".join("  " + json.dumps(asdict(f), ensure_ascii=False, sort_keys=True) for f in self.files)
        path.write_text(f'{{"seed": {self.seed}, "files": [\n{lines}\n]}}\n', encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Truth:
        """Read what `write` wrote."""
        raw = json.loads(path.read_text(encoding="utf-8"))
        return cls(raw["seed"], tuple(Planted(**{**f, "defect": Defect(f["defect"])}) for f in raw["files"]))


MARGIN_DB = 15.9
"""P.56: the active level stands this far over the threshold that tells activity."""


def active_power(waveform: np.ndarray, sample_rate: int) -> float:
    """Mean power of `[T]` noise-free speech while it is active: ITU-T P.56 method B, 15.9 dB margin, 200 ms hangover.

    Returns 0.0 for silence. The threshold is found by bisection to 0.01 dB, where P.56 interpolates between 6 dB steps.
    """
    x = np.abs(np.asarray(waveform, dtype=np.float64))
    total = float(np.sum(x * x))
    if total == 0.0:
        return 0.0
    envelope = _smooth(x, sample_rate)
    hangover = round(0.2 * sample_rate)

    def excess_db(threshold_db: float) -> float:
        """How far the active level at this threshold stands over the threshold, less the margin; falls with it."""
        active = _hold(envelope >= 10 ** (threshold_db / 20), hangover)
        return 10 * math.log10(total / active) - threshold_db - MARGIN_DB if active else -math.inf

    low, high = -120.0, 0.0
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (middle, high) if excess_db(middle) > 0 else (low, middle)
    return 10 ** ((low + MARGIN_DB) / 10)


def _smooth(x: np.ndarray, sample_rate: int) -> np.ndarray:
    """P.56's envelope: two first-order low-passes of 30 ms in a row."""
    from scipy.signal import lfilter

    g = math.exp(-1.0 / (0.03 * sample_rate))
    once = lfilter([1 - g], [1, -g], x)
    return np.asarray(lfilter([1 - g], [1, -g], once))


def _hold(active: np.ndarray, hangover: int) -> int:
    """Samples that are active or at most `hangover` samples after an active one."""
    places = np.flatnonzero(active)
    if places.size == 0:
        return 0
    gaps = np.diff(places, append=active.shape[0])
    return int(np.minimum(gaps, hangover + 1).sum())


def noise(kind: str, num_samples: int, rng: np.random.Generator) -> np.ndarray:
    """`[num_samples]` float64 noise of unit power: "white", or "pink" (power falling with 3 dB per octave)."""
    if kind == "white":
        waveform = rng.standard_normal(num_samples)
    elif kind == "pink":
        # a power of two: transforms of a prime length take a hundred times as long
        size = 1 << (num_samples - 1).bit_length()
        spectrum = np.fft.rfft(rng.standard_normal(size))
        spectrum[1:] /= np.sqrt(np.arange(1, spectrum.shape[0]))
        spectrum[0] = 0.0
        waveform = np.fft.irfft(spectrum, size)[:num_samples]
    else:
        raise ValueError(f"unknown kind of noise {kind!r}")
    return waveform / math.sqrt(float(np.mean(waveform**2)))


def babble(talkers: list[np.ndarray], num_samples: int) -> np.ndarray:
    """`[num_samples]` of several talkers at once, equally loud, each repeated as needed, unit power."""
    mixture = np.zeros(num_samples)
    for talker in talkers:
        level = math.sqrt(float(np.mean(np.asarray(talker, dtype=np.float64) ** 2)))
        mixture += np.resize(talker, num_samples) / level
    return mixture / math.sqrt(float(np.mean(mixture**2)))


def overdrive(waveform: np.ndarray, over_db: float, peak: float) -> np.ndarray:
    """`waveform` amplified until its peak is `over_db` over full scale, cut there, and brought to `peak`."""
    loud = waveform * (10 ** (over_db / 20) / float(np.max(np.abs(waveform))))
    return np.clip(loud, -1.0, 1.0) * peak


def resample(waveform: np.ndarray, source_rate: int, target_rate: int) -> np.ndarray:
    """`[T]` at `source_rate` Hz brought to `target_rate` Hz.

    A polyphase filter with six times scipy's usual length: 36 dB down at half the lower rate and 80 dB down 2.5 %
    above it, so that speech from 8 kHz really ends at 4 kHz; scipy's own leaves images up to 4.5 kHz.
    """
    from scipy.signal import resample_poly

    if source_rate == target_rate:
        return waveform
    common = math.gcd(source_rate, target_rate)
    up, down = target_rate // common, source_rate // common
    slower = max(up, down)
    half = 60 * slower
    lowpass = np.sinc(np.arange(-half, half + 1) * (0.97 / slower)) * np.kaiser(2 * half + 1, 8.0)
    return resample_poly(waveform, up, down, window=lowpass / lowpass.sum())


NOT_AUDIO: tuple[tuple[str, bytes], ...] = (
    ("wav", b"These are the minutes of the meeting, saved under the wrong name.\n" * 40),
    ("flac", b"<!doctype html><html><head><title>404</title></head><body>Not found</body></html>\n"),
    ("aiff", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8),
    ("ogg", b""),
    ("wav", b'{"message": "the download failed", "status": 503}\n'),
    ("wav", bytes(4096)),
)
"""Extension and bytes of files that only claim to be audio."""

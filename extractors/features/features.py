"""Acoustic features at a codec's own frame times: pitch, voicing, energy, spectral flux, centroid, speaking rate.

Row r of the array is `ROWS[r]`. Frame i describes the same samples as frame i of a codec at that rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from ...schemas.config import RepresentationConfig
from ...schemas.errors import ConfigError
from ...schemas.keys import fingerprint
from ...schemas.representation import RepresentationSpec, representation_name
from ..coding.codec import Codec
from ..coding.framing import BLOCK, centred, frame_sizes, mono_at, read_mono_at
from ..coding.resample import KERNEL, Reader
from .pitch import pitch

VERSION = 1
SAMPLE_RATE = 24_000
RATES_HZ = frame_sizes(SAMPLE_RATE, (75.0, 50.0, 25.0, 12.5))
ROWS: tuple[tuple[str, str], ...] = (
    ("f0_hz", "fundamental frequency, 0 where unvoiced"),
    ("voicing", "correlation of a period with the next, 0 to 1"),
    ("energy_db", "root mean square of the frame's own samples, dB re full scale, at least -120"),
    ("flux", "share of the spectrum's magnitude that is new since 13 ms before, 0 to 1"),
    ("centroid_hz", "mean frequency of the power spectrum, 0 in silence"),
    ("speaking_rate_hz", "loudness peaks of voiced sound per second around the frame: a proxy for syllables"),
)
FLOOR_DB = -120.0
FLUX_WINDOW = 512
FLUX_STEP = 320
CENTROID_WINDOW = 1024
RATE_STEP = 240
"""The envelope for the speaking rate is sampled at 100 Hz."""
RATE_SPAN_S = 0.6
"""Standard deviation of the window over which peaks are counted."""
PEAK_DB = 3.0
"""A syllable's peak rises this far over the valleys beside it (de Jong and Wempe 2009 use 2 dB)."""
QUIET_DB = 25.0
"""Peaks this far below the loudest are no syllables (ibid.)."""


def energy_db(audio: np.ndarray, frame_size: int) -> np.ndarray:
    """RMS level `[frames]` of each frame's own samples; the last frame over what it has."""
    frames = -(-len(audio) // frame_size)
    power = np.empty(frames)
    for start in range(0, frames, BLOCK):
        own = audio[start * frame_size : (start + BLOCK) * frame_size].astype(np.float64)
        count = -(-len(own) // frame_size)
        squares = np.zeros(count * frame_size)
        squares[: len(own)] = np.square(own)
        power[start : start + count] = squares.reshape(count, frame_size).sum(1)
    power[:-1] /= frame_size
    power[-1] /= len(audio) - (frames - 1) * frame_size
    return np.maximum(10 * np.log10(power + 1e-30), FLOOR_DB)


def magnitudes(audio: np.ndarray, frame_size: int, window: int, shift: int = 0) -> Iterator[np.ndarray]:
    """Hann-windowed magnitude spectra `[n, window / 2 + 1]` around frame centres, in blocks of frames."""
    hann = np.hanning(window + 1)[:-1]
    for windows in centred(audio, frame_size, window, shift):
        yield np.abs(np.fft.rfft(windows * hann, axis=1))


def flux(audio: np.ndarray, frame_size: int) -> np.ndarray:
    """Sum of the spectrum's increases since 13 ms before, over its sum now: 0 for a steady sound, 1 for an onset."""
    blocks = zip(
        magnitudes(audio, frame_size, FLUX_WINDOW), magnitudes(audio, frame_size, FLUX_WINDOW, -FLUX_STEP), strict=True
    )
    # -90 dB of full scale: below it, nothing is new
    floor = FLUX_WINDOW * 10 ** (-90 / 20)
    return np.concatenate([np.maximum(now - before, 0).sum(1) / (now.sum(1) + floor) for now, before in blocks])


def centroid_hz(audio: np.ndarray, frame_size: int) -> np.ndarray:
    """Power-weighted mean frequency, `[frames]`."""
    frequency = np.linspace(0, SAMPLE_RATE / 2, CENTROID_WINDOW // 2 + 1)
    powers = (np.square(block) for block in magnitudes(audio, frame_size, CENTROID_WINDOW))
    return np.concatenate([power @ frequency / (power.sum(1) + 1e-12) for power in powers])


def speaking_rate_hz(audio: np.ndarray, frame_size: int) -> np.ndarray:
    """Loudness peaks per second around each frame, `[frames]`: Gaussian-weighted, corrected at the clip's ends."""
    level = energy_db(audio, RATE_STEP)
    smooth = gaussian_filter1d(np.maximum(level, level.max() - 60.0), sigma=3.0, mode="nearest")
    peaks, _ = find_peaks(smooth, prominence=PEAK_DB, height=max(level.max() - QUIET_DB, FLOOR_DB + 1))
    if len(peaks):
        _, voicing = pitch(audio, RATE_STEP)
        peaks = peaks[voicing[peaks] > 0.5]
    train = np.zeros(len(level))
    train[peaks] = 1.0
    sigma = RATE_SPAN_S * SAMPLE_RATE / RATE_STEP
    counted = gaussian_filter1d(train, sigma, mode="constant")
    covered = gaussian_filter1d(np.ones(len(level)), sigma, mode="constant")
    rate = counted / np.maximum(covered, 1e-6) * SAMPLE_RATE / RATE_STEP
    frames = -(-len(audio) // frame_size)
    middles = (np.arange(frames) + 0.5) * frame_size / RATE_STEP - 0.5
    return np.interp(middles, np.arange(len(rate)), rate)


def features(audio: np.ndarray, frame_size: int) -> np.ndarray:
    """`[T]` at 24 kHz to `[6, ceil(T / frame_size)]` float32, rows as `ROWS` says."""
    f0, voicing = pitch(audio, frame_size)
    rows = [f0, voicing, energy_db(audio, frame_size), flux(audio, frame_size), centroid_hz(audio, frame_size)]
    return np.stack([*rows, speaking_rate_hz(audio, frame_size)]).astype(np.float32)


class FeaturesExtractor:
    """Features at one or several frame rates."""

    def __init__(self, specs: Sequence[RepresentationSpec]) -> None:
        self.specs = tuple(specs)

    def extract(self, waveform: np.ndarray, sample_rate: int) -> dict[str, np.ndarray]:
        """`[C, T]` at `sample_rate` to `[6, frames]` per representation name; raises `ClipError` as codecs do."""
        return self._features(mono_at(waveform, sample_rate, SAMPLE_RATE))

    def stream(self, read: Reader, num_samples: int, sample_rate: int) -> Iterator[dict[str, np.ndarray]]:
        """`extract` of a recording that is read a minute at a time, in one block: the speaking rate needs the whole.

        Memory: the audio at 24 kHz, 0.35 GB per hour.
        """
        yield self._features(read_mono_at(read, num_samples, sample_rate, SAMPLE_RATE))

    def _features(self, audio: np.ndarray) -> dict[str, np.ndarray]:
        return {spec.name: features(audio, spec.frame_size).astype(spec.dtype) for spec in self.specs}


class FeaturesFamily:
    """Features' entry in the registry."""

    name = "features"

    def describe(self, config: RepresentationConfig) -> RepresentationSpec:
        """The declared view; imports no torch."""
        if config.kind != "features":
            raise ConfigError(f"features has no kind '{config.kind}': allowed are features")
        for field in ("weights", "weights_sha256", "num_codebooks"):
            if getattr(config, field) is not None:
                raise ConfigError(f"features are computed without a model: leave out {field}")
        if config.options:
            raise ConfigError(f"features has no option '{min(config.options)}'")
        if config.mode != "exact":
            raise ConfigError(f"features: mode is '{config.mode}', allowed are 'exact'")
        rate = config.rate_hz or 75.0
        if rate not in RATES_HZ:
            raise ConfigError(f"features at {rate:g} Hz: rate_hz may be {', '.join(f'{r:g}' for r in RATES_HZ)}")
        parameters = {
            "rows": [name for name, _ in ROWS],
            "rate_hz": rate,
            "dtype": config.dtype,
            "resample": KERNEL,
            "mode": config.mode,
        }
        return RepresentationSpec(
            name=representation_name(self.name, "features", rate).replace("features-features", "features"),
            codec=self.name,
            kind="features",
            frame_rate=rate,
            sample_rate=SAMPLE_RATE,
            frame_size=RATES_HZ[rate],
            rows=len(ROWS),
            cardinality=None,
            dtype=config.dtype,
            channels=1,
            fingerprint=fingerprint(self.name, VERSION, parameters),
            trained=True,
            details={**parameters, "descriptions": dict(ROWS)},
        )

    def build(self, configs: Sequence[RepresentationConfig]) -> FeaturesExtractor:
        """The extractor; there is nothing to load."""
        return FeaturesExtractor([self.describe(config) for config in configs])

    def load(self, config: RepresentationConfig) -> Codec:
        """Features cannot be decoded."""
        raise ConfigError("features are one-way: there is no audio to decode from them")


FAMILY = FeaturesFamily()

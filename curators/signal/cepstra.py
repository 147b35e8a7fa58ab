"""Mel cepstra as the pocketsphinx acoustic model was trained on, noise removal included."""

from __future__ import annotations

from functools import cache

import numpy as np

SAMPLE_RATE = 16000
HOP, WINDOW, FFT_SIZE = 160, 410, 512
FRAME_S = HOP / SAMPLE_RATE
FILTERS, CEPSTRA = 25, 13
LOW_HZ, HIGH_HZ = 130.0, 6800.0
PREEMPHASIS = 0.97
LIFTER = 22
FULL_SCALE = 32768.0

SMOOTH_BANDS = 4
POWER_DECAY, RISE_DECAY, FALL_DECAY, PEAK_DECAY = 0.7, 0.995, 0.5, 0.85
PEAK_SHARE = 0.2
MAX_GAIN = 20.0
TINY = 1e-12


def mel(hz: np.ndarray | float) -> np.ndarray:
    """Mel scale of O'Shaughnessy, as in sphinxbase."""
    return 2595 * np.log10(1 + np.asarray(hz) / 700)


@cache
def mel_filters() -> np.ndarray:
    """`[FFT_SIZE // 2 + 1, FILTERS]` float64 triangles of unit area, their corners rounded to bins."""
    bin_hz = SAMPLE_RATE / FFT_SIZE
    corners = 700 * (10 ** (np.linspace(mel(LOW_HZ), mel(HIGH_HZ), FILTERS + 2) / 2595) - 1)
    corners = np.floor(corners / bin_hz + 0.5) * bin_hz
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    hz = np.arange(FFT_SIZE // 2 + 1)[:, None] * bin_hz
    rising, falling = (hz - left) / (centre - left), (right - hz) / (right - centre)
    return np.clip(np.minimum(rising, falling), 0, None) * (2 / (right - left))


@cache
def cosines() -> np.ndarray:
    """`[FILTERS, CEPSTRA]` float64: orthonormal DCT-II, then the sine lifter."""
    band = np.arange(FILTERS) + 0.5
    basis = np.cos(np.pi / FILTERS * band[:, None] * np.arange(CEPSTRA)) * np.sqrt(2 / FILTERS)
    basis[:, 0] *= np.sqrt(0.5)
    return basis * (1 + LIFTER / 2 * np.sin(np.pi * np.arange(CEPSTRA) / LIFTER))


def mel_spectrum(waveform: np.ndarray) -> np.ndarray:
    """`[F, FILTERS]` float64 power in mel bands, one frame per 10 ms, of `[T]` float32 at `SAMPLE_RATE`."""
    x = waveform.astype(np.float64) * FULL_SCALE
    emphasised = x.copy()
    emphasised[1:] -= PREEMPHASIS * x[:-1]
    frames = max(1, 1 + -(-(len(x) - WINDOW) // HOP))
    padded = np.zeros((frames - 1) * HOP + WINDOW)
    padded[: min(len(x), len(padded))] = emphasised[: len(padded)]
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP] * np.hamming(WINDOW)
    spectrum = np.fft.rfft(windows, FFT_SIZE)
    return (spectrum.real**2 + spectrum.imag**2) @ mel_filters()


def follow_below(level: np.ndarray, start: np.ndarray) -> np.ndarray:
    """A floor under `[F, FILTERS]` that rises slowly and falls fast, from `start`, `[FILTERS]`."""
    decay = np.array([RISE_DECAY, FALL_DECAY])[:, None]
    coming = (1 - decay) * level[:, None]
    floor, found = start, np.empty_like(level)
    for t in range(len(level)):
        # a step up is the smaller one where it rises, a step down where it falls
        rising, falling = decay * floor + coming[t]
        floor = np.minimum(rising, falling, out=found[t])
    return found


def denoised(spectrum: np.ndarray) -> np.ndarray:
    """`spectrum` `[F, FILTERS]` less its slow floor and what a louder moment masks: sphinxbase's fe_noise, after
    Kim and Stern, "Power-normalized cepstral coefficients" (2010)."""
    bands = np.arange(FILTERS)
    near = (np.abs(bands[:, None] - bands) <= SMOOTH_BANDS).astype(np.float64)
    near /= near.sum(0)
    power, peaks = (1 - POWER_DECAY) * spectrum, np.empty_like(spectrum)
    before = spectrum[0]
    for t in range(len(power)):
        power[t] += POWER_DECAY * before
        before = power[t]
    noise = follow_below(power, spectrum[0] / MAX_GAIN)
    signal = np.maximum(power - noise, 1.0)
    floor = follow_below(signal, spectrum[0] / MAX_GAIN)
    peak = np.zeros(FILTERS)
    for t in range(len(signal)):
        peaks[t] = peak = PEAK_DECAY * peak
        peak = np.maximum(peak, signal[t])
    masked = np.where(signal < PEAK_DECAY * peaks, peaks * PEAK_SHARE, signal)
    gains = np.clip(np.maximum(masked, floor) / np.maximum(power, TINY), 1 / MAX_GAIN, MAX_GAIN)
    return spectrum * (gains @ near)


def cepstra(waveform: np.ndarray) -> np.ndarray:
    """`[F, CEPSTRA]` float64, one row per 10 ms, of `[T]` float32 in [-1, 1] at `SAMPLE_RATE`."""
    return np.log(denoised(mel_spectrum(waveform)) + 1e-4) @ cosines()


def with_differences(features: np.ndarray) -> np.ndarray:
    """`[3, F, CEPSTRA]` float32: cepstra less their mean over the clip, first and second differences (1s_c_d_dd)."""
    c = np.pad(features - features.mean(0), ((3, 3), (0, 0)), mode="edge")
    first = c[4:] - c[:-4]
    second = first[2:] - first[:-2]
    return np.stack([c[3:-3], first[1:-1], second]).astype(np.float32)

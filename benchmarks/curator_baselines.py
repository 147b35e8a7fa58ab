"""What others use to judge noise, written out for comparison on the same clips."""

from __future__ import annotations

from functools import cache

import numpy as np


@cache
def _wada_table() -> tuple[np.ndarray, np.ndarray]:
    """SNR grid (dB) and the statistic ln E|z| - E ln|z| for gamma-distributed speech (shape 0.4) in Gaussian noise."""
    rng = np.random.default_rng(0)
    speech = rng.gamma(0.4, 1.0, 400_000) * rng.choice([-1, 1], 400_000)
    noise = rng.normal(size=400_000)
    speech /= np.sqrt(np.mean(speech**2))
    grid = np.arange(-20.0, 101.0)
    values = []
    for snr in grid:
        z = np.abs(speech + 10 ** (-snr / 20) * noise) + 1e-12
        values.append(np.log(z.mean()) - np.log(z).mean())
    return grid, np.maximum.accumulate(np.array(values))


def wada_snr(x: np.ndarray) -> float:
    """WADA-SNR (Kim and Stern, Interspeech 2008), table re-derived by Monte Carlo. `[T]`, dB."""
    z = np.abs(x.astype(np.float64)) + 1e-10
    statistic = float(np.log(z.mean()) - np.log(z).mean())
    grid, values = _wada_table()
    return float(np.interp(statistic, values, grid))


def percentile_snr(x: np.ndarray, sample_rate: int = 16_000) -> float:
    """95th over 15th percentile of 20 ms frame levels, dB: the usual quick estimate."""
    size = sample_rate // 50
    frames = x[: x.shape[0] // size * size].reshape(-1, size).astype(np.float64)
    level = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    return float(np.percentile(level, 95) - np.percentile(level, 15))


def nmf_snr(x: np.ndarray, iterations: int = 500) -> float:
    """The rank-2 NMF ratio of Data-Juicer's `audio_nmf_snr_filter`, written from its description, dB.

    Magnitudes of 2048-point frames, two components by coordinate descent from a random start: the first is called
    signal, the second noise (their order means nothing), and both are turned back into sound with zero phase.
    """
    from scipy.signal import istft, stft

    magnitude = np.abs(stft(x, nperseg=2048, noverlap=1536)[2]).astype(np.float64)
    rng = np.random.default_rng(0)
    scale = np.sqrt(magnitude.mean() / 2)
    w, h = (scale * np.abs(rng.normal(size=shape)) for shape in ((magnitude.shape[0], 2), (2, magnitude.shape[1])))
    for _ in range(iterations):
        for k in (0, 1):
            rest = magnitude @ h[k] - w[:, 1 - k] * (h[1 - k] @ h[k])
            w[:, k] = np.maximum(rest / max(h[k] @ h[k], 1e-12), 0)
        for k in (0, 1):
            rest = w[:, k] @ magnitude - h[1 - k] * (w[:, 1 - k] @ w[:, k])
            h[k] = np.maximum(rest / max(w[:, k] @ w[:, k], 1e-12), 0)
    parts = [istft(np.outer(w[:, k], h[k]), nperseg=2048, noverlap=1536)[1] for k in (0, 1)]
    power = [float(np.mean(np.asarray(p) ** 2)) for p in parts]
    return 10 * float(np.log10(max(power[0], 1e-20) / max(power[1], 1e-20)))


def speechmos_runner():
    """speechmos' own runner. Its package needs librosa for the P.808 score only: without it a stand-in is given."""
    import sys
    import types

    try:
        import librosa  # noqa: F401
    except ImportError:
        stand_in = types.ModuleType("librosa")
        stand_in.feature = types.SimpleNamespace(melspectrogram=lambda y, n_mels, **_: np.ones((n_mels, 900)))
        stand_in.power_to_db = lambda power, ref: np.zeros_like(power)
        sys.modules["librosa"] = stand_in
    from speechmos import dnsmos

    return dnsmos

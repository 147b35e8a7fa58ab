"""How much of a clip is left after a codec: two numbers per clip, to compare codecs or weights by."""

from __future__ import annotations

import math

import numpy as np

from ..schemas.clip import Clip
from ..schemas.config import RepresentationConfig
from ..schemas.errors import ClipError
from ..schemas.tables import FailureReason
from .coding.registry import load_codec
from .coding.resample import resample

FRAME, HOP = 1024, 256
FLOOR_DB = 50.0
"""Below a clip's loudest bin: quieter bins do not count into the spectral distance."""
MIN_SAMPLES = FRAME


class Fidelity:
    """A loaded codec that turns a clip into numbers. Raises `WeightsError` when its weights are absent."""

    def __init__(self, config: RepresentationConfig) -> None:
        self._codec, self._books = load_codec(config), config.num_codebooks

    def __call__(self, clip: Clip) -> dict[str, float]:
        """`si_sdr_db`: scale-invariant signal to distortion (Le Roux et al. 2019); `spectral_db`: mean absolute
        difference of magnitudes in dB over 1024-sample frames. Raises `ClipError` for a clip too short or silent."""
        import torch

        codec = self._codec
        x = resample(clip.waveform[None], clip.sample_rate, codec.sample_rate)[0]
        if len(x) < MIN_SAMPLES or not np.any(x):
            raise ClipError(FailureReason.EXTRACTION, "too short or silent to compare")
        audio = torch.from_numpy(np.ascontiguousarray(x))[None, None].expand(1, codec.channels, -1)
        with torch.inference_mode():
            codes = codec.encode(audio)
            decoded = codec.decode(codes if self._books is None else codes[:, : self._books])
        y = decoded[0].mean(dim=0).float().numpy()
        y = np.pad(y, (0, max(0, len(x) - len(y))))[: len(x)]
        return {"si_sdr_db": si_sdr_db(y, x), "spectral_db": spectral_db(y, x)}


def si_sdr_db(estimate: np.ndarray, target: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio of `[T]` arrays, dB."""
    e, t = estimate.astype(np.float64), target.astype(np.float64)
    scaled = t * (float(e @ t) / (float(t @ t) + 1e-12))
    return 10 * math.log10((float(scaled @ scaled) + 1e-12) / (float(np.square(e - scaled).sum()) + 1e-12))


def spectral_db(estimate: np.ndarray, target: np.ndarray) -> float:
    """Mean absolute difference of the magnitudes of two `[T]` arrays, dB, floored `FLOOR_DB` below the loudest bin."""
    window = np.hanning(FRAME)
    spectra = [
        np.abs(np.fft.rfft(np.lib.stride_tricks.sliding_window_view(x, FRAME)[::HOP] * window))
        for x in (estimate, target)
    ]
    floor = spectra[1].max() * 10 ** (-FLOOR_DB / 20) + 1e-12
    first, second = (20 * np.log10(np.maximum(s, floor)) for s in spectra)
    return float(np.abs(first - second).mean())

"""A voice embedding of 45 numbers: how the spectra of speech differ from the average, projected (by a linear
discriminant) on the directions in which speakers differ most.

Cepstra of 32 ms frames of speech, their first-order statistics about a mixture of 16 Gaussians (Reynolds et al.,
"Speaker verification using adapted Gaussian mixture models", 2000), then a linear discriminant. Trained by
`train_voice`; small, and fair on one recording session; no match for a neural embedding on telephone calls.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from ...schemas.clip import Clip
from ..models import weights_sha256
from ..signal.bands import NUM_BANDS, band_powers
from ..signal.vad import SAMPLE_RATE, SPEECH_THRESHOLD, speech_probabilities
from ..waveform import resampled

WEIGHTS = Path(__file__).parents[1] / "weights" / "voice.safetensors"
CEPSTRA = 24
DIMENSIONS = 45
MIN_FRAMES = 16
"""Frames of speech (0.5 s) below which nothing is said of the voice."""
RELEVANCE = 8.0
"""Frames that a Gaussian must have seen before its shift counts half."""
FLOOR = 1e-7
Weights = dict[str, np.ndarray]


def shapes(clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """Cepstra without level `[F, 24]` and level in dB `[F]`, float64, of the frames of speech; memoised."""
    if "voice_shapes" not in clip.memo:
        x = resampled(clip, SAMPLE_RATE)
        powers = band_powers(x, float(x.mean(dtype=np.float64))).astype(np.float64)
        speech = speech_probabilities(clip)[: len(powers)] >= SPEECH_THRESHOLD
        powers = powers[: len(speech)]
        total = powers.sum(axis=1)
        powers, own = np.maximum(powers, FLOOR * total.mean() + 1e-30)[speech], total[speech] + 1e-30
        clip.memo["voice_shapes"] = (10 * np.log10(powers / own[:, None])) @ cosines(), 10 * np.log10(own)
    return clip.memo["voice_shapes"]


@cache
def cosines() -> np.ndarray:
    """`[64, 24]` float64: orthonormal DCT-II over bands."""
    band = np.arange(NUM_BANDS) + 0.5
    return np.cos(np.pi / NUM_BANDS * band[:, None] * np.arange(CEPSTRA)) * np.sqrt(2 / NUM_BANDS)


def posteriors(cepstra: np.ndarray, w: Weights) -> np.ndarray:
    """Share of every Gaussian in every frame, `[F, G]`, rows sum to 1."""
    mean, variance = w["ubm.mean"], w["ubm.variance"]
    logs = cepstra**2 @ (1 / variance).T - 2 * cepstra @ (mean / variance).T
    logs = np.log(w["ubm.weight"]) - 0.5 * (logs + (mean**2 / variance + np.log(variance)).sum(axis=1))
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def supervector(cepstra: np.ndarray, w: Weights) -> np.ndarray:
    """How far each Gaussian's mean moves for this voice, in its own standard deviations, `[G * 24]`."""
    shares = posteriors(cepstra, w)
    count = shares.sum(axis=0)
    shift = (shares.T @ cepstra - count[:, None] * w["ubm.mean"]) / (count + RELEVANCE)[:, None]
    return (shift / np.sqrt(w["ubm.variance"]) * np.sqrt(w["ubm.weight"])[:, None]).ravel()


def embed(cepstra: np.ndarray, w: Weights) -> np.ndarray:
    """Cepstra `[F, 24]` of speech to the voice `[45]` float32 of length 1: equal voices have a cosine near 1."""
    e = (supervector(cepstra, w) - w["centre"]) @ w["discriminant"]
    return (e / max(float(np.linalg.norm(e)), 1e-12)).astype(np.float32)


@cache
def load_weights(path: Path = WEIGHTS) -> Weights:
    """Arrays by name, float64, read once per process."""
    from safetensors.numpy import load_file

    return {name: value.astype(np.float64) for name, value in load_file(str(path)).items()}


def voice_weights() -> str:
    """SHA-256 of the weights, for fingerprints."""
    return weights_sha256(WEIGHTS)


def to_bytes(embedding: np.ndarray) -> bytes:
    """90 bytes: float16, little-endian."""
    return embedding.astype("<f2").tobytes()


def from_bytes(data: bytes) -> np.ndarray:
    """`[45]` float32 of length 1; ValueError for bytes of another size."""
    if len(data) != 2 * DIMENSIONS:
        raise ValueError(f"a voice of {len(data)} bytes, {2 * DIMENSIONS} are required")
    e = np.frombuffer(data, "<f2").astype(np.float32)
    return e / max(float(np.linalg.norm(e)), 1e-12)

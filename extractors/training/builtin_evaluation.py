"""Quality and codebook use of a codec on utterances it was not trained on."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..codecs.builtin_model import BuiltinCodec
from .builtin_data import Utterance
from .builtin_losses import MultiScaleMel


def si_sdr_db(estimate: np.ndarray, target: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019), dB."""
    scaled = target * (float(estimate @ target) / (float(target @ target) + 1e-12))
    return 10 * math.log10((float(scaled @ scaled) + 1e-12) / (float(np.square(estimate - scaled).sum()) + 1e-12))


def stoi_of(target: np.ndarray, estimate: np.ndarray, sample_rate: int) -> float | None:
    """STOI (Taal et al. 2011) by pystoi; None where less than 30 frames of speech leave it undefined."""
    from pystoi import stoi

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(stoi(target, estimate, sample_rate))
        except RuntimeWarning:
            return None


def codebook_use(codes: np.ndarray, cardinality: int) -> list[dict[str, float]]:
    """Per codebook of `[K, N]`: share of entries that occur, and perplexity (2 ** entropy) of their use."""
    rows = []
    for row in codes:
        counts = np.bincount(row, minlength=cardinality)
        p = counts[counts > 0] / counts.sum()
        rows.append({"used": float((counts > 0).mean()), "perplexity": float(2 ** -(p * np.log2(p)).sum())})
    return rows


@torch.inference_mode()
def evaluate(
    codec: BuiltinCodec, utterances: Sequence[Utterance], num_codebooks: int | None = None, limit_s: float | None = None
) -> dict[str, Any]:
    """Mean STOI, SI-SDR and mel distance, and codebook use, over `utterances` cut to `limit_s`."""
    mel = MultiScaleMel(codec.sample_rate)
    stois, sdrs, mels, all_codes = [], [], [], []
    for utterance in utterances:
        wave = utterance.waveform if limit_s is None else utterance.waveform[: int(limit_s * codec.sample_rate)]
        audio = torch.from_numpy(wave)[None, None]
        codes = codec.quantize(codec.encode_to_latent(audio), num_codebooks)
        decoded = codec.decode(codes)[..., : len(wave)]
        score = stoi_of(wave, decoded[0, 0].numpy(), codec.sample_rate)
        if score is not None:
            stois.append(score)
        sdrs.append(si_sdr_db(decoded[0, 0].numpy(), wave))
        mels.append(float(mel(decoded[:, 0], audio[:, 0])))
        all_codes.append(codes[0].numpy())
    use = codebook_use(np.concatenate(all_codes, axis=1), codec.cardinality)
    return {
        "utterances": len(utterances),
        "stoi": round(float(np.mean(stois)), 4),
        "si_sdr_db": round(float(np.mean(sdrs)), 2),
        "mel_distance": round(float(np.mean(mels)), 4),
        "frames": sum(c.shape[1] for c in all_codes),
        "codebook_used": [round(u["used"], 3) for u in use],
        "codebook_perplexity": [round(u["perplexity"], 1) for u in use],
    }

"""A neural recogniser: the best letter of every frame of a CTC model, repeats joined and blanks left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from ...schemas.clip import Clip
from ...schemas.config import Strict
from ..waveform import resampled
from .ctc_model import WORD_BOUNDARY, CtcSpec, emissions, in_batches, resolve, sha256

MAX_DURATION_S = 120.0
MIN_DURATION_S = 0.1


class RecogniserOptions(Strict):
    """Parameters of the recogniser `ctc`."""

    model: str = Field(
        "WAV2VEC2_ASR_BASE_960H", description="Name of a torchaudio bundle with an alphabet, or a folder of yours"
    )
    weights: str | None = Field(None, description="Path of the model's weights; by default where they are cached")
    languages: tuple[str, ...] | None = Field(("en",), description="Languages it can write; null for any")
    device: str = Field("cpu", description='Where it runs: "cpu", "cuda", "cuda:1"')
    batch_s: float = Field(120.0, gt=0, description="Seconds of audio, padding included, per call of the model")


class CtcRecogniser:
    """Text from a CTC model without a language model (Graves et al. 2006, best path decoding)."""

    min_difference = 0.0

    def __init__(self, **options: object) -> None:
        """Options of `RecogniserOptions`. Raises `ConfigError` and `WeightsError` as `ctc_model.resolve` does."""
        self._options = RecogniserOptions.model_validate(options)
        self.spec = resolve(self._options.model, self._options.weights)
        self.languages = self._options.languages
        self.name = f"ctc-{self.spec.name.rstrip('/').rpartition('/')[2]}-{sha256(self.spec.weights)[:8]}"

    def transcribe(self, batch: Sequence[Clip]) -> list[str]:
        """One text per clip, "" for one that is not finite, too short or too long."""
        texts = [""] * len(batch)
        fit = [
            k
            for k, clip in enumerate(batch)
            if MIN_DURATION_S <= clip.duration_s <= MAX_DURATION_S and np.isfinite(clip.waveform).all()
        ]
        for group in in_batches(fit, lambda k: batch[k].duration_s, self._options.batch_s):
            waveforms = [resampled(batch[k], self.spec.sample_rate) for k in group]
            for k, scores in zip(group, emissions(self.spec, self._options.device, waveforms), strict=True):
                texts[k] = best_path_text(scores, self.spec)
        return texts


def best_path_text(scores: np.ndarray, spec: CtcSpec) -> str:
    """`[F, labels]` log probabilities to text in lower case, words apart by one space."""
    best = scores.argmax(axis=1)
    kept = best[np.concatenate([[True], best[1:] != best[:-1]])] if len(best) else best
    letters = "".join(spec.labels[k] for k in kept if k != spec.blank)
    return " ".join(letters.replace(WORD_BOUNDARY, " ").lower().split())

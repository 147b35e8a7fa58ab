"""DNSMOS P.835: predicted overall, speech and background quality, 1 to 5, by Microsoft's network as in speechmos."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from ...schemas.clip import Clip
from ...schemas.config import Strict
from ...schemas.score import Row, ScoreColumn
from ..models import package_file, session, weights_sha256
from ..networks.eight_bits import HIGHEST, LARGEST_VALUE, in_eight_bits, integers_sha256
from ..networks.silent_filters import MODEL_SHA256, answering
from ..perclip import PerClip, Unmeasurable
from ..waveform import resampled
from .vad import SAMPLE_RATE, speech_seconds, vad_weights

INPUT_S = 9.01
INPUT_SIZE = int(INPUT_S * SAMPLE_RATE)
FAST_HOP = 5
"""Of the runner's one-second hops, the fast mode takes one in five."""
POLYNOMIALS = {
    "dnsmos_sig": (-0.08397278, 1.22083953, 0.0052439),
    "dnsmos_bak": (-0.13166888, 1.60915514, -0.39604546),
    "dnsmos_ovrl": (-0.06766283, 1.11546468, 0.04602535),
}
"""The runner's maps from network outputs to MOS, highest power first, in the network's order of outputs."""


def _model() -> Path:
    return package_file("speechmos", "dnsmos_models", "sig_bak_ovr.onnx")


def looped(x: np.ndarray) -> np.ndarray:
    """`x` doubled until it fills the network's 9.01 s, as speechmos' runner does; floats beyond 1 are scaled down."""
    largest = float(max(x.max(), -x.min()))
    if largest > 1:
        x = x / np.float32(largest)
    while x.shape[0] < INPUT_SIZE:
        x = np.concatenate([x, x])
    return x


def segment_starts(num_samples: int, mode: str, max_segments: int) -> list[int]:
    """First samples of the 9.01 s segments to score of a clip of `num_samples` (16 kHz, at least 9.01 s).

    reference: every second, exactly speechmos' runner. fast: one in five of those, from the middle of each five,
    at most `max_segments` spread evenly.
    """
    hops = int(np.floor(num_samples / SAMPLE_RATE) - INPUT_S) + 1
    # the runner's own float arithmetic decides whether the last hop is whole
    whole = [
        i for i in range(hops) if min(int((i + INPUT_S) * SAMPLE_RATE), num_samples) - i * SAMPLE_RATE >= INPUT_SIZE
    ]
    if mode == "reference":
        return [i * SAMPLE_RATE for i in whole]
    count = min(max(1, round(len(whole) / FAST_HOP)), max_segments)
    return [whole[int((k + 0.5) * len(whole) / count)] * SAMPLE_RATE for k in range(count)]


def outputs(x: np.ndarray, mode: str) -> np.ndarray:
    """`[3]` of the network for a segment `[INPUT_SIZE]`, before the maps to MOS.

    In fast mode its largest layers are in integers, but for segments outside the range of these, and in a network that
    they were not made of.
    """
    given = {"input_1": x[None]}
    if mode == "fast" and weights_sha256(_model()) == MODEL_SHA256:
        raw, highest = session(_model(), (HIGHEST,), in_eight_bits).run(None, given)
        if np.asarray(highest).item() < LARGEST_VALUE:
            return np.asarray(raw)[0]
    return np.asarray(session(_model(), edit=answering).run(None, given)[0])[0]


class DnsmosOptions(Strict):
    """Parameters of `dnsmos`."""

    mode: Literal["fast", "reference"] = Field(
        default="fast",
        description="reference: the mean over one-second hops that speechmos reports; fast: one in five of them",
    )
    max_segments: int = Field(
        default=24, gt=0, description="Segments of 9.01 s (0.1 CPU-s each) at most per clip in fast mode, spread evenly"
    )
    min_speech_s: float = Field(
        default=0.25,
        ge=0,
        description="Speech (s) below which there is nothing to judge: silence scores 1.8 to 3.5 otherwise",
    )


class DnsmosCurator(PerClip):
    """Predicted quality of clips with speech."""

    name = "dnsmos"
    version = 3
    columns = (
        ScoreColumn("dnsmos_ovrl", "float32", "MOS", "Predicted overall quality (DNSMOS P.835), 1 to 5"),
        ScoreColumn("dnsmos_sig", "float32", "MOS", "Predicted quality of the speech itself, 1 to 5"),
        ScoreColumn("dnsmos_bak", "float32", "MOS", "Predicted freedom from background noise, 1 to 5"),
    )
    Options = DnsmosOptions

    def weights(self) -> str:
        """The network's hash, its integers' in fast mode, and what guards it."""
        integers = f"+{integers_sha256()}" if self.options.mode == "fast" else ""
        return f"{weights_sha256(_model())}{integers}+{vad_weights()}"

    def measure(self, clip: Clip) -> Row:
        """Mean over segments of the three predictions."""
        if (heard := speech_seconds(clip)) < (least := self.options.min_speech_s):
            raise Unmeasurable(f"less than {least:g} s of speech" if heard else "no speech")
        x = looped(resampled(clip, SAMPLE_RATE))
        scores = []
        for start in segment_starts(x.shape[0], self.options.mode, self.options.max_segments):
            scores.append(outputs(x[start : start + INPUT_SIZE], self.options.mode).astype(np.float64))
        columns = np.array(scores).T
        return {
            name: float(np.mean(np.polyval(polynomial, column)))
            for (name, polynomial), column in zip(POLYNOMIALS.items(), columns, strict=True)
        }

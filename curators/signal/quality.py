"""How much of the clean, dry voice is left to understand: the learned network's guess of ESTOI."""

from __future__ import annotations

from pydantic import Field

from ...schemas.clip import Clip
from ...schemas.score import Row, ScoreColumn
from ..perclip import PerClip, Unmeasurable
from .learned import AcousticOptions, acoustic_weights, acoustics
from .sigma import ACOUSTIC_WEIGHTS, acoustic_evidence, quality_sigma, sigma_weights
from .vad import speech_probabilities, speech_seconds, vad_weights


class QualityOptions(AcousticOptions):
    """Parameters of `quality`."""

    min_speech_s: float = Field(default=0.5, gt=0, description="Speech (s) below which there is nothing to understand")


class QualityCurator(PerClip):
    """Speech quality without a reference."""

    name = "quality"
    version = 2
    columns = (
        ScoreColumn(
            "speech_quality",
            "float32",
            "1",
            "Predicted ESTOI of the clip against its clean, dry voice: 0 to 1, falls with noise and reverberation",
        ),
        ScoreColumn(
            "speech_quality_sigma",
            "float32",
            "1",
            "Expected standard deviation of the error of speech_quality: 90 % of errors are within 1.64 times this",
        ),
    )
    Options = QualityOptions

    def weights(self) -> str:
        """The network's hash, the detector's, and that of what judges them."""
        return f"{acoustic_weights(self.options.network)}+{vad_weights()}+{sigma_weights(ACOUSTIC_WEIGHTS)}"

    def measure(self, clip: Clip) -> Row:
        """Quality of one clip, and how far it may be off."""
        if (heard := speech_seconds(clip)) < (least := self.options.min_speech_s):
            raise Unmeasurable(f"less than {least:g} s of speech" if heard else "no speech")
        found = acoustics(clip, self.options.network)
        x = acoustic_evidence(found, speech_probabilities(clip))
        return {"speech_quality": found.estoi, "speech_quality_sigma": quality_sigma(x)}

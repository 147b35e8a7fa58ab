"""How much of the clean, dry voice is left to understand: the learned network's guess of ESTOI."""

from __future__ import annotations

from pydantic import Field

from ...schemas.clip import Clip
from ...schemas.score import Row, ScoreColumn
from ..perclip import PerClip, Unmeasurable
from .learned import AcousticOptions, acoustic_weights, acoustics
from .vad import speech_seconds, vad_weights


class QualityOptions(AcousticOptions):
    """Parameters of `quality`."""

    min_speech_s: float = Field(default=0.5, gt=0, description="Speech (s) below which there is nothing to understand")


class QualityCurator(PerClip):
    """Speech quality without a reference."""

    name = "quality"
    version = 1
    columns = (
        ScoreColumn(
            "speech_quality",
            "float32",
            "1",
            "Predicted ESTOI of the clip against its clean, dry voice: 0 to 1, falls with noise and reverberation",
        ),
    )
    Options = QualityOptions

    def weights(self) -> str:
        """The network's hash and the detector's."""
        return f"{acoustic_weights(self.options.network)}+{vad_weights()}"

    def measure(self, clip: Clip) -> Row:
        """Quality of one clip."""
        if (heard := speech_seconds(clip)) < (least := self.options.min_speech_s):
            raise Unmeasurable(f"less than {least:g} s of speech" if heard else "no speech")
        return {"speech_quality": acoustics(clip, self.options.network).estoi}

"""What is heard: shares of the clip with speech, music and other noise, by the learned network."""

from __future__ import annotations

from ...schemas.clip import Clip
from ...schemas.score import Row, ScoreColumn
from ..perclip import PerClip
from .learned import AcousticOptions, acoustic_weights, acoustics
from .vad import vad_weights

NAMES = ("speech_share", "music_share", "noise_share")


class ContentCurator(PerClip):
    """Three shares of time; they overlap (speech over music is both), so they need not add up to 1."""

    name = "content"
    version = 1
    columns = (
        ScoreColumn("speech_share", "float32", "1", "Expected share of 32 ms frames in which speech is heard"),
        ScoreColumn(
            "music_share", "float32", "1", "Expected share of frames in which music is within 15 dB of all sound"
        ),
        ScoreColumn(
            "noise_share", "float32", "1", "Expected share of frames in which noise is within 15 dB of all sound"
        ),
    )

    Options = AcousticOptions

    def weights(self) -> str:
        """The network's hash and the detector's."""
        return f"{acoustic_weights(self.options.network)}+{vad_weights()}"

    def measure(self, clip: Clip) -> Row:
        """The shares of one clip."""
        heard = acoustics(clip, self.options.network).present.mean(axis=0)
        return {name: float(share) for name, share in zip(NAMES, heard, strict=True)}

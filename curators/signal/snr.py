"""Signal-to-noise ratio in dB: active speech power over mean noise power.

Definition: 10 log10(P / N) with P the power of the speech while it is active (ITU-T P.56, 200 ms hangover) and N the
mean power of the noise over the clip. A ratio of whole-clip powers is lower by 10 log10(activity), 1.3 dB on average
for read speech.
"""

from __future__ import annotations

import math

import numpy as np
from pydantic import AliasChoices, Field

from ...schemas.clip import Clip
from ...schemas.score import Row, ScoreColumn
from ..perclip import PerClip, Unmeasurable
from ..waveform import frame_power, resampled
from .learned import AcousticOptions, acoustic_weights, acoustics
from .level import active_frame_power
from .sigma import Measured, evidence, sigma_db, sigma_weights
from .vad import FRAME_S, FRAME_SIZE, SAMPLE_RATE, pauses, speech_mask, speech_probabilities, vad_weights

LOWEST_DB, HIGHEST_DB = -20.0, 80.0
"""Range of the score: beyond it the estimate says nothing more (80 dB is below a 14-bit converter's noise)."""
PAUSE_PROBABILITY, PAUSE_GUARD = 0.5, 2
"""A frame is pause where the detector hears no speech in it and in two frames on each side. Chosen on training
speakers: without the guard steady noise reads 1.2 to 2.5 dB too high, and more of it leaves too few pauses."""


class SnrOptions(AcousticOptions):
    """Parameters of `snr`."""

    min_pause_s: float = Field(
        default=0.16,
        gt=0,
        description="Pause (s, guards taken off) from which noise is measured in the pauses; under it by the network",
    )
    steady: float = Field(
        default=0.3,
        gt=0,
        description="Standard deviation of the pauses' power over its mean, up to which they speak for all noise; "
        "beyond it the network is heard too: noise that comes and goes may be louder under the speech",
    )
    equal_weight_pause_s: float = Field(
        default=4.0,
        ge=0,
        validation_alias=AliasChoices("equal_weight_pause_s", "even_pause_s"),
        serialization_alias="even_pause_s",
        description="Pause (s) per squared unsteadiness (see `steady`) that counts as much as the network: the error "
        "of a mean falls with the time that it is taken over, and rises with what it is taken of",
    )
    min_speech_s: float = Field(default=0.25, gt=0, description="Speech (s) below which there is no signal to measure")


def gated_snr_db(power: np.ndarray, pause: np.ndarray) -> float:
    """SNR from powers `[F]` float64 of 32 ms frames and which of them are pause `[F]` bool.

    Noise is the mean power of the pauses; it is taken off the other frames before their active level is taken.
    """
    noise = float(power[pause].mean())
    return _snr_db(np.where(pause, 0.0, np.maximum(power - noise, 0.0)), noise)


def _snr_db(speech: np.ndarray, noise: float) -> float:
    """SNR from powers `[F]` of frames less their noise, and the noise."""
    clean = active_frame_power(speech, FRAME_S)
    if noise <= 0:
        return HIGHEST_DB
    return _bounded(10 * (math.log10(clean) - math.log10(noise))) if clean > 0 else LOWEST_DB


def _bounded(snr_db: float) -> float:
    return min(max(snr_db, LOWEST_DB), HIGHEST_DB)


class SnrCurator(PerClip):
    """SNR with the noise measured in the pauses, by the learned network where there are none, or by both."""

    name = "snr"
    version = 7
    columns = (
        ScoreColumn("snr_db", "float32", "dB", "Active speech power (P.56) over mean noise power, -20 to 80"),
        ScoreColumn(
            "snr_sigma_db",
            "float32",
            "dB",
            "Expected standard deviation of the error of snr_db: 90 % of errors are within 1.64 times this",
        ),
        ScoreColumn(
            "snr_method",
            "string",
            "text",
            "vad: noise measured in the pauses; network: noise estimated under speech; both: their mean, weighted "
            "by the length and the steadiness of the pauses; recording: noise of the recording's pauses where the clip "
            "has none, and the network's share for what is not steady",
        ),
    )
    inputs = ("recording",)
    Options = SnrOptions

    def weights(self) -> str:
        """The voice activity model that finds the pauses, the network, and what judges the two."""
        return f"{vad_weights()}+{acoustic_weights(self.options.network)}+{sigma_weights()}"

    def measure(self, clip: Clip) -> Row:
        """SNR of one clip, and how far it may be off."""
        found = self.found(clip)
        x = evidence(found, acoustics(clip, self.options.network), speech_probabilities(clip))
        return {"snr_db": found.snr_db, "snr_sigma_db": sigma_db(x), "snr_method": found.method}

    def found(self, clip: Clip) -> Measured:
        """What pauses and network say, and what is made of it. Raises `Unmeasurable`."""
        if speech_mask(clip).sum() * FRAME_S < self.options.min_speech_s:
            raise Unmeasurable("no speech")
        pause = pauses(speech_probabilities(clip), PAUSE_PROBABILITY, PAUSE_GUARD)
        pause_s = float(pause.sum()) * FRAME_S
        guess = acoustics(clip, self.options.network).snr_db
        guess = None if guess is None else _bounded(guess)
        if pause_s < self.options.min_pause_s and clip.recording and clip.recording.noise_power is not None:
            return self._by_recording(clip, clip.recording.noise_power, clip.recording.unsteadiness, guess)
        if pause_s < self.options.min_pause_s:
            if guess is None:
                raise Unmeasurable("no speech or no noise that the network can tell apart")
            return Measured(guess, "network", None, guess, pause_s, 0.0)
        x = resampled(clip, SAMPLE_RATE)
        power = frame_power(x, FRAME_SIZE, float(x.mean(dtype=np.float64)))
        measured, mean = gated_snr_db(power, pause), float(power[pause].mean())
        unsteadiness = float(power[pause].std()) / mean if mean > 0 else 0.0
        if unsteadiness <= self.options.steady or guess is None:
            return Measured(measured, "vad", measured, guess, pause_s, unsteadiness)
        share = pause_s / (pause_s + self.options.equal_weight_pause_s * unsteadiness**2)
        return Measured(share * measured + (1 - share) * guess, "both", measured, guess, pause_s, unsteadiness)

    def _by_recording(self, clip: Clip, noise: float, unsteadiness: float, guess: float | None) -> Measured:
        """A clip without pauses, by the noise in those of its recording."""
        x = resampled(clip, SAMPLE_RATE)
        power = frame_power(x, FRAME_SIZE, float(x.mean(dtype=np.float64)))
        measured = _snr_db(np.maximum(power - noise, 0.0), noise)
        share = 1.0 if unsteadiness <= self.options.steady or guess is None else 1 / (1 + unsteadiness**2)
        snr_db = measured if guess is None else share * measured + (1 - share) * guess
        return Measured(snr_db, "recording", measured, guess, 0.0, unsteadiness)

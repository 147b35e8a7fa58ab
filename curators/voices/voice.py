"""Voice scores: voice embedding, overlapped speech, change of voice, spread of pitch and level."""

from __future__ import annotations

import numpy as np

from ...schemas.clip import Clip
from ...schemas.score import NOT_APPLICABLE, UNMEASURABLE, Row, ScoreColumn
from ..perclip import PerClip, Unmeasurable
from ..signal.vad import vad_weights
from ..waveform import RESAMPLER
from .intonation import VOICED, semitones
from .overlap import overlap, voiced
from .voice_embedding import MIN_FRAMES, embed, load_weights, shapes, to_bytes, voice_weights

MIN_HALF_FRAMES = 47
"""Frames of speech (1.5 s) in each half of a clip below which two halves cannot be told apart."""
LEVELS = (50, 95)
"""Percentiles of level: the quiet half of speech is filled by noise, and by what a telephone leaves out."""


class VoiceCurator(PerClip):
    """The voice of a clip. Which clips share one is decided over the whole corpus by `voices.group_voices`."""

    name = "voice"
    version = 2
    columns = (
        ScoreColumn("voice_embedding", "binary", "1", "45 float16 of length 1; equal voices have a cosine near 1"),
        ScoreColumn("overlap", "float32", "1", "Probability that two people speak at once, at even odds"),
        ScoreColumn("same_voice", "float32", "1", "Cosine of the voices of the clip's two halves; low: two speakers"),
        ScoreColumn("f0_median_hz", "float32", "Hz", "Median fundamental frequency of voiced frames"),
        ScoreColumn("f0_spread_st", "float32", "semitone", "10th to 90th percentile of F0: a proxy of expressiveness"),
        ScoreColumn(
            "level_spread_db", "float32", "dB", "Median to 95th percentile of the level of speech frames: another proxy"
        ),
    )

    def weights(self) -> str:
        """The voice model's and the speech detector's."""
        return f"{voice_weights()}+{vad_weights()}+{RESAMPLER}"

    def measure(self, clip: Clip) -> Row:
        """All columns of one clip."""
        cepstra, level = shapes(clip)
        if len(cepstra) < MIN_FRAMES:
            raise Unmeasurable("less than 0.5 s of speech")
        w = load_weights()
        middle, loud = np.percentile(level, LEVELS)
        row: Row = {
            "voice_embedding": to_bytes(embed(cepstra, w)),
            "overlap": overlap(clip, w),
            "level_spread_db": float(loud - middle),
        }
        half = len(cepstra) // 2
        if half >= MIN_HALF_FRAMES:
            row["same_voice"] = float(embed(cepstra[:half], w) @ embed(cepstra[half:], w))
        else:
            row["reason"] = f"{NOT_APPLICABLE}: less than 3 s of speech, too short to hear a change of voice"
        hz, strength = voiced(clip)
        hz = hz[strength >= VOICED]
        if len(hz) < MIN_FRAMES:
            return {**row, "reason": f"{UNMEASURABLE}: less than 0.5 s of voiced speech"}
        low, high = np.percentile(semitones(hz), (10, 90))
        return {**row, "f0_median_hz": float(np.median(hz)), "f0_spread_st": float(high - low)}

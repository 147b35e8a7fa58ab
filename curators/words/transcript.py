"""Whether the transcript is what is said: forced alignment, its weakest points, and a calibrated trust."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from ...schemas.clip import Clip
from ...schemas.config import Strict
from ...schemas.score import NOT_APPLICABLE, UNMEASURABLE, Row, ScoreColumn
from ..models import weights_sha256
from ..perclip import PerClip, Unmeasurable
from ..signal.cepstra import FRAME_S, HOP, SAMPLE_RATE, WINDOW
from ..signal.vad import FRAME_S as VAD_FRAME_S
from ..signal.vad import SPEECH_THRESHOLD, speech_probabilities, vad_weights
from ..waveform import RESAMPLER, resampled
from .acoustic_model import acoustic_model_sha256
from .aligner import MAX_DURATION_S, Alignment, Mode, align, listen
from .pronunciation import RULES, known
from .spoken_words import spoken_words

WEIGHTS = Path(__file__).parents[1] / "weights" / "transcript.json"
MIN_SPEECH_S = 0.1
LETTERS_PER_SPEECH_S = 14.5
"""Median of read English per second of VAD speech, a space per word included; only the origin of two features."""
PHONE_FRAMES = 7.5
"""Geometric mean length of a phone; only the origin of a feature."""
SHORTEST_FRAMES = 3
"""A phone cannot be shorter: one frame for each of its states. Wrong words are squeezed to this."""
PERFECT_FIT = -0.1
MAX_DEVIATION = 4.0
"""Features count up to this many standard deviations from the mean of training: no single one decides alone."""

FEATURES = (
    "fit",
    "fit_with_pauses",
    "worst_word_fit",
    "tenth_phone_fit",
    "squeezed",
    "length_deviation",
    "speech_in_pauses",
    "longest_speech_in_pause",
    "fast",
    "slow",
    "oov_ratio",
    "fit_to_rival",
    "fit_with_pauses_to_rival",
    "worst_word_to_rival",
    "tenth_phone_to_rival",
    "words_below_rival",
    "worst_word_deviation",
)


def evidence(words: Sequence[str], own: Alignment, rival: Alignment, speech: np.ndarray) -> dict[str, float]:
    """The features of one transcript against one clip, by name.

    words: all that the text says. own, rival: of `align`. speech: probability of speech per `VAD_FRAME_S`.
    """
    is_speech = speech >= SPEECH_THRESHOLD
    letters = sum(map(len, words)) + len(words)
    speech_s = max(float(is_speech.sum()) * VAD_FRAME_S, MIN_SPEECH_S)
    rate = float(np.log(letters / speech_s / LETTERS_PER_SPEECH_S))
    frames = own.frames[own.word >= 0]
    pause = np.repeat(own.word < 0, own.frames)
    at = np.minimum((np.arange(pause.size) * FRAME_S / VAD_FRAME_S).astype(int), len(is_speech) - 1)
    # where the alignment has a pause but the detector hears speech, the text lacks words
    lacking = pause & is_speech[at]
    changes = np.flatnonzero(np.diff(np.concatenate([[0], lacking, [0]])))
    longest = float(np.max(changes[1::2] - changes[::2], initial=0)) * FRAME_S
    by_word, word_frames = word_fit(own)
    mine, theirs = fits(own), fits(rival)
    return {
        "fit": mine[0],
        "fit_with_pauses": mine[1],
        "worst_word_fit": float(by_word.min()),
        "tenth_phone_fit": mine[2],
        "squeezed": float((frames <= SHORTEST_FRAMES).mean()),
        "length_deviation": float(np.abs(np.log(frames / PHONE_FRAMES)).mean()),
        "speech_in_pauses": float(lacking.sum() / max(int(is_speech[at].sum()), 1)),
        "longest_speech_in_pause": float(np.log1p(10 * longest)),
        "fast": max(rate, 0.0),
        "slow": max(-rate, 0.0),
        "oov_ratio": oov_ratio(words),
        "fit_to_rival": mine[0] / theirs[0],
        "fit_with_pauses_to_rival": mine[1] / theirs[1],
        "worst_word_to_rival": float(by_word.min()) / theirs[0],
        "tenth_phone_to_rival": mine[2] / theirs[2],
        "words_below_rival": float((by_word < theirs[0]).mean()),
        "worst_word_deviation": float(((by_word - mine[0]) * np.sqrt(word_frames)).min()),
    }


def fits(alignment: Alignment) -> tuple[float, float, float]:
    """Mean log likelihood ratio per frame of the words, the same with the pauses, and of the tenth phone in a hundred
    from below; each at most `PERFECT_FIT`, so that it can be divided by."""
    spoken = alignment.word >= 0
    nats, frames = alignment.nats[spoken], alignment.frames[spoken]
    fit = float(nats.sum() / frames.sum())
    with_pauses = float(alignment.nats.sum() / alignment.frames.sum())
    tenth = float(np.percentile(nats / frames, 10))
    return min(fit, PERFECT_FIT), min(with_pauses, PERFECT_FIT), min(tenth, PERFECT_FIT)


def word_fit(alignment: Alignment) -> tuple[np.ndarray, np.ndarray]:
    """Mean log likelihood ratio per frame of every word that was aligned, in nats, and its frames; `[W]` each."""
    spoken = alignment.word >= 0
    _, word = np.unique(alignment.word[spoken], return_inverse=True)
    frames = np.bincount(word, alignment.frames[spoken])
    return np.bincount(word, alignment.nats[spoken]) / frames, frames


def word_times(words: Sequence[str], alignment: Alignment) -> bytes:
    """When each word is said: JSON `[["hello", 0.408, 0.798], ...]` in UTF-8, seconds from the start of the clip.

    A word's edges lie between the centres of two analysis frames, where the path goes from one phone to the next.
    Words that nobody can pronounce have no entry.
    """
    edge_s = (WINDOW - HOP) / 2 / SAMPLE_RATE
    found = []
    for index in np.unique(alignment.word[alignment.word >= 0]):
        own = alignment.word == index
        first, last = alignment.start[own].min(), alignment.end[own].max()
        found.append([words[index], *(round(float(edge) * FRAME_S + edge_s, 3) for edge in (first, last))])
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def oov_ratio(words: Sequence[str]) -> float:
    """Share of `words` that the dictionary lacks."""
    return sum(not known(word) for word in words) / len(words)


@cache
def fitted(mode: Mode) -> Mapping[str, Any]:
    """The logistic regression of one mode: "mean", "scale", "coefficient" by feature, and "intercept"."""
    return json.loads(WEIGHTS.read_text(encoding="utf-8"))["modes"][mode]


def trust(found: Mapping[str, float], model: Mapping[str, Any]) -> float:
    """Probability that the transcript is right, where as many are wrong as right."""
    logit = float(model["intercept"])
    for name in FEATURES:
        deviation = (found[name] - model["mean"][name]) / model["scale"][name]
        logit += model["coefficient"][name] * min(max(deviation, -MAX_DEVIATION), MAX_DEVIATION)
    return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))


class TranscriptOptions(Strict):
    """Parameters of the transcript curator."""

    mode: Mode = Field(
        "full",
        description='"full" measures each phone against all of the acoustic model; "lite" against a part of it, faster',
    )


class TranscriptCurator(PerClip):
    """Trust in English transcripts. Null, not low, where the language claimed is another; low where it is claimed
    to be English and is not."""

    name = "alignment"
    version = 7
    columns = (
        ScoreColumn(
            "transcript_trust",
            "float32",
            "1",
            "Calibrated probability that the text is what is said, where as many are wrong as right",
            even_odds=True,
        ),
        ScoreColumn("align_nats_per_frame", "float32", "nat", "Mean fit of the words' phones per 10 ms, 0 is perfect"),
        ScoreColumn("min_word_nats", "float32", "nat", "The same over the word that fits worst"),
        ScoreColumn("oov_ratio", "float32", "1", "Share of the words that the dictionary lacks"),
        ScoreColumn("align_ok", "bool", "1", "Whether the words fit into the clip at all; trust is 0 where not"),
        ScoreColumn("word_times", "binary", "s", "JSON list of [word, start, end], seconds from the clip's start"),
    )
    inputs = ("transcript", "language")
    Options = TranscriptOptions
    needs_signal = False  # silence without a transcript lacks the transcript first

    def weights(self) -> str:
        """The acoustic model's, the letter-to-sound rules', the regression's and the speech detector's."""
        return (
            f"{acoustic_model_sha256()}+{weights_sha256(RULES)}+{weights_sha256(WEIGHTS)}+{vad_weights()}+{RESAMPLER}"
        )

    def measure(self, clip: Clip) -> Row:
        """Trust and its evidence for one clip."""
        if clip.transcript is None or not clip.transcript.strip():
            return {"reason": f"{NOT_APPLICABLE}: no transcript"}
        if clip.language is None or clip.language.split("-")[0].lower() != "en":
            spoken = "unknown" if clip.language is None else f"'{clip.language}'"
            return {"reason": f"{NOT_APPLICABLE}: trust is measured for English, the language is {spoken}"}
        words = spoken_words(clip.transcript)
        if not words:
            return {"reason": f"{NOT_APPLICABLE}: no words in the transcript"}
        if clip.duration_s > MAX_DURATION_S:
            raise Unmeasurable(f"longer than {MAX_DURATION_S:g} s, segment it first")
        speech = speech_probabilities(clip)
        if float((speech >= SPEECH_THRESHOLD).sum()) * VAD_FRAME_S < MIN_SPEECH_S:
            raise Unmeasurable("no speech")
        aligned = align(listen(resampled(clip, SAMPLE_RATE)), words, self.options.mode)
        row: Row = {"align_ok": aligned is not None, "oov_ratio": oov_ratio(words)}
        if aligned is None:
            reason = f"{UNMEASURABLE}: the words do not fit into the clip, so no fit of theirs"
            return {**row, "transcript_trust": 0.0, "reason": reason}
        found = evidence(words, *aligned, speech)
        return {
            **row,
            "transcript_trust": trust(found, fitted(self.options.mode)),
            "align_nats_per_frame": found["fit"],
            "min_word_nats": found["worst_word_fit"],
            "word_times": word_times(words, aligned[0]),
        }

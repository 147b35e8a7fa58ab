"""Transcript trust from a neural CTC model: the alignment curator's columns where a GPU and its weights are given."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydantic import Field

from ...schemas.clip import Clip
from ...schemas.config import Strict
from ...schemas.score import NOT_APPLICABLE, UNMEASURABLE, Row, ScoreColumn
from ..perclip import PerClip, Unmeasurable
from ..waveform import RESAMPLER, resampled
from .ctc_model import CtcSpec, emissions, in_batches, resolve, sha256
from .spoken_words import spoken_words

MAX_DURATION_S = 120.0
MIN_DURATION_S = 0.1
MIN_COVERED = 0.5
"""Share of the words that the model's alphabet must be able to write; below, the language is not one of its own."""


class CtcOptions(Strict):
    """Parameters of `transcript_ctc`."""

    model: str = Field(
        "MMS_FA", description="Name of a torchaudio bundle (MMS_FA, WAV2VEC2_ASR_BASE_960H, …), or a folder of yours"
    )
    weights: str | None = Field(None, description="Path of the model's weights; by default where they are cached")
    languages: tuple[str, ...] | None = Field(
        ("en",), description="Languages it is asked for; null for any that its alphabet can write"
    )
    device: str = Field("cpu", description='Where it runs: "cpu", "cuda", "cuda:1"')
    batch_s: float = Field(120.0, gt=0, description="Seconds of audio, padding included, per call of the model")


class CtcCurator(PerClip):
    """The columns of the alignment curator from a neural model. Its trust is the geometric mean of the letters'
    probabilities, not calibrated: calibrate it on your own data before you set a threshold."""

    name = "transcript_ctc"
    version = 2
    columns = (
        ScoreColumn("transcript_trust", "float32", "1", "Geometric mean probability of the text's letters"),
        ScoreColumn("align_nats_per_frame", "float32", "nat", "Mean log probability of the path, blanks included"),
        ScoreColumn("min_word_nats", "float32", "nat", "Mean log probability per letter of the word that fits worst"),
        ScoreColumn("oov_ratio", "float32", "1", "Share of the words with a letter that the model cannot write"),
        ScoreColumn("align_ok", "bool", "1", "Whether the text fits into the clip at all; trust is 0 where not"),
        ScoreColumn("word_times", "binary", "s", "JSON list of [word, start, end], seconds from the clip's start"),
    )
    inputs = ("transcript", "language")
    Options = CtcOptions

    @cached_property
    def spec(self) -> CtcSpec:
        """The model that the options name; found, not loaded."""
        return resolve(self.options.model, self.options.weights)

    @property
    def parameters(self):
        """Options that can change a score: the model stands by its hash, where it runs does not count."""
        return {"languages": None if self.options.languages is None else sorted(self.options.languages)}

    def weights(self) -> str:
        """The weights' hash, the alphabet and the resampler."""
        return f"{sha256(self.spec.weights)}+{''.join(self.spec.labels)}+{RESAMPLER}"

    def score(self, batch: Sequence[Clip]) -> list[Row]:
        """One row per clip, in order; the model runs on as many clips at once as `batch_s` allows."""
        with np.errstate(all="ignore"):
            self._emit(batch)
            return [self._row(clip) for clip in batch]

    def measure(self, clip: Clip) -> Row:
        """Aligns one clip on the emissions that `score` left in its memo."""
        words = self._words(clip)
        if isinstance(words, str):
            return {"reason": words}
        if self._memo not in clip.memo:
            raise Unmeasurable(f"shorter than {MIN_DURATION_S:g} s or longer than {MAX_DURATION_S:g} s")
        written, tokens = self._tokens(words)
        row: Row = {"oov_ratio": 1 - len(written) / len(words)}
        if len(written) < MIN_COVERED * len(words):
            return {**row, "reason": f"{NOT_APPLICABLE}: the model's alphabet does not write this text"}
        scores = clip.memo.pop(self._memo)
        fit = align_tokens(scores, tokens, self.spec.blank)
        if fit is None:
            reason = f"{UNMEASURABLE}: the words do not fit into the clip, so no fit of theirs"
            return {**row, "align_ok": False, "transcript_trust": 0.0, "reason": reason}
        frame_s = clip.duration_s / scores.shape[0]
        times = [[word, *(round(e * frame_s, 3) for e in span)] for word, span in zip(written, fit.words, strict=True)]
        return {
            **row,
            "transcript_trust": float(np.exp(fit.per_letter)),
            "align_nats_per_frame": fit.per_frame,
            "min_word_nats": fit.worst_word,
            "align_ok": True,
            "word_times": json.dumps(times, ensure_ascii=False, separators=(",", ":")).encode(),
        }

    @property
    def _memo(self) -> str:
        return f"ctc:{self.spec.name}"

    def _words(self, clip: Clip) -> list[str] | str:
        if clip.transcript is None or not clip.transcript.strip():
            return f"{NOT_APPLICABLE}: no transcript"
        language = clip.language.split("-")[0].lower() if clip.language else None
        if self.options.languages is not None and language not in self.options.languages:
            return f"{NOT_APPLICABLE}: the model is not asked for the language '{language}'"
        words = spoken_words(clip.transcript)
        return words or f"{NOT_APPLICABLE}: no words in the transcript"

    def _tokens(self, words: Sequence[str]) -> tuple[list[str], list[list[int]]]:
        """The words that the alphabet can write, and their labels."""
        index = {label: k for k, label in enumerate(self.spec.labels) if k != self.spec.blank}
        written, tokens = [], []
        for word in words:
            folded = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
            letters = [index.get(c) for c in (folded.upper() if self.spec.upper else folded)]
            if None not in letters:
                written.append(word)
                tokens.append([k for k in letters if k is not None])
        return written, tokens

    def _emit(self, batch: Sequence[Clip]) -> None:
        rate = self.spec.sample_rate
        waiting = []
        for clip in batch:
            fits = MIN_DURATION_S <= clip.duration_s <= MAX_DURATION_S and np.isfinite(clip.waveform).all()
            if fits and not isinstance(self._words(clip), str):
                waiting.append(clip)
        for group in in_batches(waiting, lambda clip: clip.duration_s, self.options.batch_s):
            found = emissions(self.spec, self.options.device, [resampled(c, rate) for c in group])
            for clip, scores in zip(group, found, strict=True):
                clip.memo[self._memo] = scores


@dataclass(frozen=True, slots=True)
class Fit:
    """How the letters of a text lie over a clip, all log probabilities."""

    per_frame: float
    """Mean over the frames of the best path, blanks included."""
    per_letter: float
    """Mean over the letters, each the mean over its frames."""
    worst_word: float
    """The least mean over the letters of one word."""
    words: list[tuple[int, int]]
    """First frame and the one after the last, per word."""


def align_tokens(scores: np.ndarray, words: Sequence[Sequence[int]], blank: int) -> Fit | None:
    """The best path of the letters of `words` (labels of each) through `[F, labels]` log probabilities.

    None where the letters do not fit into the frames.
    """
    letters = np.array([letter for word in words for letter in word])
    path = best_ctc_path(scores, letters, blank)
    if path is None:
        return None
    labels = np.full(2 * len(letters) + 1, blank)
    labels[1::2] = letters
    nats = scores[np.arange(len(path)), labels[path]]
    spoken = np.flatnonzero(path % 2 == 1)
    index = path[spoken] // 2
    fit = np.bincount(index, nats[spoken]) / np.bincount(index)
    ends = np.cumsum([len(word) for word in words])
    worst = min(float(part.mean()) for part in np.split(fit, ends[:-1]))
    frames = [spoken[(index >= end - len(word)) & (index < end)] for word, end in zip(words, ends, strict=True)]
    spans = [(int(own[0]), int(own[-1]) + 1) for own in frames]
    return Fit(float(nats.mean()), float(fit.mean()), worst, spans)


def best_ctc_path(scores: np.ndarray, letters: np.ndarray, blank: int) -> np.ndarray | None:
    """State of every frame on the most likely path, `[F]`: state 2k + 1 is letter k, even states are the blanks around
    it (Graves et al., "Connectionist temporal classification", 2006, with max for sum). None where none fits.

    Our own: torchaudio's forced_align is deprecated and leaves with a coming release.
    """
    frames, states = scores.shape[0], 2 * len(letters) + 1
    repeated = letters[1:] == letters[:-1]
    if not len(letters) or len(letters) + int(repeated.sum()) > frames:
        return None
    labels = np.full(states, blank)
    labels[1::2] = letters
    # the blank between two letters may be skipped, but not between two equal ones
    skips = np.zeros(states, dtype=bool)
    skips[3::2] = ~repeated
    score = np.full(states, -np.inf)
    score[:2] = scores[0, labels[:2]]
    back = np.zeros((frames, states), dtype=np.int8)
    for t in range(1, frames):
        stepped = np.concatenate([[-np.inf], score[:-1]])
        skipped = np.where(skips, np.concatenate([[-np.inf, -np.inf], score[:-2]]), -np.inf)
        options = np.stack([score, stepped, skipped])
        back[t] = options.argmax(0)
        score = options.max(0) + scores[t, labels]
    state = states - 1 if score[-1] >= score[-2] else states - 2
    path = np.empty(frames, dtype=np.int64)
    for t in range(frames - 1, -1, -1):
        path[t] = state
        state -= back[t, state]
    return path

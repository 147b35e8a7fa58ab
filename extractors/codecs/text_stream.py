"""Words on the frame grid: one token per frame, padding where nothing is said (Moshi's inner monologue).

The first token of a word stands in the frame in which the word begins, its further tokens in the frames after it.
Between words stands PAD, and the last PAD before a word is END_OF_PAD, so that a model announces a word one frame
ahead. A word that would begin while tokens of the word before it are still being laid down waits for them; by how
long is reported.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

FRAME_RATE = 12.5
PAD = 0
END_OF_PAD = 1
FIRST_TOKEN = 2

Tokenizer = Callable[[str], Sequence[int]]
"""A word to token ids from `FIRST_TOKEN` up."""


@dataclass(frozen=True)
class Word:
    """A word and when it is said, seconds from the start of the sample."""

    text: str
    start_s: float
    end_s: float


def timed_words(word_times: bytes | None) -> list[Word]:
    """The words of a clip from the column `word_times` of the curator `alignment`; none where it has no value."""
    return [Word(text, start_s, end_s) for text, start_s, end_s in json.loads(word_times or b"[]")]


@dataclass(frozen=True)
class TextStream:
    """The laid-out tokens and how well they fitted."""

    tokens: np.ndarray
    """`[1, frames]` int32."""
    starts: tuple[int | None, ...]
    """Frame of each word's first token; None for a word that did not fit before the end."""
    late_frames: int
    """Largest delay of a word behind the frame in which it begins."""
    cut: int
    """Words that lost tokens at the end of the sample."""


def pairs_of_bytes(word: str) -> list[int]:
    """Two UTF-8 bytes per token, no vocabulary to download: ids in [2, 65794), a lone last byte pairs with 0.

    English words take two to three tokens, which at 12.5 Hz is about as long as they are spoken.
    """
    data = word.encode()
    padded = data + b"\0" * (len(data) % 2)
    return [FIRST_TOKEN + a + 256 * b for a, b in zip(padded[::2], padded[1::2], strict=True)]


PAIRS_CARDINALITY = FIRST_TOKEN + (1 << 16)


def word_of_pairs(tokens: Sequence[int]) -> str:
    """The word that `pairs_of_bytes` made these tokens from."""
    data = bytes(b for t in tokens for b in ((t - FIRST_TOKEN) % 256, (t - FIRST_TOKEN) // 256))
    return data.rstrip(b"\0").decode()


def frame_of(time_s: float, frame_rate: float = FRAME_RATE) -> int:
    """The frame that contains `time_s`, to the microsecond: 0.24 s is frame 3 although its float is a hair less."""
    return max(0, int(round(time_s * 1_000_000) * Fraction(frame_rate) // 1_000_000))


def text_stream(
    words: Sequence[Word],
    num_frames: int,
    tokenizer: Tokenizer = pairs_of_bytes,
    frame_rate: float = FRAME_RATE,
) -> TextStream:
    """Lay `words`, in any order, on `num_frames` frames.

    Raises `ValueError` for a word that ends before it begins or starts before the sample.
    """
    tokens = np.full(num_frames, PAD, dtype=np.int32)
    starts: list[int | None] = [None] * len(words)
    free, late, cut = 0, 0, 0
    for index in sorted(range(len(words)), key=lambda i: (words[i].start_s, i)):
        word = words[index]
        if not 0 <= word.start_s <= word.end_s:
            raise ValueError(f"word {index} '{word.text}' is said from {word.start_s} to {word.end_s} s")
        ids = list(tokenizer(word.text))
        begins = frame_of(word.start_s, frame_rate)
        start = max(begins, free)
        laid = ids[: max(0, num_frames - start)]
        cut += len(laid) < len(ids)
        if not laid:
            continue
        late = max(late, start - begins)
        tokens[start : start + len(laid)] = laid
        if start > 0 and tokens[start - 1] == PAD:
            tokens[start - 1] = END_OF_PAD
        starts[index] = start
        free = start + len(laid)
    return TextStream(tokens[None], tuple(starts), late, cut)


def moshi_layout(text: np.ndarray, streams: np.ndarray, side: int, frames_per_text_frame: int = 1) -> np.ndarray:
    """Text of one side over both sides' codes: `[1 + 2K, T]` int32, that side's codes first.

    text: `[1, T_text]`; streams: `[2K, T]` with T up to T_text * frames_per_text_frame. Where codes run faster than
    text, a text token stands in the first of its frames and PAD in the others.
    """
    from .conversation import seen_by

    ordered = seen_by(side, streams).astype(np.int32)
    spread = np.full((1, text.shape[1] * frames_per_text_frame), PAD, dtype=np.int32)
    spread[:, ::frames_per_text_frame] = text
    if spread.shape[1] < ordered.shape[1]:
        raise ValueError(f"{text.shape[1]} text frames do not cover {ordered.shape[1]} frames of codes")
    return np.concatenate([spread[:, : ordered.shape[1]], ordered])

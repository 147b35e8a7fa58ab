"""One recording from its samples and labels to clips: listen, lay the labels' words on it, cut, say what is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...curators.models import weights_sha256
from ...curators.signal.cepstra import SAMPLE_RATE
from ...curators.signal.learned import AcousticOptions, acoustic_weights
from ...curators.signal.vad import vad_weights
from ...curators.waveform import resample
from ...curators.words.acoustic_model import acoustic_model_sha256
from ...curators.words.pronunciation import RULES
from ...schemas.config import Segmentation
from ...schemas.keys import digest
from ...schemas.time import samples
from ..audio.decode import open_audio
from ..audio.held import Sound
from ..audio.tape import Tape
from .assigning import aligned_rows
from .kinds import kinds_of_speech
from .listening import Listener
from .moving import move
from .placing import Read, place
from .sound import sound_of
from .texts import Text, texts_of
from .tiling import OVERLAP, Gap, Tiling, check_tiling, tile
from .timing import Timing, by_speech
from .turns import Turns, cut_by, name_speakers, turns_of

CUTTING_VERSION = 1
"""Raised whenever recordings are cut, or their texts placed, in another way."""
ALIGNED_LANGUAGES = frozenset({"en"})
"""Those of the aligner's acoustic model."""
KEPT_BEHIND_S = 150.0
SECONDS_PER_WORD = 0.4
"""Of a cue that does not say when it ends."""


@dataclass
class Cut:
    """How a recording is cut. spans: `[start, end)` samples of clips, ascending, the same on every channel.

    aligned: by (start, end, channel), a row of `schemas.tables.ALIGNED`. facts: a row of `schemas.tables.CUTTING`.
    """

    spans: list[tuple[int, int]]
    aligned: dict[tuple[int, int, int], dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def cutting_fingerprint(segment: Segmentation) -> str:
    """Names how recordings are cut at pauses."""
    aligner = f"{acoustic_model_sha256()}+{weights_sha256(RULES)}"
    models = f"{vad_weights()}+{aligner}+{acoustic_weights(AcousticOptions().network)}"
    return digest("cutting", CUTTING_VERSION, str(segment.min_s), str(segment.max_s), models)


def cut_recording(path: Sound, segment: Segmentation, labels: Sequence[Mapping[str, Any]]) -> Cut:
    """Cut one recording at its pauses, in the memory of minutes.

    labels: what `pipelines.tables.cues` makes of a file's labels: start_s, duration_s, channel, transcript, words,
    speaker, language. Raises `ClipError` for what cannot be decoded.
    """
    whole = hear(path)
    if whole.num_samples == 0:
        return Cut([])
    texts, timing = lay(path, whole, labels)
    spoken = turns_of(labels)
    turns = cut_by(spoken, whole.num_samples, whole.sample_rate, whole.speech.shape)
    tiling = cut(whole, texts, segment, turns)
    rows = aligned_rows(texts, tiling.clips, whole.sample_rate, whole.speech.shape[0])
    name_speakers(rows, spoken, tiling.clips, whole.sample_rate, whole.speech.shape[0])
    return Cut(tiling.clips, rows, facts(tiling, timing, whole.sound))


@dataclass(frozen=True, slots=True, eq=False)
class Whole:
    """What was heard of a recording. speech: `[C, F]` float32 probability per 32 ms. sound: `sound.sound_of`."""

    speech: np.ndarray
    num_samples: int
    sample_rate: int
    sound: list[dict[str, Any]]


def hear(path: Sound) -> Whole:
    """Listen to a recording once. Raises `ClipError` for what cannot be decoded."""
    with open_audio(path) as reader:
        info = reader.info
        listener, num_samples = Listener(info.sample_rate, info.num_channels), 0
        for first, block in reader.blocks():
            listener.feed(block)
            num_samples = first + block.shape[1]
    heard = listener.finish()
    return Whole(heard.speech, num_samples, info.sample_rate, sound_of(heard))


def lay(path: Sound, whole: Whole, labels: Sequence[Mapping[str, Any]]) -> tuple[list[Text], list[dict[str, Any]]]:
    """The texts of the labels with the times of their words, and rows of `timing` of `schemas.tables.CUTTING`."""
    texts = texts_of(labels)
    language = next((label["language"] for label in labels if label["language"]), None)
    timing = [{"channel": c, **_place(path, whole, c, of, language)} for c, of in _by_channel(texts)]
    return texts, timing


def cut(whole: Whole, texts: Sequence[Text], segment: Segmentation, turns: Turns | None = None) -> Tiling:
    """Where the recording is cut, so that no word is; also where the speaker changes, by `turns`."""
    tiling = tile(
        whole.speech if turns is None else whole.speech * turns.anybody,
        whole.num_samples,
        whole.sample_rate,
        segment.min_s,
        segment.max_s,
        words=_word_spans(texts, whole.sample_rate),
        turns=() if turns is None else turns.edges,
        kinds=kinds_of_speech(texts, whole.speech) if texts else None,
    )
    if turns is not None:
        tiling.gaps = [Gap(g.start, g.end, OVERLAP if turns.overlaps(g.start, g.end) else g.kind) for g in tiling.gaps]
    check_tiling(tiling, whole.num_samples)
    return tiling


def facts(tiling: Tiling, timing: list[dict[str, Any]], sound: list[dict[str, Any]]) -> dict[str, Any]:
    """A row of `schemas.tables.CUTTING`."""
    gaps = [{"start": gap.start, "end": gap.end, "kind": gap.kind} for gap in tiling.gaps]
    return {"gaps": gaps, "forced": tiling.forced, "timing": timing, "sound": sound}


def _by_channel(texts: Sequence[Text]) -> Iterator[tuple[int | None, list[Text]]]:
    for channel in sorted({text.channel for text in texts}, key=lambda c: -1 if c is None else c):
        yield channel, [text for text in texts if text.channel == channel]


def _place(path: Sound, whole: Whole, channel: int | None, texts: list[Text], language: str | None) -> dict[str, Any]:
    """Find where the texts of a channel (None: of all) are said; what a row of `timing` says of it."""
    own = [text for text in texts if text.start_s is not None]
    speech = whole.speech
    method, timing = "none", None
    if channel is None or channel < speech.shape[0]:
        heard = speech.max(axis=0) if channel is None else speech[channel]
        starts = np.array([text.start_s for text in own], float)
        ends = np.array([_end_s(text) for text in own], float)
        timing = by_speech(heard, starts, ends)
        if language in ALIGNED_LANGUAGES:
            method = "aligner"
            with _sound(path, whole.num_samples, channel) as read:
                timing = place(texts, heard, read, timing or Timing()) or timing
        else:
            method = "none" if timing is None else "speech"
            move(own, heard, timing or Timing())
    offset_s, drift = (None, None) if timing is None else (timing.offset_s, timing.drift)
    for text in own:
        text.expected_s = (timing or Timing())(text.start_s or 0.0)
    return {
        "cues": len(texts),
        "aligned": sum(text.how == "aligned" for text in texts),
        "unmatched": sum(text.how == "unmatched" for text in texts),
        "offset_s": offset_s,
        "drift": drift,
        "method": method,
    }


def _end_s(text: Text) -> float:
    start = text.start_s or 0.0
    return text.end_s if text.end_s is not None else start + SECONDS_PER_WORD * len(text.tokens)


@contextmanager
def _sound(path: Sound, num_samples: int, channel: int | None) -> Iterator[Read]:
    """A reader of pieces of a channel, or of the mean of all, at 16 kHz."""
    tape = Tape(path)
    rate = tape.info.sample_rate

    def read(start_s: float, end_s: float) -> np.ndarray:
        start, end = samples(start_s, rate), samples(end_s, rate)
        block = tape.read(start, min(end, num_samples), num_samples, KEPT_BEHIND_S)
        mono = block.mean(axis=0) if channel is None else block[channel]
        return resample(np.pad(mono, (0, max(0, end - num_samples))), rate, SAMPLE_RATE)

    try:
        yield read
    finally:
        tape.close()


def _word_spans(texts: Sequence[Text], rate: int) -> np.ndarray:
    """`[W, 2]` samples of the words whose times are known."""
    times = [text.times[~np.isnan(text.times[:, 0])] for text in texts]
    return np.round(np.concatenate([np.zeros((0, 2)), *times]) * rate).astype(np.int64)

"""New transcripts for clips whose own is not trusted: a recogniser proposes, the trust of both texts decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ...schemas.clip import Clip
from ...schemas.errors import ConfigError
from ...schemas.score import Curator
from ..waveform import peak, resampled
from .acoustic_model import acoustic_model_sha256
from .edit_distance import edit_distance
from .spoken_words import spoken_words

MARGIN = 0.3
"""By how much the new text's trust must beat the old one's."""
MIN_TRUST = 0.5
"""And what it must reach: a bad text is not replaced by a slightly less bad one."""
WEAK = 0.68
"""Share of letters in which what a weak recogniser hears must differ from the old text. Where it hears some of the old
text, that text is the better one of the two, however much the judge trusts the new. On learners' speech 95 % of
unrelated texts differ that much, and a fifth of those with a quarter of the words wrong."""
ENTRY_POINT_GROUP = "auricle.recognisers"
"""Another package adds a recogniser by an entry point in this group: its name = "package.module:make"."""


@runtime_checkable
class Recogniser(Protocol):
    """Turns clips into text."""

    @property
    def name(self) -> str:
        """Model and version, as it shall stand in the table: "pocketsphinx-en-us-1a2b3c4d"."""
        ...

    @property
    def languages(self) -> tuple[str, ...] | None:
        """ISO 639-1 codes that it can recognise; None for any."""
        ...

    @property
    def min_difference(self) -> float:
        """Share of letters in which its text must differ from the old one to be taken: 0 for a good recogniser."""
        ...

    def transcribe(self, batch: Sequence[Clip]) -> list[str]:
        """One text per clip, "" where nothing was recognised; never raises on a bad clip."""
        ...


@dataclass(frozen=True, slots=True)
class Relabelled:
    """One clip's proposal."""

    key: str
    old_text: str | None
    new_text: str | None
    """None when nothing was proposed."""
    old_trust: float | None
    new_trust: float | None
    model: str
    taken: bool
    reason: str
    """Why it was taken or not."""


def relabel(
    clips: Sequence[Clip],
    recogniser: Recogniser,
    judge: Curator,
    margin: float = MARGIN,
    min_trust: float = MIN_TRUST,
    min_difference: float | None = None,
) -> list[Relabelled]:
    """A proposal for every clip, in order. The clips are not changed.

    judge: a curator with the column transcript_trust. A clip is not even recognised where its own text cannot be
    beaten by `margin`. A clip without a transcript, or with one that has no trust, takes the new one from `min_trust`.
    min_difference: share of letters in which a new text must differ from the old; default what the recogniser asks.
    """
    if min_difference is None:
        min_difference = recogniser.min_difference
    old = [row.get("transcript_trust") for row in judge.score(clips)]
    passed = [passed_over(clip, trust, recogniser, margin) for clip, trust in zip(clips, old, strict=True)]
    asked = [k for k, why in enumerate(passed) if why is None]
    texts = dict(zip(asked, recogniser.transcribe([clips[k] for k in asked]), strict=True))
    heard = [k for k in asked if texts[k].strip()]
    # a new memo entry may rest on the transcript, the audio's own ones are shared
    trials = [replace(clips[k], transcript=texts[k], memo=dict(clips[k].memo)) for k in heard]
    new = dict(zip(heard, (row.get("transcript_trust") for row in judge.score(trials)), strict=True))
    return [
        decide(clip, texts.get(k), old[k], new.get(k), recogniser.name, passed[k], margin, min_trust, min_difference)
        for k, clip in enumerate(clips)
    ]


def passed_over(clip: Clip, trust: float | None, recogniser: Recogniser, margin: float) -> str | None:
    """Why the recogniser is not asked about a clip whose text has this trust; None when it is."""
    if trust is not None and trust + margin > 1.0:
        return "old text is trusted"
    if recogniser.languages is not None and (clip.language or "").split("-")[0].lower() not in recogniser.languages:
        return f"'{clip.language}' is no language of the recogniser"
    return None


def decide(
    clip: Clip,
    text: str | None,
    old: float | None,
    new: float | None,
    model: str,
    passed: str | None,
    margin: float,
    min_trust: float,
    min_difference: float,
) -> Relabelled:
    """The row of one clip."""
    taken = False
    if passed is not None:
        reason = passed
    elif not text or not text.strip():
        text, reason = None, "nothing was recognised"
    elif new is None:
        reason = "new text has no trust"
    elif new < min_trust:
        reason = f"new trust {new:.2f} is below {min_trust:.2f}"
    elif old is not None and new < old + margin:
        reason = f"new trust {new:.2f} does not beat {old:.2f} by {margin:.2f}"
    elif (differs := difference(clip.transcript or "", text)) < min_difference:
        reason = f"{1 - differs:.0%} of the old text was heard, so it is the better guess"
    else:
        taken = True
        reason = "no trust in the old text" if old is None else f"new trust {new:.2f} beats {old:.2f}"
    return Relabelled(clip.key, clip.transcript, text, old, new, model, taken, reason)


def difference(a: str, b: str) -> float:
    """Share of letters that differ between two texts: edit distance over the longer one; 1.0 for an empty one."""
    a, b = (" ".join(spoken_words(text)) for text in (a, b))
    return edit_distance(a, b) / max(len(a), len(b), 1) if a and b else 1.0


class PocketsphinxRecogniser:
    """pocketsphinx with its own US English model: always at hand, offline; half of the words of read speech wrong."""

    languages = ("en",)
    min_difference = WEAK
    sample_rate = 16000

    def __init__(self) -> None:
        self.name = f"pocketsphinx-en-us-{acoustic_model_sha256()[:8]}"
        self._decoder: Any = None

    def transcribe(self, batch: Sequence[Clip]) -> list[str]:
        """The best hypothesis of every clip."""
        return [self._one(clip) for clip in batch]

    def _one(self, clip: Clip) -> str:
        loudest = peak(clip)
        if not np.isfinite(loudest) or loudest <= 0 or clip.duration_s < 0.1:
            return ""
        if self._decoder is None:
            from pocketsphinx import Decoder

            self._decoder = Decoder(loglevel="FATAL")
        pcm = np.round(resampled(clip, self.sample_rate) * (16384 / loudest)).clip(-32768, 32767).astype("<i2")
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(pcm.tobytes(), full_utt=True)
        finally:
            self._decoder.end_utt()
        best = self._decoder.hyp()
        return "" if best is None else best.hypstr


def _ctc(**options: Any) -> Recogniser:
    from .ctc_recogniser import CtcRecogniser

    return CtcRecogniser(**options)


RECOGNISERS: dict[str, Callable[..., Recogniser]] = {"pocketsphinx": PocketsphinxRecogniser, "ctc": _ctc}


def recognisers() -> tuple[str, ...]:
    """Names that `recogniser` accepts."""
    return (*RECOGNISERS, *sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)} - set(RECOGNISERS)))


def recogniser(name: str, options: Mapping[str, Any] | None = None) -> Recogniser:
    """The recogniser of that name; `ConfigError` with the names that exist, or with what is wrong with an option."""
    make = RECOGNISERS.get(name)
    for point in entry_points(group=ENTRY_POINT_GROUP) if make is None else ():
        if point.name == name:
            try:
                make = point.load()
            except Exception as error:
                raise ConfigError(f"recogniser '{name}' ({point.value}) cannot be imported: {error}") from error
    if make is None:
        raise ConfigError(f"unknown recogniser '{name}'. Recognisers: {', '.join(recognisers())}")
    try:
        return make(**(options or {}))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"recogniser '{name}': {error}") from error

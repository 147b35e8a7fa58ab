"""New transcripts for clips whose own is not trusted: a recogniser proposes, the trust of both texts decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ..schemas.clip import Clip
from ..schemas.errors import ConfigError
from ..schemas.score import Curator
from .acoustic_model import acoustic_model_sha256
from .waveform import peak, resampled

MARGIN = 0.3
"""By how much the new text's trust must beat the old one's."""
MIN_TRUST = 0.5
"""And what it must reach: a bad text is not replaced by a slightly less bad one."""
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
) -> list[Relabelled]:
    """A proposal for every clip, in order. The clips are not changed.

    judge: a curator with the column transcript_trust. A clip is not even recognised where its own text cannot be
    beaten by `margin`. A clip without a transcript, or with one that has no trust, takes the new one from `min_trust`.
    """
    old = [row.get("transcript_trust") for row in judge.score(clips)]
    asked = [
        k
        for k, clip in enumerate(clips)
        if ((trust := old[k]) is None or trust + margin <= 1.0)
        and (recogniser.languages is None or clip.language in recogniser.languages)
    ]
    texts = dict(zip(asked, recogniser.transcribe([clips[k] for k in asked]), strict=True))
    heard = [k for k in asked if texts[k].strip()]
    # a new memo entry may rest on the transcript, the audio's own ones are shared
    trials = [replace(clips[k], transcript=texts[k], memo=dict(clips[k].memo)) for k in heard]
    new = dict(zip(heard, (row.get("transcript_trust") for row in judge.score(trials)), strict=True))
    return [
        decide(clip, texts.get(k), old[k], new.get(k), recogniser.name, k in asked, margin, min_trust)
        for k, clip in enumerate(clips)
    ]


def decide(
    clip: Clip,
    text: str | None,
    old: float | None,
    new: float | None,
    model: str,
    asked: bool,
    margin: float,
    min_trust: float,
) -> Relabelled:
    """The row of one clip."""
    taken = False
    if not asked:
        reason = "old text is trusted" if old is not None else f"'{clip.language}' is no language of the recogniser"
    elif not text or not text.strip():
        text, reason = None, "nothing was recognised"
    elif new is None:
        reason = "new text has no trust"
    elif new < min_trust:
        reason = f"new trust {new:.2f} is below {min_trust:.2f}"
    elif old is not None and new < old + margin:
        reason = f"new trust {new:.2f} does not beat {old:.2f} by {margin:.2f}"
    else:
        taken = True
        reason = "no trust in the old text" if old is None else f"new trust {new:.2f} beats {old:.2f}"
    return Relabelled(clip.key, clip.transcript, text, old, new, model, taken, reason)


class PocketsphinxRecogniser:
    """pocketsphinx with its own US English model: always at hand, offline; half of the words of read speech wrong."""

    languages = ("en",)
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


RECOGNISERS: dict[str, Callable[[], Recogniser]] = {"pocketsphinx": PocketsphinxRecogniser}


def recognisers() -> tuple[str, ...]:
    """Names that `recogniser` accepts."""
    return (*RECOGNISERS, *sorted({point.name for point in entry_points(group=ENTRY_POINT_GROUP)} - set(RECOGNISERS)))


def recogniser(name: str) -> Recogniser:
    """The recogniser of that name; `ConfigError` with the names that exist otherwise."""
    if name in RECOGNISERS:
        return RECOGNISERS[name]()
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            try:
                return point.load()()
            except Exception as error:
                raise ConfigError(f"recogniser '{name}' ({point.value}) cannot be made: {error}") from error
    raise ConfigError(f"unknown recogniser '{name}'. Recognisers: {', '.join(recognisers())}")


def rows(proposals: Iterable[Relabelled]) -> list[dict[str, Any]]:
    """The proposals as rows of a table, columns as the fields of `Relabelled`."""
    return [{name: getattr(proposal, name) for name in Relabelled.__dataclass_fields__} for proposal in proposals]

"""What kinds of speech a recording holds, as far as its labels tell: told and untold, and by whom."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...curators.signal.vad import FRAME_S, SPEECH_THRESHOLD
from .listening import runs
from .texts import Text

UNTOLD_S = 0.4
"""Speech beside a text up to this length is the text's own: onsets and endings."""
MOST_SPEAKERS = 8
"""Those who say the most are told apart; the others count as one."""


def kinds_of_speech(texts: Sequence[Text], speech: np.ndarray) -> np.ndarray:
    """`[K, F]` uint8 for `tiling.tile`: speech of which there is no text, then that of each speaker.

    speech: `[C, F]` probability per 32 ms. Several channels are several sides of one conversation: who speaks on which
    is known, and only told and untold speech is kept apart, over the channels that have texts.
    """
    channels = [c for c in range(len(speech)) if any(t.channel in (None, c) for t in texts)]
    kinds = _speakers(texts) if len(speech) == 1 else {}
    found = np.zeros((2 + max(kinds.values(), default=0), speech.shape[1]), np.uint8)
    margin = int(UNTOLD_S / FRAME_S)
    for channel in channels:
        kind_of = np.zeros(speech.shape[1], np.int8)
        for text in texts:
            if text.channel in (None, channel):
                for start, end in text.times[~np.isnan(text.times[:, 0])]:
                    first, stop = int(start / FRAME_S), int(end / FRAME_S) + 1
                    beside = kind_of[max(0, first - margin) : stop + margin]
                    beside[beside == 0] = 1 + kinds.get(text.speaker, 0)
                    kind_of[first:stop] = 1 + kinds.get(text.speaker, 0)
        heard = speech[channel] >= SPEECH_THRESHOLD
        untold = np.zeros_like(heard)
        for start, end in runs(heard & (kind_of == 0)):
            untold[start:end] = end - start > margin
        found[0] += untold
        for kind in range(1, len(found)):
            found[kind] += heard & (kind_of == kind)
    return found


def _speakers(texts: Sequence[Text]) -> dict[str | None, int]:
    """A number from 0 for each of the speakers who say the most."""
    said: dict[str | None, int] = {}
    for text in texts:
        said[text.speaker] = said.get(text.speaker, 0) + len(text.tokens)
    most = sorted(said, key=lambda who: (-said[who], who or ""))
    return {who: min(k, MOST_SPEAKERS) for k, who in enumerate(most)}

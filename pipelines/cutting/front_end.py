"""A piece of a recording as the acoustic model takes it, when several people speak in it.

The model wants one voice at one level: the aligner's front end takes a clip's mean off its cepstra and adds room tone
by its loudest tenth. In a minute of an interview a quiet voice would drown in that, and get another's mean.
"""

from __future__ import annotations

import numpy as np

from ...curators.signal.cepstra import FRAME_S, HOP, SAMPLE_RATE, WINDOW, cepstra, with_differences
from ...curators.signal.vad import FRAME_S as VAD_FRAME_S
from ...curators.signal.vad import FRAME_SIZE, SPEECH_THRESHOLD
from ...curators.waveform import frame_power
from ...curators.words.aligner import with_room_tone
from .listening import runs

APART_FRAMES = 8
"""Frames (32 ms) of pause that end what is levelled together."""
NEAR_FRAMES = 8
"""Frames around speech that count for its mean: an utterance as the model was trained on has that much silence."""
LEVEL = 0.05
"""Root mean square that speech is brought to."""
MOST_GAIN = 100.0
MEAN_S = 4.0
"""Half the time that a mean is taken over."""


def features_of(waveform: np.ndarray, speech: np.ndarray | None) -> np.ndarray | None:
    """`[STREAMS, F, CEPSTRA]` float32 of `[T]` float32 at 16 kHz, `speech` its probability per 32 ms; None when it is
    shorter than one frame."""
    if len(waveform) < WINDOW:
        return None
    if speech is None or not (speech >= SPEECH_THRESHOLD).any():
        peak = float(np.abs(waveform).max()) or 1.0
        return with_differences(cepstra(with_room_tone(waveform * np.float32(0.5 / peak))))
    found = cepstra(with_room_tone(levelled(waveform, speech)))
    return with_differences(found - _local_mean(found, speech))


def levelled(waveform: np.ndarray, speech: np.ndarray) -> np.ndarray:
    """`[T]` float32 with every utterance at one level, the gain going over to the next in the pause."""
    power = frame_power(waveform, FRAME_SIZE)
    speech = np.pad(speech, (0, max(0, len(power) - len(speech))))[: len(power)]
    spoken = speech >= SPEECH_THRESHOLD
    places, gains = [], []
    for start, end in _utterances(spoken):
        level = float(np.sqrt(np.mean(power[start:end][spoken[start:end]])))
        gain = min(LEVEL / level, MOST_GAIN) if level > 0 else 1.0
        places += [start, end]
        gains += [gain, gain]
    if not places:
        return waveform
    at = np.arange(len(waveform)) / FRAME_SIZE
    gain = np.exp(np.interp(at, np.array(places, float), np.log(gains)))
    loud = waveform * gain.astype(np.float32)
    return loud * np.float32(min(1.0, 0.9 / max(float(np.abs(loud).max()), 1e-9)))


def _utterances(spoken: np.ndarray) -> list[tuple[int, int]]:
    found: list[list[int]] = []
    for start, end in runs(spoken):
        if found and start - found[-1][1] < APART_FRAMES:
            found[-1][1] = end
        else:
            found.append([start, end])
    return [(start, end) for start, end in found]


def _local_mean(features: np.ndarray, speech: np.ndarray) -> np.ndarray:
    """Mean of the frames in and near speech within `MEAN_S` on either side, `[F, CEPSTRA]`."""
    near = np.convolve(speech >= SPEECH_THRESHOLD, np.ones(2 * NEAR_FRAMES + 1), "same") > 0.5
    at = ((np.arange(len(features)) * HOP + WINDOW / 2) / SAMPLE_RATE / VAD_FRAME_S).astype(int)
    weight = np.append(near, False)[np.minimum(at, len(near))].astype(np.float64)
    half = round(MEAN_S / FRAME_S)
    edges = np.arange(len(features))
    low, high = np.maximum(edges - half, 0), np.minimum(edges + half + 1, len(features))
    summed = np.concatenate([np.zeros((1, features.shape[1])), np.cumsum(features * weight[:, None], axis=0)])
    counted = np.concatenate([[0.0], np.cumsum(weight)])
    count = counted[high] - counted[low]
    overall = (features * weight[:, None]).sum(axis=0) / max(weight.sum(), 1.0)
    mean = (summed[high] - summed[low]) / np.maximum(count, 1.0)[:, None]
    # with little speech around, the mean of the whole counts as well
    share = np.minimum(count / half, 1.0)[:, None]
    return share * mean + (1 - share) * overall

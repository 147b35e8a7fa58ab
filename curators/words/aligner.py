"""Words laid over a clip: where each phone is and how well it fits, against everything else that it could be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from ..signal.cepstra import FRAME_S, WINDOW, cepstra, with_differences
from .acoustic_model import acoustic_model
from .forced_path import Network, best_path, build_network, segments, state_nats
from .pronunciation import pronunciations
from .senones import senone_nats

Mode = Literal["full", "lite"]
MAX_WORDS_PER_S = 8.0
"""Nobody speaks faster for longer than a moment (auctioneers reach six); more text than this is not even tried."""
MAX_DURATION_S = 120.0
ROOM_TONE_DB = 25.0
"""Below the level of the loud tenth of the clip. At 20 dB children and learners are understood less well."""
LEVEL_FRAME = 320
"""Samples: 20 ms."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """The phones of a clip in order, `[P]` each.

    word: index into the words asked for, -1 for a pause. start, end: frames of `FRAME_S`, [start, end).
    nats: log likelihood of the phone's frames less that of the best senone in each; 0 is a perfect fit.
    """

    word: np.ndarray
    start: np.ndarray
    end: np.ndarray
    nats: np.ndarray

    @property
    def frames(self) -> np.ndarray:
        """Length of each phone in frames, `[P]`."""
        return self.end - self.start


@cache
def phone_index() -> dict[str, int]:
    """Index of each phone of the acoustic model by name."""
    return {name: index for index, name in enumerate(acoustic_model().phones)}


@cache
def plain_senones() -> np.ndarray:
    """Senones of the phones without context, ascending: who the words compete with in lite mode."""
    model = acoustic_model()
    return np.unique(model.senones[: len(model.phones)])


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A clip as the acoustic model sees it. features: `[STREAMS, F, CEPSTRA]` float32.

    nats: `[F, N]` log likelihoods of all senones, None where only those that are asked for shall be computed.
    """

    features: np.ndarray
    nats: np.ndarray | None = None


@cache
def pink_noise() -> np.ndarray:
    """`[2**17]` float32 of unit power, its power falling with frequency; the same every time."""
    size = 1 << 17
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=size))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, size)
    return (noise / noise.std()).astype(np.float32)


def with_room_tone(waveform: np.ndarray) -> np.ndarray:
    """`[T]` float32 with quiet pink noise: the model was trained on recordings from rooms, and takes the emptiness of
    a synthetic voice, of an upper band that resampling left empty or of digital silence for what nobody says."""
    whole = waveform[: len(waveform) // LEVEL_FRAME * LEVEL_FRAME].reshape(-1, LEVEL_FRAME)
    power = np.mean(np.square(whole, dtype=np.float64), axis=1)
    level = np.sqrt(np.percentile(power, 90)) * 10 ** (-ROOM_TONE_DB / 20)
    return waveform + np.resize(pink_noise(), len(waveform)) * np.float32(level)


def listen(waveform: np.ndarray, everything: bool = False) -> Heard | None:
    """What `align` needs of a clip; None when it is shorter than one frame.

    waveform: `[T]` float32 at `SAMPLE_RATE`, at most `MAX_DURATION_S`. everything: all senones at once, for many
    texts on one clip.
    """
    if len(waveform) < WINDOW:
        return None
    # a level near full scale: the front end's floors are fixed
    peak = float(np.abs(waveform).max()) or 1.0
    features = with_differences(cepstra(with_room_tone(waveform * np.float32(0.5 / peak))))
    if not everything:
        return Heard(features)
    model = acoustic_model()
    return Heard(features, senone_nats(model, features, np.arange(len(model.codebook)))[0])


def align(heard: Heard | None, words: Sequence[str], mode: Mode = "full") -> tuple[Alignment, Alignment] | None:
    """The most likely way to say `words`, in order, in the clip, and that of a rival: the same phones backwards.

    The rival has the text's length and sounds, and is not what is said: how well it fits is how well a wrong text
    fits in this voice, noise and room. None where the words do not fit into the clip. Words that nobody can pronounce
    are left out.
    mode: "full" measures the fit against all 5126 senones of the model, "lite" against those of the words and of the
    phones without context, several times faster.
    """
    if heard is None or len(words) > 3 + MAX_WORDS_PER_S * FRAME_S * heard.features.shape[1]:
        return None
    index = phone_index()
    ways = [[[index[phone] for phone in way] for way in pronunciations(word)] for word in words]
    said = [k for k, way in enumerate(ways) if way]
    if not said:
        return None
    model = acoustic_model()
    own = build_network(model, [ways[k] for k in said])
    rival = build_network(model, [[ways[k][0][::-1]] for k in reversed(said)])
    wanted = np.union1d(own.senones, rival.senones)
    if heard.nats is None:
        nats, best = senone_nats(model, heard.features, wanted, None if mode == "full" else plain_senones())
    else:
        nats = heard.nats[:, wanted]
        best = (heard.nats if mode == "full" else heard.nats[:, np.union1d(wanted, plain_senones())]).max(axis=1)
    found = lay(own, np.array(said), nats, best, wanted)
    against = lay(rival, np.array(said[::-1]), nats, best, wanted)
    return None if found is None or against is None else (found, against)


def lay(
    network: Network, said: np.ndarray, nats: np.ndarray, best: np.ndarray, senones: np.ndarray
) -> Alignment | None:
    """The best path through one network. said: `[W]` the word that each of the network's stands for.

    nats: `[F, N]` log likelihoods of `senones`; best: `[F]` that of the best of all.
    """
    states = state_nats(network, nats, senones)
    path = best_path(network, states)
    if path is None:
        return None
    edges = segments(path)
    word = network.word[path[edges[:-1]]]
    ratio = (states[np.arange(len(path)), path] - best).astype(np.float64)
    return Alignment(
        word=np.where(word >= 0, said[word], -1),
        start=edges[:-1],
        end=edges[1:],
        nats=np.add.reduceat(ratio, edges[:-1]),
    )

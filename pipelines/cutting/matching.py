"""Which of a row of texts are said in a piece of audio, and where: forced alignment with a way around every text.

The network is that of the aligner (`curators.words.forced_path`), its words in chunks of a few, and a filler before,
between and after the chunks. The filler stands for speech of which there is no text, at a fixed price against the best
senone of each frame, and for silence. From filler to filler a chunk may be left out. What fits worse than the filler is
left out, so that nothing is forced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...curators.signal.cepstra import FRAME_S, HOP, SAMPLE_RATE, WINDOW
from ...curators.signal.vad import FRAME_S as VAD_FRAME_S
from ...curators.words.acoustic_model import SILENCE, acoustic_model
from ...curators.words.aligner import phone_index, plain_senones
from ...curators.words.forced_path import IMPOSSIBLE, PAUSE_NATS, Network, build_network, state_nats
from ...curators.words.pronunciation import pronunciations
from ...curators.words.senones import senone_nats
from .front_end import features_of

FILLER_NATS = -3.4
"""Of a frame in the filler, against the best senone without context. Ten words fit where they are said with -1.8 to 0.0
(5 to 95 %, read English; learners and children -2.8 to -0.2), ten others with -6.8 to -3.9 (-5.9 to -3.1). The path
through words also pays for its transitions, some 0.5 a frame."""
SKIP_NATS = -5.0
"""Price of leaving out a chunk."""
LEAST_GAIN_NATS = 15.0
"""What a chunk must gain over the filler: a word or two fit somewhere by chance."""
MOST_LETTERS_PER_S = 28.0
"""Nobody speaks faster: words that are squeezed into less are not said."""
FAR_NATS = -1.0
"""Price per second beyond `NEAR_S` between where a chunk is and where it is expected."""
NEAR_S = 1.0
SILENT_BELOW = 0.2
"""Probability of speech below which, with `SILENT_GUARD` frames of 32 ms on each side, no word is said. Breath and the
noise of a room else pass for the beginning of "for" or the end of "mouth", seconds away from it."""
SILENT_GUARD = 2
SILENT_NATS = -4.0
"""Price per frame (10 ms) of a word where nobody speaks."""
EDGE_S = (WINDOW - HOP) / 2 / SAMPLE_RATE
STAY, STEP, PAUSE = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some words of a text, lower case, as they are said. expected_s: where the first one may be; None: anywhere."""

    words: tuple[str, ...]
    expected_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A chunk that is said: `times` `[W, 2]` seconds from the start of the audio, NaN for words that nobody can
    pronounce; `fit` the mean log likelihood ratio of its frames, nats."""

    times: np.ndarray
    fit: float


def sayable(word: str) -> bool:
    """Whether a pronunciation of the word is known or can be told from its letters."""
    return bool(pronunciations(word))


def match(waveform: np.ndarray, chunks: Sequence[Chunk], speech: np.ndarray | None = None) -> list[Found | None]:
    """Where each chunk is said in `[T]` float32 at 16 kHz, in their order; None for those that are not.

    speech: probability per 32 ms, from the beginning of the audio.
    The last one may go on beyond the end of the audio; it then counts as not said.
    """
    features = features_of(waveform, speech)
    index = phone_index()
    ways: list[list[list[int]]] = []
    starts: list[int] = []
    at: list[tuple[int, int]] = []
    for number, chunk in enumerate(chunks):
        for k, word in enumerate(chunk.words):
            if not (said := [[index[phone] for phone in way] for way in pronunciations(word)]):
                continue
            if not at or at[-1][0] != number:
                starts.append(len(ways))
            ways.append(said)
            at.append((number, k))
    if features is None or not ways:
        return [None] * len(chunks)
    model = acoustic_model()
    network = build_network(model, ways)
    silence = model.senones[model.phones.index(SILENCE)]
    # a text is held against the phones without context, whatever else is in this piece
    plain = plain_senones()
    wanted = np.union1d(np.union1d(network.senones, silence), plain)
    nats, _ = senone_nats(model, features, wanted, plain)
    best = nats[:, np.searchsorted(wanted, plain)].max(axis=1)
    quiet = nats[:, np.searchsorted(wanted, silence)].max(axis=1)
    filler = np.maximum(quiet, best + np.float32(FILLER_NATS)) - best
    ratio = state_nats(network, nats, wanted)
    ratio -= best[:, None]
    if speech is not None:
        silent = _silent(speech, len(best))
        ratio[np.ix_(silent, network.word >= 0)] += np.float32(SILENT_NATS)
        # silence of the model's also fits weak speech, and would let the filler win where words are said
        filler = np.where(silent, np.float32(0), np.float32(FILLER_NATS))
    numbers = [at[first][0] for first in starts]
    frames = np.arange(len(best)) * FRAME_S
    prices = np.zeros((len(best), len(starts)), np.float32)
    for m, number in enumerate(numbers):
        if (expected := chunks[number].expected_s) is not None:
            prices[:, m] = FAR_NATS * np.maximum(np.abs(frames - expected) - NEAR_S, 0)
    path = best_path_around(network, np.array(starts), ratio, filler, prices)
    return _found(path, network, ratio, at, chunks)


def _silent(speech: np.ndarray, frames: int) -> np.ndarray:
    """Which frames of 10 ms nobody speaks in, `[F]` bool; beyond `speech` all."""
    near = np.convolve(speech >= SILENT_BELOW, np.ones(2 * SILENT_GUARD + 1), "same") > 0.5
    at = ((np.arange(frames) + 0.5) * FRAME_S / VAD_FRAME_S).astype(int)
    return ~np.append(near, False)[np.minimum(at, len(near))]


def best_path_around(
    network: Network, starts: np.ndarray, nats: np.ndarray, filler: np.ndarray, prices: np.ndarray
) -> np.ndarray:
    """State of every frame on the most likely path, `[F]`; -1 - m for the filler before chunk m.

    starts: `[M]` first word of each chunk. nats: `[F, S]` of every state; filler: `[F]`; prices: `[F, M]` nats of
    entering a chunk. The path begins in a filler and ends anywhere.
    """
    frames, states = nats.shape
    count = len(starts)
    slots = int(network.slot[-1])
    pause_first = np.flatnonzero(network.initial & (network.word < 0))
    pause_last = np.flatnonzero(network.final & (network.word < 0))
    word_first = np.flatnonzero(network.initial & (network.word >= 0))
    word_last = np.flatnonzero(network.final & (network.word >= 0))
    word_slot, of_slot = network.slot[word_first], network.slot[word_last]
    first_of_slot = np.searchsorted(of_slot, np.arange(slots))
    opens = np.isin(word_slot, starts)
    opened = np.searchsorted(starts, word_slot[opens])
    opening = word_first[opens]
    ends = np.append(starts[1:], slots)
    stay, advance = network.stay, network.advance
    score = np.full(states, IMPOSSIBLE, np.float32)
    fill = np.full(count + 1, IMPOSSIBLE, np.float32)
    fill[0] = filler[0]
    choice = np.zeros((frames, states), np.int8)
    chosen = np.zeros((frames, count + 1), np.int8)
    winner = np.zeros((frames, slots), np.int16)
    way = np.arange(len(word_last))
    leaving = np.full(slots + 1, IMPOSSIBLE, np.float32)
    stepped = np.empty_like(score)
    step = np.full(len(word_first), STEP, np.int8)
    for t in range(1, frames):
        exits = score + advance
        said = exits[word_last]
        leaving[1:] = np.maximum.reduceat(said, first_of_slot)
        winner[t] = np.maximum.reduceat(np.where(said >= leaving[1:][of_slot], way, 0), first_of_slot)
        stepped[1:] = exits[:-1]
        direct, paused = leaving[word_slot], exits[pause_last][word_slot]
        by_pause = paused > direct
        stepped[word_first] = np.where(by_pause, paused, direct)
        stepped[pause_first] = leaving + np.float32(PAUSE_NATS)
        # a chunk is entered from its filler only, and nothing pauses before it
        stepped[opening] = fill[opened] + prices[t, opened]
        stepped[pause_first[starts]] = IMPOSSIBLE
        stayed = score + stay
        moved = stepped > stayed
        choice[t] = moved
        step[:] = np.where(by_pause, PAUSE, STEP)
        step[opens] = STEP
        choice[t, word_first] *= step
        left = leaving[ends]
        skipped = np.concatenate([[np.float32(IMPOSSIBLE)], fill[:-1] + np.float32(SKIP_NATS)])
        came = np.concatenate([[np.float32(IMPOSSIBLE)], left])
        best = np.maximum(np.maximum(fill, came), skipped)
        chosen[t] = np.where(best == fill, 0, np.where(best == came, 1, 2))
        fill = best + filler[t]
        score = np.where(moved, stepped, stayed)
        score += nats[t]
    path = np.empty(frames, np.int32)
    inside, around = int(score.argmax()), int(fill.argmax())
    state = inside if score[inside] > fill[around] else -1 - around
    chunk_at = {int(first): m for m, first in enumerate(starts)}
    for t in range(frames - 1, -1, -1):
        path[t] = state
        if state < 0:
            m = -1 - state
            if chosen[t, m] == 1:
                state = int(word_last[winner[t, ends[m - 1] - 1]])
            elif chosen[t, m] == 2:
                state += 1
            continue
        slot = int(network.slot[state])
        if choice[t, state] == PAUSE:
            state = int(pause_last[slot])
        elif choice[t, state] != STAY:
            if not network.initial[state]:
                state -= 1
            elif network.word[state] >= 0 and slot in chunk_at:
                state = -1 - chunk_at[slot]
            else:
                state = int(word_last[winner[t, slot - 1]])
    return path


def _found(
    path: np.ndarray, network: Network, nats: np.ndarray, at: Sequence[tuple[int, int]], chunks: Sequence[Chunk]
) -> list[Found | None]:
    times = [np.full((len(chunk.words), 2), np.nan) for chunk in chunks]
    frames, total = np.zeros(len(chunks)), np.zeros(len(chunks))
    word = np.where(path >= 0, network.word[np.maximum(path, 0)], -1)
    edges = np.flatnonzero(np.diff(word)) + 1
    for start, end in zip([0, *edges.tolist()], [*edges.tolist(), len(word)], strict=True):
        if word[start] < 0:
            continue
        number, k = at[word[start]]
        times[number][k] = start * FRAME_S + EDGE_S, end * FRAME_S + EDGE_S
        frames[number] += end - start
        total[number] += nats[np.arange(start, end), path[start:end]].sum()
    # the chunk in which the audio ends is not whole, whatever of it was heard
    last = at[word[-1]][0] if len(word) and word[-1] >= 0 else -1
    found: list[Found | None] = []
    for number in range(len(chunks)):
        gained = total[number] - FILLER_NATS * frames[number]
        letters = sum(map(len, chunks[number].words))
        whole = number != last and frames[number] * FRAME_S * MOST_LETTERS_PER_S > letters
        fit = float(total[number] / max(frames[number], 1))
        found.append(Found(times[number], fit) if whole and gained >= LEAST_GAIN_NATS else None)
    return found

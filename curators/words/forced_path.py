"""Forced alignment: the most likely path of a text's words, with pauses where they fit, through a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .acoustic_model import BEGIN, END, INTERNAL, SILENCE, SINGLE, STATES, AcousticModel

PAUSE_NATS = -3.0
"""Price of a pause between two words: about one in twenty."""
MAX_CELLS = 200_000_000
"""Frames times states of the largest alignment that is tried: about two minutes of fast speech, in 200 MB."""
IMPOSSIBLE = -1e30
STAY, STEP, PAUSE = 0, 1, 3


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """All ways to say the words, state after state.

    Slot w holds an optional pause and then each pronunciation of word w; the last slot holds a pause only.
    senones: `[S, 4]` the senones that a state may be, by what may stand beside it. word, phone: `[S]`, word -1 for a
    pause. initial, final: `[S]` bool, first and last state of a pause or a pronunciation. slot: `[S]`.
    """

    senones: np.ndarray
    word: np.ndarray
    phone: np.ndarray
    initial: np.ndarray
    final: np.ndarray
    slot: np.ndarray
    stay: np.ndarray
    advance: np.ndarray


def build_network(model: AcousticModel, said: Sequence[Sequence[Sequence[int]]]) -> Network:
    """The network of words given as pronunciations of phone indices: word, pronunciation, phone.

    The phone at the edge of a word may follow, or be followed by, silence or the neighbour's first pronunciation;
    both contexts' senones stand in its states and the better one counts, frame by frame.
    """
    silence = model.phones.index(SILENCE)
    rows: list[tuple[int, int, int, bool, bool, list[int]]] = []

    def pause(slot: int) -> None:
        for s in range(STATES):
            rows.append((slot, -1, silence, s == 0, s == STATES - 1, [int(model.senones[silence, s])]))

    for slot, ways in enumerate(said):
        pause(slot)
        before = {silence, said[slot - 1][0][-1]} if slot else {silence}
        after = {silence, said[slot + 1][0][0]} if slot + 1 < len(said) else {silence}
        for phones in ways:
            for k, phone in enumerate(phones):
                first, last = k == 0, k == len(phones) - 1
                place = SINGLE if first and last else BEGIN if first else END if last else INTERNAL
                lefts = before if first else {phones[k - 1]}
                rights = after if last else {phones[k + 1]}
                contexts = [model.row(place, phone, a, b) for a in sorted(lefts) for b in sorted(rights)]
                for s in range(STATES):
                    options = [int(model.senones[row, s]) for row in contexts]
                    rows.append((slot, slot, phone, first and s == 0, last and s == STATES - 1, options))
    pause(len(said))
    slots, words, phones_of, initial, final, senones = zip(*rows, strict=True)
    phone = np.array(phones_of)
    state = np.arange(len(rows)) % STATES
    return Network(
        senones=np.array([(options * 4)[:4] for options in senones]),
        word=np.array(words),
        phone=phone,
        initial=np.array(initial),
        final=np.array(final),
        slot=np.array(slots),
        stay=model.stay[phone, state].astype(np.float32),
        advance=model.advance[phone, state].astype(np.float32),
    )


def state_nats(network: Network, nats: np.ndarray, senones: np.ndarray) -> np.ndarray:
    """Log likelihood of every frame in every state, `[F, S]` float32: the best of the state's senones.

    nats: `[F, N]` log likelihoods of `senones`, ascending.
    """
    columns = np.searchsorted(senones, network.senones)
    best = nats[:, columns[:, 0]]
    for k in range(1, columns.shape[1]):
        differing = np.flatnonzero(columns[:, k] != columns[:, 0])
        if differing.size:
            best[:, differing] = np.maximum(best[:, differing], nats[:, columns[differing, k]])
    return best


def best_path(network: Network, nats: np.ndarray) -> np.ndarray | None:
    """State of every frame on the most likely path, `[F]`; None where no path fits or it would not fit in memory.

    nats: `[F, S]` log likelihoods. Exact Viterbi search, no beam.
    """
    frames, states = nats.shape
    if frames * states > MAX_CELLS:
        return None
    slots = int(network.slot[-1])
    pause_first = np.flatnonzero(network.initial & (network.word < 0))
    pause_last = np.flatnonzero(network.final & (network.word < 0))
    word_first = np.flatnonzero(network.initial & (network.word >= 0))
    word_last = np.flatnonzero(network.final & (network.word >= 0))
    word_slot = network.slot[word_first]
    pause_before = pause_last[word_slot]
    first_of_slot = np.searchsorted(network.slot[word_last], np.arange(slots))
    stay, advance = network.stay, network.advance
    score = np.full(states, IMPOSSIBLE, dtype=np.float32)
    score[pause_first[0]] = nats[0, pause_first[0]]
    score[word_first[word_slot == 0]] = nats[0, word_first[word_slot == 0]]
    moved = np.zeros((frames, states), dtype=bool)
    by_pause = np.zeros((frames, len(word_first)), dtype=bool)
    said = np.full((frames, len(word_last)), IMPOSSIBLE, dtype=np.float32)
    leaving = np.full(slots + 1, IMPOSSIBLE, dtype=np.float32)
    # stepped[s]: best score of coming into state s; the first is a pause's
    stepped = np.empty(states, dtype=np.float32)
    for t in range(1, frames):
        exits = score + advance
        said[t] = exits[word_last]
        # leaving[w]: best score of having just said word w - 1, before the pause of slot w
        leaving[1:] = np.maximum.reduceat(said[t], first_of_slot)
        direct, paused = leaving[word_slot], exits[pause_before]
        stepped[1:] = exits[:-1]
        stepped[word_first] = np.maximum(direct, paused)
        stepped[pause_first] = leaving + np.float32(PAUSE_NATS)
        stayed = score + stay
        np.greater(paused, direct, out=by_pause[t])
        np.greater(stepped, stayed, out=moved[t])
        score = np.maximum(stepped, stayed)
        score += nats[t]
    choice = moved.view(np.int8)
    choice[:, word_first] *= np.where(by_pause, PAUSE, STEP).astype(np.int8)
    of_slot = network.slot[word_last]
    is_best = said >= np.maximum.reduceat(said, first_of_slot, axis=1)[:, of_slot]
    winner = np.maximum.reduceat(is_best * np.arange(len(word_last), dtype=np.int16), first_of_slot, axis=1)
    ends = np.append(word_last[of_slot == slots - 1], pause_last[-1])
    state = int(ends[score[ends].argmax()])
    if score[state] < IMPOSSIBLE / 2:
        return None
    path = np.empty(frames, dtype=np.int32)
    for t in range(frames - 1, -1, -1):
        path[t] = state
        slot = network.slot[state]
        if choice[t, state] == PAUSE:
            state = int(pause_last[slot])
        elif choice[t, state] != STAY:
            inside = not network.initial[state]
            state = state - 1 if inside else int(word_last[winner[t, slot - 1]])
    return path


def segments(path: np.ndarray) -> np.ndarray:
    """`[P + 1]` frames at which the path `[F]` of states enters a phone, and its length at the end."""
    entered = (path[1:] != path[:-1]) & (path[1:] % STATES == 0)
    return np.concatenate([[0], np.flatnonzero(entered) + 1, [len(path)]])

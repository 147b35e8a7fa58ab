import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.words.acoustic_model import BEGIN, END, SINGLE, STATES, acoustic_model, triphone_key
from auricle.curators.words.forced_path import PAUSE_NATS, best_path, build_network, segments, state_nats

MODEL = acoustic_model()
SILENCE = MODEL.phones.index("SIL")


def network(*words):
    index = {name: k for k, name in enumerate(MODEL.phones)}
    return build_network(MODEL, [[[index[p] for p in way.split()] for way in ways] for ways in words])


def slow_best_score(net, nats):
    """Log probability of the best path by a plain search over all transitions, written from the definition."""
    frames, states = nats.shape
    last_slot = net.slot.max()
    starts = [s for s in range(states) if net.initial[s] and net.slot[s] == 0]
    ends = [s for s in range(states) if net.final[s] and (net.slot[s] == last_slot or net.slot[s] == last_slot - 1)]
    ends = [s for s in ends if net.word[s] >= 0 or net.slot[s] == last_slot]
    arcs = []
    for a in range(states):
        arcs.append((a, a, net.stay[a]))
        if not net.final[a]:
            arcs.append((a, a + 1, net.advance[a]))
            continue
        for b in range(states):
            if not net.initial[b]:
                continue
            if net.word[a] >= 0 and net.word[b] >= 0 and net.slot[b] == net.slot[a] + 1:
                arcs.append((a, b, net.advance[a]))
            if net.word[a] >= 0 and net.word[b] < 0 and net.slot[b] == net.slot[a] + 1:
                arcs.append((a, b, net.advance[a] + PAUSE_NATS))
            if net.word[a] < 0 and net.word[b] >= 0 and net.slot[b] == net.slot[a]:
                arcs.append((a, b, net.advance[a]))
    score = {s: float(nats[0, s]) for s in starts}
    for t in range(1, frames):
        new = {}
        for a, b, cost in arcs:
            if a in score:
                new[b] = max(new.get(b, -np.inf), score[a] + float(cost) + float(nats[t, b]))
        score = new
    return max((score[s] for s in ends if s in score), default=None)


def score_of(net, nats, path):
    """Log probability of a path."""
    total = float(nats[np.arange(len(path)), path].sum())
    for a, b in itertools.pairwise(path):
        total += float(net.stay[a] if a == b else net.advance[a])
        if a != b and net.initial[b] and net.word[b] < 0:
            total += PAUSE_NATS
    return total


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "words",
    [
        [["HH AY"]],
        [["K AE T"], ["S AE T"]],
        [["R EH D", "R IY D"], ["AH", "EY"], ["B UH K"]],
    ],
)
def test_the_path_is_the_best_of_all(words, seed):
    net = network(*words)
    nats = np.random.default_rng(seed).normal(-5, 6, size=(45, len(net.word))).astype(np.float32)
    path = best_path(net, nats)
    assert score_of(net, nats, path) == pytest.approx(slow_best_score(net, nats), rel=1e-5)


def test_too_few_frames_have_no_path():
    net = network(["K AE T"])
    assert best_path(net, np.zeros((8, len(net.word)), dtype=np.float32)) is None
    assert best_path(net, np.zeros((9, len(net.word)), dtype=np.float32)) is not None


def test_frames_go_to_the_states_that_fit_them():
    net = network(["HH AY"], ["M AA M"])
    wanted = np.repeat(np.flatnonzero(net.word >= 0), 3)
    nats = np.full((len(wanted), len(net.word)), -30.0, dtype=np.float32)
    nats[np.arange(len(wanted)), wanted] = 0
    path = best_path(net, nats)
    assert path.tolist() == wanted.tolist()
    edges = segments(path)
    assert np.diff(edges).tolist() == [9] * 5
    assert net.word[path[edges[:-1]]].tolist() == [0, 0, 1, 1, 1]


def test_a_pause_is_found_where_it_is():
    net = network(["HH AY"], ["M AA M"])
    order = [
        *np.flatnonzero(net.word == 0),
        *np.flatnonzero((net.word < 0) & (net.slot == 1)),
        *np.flatnonzero(net.word == 1),
    ]
    wanted = np.repeat(order, 4)
    nats = np.full((len(wanted), len(net.word)), -30.0, dtype=np.float32)
    nats[np.arange(len(wanted)), wanted] = 0
    path = best_path(net, nats)
    assert net.word[path].tolist() == [0] * 24 + [-1] * 12 + [1] * 36


def test_a_word_is_said_in_the_way_that_fits():
    net = network(["R EH D", "R IY D"])
    assert (net.word >= 0).sum() == 2 * 3 * STATES
    second = np.flatnonzero(net.word >= 0)[3 * STATES :]
    nats = np.full((27, len(net.word)), -9.0, dtype=np.float32)
    nats[:, second] = -1
    assert set(best_path(net, nats)) <= set(second)


def test_edges_of_words_stand_in_silence_and_beside_their_neighbours():
    net = network(["HH AY"], ["M AA M"])
    index = {name: k for k, name in enumerate(MODEL.phones)}
    first_of_m = np.flatnonzero(net.word == 1)[0]
    rows = {MODEL.row(BEGIN, index["M"], left, index["AA"]) for left in (SILENCE, index["AY"])}
    assert set(net.senones[first_of_m]) == {int(MODEL.senones[row, 0]) for row in rows}
    nats = np.arange(len(MODEL.codebook), dtype=np.float32)[None]
    best = state_nats(net, nats, np.arange(len(MODEL.codebook)))
    assert best[0, first_of_m] == net.senones[first_of_m].max()


@given(st.integers(0, 3), st.integers(2, 41), st.integers(2, 41), st.integers(2, 41))
@settings(max_examples=50)
def test_every_context_has_a_row_of_its_own_phone(position, phone, left, right):
    row = MODEL.row(position, phone, left, right)
    assert set(MODEL.codebook[MODEL.senones[row]]) == {phone}


def test_the_model_is_what_its_files_say():
    assert len(MODEL.phones) == 42
    assert MODEL.senones.shape == (137095, STATES)
    assert MODEL.senones.max() == len(MODEL.codebook) - 1 == 5125
    assert np.all(np.diff(MODEL.triphone_keys) > 0)
    assert triphone_key(SINGLE, 1, 2, 3) > triphone_key(END, 41, 41, 41)
    assert np.allclose(np.exp(MODEL.stay) + np.exp(MODEL.advance), 1)
    # mixture weights are rounded to 0.1 nat, so they sum to one only nearly
    sums = np.concatenate([w.sum(axis=1).ravel() for w in MODEL.weights])
    assert 0.8 < np.median(sums) < 1.1

import numpy as np
import pytest

from auricle.diagnostics.codes.members import Scored, check_clips, mix_members
from auricle.diagnostics.ngrams.code_store import CodeStore


@pytest.fixture(scope="module")
def store():
    made = CodeStore(16)
    for i in range(40):
        made.add(f"clip {i:02}", f"speaker {i % 10}", np.zeros((2, 50), np.int64))
    made.close()
    return made


FOLD = np.arange(40) % 5


def scored(store, bits):
    """A member whose probabilities are the same whoever asks; bits: `[F, Q]`."""
    starts = np.cumsum(store.lengths) - store.lengths
    clips = np.concatenate(check_clips(store, FOLD))
    frames = np.concatenate([np.arange(starts[i], starts[i] + store.lengths[i]) for i in clips])
    return Scored(bits, bits[frames])


def test_members_that_are_good_at_different_frames_are_mixed_for_less_than_either(store):
    easy = np.random.default_rng(0).random((2000, 2)) < 0.5
    one, two = np.where(easy, 1.0, 11.0), np.where(easy, 11.0, 1.0)
    mixed, found, _ = mix_members({"one": scored(store, one), "two": scored(store, two)}, store, FOLD)
    # half of the weight each: a bit more than the cheaper of the two
    assert mixed == pytest.approx(np.full((2000, 2), 2.0), abs=0.3)
    assert found.weights["one"] == pytest.approx(0.5, abs=0.05)
    assert found.saved == pytest.approx(8, abs=0.5)
    assert found.saved_low < found.saved < found.saved_high
    assert found.mixed == pytest.approx(found.members[found.best] - found.saved)


def test_members_that_are_good_at_different_codebooks_each_serve_theirs(store):
    one, two = np.tile([1.0, 9.0], (2000, 1)), np.tile([9.0, 1.0], (2000, 1))
    mixed, found, _ = mix_members({"one": scored(store, one), "two": scored(store, two)}, store, FOLD)
    assert mixed == pytest.approx(np.ones((2000, 2)), abs=1e-3)
    assert found.weights == {"one": pytest.approx(0.5), "two": pytest.approx(0.5)}


def test_a_useless_member_costs_next_to_nothing(store):
    good, bad = np.full((2000, 2), 4.0), np.full((2000, 2), 8.0)
    mixed, found, _ = mix_members({"good": scored(store, good), "bad": scored(store, bad)}, store, FOLD)
    assert found.weights["bad"] < 1e-3
    assert found.best == "good"
    assert mixed == pytest.approx(good, abs=1e-3)
    assert abs(found.saved) < 1e-3

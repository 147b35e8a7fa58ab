import numpy as np
import pytest

from auricle.diagnostics.codes.mixture import mix_members


def test_members_that_are_good_at_different_frames_are_mixed_for_less_than_either():
    rng = np.random.default_rng(0)
    easy = rng.random(5000) < 0.5
    one, two = np.where(easy, 100.0, 110.0), np.where(easy, 110.0, 100.0)
    mixed, found = mix_members({"one": one, "two": two}, np.arange(5000) % 5)
    # half of the weight each: a bit more than the cheaper of the two
    assert mixed == pytest.approx(np.full(5000, 101.0), abs=0.1)
    assert found.weights["one"] == pytest.approx(0.5, abs=0.03)
    assert found.saved == pytest.approx(4, abs=0.2)


def test_a_useless_member_costs_next_to_nothing():
    mixed, found = mix_members({"good": np.full(1000, 50.0), "bad": np.full(1000, 80.0)}, np.arange(1000) % 3)
    assert found.weights["bad"] < 1e-3
    assert mixed == pytest.approx(np.full(1000, 50.0), abs=1e-3)

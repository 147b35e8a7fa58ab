import numpy as np
import pytest

from auricle.diagnostics.estimates.repeatability import repeatability


def halves(own, seed=0):
    """Clips of speakers whose own level differs by 10, clips' by 1, halves by `own`; seconds differ."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(40), 50)
    rate = 10 * rng.normal(size=40)[groups] + rng.normal(size=2000)
    seconds = rng.uniform(1, 5, (2000, 2))
    return (rate[:, None] + own * rng.normal(size=(2000, 2))) * seconds, seconds, [f"s{g}" for g in groups]


@pytest.mark.parametrize(("own", "truth"), [(0.0, 1.0), (1.0, 0.5), (3.0, 0.1)])
def test_it_is_the_share_of_the_variance_within_speakers_that_both_halves_have(own, truth):
    assert repeatability(*halves(own)) == pytest.approx(truth, abs=0.05)


def test_clips_without_a_second_half_and_lone_clips_say_nothing():
    bits, seconds, groups = halves(1.0)
    seconds[:1000, 1] = 0
    assert repeatability(bits, seconds, groups) == pytest.approx(0.5, abs=0.08)
    assert repeatability(bits, seconds, [str(i) for i in range(2000)]) is None
    assert repeatability(bits[:0], seconds[:0], []) is None

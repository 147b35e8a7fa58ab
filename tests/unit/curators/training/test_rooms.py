import numpy as np
import pytest

from auricle.curators.training.rooms import SOUND_SPEED, c50_db, image_source_response, random_response, reverberate

RATE = 16000


def decaying(t60_s, seed=0, seconds=2.0):
    t = np.arange(int(seconds * RATE)) / RATE
    return np.random.default_rng(seed).normal(size=t.size) * 10 ** (-3 * t / t60_s)


@pytest.mark.parametrize("t60_s", [0.2, 0.5, 1.0])
def test_c50_of_an_exponential_decay_is_its_closed_form(t60_s):
    expected = 10 * np.log10(10 ** (6 * 0.05 / t60_s) - 1)
    values = [c50_db(decaying(t60_s, seed), RATE) for seed in range(8)]
    assert np.mean(values) == pytest.approx(expected, abs=0.5)


def test_c50_does_not_depend_on_gain_delay_or_rate():
    h = decaying(0.4)
    value = c50_db(h, RATE)
    assert c50_db(100 * h, RATE) == pytest.approx(value)
    assert c50_db(np.concatenate([np.zeros(500), h]), RATE) == pytest.approx(value, abs=0.2)


def test_a_dry_response_has_the_largest_c50():
    assert c50_db(np.eye(1, 800)[0], RATE) == 40.0


def test_reflections_arrive_when_the_images_say():
    room, source, microphone = np.array([5.0, 4.0, 3.0]), np.array([1.0, 2.0, 1.5]), np.array([3.0, 2.0, 1.5])
    h = image_source_response(room, source, microphone, 0.3, np.random.default_rng(0))
    direct = 2.0
    floor = np.hypot(2.0, 3.0)  # the images below the floor and above the ceiling
    walls = np.hypot(2.0, 4.0)
    ends = 4.0, 6.0
    for distance in (floor, walls, *ends):
        at = (distance - direct) / SOUND_SPEED * RATE
        window = np.abs(h[max(0, int(at) - 6) : int(at) + 7])
        assert window.max() > 3 * np.median(np.abs(h[4:400]))
    assert np.argmax(np.abs(h)) == 0


@pytest.mark.parametrize("t60_s", [0.3, 0.6])
def test_energy_decays_about_as_fast_as_asked(t60_s):
    rng = np.random.default_rng(3)
    h = image_source_response(
        np.array([6.0, 5.0, 3.0]), np.array([2.0, 1.7, 1.2]), np.array([4.0, 3.1, 1.6]), t60_s, rng
    )
    left = 10 * np.log10(np.cumsum(h[::-1].astype(float) ** 2)[::-1] / np.sum(h.astype(float) ** 2))
    start, stop = np.argmax(left < -5), np.argmax(left < -20)
    measured = 60 / 15 * (stop - start) / RATE
    assert measured == pytest.approx(t60_s, rel=0.4)


def test_random_rooms_cover_dry_to_very_reverberant():
    rng = np.random.default_rng(0)
    values = [c50_db(random_response(rng), RATE) for _ in range(30)]
    assert min(values) < 6
    assert max(values) > 20


def test_reverberation_keeps_the_length():
    x = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    y = reverberate(x, decaying(0.3, seconds=0.3).astype(np.float32))
    assert y.shape == x.shape
    assert y.dtype == np.float32

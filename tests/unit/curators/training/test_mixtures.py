import numpy as np
import pytest

from auricle.curators.training import synthetic
from auricle.curators.training.mixtures import Sources, Utterance, alternate, make_mixture, utterance
from auricle.curators.training.rooms import random_response
from auricle.schemas.clip import Clip


def made_up(speaker, seed):
    """Noise bursts that are declared to be speech, over a floor 60 dB down."""
    rng = np.random.default_rng(seed)
    active = np.repeat(rng.random(160) < 0.6, 512)
    x = (rng.normal(0, 0.1, active.size) * active).astype(np.float32)
    return Utterance(speaker, x, active[::512].astype(np.float32), np.full(64, 1e-8, dtype=np.float32), 60.0)


SOURCES = Sources([made_up("a", 0), made_up("b", 1)])


@pytest.mark.parametrize("seed", range(12))
def test_labels_are_there_exactly_where_speech_is_and_shapes_agree(seed):
    m = make_mixture(np.random.default_rng(seed), SOURCES, 2.0)
    assert m.waveform.shape == (32000,)
    assert m.speech_share.shape == (63, 64)
    assert m.present.shape == (63, 3)
    assert np.all((m.speech_share >= 0) & (m.speech_share <= 1))
    assert np.isfinite(m.snr_db) == bool(m.present[:, 0].any())


def test_the_same_seed_gives_the_same_mixture():
    a, b = (make_mixture(np.random.default_rng(3), SOURCES, 2.0) for _ in range(2))
    assert np.array_equal(a.waveform, b.waveform)
    assert a.kind == b.kind


def test_the_snr_label_agrees_with_the_speech_share_that_it_comes_with():
    from auricle.curators.signal.bands import band_powers

    for seed in range(12):
        m = make_mixture(np.random.default_rng(seed), SOURCES, 3.0)
        if not np.isfinite(m.snr_db) or not 0 <= m.snr_db <= 25:
            continue
        power, share = band_powers(m.waveform), m.speech_share.astype(np.float32)
        ratio = 10 * np.log10((power * share).sum() / (power * (1 - share)).sum())
        # the label counts active speech only: it lies above the whole clip's ratio, by 3 dB at the most here
        assert -1.0 < m.snr_db - ratio < 4.0


def test_rooms_lower_c50_below_that_of_dry_speech():
    rng = np.random.default_rng(0)
    wet = Sources(SOURCES.utterances, responses=[random_response(rng) for _ in range(3)])
    values = [make_mixture(np.random.default_rng(s), wet, 2.0).c50_db for s in range(12)]
    assert np.nanmin(values) < 35
    assert np.nanmax(values) == 40.0


def test_alternate_halves_are_disjoint_and_complete():
    names = [f"s{i}" for i in range(9)]
    ours, theirs = alternate(names, False), alternate(names, True)
    assert not set(ours) & set(theirs)
    assert sorted(ours + theirs) == sorted(names)


def test_noise_alone_is_no_utterance():
    assert utterance(synthetic.white(np.random.default_rng(0), 48000), 16000, "nobody") is None
    assert isinstance(Clip("", SOURCES.utterances[0].waveform, 16000), Clip)


def test_a_recording_that_is_silent_half_of_the_time_still_gives_noise():
    recording = np.zeros(40 * 16000, dtype=np.float32)
    recording[: 20 * 16000] = np.random.default_rng(0).normal(0, 0.1, 20 * 16000)
    sources = Sources([made_up("a", 1)], noises=[recording], noise_families=(), music_families=())
    rng = np.random.default_rng(3)
    heard = [m for m in (make_mixture(rng, sources, 2.0) for _ in range(20)) if "babble" not in m.kind]
    # without noise only the recording's own floor is left, 60 dB down
    assert all(m.snr_db < 50 for m in heard if np.isfinite(m.snr_db))
    assert len(heard) > 5


def test_kinds_without_a_source_are_left_out():
    sources = Sources([made_up("a", 1)], noise_families=(synthetic.white,), music_families=())
    rng = np.random.default_rng(4)
    kinds = {k for _ in range(20) for k in make_mixture(rng, sources, 2.0).kind.removesuffix(" tight").split("+")}
    assert kinds == {"white", "babble"}

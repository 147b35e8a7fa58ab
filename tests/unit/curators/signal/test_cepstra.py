import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.signal.cepstra import cepstra, mel_filters, with_differences
from auricle.curators.words.acoustic_model import acoustic_model
from auricle.curators.words.aligner import plain_senones, with_room_tone
from auricle.curators.words.senones import senone_nats


def chirp(seconds=1.5):
    t = np.arange(int(seconds * 16000)) / 16000
    rng = np.random.default_rng(0)
    x = 0.3 * np.sin(2 * np.pi * (200 * t + 900 * t**2)) * (1 + np.sin(2 * np.pi * 3 * t)) + 0.01 * rng.normal(
        size=len(t)
    )
    return np.round(x * 16384) / 32768


def test_cepstra_equal_those_that_pocketsphinx_logs(tmp_path):
    from pocketsphinx import Decoder

    x = chirp()
    decoder = Decoder(lm=None, loglevel="FATAL", mfclogdir=str(tmp_path))
    decoder.set_align_text("hello")
    decoder.start_utt()
    decoder.process_raw((x * 32768).astype("<i2").tobytes(), full_utt=True)
    with contextlib.suppress(RuntimeError):
        decoder.end_utt()
    (log,) = tmp_path.iterdir()
    theirs = np.frombuffer(log.read_bytes(), ">f4", offset=4).reshape(-1, 13)
    assert np.abs(cepstra(x.astype(np.float32)) - theirs).max() < 1e-3


def test_differences_are_over_four_frames_and_their_own_over_two():
    c = np.random.default_rng(0).normal(size=(20, 13))
    plain, first, second = with_differences(c)
    assert np.allclose(plain, c - c.mean(0), atol=1e-6)
    assert np.allclose(first[5], c[7] - c[3], atol=1e-5)
    assert np.allclose(second[5], (c[8] - c[4]) - (c[6] - c[2]), atol=1e-5)


def test_filters_have_unit_area():
    assert np.allclose(mel_filters().sum(0) * 16000 / 512, 1, atol=0.1)


def test_senone_scores_are_the_log_of_the_mixtures():
    from scipy.special import logsumexp

    model = acoustic_model()
    features = with_differences(cepstra(chirp(0.3).astype(np.float32)))
    senones = np.array([0, 100, 2500, 5125])
    nats, best = senone_nats(model, features, senones)
    for column, senone in enumerate(senones):
        book = model.codebook[senone]
        own = int(np.searchsorted(model.members[book], senone))
        expected = 0.0
        for s in range(3):
            x = features[s].astype(np.float64)
            everywhere = np.c_[x, x**2, np.ones(len(x)), np.zeros(len(x))] @ model.gaussians[:, s]
            stream = logsumexp(everywhere[book], b=model.weights[book][s][:, own], axis=1)
            expected = expected + np.maximum(stream, everywhere.max(axis=(0, 2)) + np.log(1e-12))
        assert np.allclose(nats[:, column], expected, atol=0.01)
        assert np.all(nats[:, column] <= best + 1e-3)


def test_a_part_of_the_senones_scores_as_in_the_whole():
    model = acoustic_model()
    sounds = np.concatenate([chirp(0.2), np.random.default_rng(3).normal(0, 0.1, 3200) * np.hanning(3200)])
    features = with_differences(cepstra(sounds.astype(np.float32)))
    everything, best = senone_nats(model, features, np.arange(len(model.codebook)))
    wanted = np.array([7, 300, 301, 4000])
    some, among = senone_nats(model, features, wanted, plain_senones())
    assert np.allclose(some, everything[:, wanted], atol=1e-3)
    assert np.allclose(best, everything.max(1), atol=1e-3)
    assert np.allclose(senone_nats(model, features, wanted)[1], best, atol=1e-3)
    assert np.allclose(among, everything[:, np.union1d(wanted, plain_senones())].max(1), atol=1e-3)


def test_room_tone_is_25_db_below_the_loud_part():
    x = chirp().astype(np.float32)
    added = with_room_tone(x) - x
    loud = np.sqrt(np.percentile((x[:24000].reshape(-1, 320) ** 2).mean(1), 90))
    assert 20 * np.log10(loud / added.std()) == pytest.approx(25, abs=0.5)


@given(st.integers(410, 5000), st.sampled_from([0.0, 1e-8, 1.0]), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_cepstra_of_any_signal_are_finite(samples, gain, seed):
    x = (gain * np.random.default_rng(seed).normal(size=samples)).astype(np.float32)
    found = cepstra(x)
    assert found.shape == (max(1, 1 + -(-(samples - 410) // 160)), 13)
    assert np.isfinite(found).all()

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.signal.bands import NUM_BANDS
from auricle.curators.signal.learned import (
    NUM_CHANNELS,
    WEIGHTS,
    card,
    estimate,
    features,
    first_guess,
    forward,
    load_weights,
)
from auricle.curators.signal.vad import NUM_FEATURES
from auricle.curators.training.acoustic_training import AcousticNet
from auricle.schemas.errors import WeightsError


def random_net(seed=0):
    torch.manual_seed(seed)
    net = AcousticNet(8, (1, 3), 0.0).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for layer in net.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2)
    return net


def test_numpy_computes_what_torch_computes():
    net = random_net()
    x = np.random.default_rng(0).normal(size=(70, NUM_BANDS, NUM_CHANNELS)).astype(np.float32)
    x[..., 1] = np.clip(x[..., 1], -1.5, 3)
    heard = np.random.default_rng(1).random((70, NUM_FEATURES)).astype(np.float16)
    with torch.no_grad():
        theirs = net(torch.from_numpy(x)[None], torch.from_numpy(heard).float()[None])
    for ours, other in zip(forward(net.arrays(), x, heard), theirs, strict=True):
        assert np.abs(ours - other[0].numpy()).max() < 1e-3


def heard_in(frames):
    return np.random.default_rng(frames).uniform(-1, 2, (frames, NUM_FEATURES)).astype(np.float16)


def test_features_do_not_depend_on_gain():
    bands = np.random.default_rng(0).gamma(1, 1, (50, NUM_BANDS)).astype(np.float32)
    speech = np.linspace(0, 1, 50).astype(np.float32)
    assert np.abs(features(bands, speech) - features(1e-6 * bands, speech)).max() < 1e-4
    assert features(bands, speech).shape == (50, NUM_BANDS, NUM_CHANNELS)


def test_the_first_guess_of_steady_noise_is_right_with_and_without_pauses():
    bands = np.random.default_rng(1).gamma(8, 1 / 8, (400, NUM_BANDS))
    for pause in (np.ones(400, dtype=bool), np.zeros(400, dtype=bool)):
        assert first_guess(bands, pause).mean() == pytest.approx(1, abs=0.3)


def test_the_shipped_weights_are_those_of_their_card_and_small():
    assert card()["weights_sha256"] == hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    assert WEIGHTS.stat().st_size <= 2_000_000
    assert card()["data"]["snapshot_sha256"]
    assert card()["held_out_report"]["mixtures"] > 50


def test_a_file_that_is_no_network_is_refused(tmp_path):
    path = tmp_path / "net.safetensors"
    path.write_bytes(b"no")
    with pytest.raises(WeightsError, match=r"net\.safetensors"):
        load_weights(path)


def test_windows_of_a_long_clip_are_bounded_and_add_up(monkeypatch):
    monkeypatch.setattr("auricle.curators.signal.learned.WINDOW_FRAMES", 50)
    x = np.random.default_rng(0).normal(0, 0.1, 60000).astype(np.float32)
    heard = estimate(load_weights(), x, np.full(118, 0.9, dtype=np.float32), heard_in(118))
    assert heard.present.shape == (118, 3)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9000), st.floats(-9, 9), st.floats(0, 1))
def test_any_signal_has_finite_outputs(n, exponent, probability):
    x = np.random.default_rng(n).normal(0, 10**exponent, n).astype(np.float32)
    frames = -(-n // 512)
    heard = estimate(load_weights(), x, np.full(frames, probability, dtype=np.float32), heard_in(frames))
    assert heard.snr_db is None or np.isfinite(heard.snr_db)
    assert np.isfinite([heard.c50_db, heard.estoi]).all()
    assert np.isfinite(heard.present).all()


def test_a_curator_listens_with_the_weights_that_it_is_given(tmp_path):
    from safetensors.numpy import save_file

    from auricle.curators.registry import build
    from auricle.schemas.clip import Clip

    own = {name: value * np.float32(0.5 if name.endswith("weight") else 1) for name, value in load_weights().items()}
    save_file(own, str(tmp_path / "own.safetensors"))
    options = {"weights": str(tmp_path / "own.safetensors")}
    names = ("content", "quality", "reverb", "snr")
    x = np.random.default_rng(2).normal(0, 0.1, 48000).astype(np.float32)
    clip = Clip("", x, 16000)
    clip.memo["speech_probabilities"] = np.full(94, 0.95, dtype=np.float32)
    clip.memo["speech_features"] = heard_in(94)
    for packaged, other in zip(build(names), build(names, dict.fromkeys(names, options)), strict=True):
        assert packaged.fingerprint != other.fingerprint
        assert packaged.score([clip]) != other.score([clip])
    with pytest.raises(WeightsError, match="no such file"):
        _ = build(["snr"], {"snr": {"weights": str(tmp_path / "absent.safetensors")}})[0].fingerprint

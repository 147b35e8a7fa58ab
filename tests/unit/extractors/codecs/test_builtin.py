"""The built-in codec: views, exactness, declaration without torch, reading of weights and cards."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from auricle.extractors.codecs import builtin
from auricle.extractors.codecs.builtin_model import BuiltinCodec, BuiltinConfig, mdct_basis
from auricle.extractors.coding import registry
from auricle.extractors.coding.resample import resample
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.errors import ClipError, ConfigError, WeightsError
from auricle.schemas.time import num_frames, resampled_length


def view(kind: str, **more: Any) -> RepresentationConfig:
    return RepresentationConfig(**{"codec": "builtin", "kind": kind, **more})


@pytest.fixture(scope="module")
def extractor() -> Any:
    (built,) = registry.build([view("codes"), view("latents"), view("quantized"), view("latents", rate_hz=12.5)])
    return built


def test_describing_the_builtin_codec_imports_no_torch():
    program = (
        "import sys\n"
        "from auricle.extractors.coding import registry\n"
        "from auricle.schemas.config import RepresentationConfig as R\n"
        "spec = registry.describe(R(codec='builtin', kind='codes'))\n"
        "assert spec.rows == 8 and spec.cardinality == 1024 and spec.frame_rate == 75\n"
        "assert 'torch' not in sys.modules, 'torch'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_seeded_declaration_is_the_models_default():
    config = BuiltinConfig()
    for key, value in builtin.SEEDED_CONFIG.items():
        assert config.to_card()[key] == (tuple(value) if isinstance(value, list) else value)
    assert config.bitrate_bps <= 6000
    assert config.frame_rate <= 75


def test_the_transform_reconstructs_what_it_analyses(noise):
    codec = BuiltinCodec(BuiltinConfig())
    audio = torch.from_numpy(noise(3200))[None]
    with torch.no_grad():
        spectrum = codec.analysis(audio)
        back = codec.overlap_add(spectrum)
        reference = codec.synthesis(spectrum)
    assert spectrum.shape == (1, 80, 40)
    # the outermost half hop has one window only
    assert float((back - audio)[..., 40:-40].abs().max()) < 1e-5
    assert float((back - reference).abs().max()) < 1e-6


def test_the_transform_rows_are_orthonormal_across_the_overlap():
    basis = mdct_basis(80)
    head, tail = basis[:, :80], basis[:, 80:]
    assert torch.allclose(head @ head.T + tail @ tail.T, torch.eye(80), atol=1e-5)
    assert torch.allclose(tail @ head.T, torch.zeros(80, 80), atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(num_samples=st.integers(1, 4000), sample_rate=st.sampled_from([8000, 16000, 22050, 24000, 48000]))
def test_every_view_has_one_frame_per_started_frame_of_audio(extractor, noise, num_samples, sample_rate):
    out = extractor.extract(noise(num_samples), sample_rate)
    frames = num_frames(resampled_length(num_samples, sample_rate, 24000), 320)
    assert out["builtin-codes-75hz"].shape == (8, frames)
    assert out["builtin-codes-75hz"].dtype == np.uint16
    assert out["builtin-codes-75hz"].max() < 1024
    assert out["builtin-latents-75hz"].shape == (48, frames)
    assert out["builtin-latents-12.5hz"].shape == (48, -(-frames // 6))


def test_views_are_those_of_the_bare_codec(extractor, noise):
    codec: Any = registry.load_codec(view("codes"))
    audio = torch.from_numpy(resample(noise(16001), 16000, 24000))[None]
    got = extractor.extract(noise(16001), 16000)
    codes = codec.encode(audio)
    assert np.array_equal(got["builtin-codes-75hz"], codes[0].numpy())
    assert np.array_equal(got["builtin-latents-75hz"], codec.encode_to_latent(audio)[0].numpy())
    assert np.array_equal(got["builtin-quantized-75hz"], codec.dequantize(codes)[0].numpy())
    assert codec.decode(codes).shape == (1, 1, 320 * codes.shape[-1])


def test_fewer_codebooks_are_the_head_of_more(extractor, noise):
    (few,) = registry.build([view("codes", num_codebooks=3)])
    audio = noise(24000)
    head = extractor.extract(audio, 24000)["builtin-codes-75hz"][:3]
    assert np.array_equal(few.extract(audio, 24000)["builtin-codes-75hz"], head)


def test_the_result_does_not_depend_on_threads_gradients_or_earlier_clips(extractor, noise):
    audio = noise(24000 * 2 + 77)
    before = extractor.extract(audio, 24000)
    extractor.extract(noise(7001, seed=3), 16000)
    torch.set_num_threads(2)
    with torch.enable_grad():
        after = extractor.extract(audio, 24000)
    for name in before:
        assert np.array_equal(before[name], after[name])


def test_a_long_recording_in_windows_equals_one_pass(extractor, noise):
    audio = noise(24000 * 63)
    codec: Any = registry.load_codec(view("latents"))
    whole = codec.encode_to_latent(torch.from_numpy(audio)[None])[0].numpy()
    got = extractor.extract(audio, 24000)["builtin-latents-75hz"]
    np.testing.assert_allclose(got, whole, atol=2e-5 * np.abs(whole).max())


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (np.zeros((1, 0), np.float32), "no_samples"),
        (np.full((1, 500), np.nan, np.float32), "not_finite"),
        (np.zeros((3, 500), np.float32), "extraction"),
    ],
)
def test_audio_that_cannot_be_encoded_is_a_clip_error_with_its_reason(extractor, audio, reason):
    with pytest.raises(ClipError) as refused:
        extractor.extract(audio, 24000)
    assert refused.value.reason == reason


@pytest.mark.parametrize("level", [0.0, 1e-9, 1.0, 50.0])
def test_silence_and_overload_give_finite_audio(extractor, noise, level):
    codec: Any = registry.load_codec(view("codes"))
    codes = extractor.extract(level * noise(5000), 24000)["builtin-codes-75hz"]
    decoded = codec.decode(torch.from_numpy(codes.astype(np.int64))[None])
    assert torch.isfinite(decoded).all()


def test_seeded_weights_are_marked_untrained_and_spread_over_the_codebooks(noise):
    spec = registry.describe(view("codes", weights="seed:0"))
    assert not spec.trained
    assert spec.fingerprint != registry.describe(view("codes", weights="seed:1")).fingerprint
    (built,) = registry.build([view("codes", weights="seed:0")])
    codes = built.extract(noise(24000), 24000)["builtin-codes-75hz"]
    assert all(len(np.unique(row)) > 10 for row in codes)


def test_a_view_it_does_not_have_is_refused():
    with pytest.raises(ConfigError, match="melody"):
        registry.describe(view("melody"))
    with pytest.raises(ConfigError, match="1 to 8"):
        registry.describe(view("codes", num_codebooks=9))


def write_weights(folder, config: BuiltinConfig) -> str:
    torch.manual_seed(1)
    codec = BuiltinCodec(config)
    state = {k: v.half().contiguous() for k, v in codec.state_dict().items() if not k.endswith(builtin.NOT_SHIPPED)}
    save_file(state, folder / "own.safetensors")
    (folder / "own.json").write_text(json.dumps({"config": config.to_card(), "trained": True}))
    return str(folder / "own.safetensors")


@pytest.mark.parametrize("quantizer", ["rvq", "fsq"])
def test_other_trained_weights_bring_their_own_architecture(tmp_path, noise, quantizer):
    config = BuiltinConfig(
        quantizer=quantizer, bands=40, ratios=(4, 2), dimension=16, num_codebooks=3, cardinality=64, fsq_levels=(4, 4)
    )
    path = write_weights(tmp_path, config)
    spec = registry.describe(view("codes", weights=path))
    assert (spec.rows, spec.cardinality, spec.trained) == (3, 64 if quantizer == "rvq" else 16, True)
    (built,) = registry.build([view("codes", weights=path), view("latents", weights=path)])
    out = built.extract(noise(1000), 24000)
    assert out["builtin-codes-75hz"].shape == (3, 4)
    assert out["builtin-latents-75hz"].shape == (16, 4)


def test_weights_without_card_or_with_another_card_are_refused(tmp_path):
    path = write_weights(tmp_path, BuiltinConfig())
    (tmp_path / "own.json").write_text(json.dumps({"config": BuiltinConfig(dimension=16).to_card()}))
    with pytest.raises(WeightsError, match="do not fit their card"):
        registry.load_codec(view("codes", weights=path))
    state = load_file(path)
    state.pop("analysis.conv.conv.weight")
    save_file(state, path)
    (tmp_path / "own.json").write_text(json.dumps({"config": BuiltinConfig().to_card()}))
    with pytest.raises(WeightsError, match=r"analysis\.conv"):
        registry.build([view("codes", weights=path)])
    (tmp_path / "own.json").unlink()
    with pytest.raises(WeightsError, match=r"own\.json"):
        registry.describe(view("codes", weights=path))


def test_a_pin_that_is_not_the_packaged_hash_is_refused():
    if not builtin.WEIGHTS.is_file():
        pytest.skip("this checkout has no packaged weights")
    with pytest.raises(WeightsError, match="pinned are"):
        registry.describe(view("codes", weights_sha256="0" * 64))


def test_the_packaged_weights_fit_the_limits_their_card_states():
    if not builtin.WEIGHTS.is_file():
        pytest.skip("this checkout has no packaged weights")
    card = json.loads(builtin.WEIGHTS.with_suffix(".json").read_text())
    spec = registry.describe(view("codes"))
    assert spec.trained
    assert spec.details["weights_sha256"] == card["weights_sha256"]
    assert builtin.WEIGHTS.stat().st_size <= 2_000_000
    assert card["bitrate_bps"] <= 6000
    assert card["frame_rate_hz"] <= 75
    assert card["held_out"]["stoi"] >= 0.75
    assert min(card["held_out"]["codebook_used"]) >= 0.6

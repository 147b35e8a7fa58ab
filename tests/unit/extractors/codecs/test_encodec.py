"""EnCodec 24 kHz against the encodec package's own model, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from auricle.extractors.coding import registry
from auricle.extractors.coding.resample import resample
from auricle.schemas.config import RepresentationConfig

BANDWIDTHS = {1.5: 2, 3.0: 4, 6.0: 8, 12.0: 16, 24.0: 32}
LENGTHS = [1, 2, 6, 7, 319, 320, 321, 1000, 24007]


def view(kind: str, **more: Any) -> RepresentationConfig:
    return RepresentationConfig(codec="encodec24", kind=kind, weights="seed:0", **more)


@pytest.fixture(scope="module")
def extractor() -> Any:
    (built,) = registry.build(
        [view("codes", num_codebooks=32), view("latents"), view("quantized", num_codebooks=8)],
    )
    return built


def upstream_views(model: Any, audio: np.ndarray, bandwidth: float) -> tuple[torch.Tensor, ...]:
    """Codes, latents and quantised latents as a user of encodec would write them."""
    model.set_target_bandwidth(bandwidth)
    with torch.inference_mode():
        waveform = torch.from_numpy(audio)[None]
        ((codes, _),) = model.encode(waveform)
        return codes[0], model.encoder(waveform)[0], model.quantizer.decode(codes.transpose(0, 1))[0]


@pytest.mark.parametrize("num_samples", LENGTHS)
def test_views_equal_upstream_at_lengths_around_the_frame(extractor, upstream_encodec24, noise, num_samples):
    audio = noise(num_samples)
    got = {name: torch.from_numpy(a) for name, a in extractor.extract(audio, 24000).items()}
    for bandwidth, codebooks in BANDWIDTHS.items():
        codes, latents, quantized = upstream_views(upstream_encodec24, audio, bandwidth)
        assert torch.equal(got["encodec24-codes-75hz"][:codebooks].long(), codes)
        if codebooks == 8:
            assert torch.equal(got["encodec24-quantized-75hz"], quantized)
    assert torch.equal(got["encodec24-latents-75hz"], latents)
    assert latents.shape == (128, -(-num_samples // 320))


@pytest.mark.parametrize("sample_rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_other_rates_and_stereo_equal_upstream_after_the_named_resampler(
    extractor, upstream_encodec24, noise, sample_rate, channels
):
    audio = noise(sample_rate // 3 + 5, channels)
    got = extractor.extract(audio, sample_rate)
    mono = resample(audio, sample_rate, 24000).mean(0, keepdims=True, dtype=np.float32)
    codes, latents, _ = upstream_views(upstream_encodec24, mono, 24.0)
    assert torch.equal(torch.from_numpy(got["encodec24-codes-75hz"]).long(), codes)
    assert torch.equal(torch.from_numpy(got["encodec24-latents-75hz"]), latents)


def test_thirty_seconds_equal_upstream(extractor, upstream_encodec24, noise):
    audio = noise(30 * 24000 + 11)
    (spec,) = [spec for spec in extractor.specs if spec.kind == "codes"]
    lean = type(extractor)([spec], extractor.codec)
    upstream_encodec24.set_target_bandwidth(24.0)
    with torch.inference_mode():
        ((codes, _),) = upstream_encodec24.encode(torch.from_numpy(audio)[None])
    assert np.array_equal(lean.extract(audio, 24000)[spec.name], codes[0].numpy())


@pytest.mark.parametrize("pool", ["mean", "max", "first", "last"])
def test_pooled_views_pool_the_full_rate_and_shorten_only_the_last_group(extractor, noise, pool):
    configs = [view("latents", options={}), view("latents", rate_hz=25, options={"pool": pool})]
    configs += [view("latents", rate_hz=12.5, options={"pool": pool})]
    pooling = type(extractor)(registry.describe_all(configs), extractor.codec)
    got = pooling.extract(noise(320 * 20 - 5), 24000)
    full = got["encodec24-latents-75hz"]
    assert full.shape[1] == 20
    reduce = {"mean": np.mean, "max": np.max}
    for factor, name in ((3, "encodec24-latents-25hz"), (6, "encodec24-latents-12.5hz")):
        groups = [full[:, i : i + factor] for i in range(0, 20, factor)]
        if pool in reduce:
            wanted = np.stack([reduce[pool](g, axis=1) for g in groups], 1)
        else:
            wanted = np.stack([g[:, 0 if pool == "first" else -1] for g in groups], 1)
        np.testing.assert_allclose(got[name], wanted, rtol=1e-6, atol=1e-8)
        assert got[name].shape[1] == -(-(320 * 20 - 5) // (320 * factor))


def test_the_result_does_not_depend_on_threads_gradients_or_earlier_clips(extractor, noise):
    audio = noise(24000 * 2 + 77)
    before = extractor.extract(audio, 24000)
    extractor.extract(noise(7001, seed=3), 16000)
    torch.set_num_threads(2)
    with torch.enable_grad():
        after = extractor.extract(audio, 24000)
    for name in before:
        assert np.array_equal(before[name], after[name])


def test_decoding_equals_upstream(extractor, upstream_encodec24, noise):
    codec = registry.load_codec(view("codes"))
    codes = torch.from_numpy(extractor.extract(noise(6000), 24000)["encodec24-codes-75hz"][:8].astype(np.int64))[None]
    with torch.inference_mode():
        wanted = upstream_encodec24.decode([(codes, None)])
    assert torch.equal(codec.decode(codes), wanted)

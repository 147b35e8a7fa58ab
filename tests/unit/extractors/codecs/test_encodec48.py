"""EnCodec 48 kHz against the encodec package's own model: its segments, its scales, its bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from auricle.extractors.codecs.encodec48 import segment_frames
from auricle.extractors.coding import registry
from auricle.extractors.coding.resample import resample
from auricle.extractors.coding.views import expected_frames
from auricle.schemas.config import RepresentationConfig

LENGTHS = [1, 319, 321, 47520, 47521, 47680, 47681, 48000, 48001, 100992]


def view(kind: str, **more: Any) -> RepresentationConfig:
    return RepresentationConfig(codec="encodec48", kind=kind, weights="seed:0", **more)


@pytest.fixture(scope="module")
def extractor() -> Any:
    (built,) = registry.build([view("codes", num_codebooks=16), view("latents"), view("quantized"), view("scales")])
    return built


def upstream_frames(model: Any, audio: np.ndarray) -> list[tuple[torch.Tensor, torch.Tensor]]:
    model.set_target_bandwidth(24.0)
    with torch.inference_mode():
        return model.encode(torch.from_numpy(audio)[None])


@pytest.mark.parametrize("num_samples", LENGTHS)
def test_codes_and_scales_equal_upstream_segment_by_segment(extractor, upstream_encodec48, noise, num_samples):
    audio = noise(num_samples, channels=2)
    got = extractor.extract(audio, 48000)
    frames = upstream_frames(upstream_encodec48, audio)
    codes = torch.from_numpy(got["encodec48-codes-150hz"].astype(np.int64))
    assert torch.equal(codes, torch.cat([c[0] for c, _ in frames], -1))
    assert torch.equal(torch.from_numpy(got["encodec48-scales-1.0101hz"][0]), torch.cat([s[0] for _, s in frames]))
    assert segment_frames(codes.shape[1]) == [c.shape[-1] for c, _ in frames]
    for spec in extractor.specs:
        assert got[spec.name].shape == (spec.rows, expected_frames(spec, num_samples))


def test_latents_equal_upstreams_encoder_on_each_scaled_segment(extractor, upstream_encodec48, noise):
    audio = noise(60000, channels=2)
    latents = torch.from_numpy(extractor.extract(audio, 48000)["encodec48-latents-150hz"])
    waveform = torch.from_numpy(audio)[None]
    with torch.inference_mode():
        segments = [waveform[..., :48000], waveform[..., 47520:]]
        scales = [1e-8 + s.mean(1, keepdim=True).pow(2).mean(2, keepdim=True).sqrt() for s in segments]
        wanted = torch.cat([upstream_encodec48.encoder(s / v)[0] for s, v in zip(segments, scales, strict=True)], -1)
    assert torch.equal(latents, wanted)


@pytest.mark.parametrize("sample_rate", [8000, 16000, 44100])
@pytest.mark.parametrize("channels", [1, 2])
def test_other_rates_equal_upstream_after_the_named_resampler_and_mono_is_doubled(
    extractor, upstream_encodec48, noise, sample_rate, channels
):
    audio = noise(sample_rate // 4, channels)
    got = extractor.extract(audio, sample_rate)["encodec48-codes-150hz"]
    stereo = np.repeat(resample(audio, sample_rate, 48000), 2 // channels, axis=0)
    ((codes, _),) = upstream_frames(upstream_encodec48, stereo)
    assert torch.equal(torch.from_numpy(got.astype(np.int64)), codes[0])


def test_thirty_seconds_equal_upstream(extractor, upstream_encodec48, noise):
    audio = noise(30 * 48000 + 7, channels=2)
    got = extractor.extract(audio, 48000)["encodec48-codes-150hz"]
    codes = torch.cat([part[0] for part, _ in upstream_frames(upstream_encodec48, audio)], -1)
    assert np.array_equal(got, codes.numpy())


def test_decoding_with_scales_equals_upstream(extractor, upstream_encodec48, noise):
    audio = noise(50000, channels=2)
    got = extractor.extract(audio, 48000)
    codec: Any = registry.load_codec(view("codes", num_codebooks=16))
    codes = torch.from_numpy(got["encodec48-codes-150hz"].astype(np.int64))[None]
    scales = torch.from_numpy(got["encodec48-scales-1.0101hz"])[None]
    with torch.inference_mode():
        wanted = upstream_encodec48.decode(upstream_frames(upstream_encodec48, audio))
    assert torch.equal(codec.decode(codes, scales), wanted)
    unit = codec.decode(codes)
    assert unit.shape == wanted.shape
    assert torch.isfinite(unit).all()


def test_the_interface_encodes_a_whole_waveform_like_the_extractor(extractor, noise):
    audio = noise(50000, channels=2)
    codec = registry.load_codec(view("codes", num_codebooks=16))
    with torch.inference_mode():
        codes = codec.encode(torch.from_numpy(audio)[None])[0]
    assert np.array_equal(codes.numpy(), extractor.extract(audio, 48000)["encodec48-codes-150hz"])

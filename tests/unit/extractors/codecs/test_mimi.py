"""Mimi's views against moshi's own model, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from auricle.extractors.coding import registry
from auricle.extractors.coding.resample import resample
from auricle.schemas.config import RepresentationConfig

LENGTHS = [1, 2, 479, 481, 1919, 1920, 1921, 24007]


def view(kind: str, **more: Any) -> RepresentationConfig:
    return RepresentationConfig(codec="mimi", kind=kind, weights="seed:0", **more)


@pytest.fixture(scope="module")
def extractor() -> Any:
    (built,) = registry.build(
        [
            view("codes", num_codebooks=32),
            view("latents"),
            view("latents", rate_hz=25),
            view("quantized", num_codebooks=16),
            view("seanet", rate_hz=25),
            view("seanet", rate_hz=200),
            view("latents-pseudo"),
        ]
    )
    return built


@pytest.fixture(scope="module")
def lean(extractor) -> Any:
    specs = registry.describe_all([view("codes", num_codebooks=8), view("latents")])
    return type(extractor)(specs, extractor.codec)


def codes_and_latents(model: Any, audio: np.ndarray, num_codebooks: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What a user of moshi would write."""
    model.set_num_codebooks(num_codebooks)
    with torch.inference_mode():
        waveform = torch.from_numpy(audio)[None]
        return model.encode(waveform)[0], model.encode_to_latent(waveform, quantize=False)[0]


@pytest.mark.parametrize("num_samples", LENGTHS)
def test_every_view_equals_upstream_at_lengths_around_the_frame(extractor, upstream_mimi, noise, num_samples):
    audio = noise(num_samples)
    got = {name: torch.from_numpy(a) for name, a in extractor.extract(audio, 24000).items()}
    codes, latents = codes_and_latents(upstream_mimi, audio, 32)
    assert torch.equal(got["mimi-codes-12.5hz"].long(), codes)
    assert torch.equal(got["mimi-latents-12.5hz"], latents)
    with torch.inference_mode():
        padded = torch.nn.functional.pad(torch.from_numpy(audio)[None], (0, -num_samples % 1920))
        seanet = upstream_mimi.encoder(padded)
        (at25,) = upstream_mimi.encoder_transformer(seanet)
        assert torch.equal(upstream_mimi.downsample(at25)[0], latents)
        first_layers = upstream_mimi.encoder.model[:11](padded)
        quantized = upstream_mimi.decode_latent(codes[None, :16])
    frames = -(-num_samples // 960)
    assert torch.equal(got["mimi-latents-25hz"], at25[0, :, :frames])
    assert torch.equal(got["mimi-seanet-25hz"], seanet[0, :, :frames])
    assert torch.equal(got["mimi-seanet-200hz"], first_layers[0, :, : -(-num_samples // 120)])
    assert torch.equal(got["mimi-quantized-12.5hz"], quantized[0])


@pytest.mark.parametrize("num_samples", [1, 1000, 24007])
def test_the_pseudo_view_interleaves_four_shifted_encodes(extractor, upstream_mimi, noise, num_samples):
    audio = noise(num_samples)
    got = torch.from_numpy(extractor.extract(audio, 24000)["mimi-latents-pseudo-50hz"])
    phases = []
    for shift in (0, 480, 960, 1440):
        shifted = np.zeros_like(audio)
        if shift < num_samples:
            shifted[:, : num_samples - shift] = audio[:, shift:]
        phases.append(codes_and_latents(upstream_mimi, shifted, 8)[1])
    assert torch.equal(got, torch.stack(phases, -1).flatten(-2)[:, : -(-num_samples // 480)])
    spec = next(s for s in extractor.specs if s.kind == "latents-pseudo")
    assert spec.details["pseudo"] is True


@pytest.mark.parametrize("sample_rate", [8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_other_rates_and_stereo_equal_upstream_after_the_named_resampler(
    lean, upstream_mimi, noise, sample_rate, channels
):
    audio = noise(sample_rate // 3 + 5, channels)
    got = lean.extract(audio, sample_rate)
    mono = resample(audio, sample_rate, 24000).mean(0, keepdims=True, dtype=np.float32)
    codes, latents = codes_and_latents(upstream_mimi, mono, 8)
    assert torch.equal(torch.from_numpy(got["mimi-codes-12.5hz"]).long(), codes)
    assert torch.equal(torch.from_numpy(got["mimi-latents-12.5hz"]), latents)


def test_thirty_seconds_equal_upstream(lean, upstream_mimi, noise):
    audio = noise(30 * 24000)
    upstream_mimi.set_num_codebooks(8)
    with torch.inference_mode():
        codes = upstream_mimi.encode(torch.from_numpy(audio)[None])[0]
    assert np.array_equal(lean.extract(audio, 24000)["mimi-codes-12.5hz"], codes.numpy())


def test_the_result_does_not_depend_on_threads_gradients_precision_or_earlier_clips(lean, noise):
    audio = noise(24000 * 2 + 77)
    before = lean.extract(audio, 24000)
    lean.extract(noise(7001, seed=3), 16000)
    torch.set_num_threads(2)
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.enable_grad(), torch.autocast("cpu", torch.bfloat16):
            after = lean.extract(audio, 24000)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_float32_matmul_precision("highest")
    for name in before:
        assert np.array_equal(before[name], after[name])


def test_frames_dtypes_and_rows_are_those_of_the_specification(extractor, noise):
    got = extractor.extract(noise(5000), 24000)
    for spec in extractor.specs:
        assert got[spec.name].shape == (spec.rows, -(-5000 // spec.frame_size))
        assert got[spec.name].dtype == spec.dtype
        assert not spec.trained
    assert got["mimi-codes-12.5hz"].max() < 2048


def test_decoding_equals_upstream(upstream_mimi, lean, noise):
    codec = registry.load_codec(view("codes"))
    codes = torch.from_numpy(lean.extract(noise(6000), 24000)["mimi-codes-12.5hz"].astype(np.int64))[None]
    with torch.inference_mode():
        wanted = upstream_mimi.decode(codes)
    assert torch.equal(codec.decode(codes), wanted)
    assert codec.sample_rate == 24000
    assert codec.frame_rate == 12.5
    assert codec.frame_size == 1920
    assert (codec.num_codebooks, codec.cardinality, codec.channels) == (8, 2048, 1)

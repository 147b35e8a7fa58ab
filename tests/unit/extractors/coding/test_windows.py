"""Long recordings: pieces tile, carry state without a seam, and crops name the frames that belong to an interval."""

from __future__ import annotations

import copy
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from moshi.models import loaders

from auricle.extractors.codecs import encodec_stream, mimi, mimi_stream
from auricle.extractors.coding import registry
from auricle.extractors.coding.extraction import CodecExtractor, reader_of
from auricle.extractors.coding.windows import Windows, spans
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.representation import frame_range


def view(codec: str, kind: str, **more: Any) -> RepresentationConfig:
    return RepresentationConfig(**{"codec": codec, "kind": kind, "weights": "seed:0", **more})


@given(st.integers(1, 5000), st.integers(1, 700))
def test_spans_tile_and_only_a_lone_one_is_short(total, size):
    cut = spans(total, size)
    assert [s for span in cut for s in span] == [0, *[e for _, e in cut[:-1] for _ in (0, 1)], total]
    assert all(start % size == 0 for start, _ in cut)
    assert len(cut) == 1 or all(size <= end - start < 2 * size for start, end in cut)


@given(
    total=st.integers(1, 10**6),
    whole=st.floats(0.01, 30),
    step=st.floats(0.01, 30),
    context=st.floats(0, 20),
    ahead=st.floats(0, 5),
)
def test_kept_spans_of_windows_tile_the_recording_and_lie_inside_what_is_read(total, whole, step, context, ahead):
    plan = Windows(whole, step, context, ahead, grid=320)
    windows = list(plan.over(total, 24000))
    assert windows[0].keep_start == 0
    assert windows[-1].keep_end == total
    for window, following in itertools.pairwise(windows):
        assert window.keep_end == following.keep_start
    for window in windows:
        assert 0 <= window.start <= window.keep_start < window.keep_end <= window.end <= total
        assert window.start % 320 == 0
        assert window.keep_start - window.start >= min(int(context * 24000), window.keep_start)


@pytest.fixture(scope="module")
def encodec24() -> Any:
    (built,) = registry.build([view("encodec24", "codes"), view("encodec24", "latents")])
    return built


@settings(max_examples=12, deadline=None)
@given(
    num_samples=st.integers(1, 30 * 24000 // 10),
    block=st.integers(50, 150),
    seed=st.integers(0, 9),
)
def test_encodec_in_blocks_equals_encodec_at_once(encodec24, noise, num_samples, block, seed):
    audio = torch.from_numpy(noise(num_samples, seed=seed))[None]
    model = encodec24.codec.model
    with torch.inference_mode():
        pieces = encodec_stream.encode(model, reader_of(audio), num_samples, block * 320)
        assert torch.equal(torch.cat([z for _, _, z in pieces], -1), model.encoder(audio))


@pytest.fixture(scope="module")
def attentive_mimi() -> Any:
    """Mimi with two transformer layers that count: as built, a layer adds a hundredth of itself and hides errors."""
    config = copy.deepcopy(loaders._mimi_config)
    config["seanet"]["n_filters"] = 4
    config["transformer"]["num_layers"] = 2
    model = mimi.seeded_model(3, config)
    with torch.no_grad():
        for name, parameter in model.encoder_transformer.named_parameters():
            if "layer_scale" in name:
                parameter.fill_(0.5)
    return model


@pytest.mark.parametrize("frames", [1024, 1026, 1536, 1882])
def test_mimis_transformer_in_pieces_equals_one_pass_beyond_the_context_of_its_attention(attentive_mimi, frames):
    hidden = 0.1 * torch.randn(1, 512, frames, generator=torch.Generator().manual_seed(frames))
    with torch.inference_mode():
        (at25,) = attentive_mimi.encoder_transformer(hidden)
        latents = attentive_mimi.downsample(at25)
        carried = mimi_stream.Carried(attentive_mimi)
        cut = [(2 * start, 2 * end) for start, end in spans(frames // 2, mimi_stream.KEYS // 2)]
        got = [carried.push(hidden[..., start:end]) for start, end in cut]
    assert len(cut) > 1
    assert torch.equal(torch.cat([t for t, _ in got], -1), at25)
    assert torch.equal(torch.cat([z for _, z in got], -1), latents)
    assert not attentive_mimi.encoder_transformer.is_streaming
    assert all(cache.kept[0].shape[2] <= 2 * 512 for cache in caches(carried))


def caches(carried: mimi_stream.Carried) -> list[Any]:
    assert carried.state
    return [state.kv_cache for state in carried.state.values() if hasattr(state, "kv_cache")]


@pytest.mark.parametrize("frames", [49, 50, 57, 74, 99])
def test_mimis_convolutions_in_blocks_equal_one_pass(upstream_mimi, noise, frames):
    audio = torch.from_numpy(noise(frames * 1920 - 13))[None]
    reader, total = reader_of(audio), frames * 1920
    with torch.inference_mode():
        got = mimi_stream.convolve(upstream_mimi, reader, 0, total, frozenset((10,)), mimi_stream.BLOCK)
        wanted = upstream_mimi.encoder(reader(0, total))
        tap = upstream_mimi.encoder.model[:11](reader(0, total))
    assert torch.equal(got["hidden"], wanted)
    assert torch.equal(got["seanet10"], tap)


def test_a_stream_of_blocks_reads_little_at_a_time_and_adds_up_to_the_extract(encodec24, noise):
    audio = noise(16000 * 9)
    reads = []

    def read(start: int, end: int) -> np.ndarray:
        reads.append(end - start)
        return audio[:, start:end]

    blocks = list(encodec24.stream(read, audio.shape[1], 16000))
    whole = encodec24.extract(audio, 16000)
    assert len(blocks) == 4
    for name, array in whole.items():
        assert np.array_equal(np.concatenate([b[name] for b in blocks], 1), array)
    assert max(reads) < 1.2 * 16000


def test_two_recordings_may_be_streamed_in_turns(encodec24, noise):
    first, second = noise(24000 * 5, seed=1), noise(24000 * 5, seed=2)
    streams = [encodec24.stream(lambda a, b, x=x: x[:, a:b], x.shape[1], 24000) for x in (first, second)]
    parts = list(zip(*streams, strict=True))
    for audio, blocks in zip((first, second), zip(*parts, strict=True), strict=True):
        name = "encodec24-codes-75hz"
        assert np.array_equal(np.concatenate([b[name] for b in blocks], 1), encodec24.extract(audio, 24000)[name])


def test_between_blocks_the_callers_own_settings_hold(encodec24, noise):
    audio = noise(24000 * 5)
    for _ in encodec24.stream(lambda a, b: audio[:, a:b], audio.shape[1], 24000):
        assert not torch.is_inference_mode_enabled()
        assert torch.is_grad_enabled()


class Smoothing:
    """A codec of one row: the mean over each frame and the frame before it."""

    sample_rate, frame_rate, frame_size = 24000, 75.0, 320
    channels, num_codebooks, cardinality = 1, 1, 2

    def encode_to_latent(self, waveform: torch.Tensor) -> torch.Tensor:
        length = waveform.shape[-1]
        padded = torch.nn.functional.pad(waveform, (320, -length % 320))
        return torch.nn.functional.avg_pool1d(padded, 640, 320)

    def encode(self, waveform: torch.Tensor) -> torch.Tensor:
        return (self.encode_to_latent(waveform) > 0).long()

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        return codes.float().repeat_interleave(320, -1)


def test_windows_of_a_codec_that_looks_back_less_than_their_overlap_have_no_seam(encodec24, noise):
    extractor = CodecExtractor(encodec24.specs[:1], Smoothing())
    object.__setattr__(extractor, "specs", (encodec24.specs[0].model_copy(update={"rows": 1}),))
    audio = noise(24000 * 3 + 5)
    name = extractor.specs[0].name
    whole = extractor.extract(audio, 24000)[name]
    extractor.windows = Windows(whole_s=0.1, step_s=0.5, context_s=320 / 24000, grid=320)
    assert np.array_equal(extractor.extract(audio, 24000)[name], whole)
    extractor.windows = Windows(whole_s=0.1, step_s=0.5, context_s=0.0, grid=320)
    assert not np.array_equal(extractor.extract(audio, 24000)[name], whole)


@settings(max_examples=60, deadline=None)
@given(
    codec=st.sampled_from([("mimi", {}), ("mimi", {"rate_hz": 25}), ("encodec24", {}), ("encodec48", {})]),
    rate=st.sampled_from([8000, 16000, 22050, 44100, 48000]),
    interval=st.tuples(st.integers(0, 400_000), st.integers(1, 200_000)),
)
def test_a_crop_names_the_frames_whose_samples_meet_it(codec, rate, interval):
    spec = registry.describe(view(codec[0], "latents", **codec[1]))
    start, end = interval[0], sum(interval)
    first, last = frame_range(spec, start, end, rate)
    if spec.codec == "encodec48":
        starts = [s * 47520 + f * 320 for s in range(60) for f in range(150)]
        meets = [i for i, s in enumerate(starts) if s * rate < end * 48000 and (s + 320) * rate > start * 48000]
        assert first <= meets[0] + 150
        assert last >= meets[-1] - 150
        assert last > first
        return
    frame = spec.frame_size * rate
    assert first * frame <= start * spec.sample_rate < (first + 1) * frame
    assert (last - 1) * frame < end * spec.sample_rate <= last * frame


def test_crops_of_a_long_clip_are_the_frames_of_the_long_clip(encodec24, noise):
    audio = noise(16000 * 4)
    name = "encodec24-latents-75hz"
    whole = encodec24.extract(audio, 16000)[name]
    first, last = frame_range(encodec24.specs[1], 16000, 32000, 16000)
    assert (first, last) == (75, 150)
    tail = frame_range(encodec24.specs[1], 48000, 64000, 16000)
    assert tail == (225, whole.shape[1])

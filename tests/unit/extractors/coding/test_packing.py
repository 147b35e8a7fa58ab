"""Packing by duration, halving on out-of-memory, and the share of codes that batching may change."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from auricle.extractors.coding import registry
from auricle.extractors.coding.packing import Packer, ahead, extract_many, pack
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.errors import ClipError


def view(codec: str, kind: str, **more: Any) -> RepresentationConfig:
    return RepresentationConfig(**{"codec": codec, "kind": kind, "weights": "seed:0", "mode": "batched", **more})


@given(st.lists(st.integers(1, 500), max_size=60), st.integers(1, 2000), st.booleans())
def test_every_clip_is_in_one_batch_and_batches_fit_the_budget(lengths, budget, pads):
    batches = pack(lengths, budget, pads)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[i] for i in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget
        assert pads or len({lengths[i] for i in batch}) == 1


@given(st.lists(st.integers(1, 100), min_size=1, max_size=40), st.integers(1, 3000), st.integers(1, 600))
def test_running_out_of_memory_halves_the_budget_and_loses_no_clip(lengths, budget, capacity):
    attempts = []

    def encode(batch: list[int]) -> list[str]:
        padded = len(batch) * max(lengths[i] for i in batch)
        attempts.append(padded)
        if padded > capacity:
            raise torch.cuda.OutOfMemoryError("no memory left")
        return [f"clip {i}" for i in batch]

    packer = Packer(budget)
    results = packer.run(lengths, encode, lambda i: f"clip {i}")
    assert results == [f"clip {i}" for i in range(len(lengths))]
    refused = [a for a in attempts if a > capacity and a > max(lengths)]
    assert len(refused) <= 2 + np.log2(max(budget, max(lengths)) / capacity + 1) + len(
        [n for n in lengths if n > capacity]
    )
    if packer.halved and max(lengths) <= capacity:
        before = packer.halved
        packer.run(lengths, encode, lambda i: f"clip {i}")
        assert packer.halved - before <= 1


def test_other_errors_of_the_encoder_are_not_swallowed():
    def encode(batch: list[int]) -> list[str]:
        raise RuntimeError("device-side assert")

    with pytest.raises(RuntimeError, match="device-side"):
        Packer(10).run([1, 2], encode, lambda i: "")


@pytest.fixture(scope="module")
def clips() -> list[tuple[np.ndarray, int]]:
    rng = np.random.default_rng(0)
    shapes = [(1, 9000, 16000), (2, 11000, 24000), (1, 1, 8000), (1, 14000, 44100), (1, 12345, 24000)]
    return [((rng.standard_normal((c, n)) * 0.1).astype(np.float32), rate) for c, n, rate in shapes]


def in_mode(exact: Any, mode: str) -> Any:
    """The same loaded codec under the specifications of another mode."""
    codec = exact.specs[0].codec
    specs = [registry.describe(view(codec, spec.kind, mode=mode)) for spec in exact.specs]
    return type(exact)(specs, exact.codec)


@pytest.fixture(scope="module")
def encodec24() -> Any:
    (built,) = registry.build([view("encodec24", kind, mode="exact") for kind in ("codes", "latents")])
    return built


@pytest.mark.parametrize("codec", ["mimi", "encodec24", "encodec48"])
def test_batched_arrays_have_the_shapes_of_the_exact_ones_and_almost_their_values(codec, clips):
    (exact,) = registry.build([view(codec, kind, mode="exact") for kind in ("codes", "latents")])
    got: dict[int, Any] = dict(extract_many(in_mode(exact, "batched"), clips))
    assert list(got) == list(range(len(clips)))
    for index, (waveform, rate) in enumerate(clips):
        wanted = exact.extract(waveform, rate)
        for spec in exact.specs:
            array = got[index][spec.name]
            assert array.shape == wanted[spec.name].shape
            if not spec.is_codes:
                # EnCodec pads its last frame from the clip itself, which a batch replaces by silence
                np.testing.assert_allclose(array[:, :-1], wanted[spec.name][:, :-1], atol=1e-5)


def test_a_bad_clip_fails_alone_in_every_mode(encodec24, clips):
    bad = [(np.full((1, 500), np.nan, np.float32), 24000), (np.zeros((1, 0), np.float32), 24000)]
    bad += [(np.zeros((3, 100), np.float32), 24000)]
    mixed = [clips[0], bad[0], clips[1], bad[1], bad[2], clips[3]]
    for extractor in (encodec24, in_mode(encodec24, "batched")):
        results = dict(extract_many(extractor, mixed))
        reasons = [r.reason if isinstance(r, ClipError) else None for r in results.values()]
        assert reasons == [None, "not_finite", None, "no_samples", "extraction", None]


def test_an_accelerator_without_memory_still_yields_every_clip(encodec24, clips, monkeypatch):
    extractor = in_mode(encodec24, "batched")
    calm: dict[int, Any] = dict(extract_many(extractor, clips))
    whole = type(extractor).encode_batch

    def tight(self: Any, units: Any) -> Any:
        if len(units) * max(u.shape[-1] for u in units) > 13000:
            raise torch.cuda.OutOfMemoryError("no memory left")
        return whole(self, units)

    monkeypatch.setattr(type(extractor), "encode_batch", tight)
    packer = Packer(60000)
    results: dict[int, Any] = dict(extract_many(extractor, clips, packer))
    assert packer.halved > 0
    for index in calm:
        for name in calm[index]:
            assert results[index][name].shape == calm[index][name].shape


def test_half_precision_runs_and_is_another_fingerprint(clips):
    (half,) = registry.build([view("encodec24", "latents", mode="bf16")])
    (exact,) = registry.build([view("encodec24", "latents", mode="exact")])
    assert half.specs[0].fingerprint != exact.specs[0].fingerprint
    waveform, rate = clips[4]
    results: dict[int, Any] = dict(extract_many(half, [(waveform, rate)]))
    got = results[0]["encodec24-latents-75hz"]
    wanted = exact.extract(waveform, rate)["encodec24-latents-75hz"]
    assert got.dtype == np.float32
    assert 0 < np.abs(got - wanted).max() < 0.1 * np.abs(wanted).max()


def test_reading_ahead_keeps_order_and_raises_what_the_reader_raised():
    assert list(ahead(range(200), depth=3)) == list(range(200))

    def broken() -> Any:
        yield 1
        raise OSError("disk gone")

    with pytest.raises(OSError, match="disk gone"):
        list(ahead(broken()))
    endless = ahead(iter(int, 1), depth=2)
    next(endless)
    began = time.monotonic()
    endless.close()
    assert time.monotonic() - began < 5

"""Describing representations: names, refusals, fingerprints; grouping them; without torch until one is built."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any

import pytest

from auricle.extractors.codecs import encodec, encodec48
from auricle.extractors.coding import registry
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.errors import ConfigError, WeightsError


def view(codec: str, kind: str, **more: Any) -> RepresentationConfig:
    return RepresentationConfig(**{"codec": codec, "kind": kind, "weights": "seed:0", **more})


def test_describing_neural_codecs_imports_no_torch():
    program = (
        "import sys\n"
        "from auricle.extractors.coding import registry\n"
        "from auricle.schemas.config import RepresentationConfig as R\n"
        "for codec in ('mimi', 'encodec24', 'encodec48'):\n"
        "    registry.describe(R(codec=codec, kind='codes', weights='seed:0'))\n"
        "assert 'torch' not in sys.modules, 'torch'\n"
        "assert 'ray' not in sys.modules, 'ray'\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("config", "name", "rows", "frame_size", "dtype"),
    [
        (view("mimi", "codes"), "mimi-codes-12.5hz", 8, 1920, "uint16"),
        (view("mimi", "codes", num_codebooks=32), "mimi-codes-12.5hz", 32, 1920, "uint16"),
        (view("mimi", "latents"), "mimi-latents-12.5hz", 512, 1920, "float32"),
        (view("mimi", "latents", rate_hz=25, dtype="float16"), "mimi-latents-25hz", 512, 960, "float16"),
        (view("mimi", "seanet"), "mimi-seanet-25hz", 512, 960, "float32"),
        (view("mimi", "seanet", options={"layer": 12}), "mimi-seanet-25hz", 1024, 960, "float32"),
        (view("mimi", "seanet", rate_hz=200), "mimi-seanet-200hz", 512, 120, "float32"),
        (view("mimi", "latents-pseudo"), "mimi-latents-pseudo-50hz", 512, 480, "float32"),
        (view("encodec24", "codes"), "encodec24-codes-75hz", 8, 320, "uint16"),
        (view("encodec24", "latents", rate_hz=25), "encodec24-latents-25hz", 128, 960, "float32"),
        (view("encodec24", "quantized", rate_hz=12.5), "encodec24-quantized-12.5hz", 128, 1920, "float32"),
        (view("encodec48", "codes"), "encodec48-codes-150hz", 4, 320, "uint16"),
        (view("encodec48", "scales"), "encodec48-scales-1.0101hz", 1, 47520, "float32"),
    ],
)
def test_a_view_is_named_and_measured(config, name, rows, frame_size, dtype):
    spec = registry.describe(config)
    assert (spec.name, spec.rows, spec.frame_size, spec.dtype) == (name, rows, frame_size, dtype)
    assert spec.frame_size * spec.frame_rate == pytest.approx(spec.sample_rate)
    assert (spec.cardinality is not None) == (config.kind == "codes")
    assert spec.trained is False
    assert len(spec.fingerprint) == 32


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (view("nonesuch", "codes"), ["nonesuch", "mimi", "encodec24", "auricle.codecs"]),
        (view("mimi", "melody"), ["melody", "codes, latents", "seanet"]),
        (view("mimi", "latents", rate_hz=50), ["50 Hz", "12.5, 25"]),
        (view("mimi", "codes", num_codebooks=33), ["33", "1 to 32"]),
        (view("encodec24", "codes", num_codebooks=5), ["5", "2, 4, 8, 16, 32"]),
        (view("encodec24", "latents", num_codebooks=8), ["no codebooks"]),
        (view("encodec24", "latents", rate_hz=25, options={"pool": "median"}), ["'median'", "mean, max, first, last"]),
        (view("encodec24", "latents", options={"pool": "mean"}), ["no option 'pool'", "none"]),
        (view("mimi", "codes", options={"device": "cuda"}), ["device", "batched"]),
        (view("mimi", "codes", weights="seed:0", weights_sha256="0" * 64), ["seed"]),
        (view("mimi", "codes", weights="what is this"), ["what is this", "owner/repository"]),
    ],
)
def test_what_cannot_be_is_refused_and_the_allowed_named(config, words):
    with pytest.raises(ConfigError) as refused:
        registry.describe(config)
    for word in words:
        assert word in str(refused.value)


def test_two_representations_of_one_name_are_refused():
    with pytest.raises(ConfigError, match=r"mimi-codes-12\.5hz"):
        registry.describe_all([view("mimi", "codes"), view("mimi", "codes", num_codebooks=32)])


def test_the_fingerprint_covers_what_the_arrays_depend_on():
    base = view("encodec24", "latents", rate_hz=25)
    variants = [
        base,
        view("encodec24", "latents"),
        view("encodec24", "latents", rate_hz=25, weights="seed:1"),
        view("encodec24", "latents", rate_hz=25, dtype="float16"),
        view("encodec24", "latents", rate_hz=25, mode="bf16"),
        view("encodec24", "latents", rate_hz=25, mode="batched"),
        view("encodec24", "latents", rate_hz=25, mode="batched", options={"device": "cuda"}),
        view("encodec24", "latents", rate_hz=25, options={"pool": "max"}),
        view("encodec24", "quantized", rate_hz=25),
        view("encodec24", "quantized", rate_hz=25, num_codebooks=16),
    ]
    prints = [registry.describe(v).fingerprint for v in variants]
    assert len(set(prints)) == len(prints)
    spelled_out = view("encodec24", "latents", rate_hz=25.0, options={"pool": "mean"})
    assert registry.describe(spelled_out).fingerprint == prints[0]


def test_views_of_one_codec_share_an_extractor_and_other_weights_do_not(monkeypatch):
    for module in (encodec, encodec48):
        light = dataclasses.replace(module.FAMILY, load_codec=lambda weights, settings: object())
        monkeypatch.setattr(module, "FAMILY", light)
    configs = [
        view("encodec24", "codes"),
        view("encodec24", "latents"),
        view("encodec24", "quantized", weights="seed:1"),
        view("encodec48", "codes"),
    ]
    built = registry.build(configs)
    assert [[s.name for s in e.specs] for e in built] == [
        ["encodec24-codes-75hz", "encodec24-latents-75hz"],
        ["encodec24-quantized-75hz"],
        ["encodec48-codes-150hz"],
    ]
    assert [s for e in built for s in e.specs] == registry.describe_all(configs)


def test_absent_published_weights_say_which_file_and_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("AURICLE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(WeightsError) as absent:
        registry.describe(view("mimi", "codes", weights=None, weights_sha256="ab" * 32))
    for word in ("tokenizer-e351c8d8-checkpoint125.safetensors", "ab" * 32, str(tmp_path), "weights fetch mimi"):
        assert word in str(absent.value)

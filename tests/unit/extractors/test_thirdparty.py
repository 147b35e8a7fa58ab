"""The codec of another package that the documentation prints, installed beside this one and run."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from auricle.extractors.coding import registry
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.errors import ConfigError

DOCS = Path(__file__).resolve().parents[3] / "docs/extraction.md"


def view(kind: str, **more: Any) -> RepresentationConfig:
    return RepresentationConfig(**{"codec": "loudness", "kind": kind, **more})


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The documented module with the documented entry point, as pip would leave them."""
    text = DOCS.read_text()
    (code,) = re.findall(r"```python third-party codec\n(.*?)```", text, re.S)
    (points,) = re.findall(r'```toml\n\[project\.entry-points\."auricle\.codecs"\]\n(.*?)```', text, re.S)
    (tmp_path / "loudness.py").write_text(code)
    info = tmp_path / "loudness-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: loudness\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[auricle.codecs]\n" + points.replace('"', ""))
    monkeypatch.syspath_prepend(tmp_path)
    registry._installed.cache_clear()
    yield
    sys.modules.pop("loudness", None)
    registry._installed.cache_clear()


def test_the_documented_codec_is_found_described_and_run(installed):
    assert "loudness" in registry.codecs()
    (extractor,) = registry.build([view("codes"), view("latents", dtype="float16")])
    codes, latents = extractor.specs
    assert (codes.name, codes.rows, codes.dtype, codes.cardinality) == ("loudness-codes-50hz", 1, "uint16", 64)
    assert latents.dtype == "float16"
    assert latents.details["package"] == "loudness 1.0"
    assert latents.trained
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(44100) / 44100, dtype=np.float32)[None]
    arrays = extractor.extract(tone, 44100)
    assert arrays[codes.name].shape == (1, 50)
    middle = arrays[latents.name][0, 5:-5].astype(np.float64)
    np.testing.assert_allclose(middle, 10 * np.log10(0.125), atol=0.1)


def test_its_codes_decode_to_audio_of_the_same_level(installed):
    codec = registry.load_codec(view("codes"))
    codes = torch.full((1, 1, 100), 50)
    audio = codec.decode(codes)
    assert audio.shape == (1, 1, 32000)
    assert abs(20 * np.log10(audio.std().item()) - (50 * 1.5 - 96)) < 0.2


def test_its_long_recordings_are_windowed_and_its_refusals_name_what_is_allowed(installed):
    (extractor,) = registry.build([view("latents")])
    audio = np.random.default_rng(0).standard_normal((1, 16000 * 70)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(audio[0].astype(np.float64), 320)[::320]
    wanted = 10 * np.log10((frames**2).mean(1) + 1e-10)
    np.testing.assert_allclose(extractor.extract(audio, 16000)["loudness-latents-50hz"][0], wanted, atol=1e-3)
    with pytest.raises(ConfigError, match="codes, latents"):
        registry.describe(view("pitch"))
    with pytest.raises(ConfigError, match="no weights"):
        registry.describe(view("codes", weights="seed:0"))


def test_a_package_that_cannot_be_imported_is_named(tmp_path, monkeypatch):
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[auricle.codecs]\nbroken = absent_module:FAMILY\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry._installed.cache_clear()
    with pytest.raises(ConfigError, match="absent_module"):
        registry.describe(RepresentationConfig(codec="broken", kind="codes"))
    registry._installed.cache_clear()

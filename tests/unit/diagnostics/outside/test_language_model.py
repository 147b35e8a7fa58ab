"""Models of other packages: the one that the documentation prints, and those that bound nothing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from auricle.diagnostics.outside import registry
from auricle.diagnostics.outside.language_model import OutsideMember
from auricle.diagnostics.summary import diagnose_codes
from auricle.schemas.errors import ConfigError

DOCS = Path(__file__).resolve().parents[4] / "docs/diagnostics.md"


@pytest.fixture
def documented(tmp_path, monkeypatch):
    """The documented module with the documented entry point, as pip would leave them."""
    text = DOCS.read_text()
    (code,) = re.findall(r"```python third-party language model\n(.*?)```", text, re.S)
    (points,) = re.findall(r'```toml\n\[project\.entry-points\."auricle\.language_models"\]\n(.*?)```', text, re.S)
    (tmp_path / "repeats.py").write_text(code)
    info = tmp_path / "repeats-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: repeats\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[auricle.language_models]\n" + points.replace('"', ""))
    monkeypatch.syspath_prepend(tmp_path)
    yield code
    sys.modules.pop("repeats", None)


def diagnose(codes, cardinality, model):
    samples = [(f"clip {i:02}", f"speaker {i % 10}", clip) for i, clip in enumerate(codes)]
    members = {model.name: OutsideMember(model)}
    return diagnose_codes(samples, 75.0, cardinality, group_kind="speaker", members=members)


def test_the_documented_model_is_found_is_short_and_bounds_the_rate_as_it_is(documented):
    assert documented.count("\n") <= 30
    (model,) = registry.installed()
    assert model.knows("encodec24", 2, 1024, 75.0)
    assert not model.knows("mimi", 2, 2048, 12.5)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 1024, (20, 2, 60))
    repeated = rng.random((20, 2, 60)) < 0.5
    for t in range(1, 60):
        codes[:, :, t] = np.where(repeated[:, :, t], codes[:, :, t - 1], codes[:, :, t])
    portfolio = diagnose(codes, 1024, model).portfolio
    half = repeated[:, :, 1:].mean()
    expected = half * -np.log2(0.1 + 0.9 / 1024) + (1 - half) * -np.log2(0.9 / 1024)
    assert portfolio.members["repeats"] == pytest.approx(2 * (59 * expected + 10) / 60, rel=1e-3)
    assert "trained elsewhere" in portfolio.notes["repeats"]


class Uniform:
    name = "plain"

    def knows(self, codec, num_codebooks, cardinality, frame_rate):
        return True

    def probabilities(self, codes):
        return np.full((*codes.shape, 8), 1 / 8)


class WrongShape(Uniform):
    def probabilities(self, codes):
        return super().probabilities(codes)[:, :, :7]


class SumsToTwo(Uniform):
    def probabilities(self, codes):
        return 2 * super().probabilities(codes)


class Negative(Uniform):
    def probabilities(self, codes):
        return super().probabilities(codes) + np.array([0.5, -0.5, 0, 0, 0, 0, 0, 0])


class NotANumber(Uniform):
    def probabilities(self, codes):
        return super().probabilities(codes) * np.nan


class Clairvoyant(Uniform):
    """Knows each code before it comes."""

    def probabilities(self, codes):
        found = super().probabilities(codes) / 2
        np.put_along_axis(found, codes[:, :, None], 9 / 16, axis=2)
        return found


class KnowsTheNextFrame(Uniform):
    def probabilities(self, codes):
        found = super().probabilities(codes) / 2
        np.put_along_axis(found, np.roll(codes, -1, axis=0)[:, :, None], 9 / 16, axis=2)
        return found


class KnowsTheCodebookBelow(Uniform):
    def probabilities(self, codes):
        found = super().probabilities(codes) / 2
        np.put_along_axis(found, np.roll(codes, -1, axis=1)[:, :, None], 9 / 16, axis=2)
        return found


CODES = np.random.default_rng(1).integers(0, 8, (12, 2, 30))


def test_a_uniform_model_costs_the_raw_rate():
    assert diagnose(CODES, 8, Uniform()).portfolio.members["plain"] == pytest.approx(6, abs=1e-4)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (WrongShape(), r"shape \(30, 2, 8\).*found \(30, 2, 7\)"),
        (SumsToTwo(), "sum to 1 over the entries are required, found a least of 0.25 and sums of 2 to 2"),
        (Negative(), "at least 0"),
        (NotANumber(), "found a least of nan"),
        (Clairvoyant(), "must not depend on it or what follows"),
        (KnowsTheNextFrame(), "must not depend on it or what follows"),
        (KnowsTheCodebookBelow(), "must not depend on it or what follows"),
    ],
)
def test_what_bounds_nothing_is_refused_with_what_is_wrong(model, reason):
    with pytest.raises(ConfigError, match=f"language model 'plain'.*{reason}"):
        diagnose(CODES, 8, model)


def test_a_chain_within_the_frame_is_allowed():
    class Chain(Uniform):
        def probabilities(self, codes):
            found = super().probabilities(codes)
            found[:, 1] /= 2
            np.put_along_axis(found[:, 1], codes[:, :1], 9 / 16, axis=1)
            return found

    assert diagnose(CODES, 8, Chain()).portfolio.members["plain"] > 6


def test_a_package_whose_object_is_no_model_is_refused(documented, tmp_path):
    (tmp_path / "repeats.py").write_text("MODEL = object()\n")
    with pytest.raises(ConfigError, match=r"'repeats'.*`knows` and `probabilities` is required"):
        registry.installed()

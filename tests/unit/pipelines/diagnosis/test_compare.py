"""Two representations side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dataset_factory
import numpy as np
import pytest
from dataset_factory import CODES, LATENTS, Recording, write_version
from scipy.signal import lfilter

from auricle.jobs.judging.diagnosis_table import print_comparison
from auricle.loaders.reading.version import Version, open_version
from auricle.pipelines.diagnosis import compare as module
from auricle.pipelines.diagnosis.compare import compare
from auricle.pipelines.diagnosis.comparisons import Measured, comparisons
from auricle.schemas.errors import ConfigError
from auricle.schemas.representation import RepresentationSpec


def codes(name: str) -> RepresentationSpec:
    return CODES.model_copy(update={"name": f"{name}-codes-25hz", "frame_rate": 25.0, "rows": 1, "cardinality": 16})


def latents(name: str) -> RepresentationSpec:
    return LATENTS.model_copy(update={"name": f"{name}-latents-12.5hz", "rows": 2})


UNITS = CODES.model_copy(
    update={"name": "units-codes-50hz", "codec": "units", "rows": 2, "cardinality": 16, "details": {"sizes": [4, 16]}}
)
SLOW, FAST = 0.9, 0.5
"""Correlations of successive frames."""


def known(recording: Recording, spec: RepresentationSpec) -> np.ndarray:
    """Codes of 4, 3 or 4 bits of noise, latents of first order."""
    kind = spec.name.split("-")[0]
    rng = np.random.default_rng([int(recording.key[:8], 16), *spec.name.encode()])
    frames = -(-recording.num_samples // spec.frame_size)
    if spec.is_codes:
        return rng.integers(0, 8 if kind == "coarse" else 16, (spec.rows, frames)).astype(np.uint16)
    rho = FAST if kind == "fast" else SLOW
    noise = np.sqrt(1 - rho**2) * rng.standard_normal((2, frames + 50))
    return lfilter([1], [1, -rho], noise)[:, 50:].astype(np.float32)


def version_of(path: Path, specs: list[RepresentationSpec], speakers: int = 10) -> Version:
    recordings = [Recording(f"v{i}", speaker=f"s{i % speakers}", num_samples=640 * (300 + i % 7)) for i in range(40)]
    write_version(f"{path}/dataset", recordings, representations=specs)
    return open_version(f"{path}/dataset")


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_factory, "payload", known)


def printed(found: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    print_comparison(found)
    return capsys.readouterr().out


def test_a_bit_less_per_frame_is_found_and_its_record_answers_the_other_way_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = version_of(tmp_path, [codes("coarse"), codes("fine"), UNITS])
    found = compare(version, "fine", "coarse")
    (difference,) = found["comparisons"]
    assert difference["value"] == pytest.approx(-25, rel=0.02)
    assert difference["low"] <= difference["value"] <= difference["high"] < 0
    assert (difference["num_clips"], difference["num_groups"]) == (40, 10)
    assert difference["favours"] == "coarse-codes-25hz"
    assert "in favour of" in printed(found, capsys)

    monkeypatch.setattr(module, "diagnose", None)
    (turned,) = compare(version, "coarse", "fine")["comparisons"]
    assert (turned["value"], turned["low"], turned["high"]) == (
        -difference["value"],
        -difference["high"],
        -difference["low"],
    )
    assert turned["favours"] == "coarse-codes-25hz"


def test_two_sources_of_one_entropy_are_undecided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = compare(version_of(tmp_path, [codes("fine"), codes("other")]), "fine", "other")
    (difference,) = found["comparisons"]
    assert difference["low"] < 0 < difference["high"]
    assert difference["favours"] is None
    assert "undecided: the interval contains 0" in printed(found, capsys)


def test_information_of_two_latents_differs_by_what_their_correlations_say(tmp_path: Path) -> None:
    version = version_of(tmp_path, [latents("slow"), latents("fast"), latents("again")])
    first = compare(version, "fast", "slow")["comparisons"]
    truth = -np.log(1 - SLOW**2) + np.log(1 - FAST**2)
    at_80 = next(d for d in first if d["measure"] == "information at 80 ms")
    assert at_80["low"] <= truth <= at_80["high"]
    assert at_80["favours"] == "slow-latents-12.5hz"
    null = compare(version, "slow", "again")["comparisons"]
    assert len(null) == 3
    assert not any(d["decided"] for d in null), "the same process twice"


def test_the_interval_of_latents_covers_that_both_corrections_may_be_off() -> None:
    clips = {f"k{i}": (float(i % 3), 1.0) for i in range(12)}
    group = {key: f"s{i % 6}" for i, key in enumerate(clips)}

    def wide(error: float) -> Measured:
        return Measured({"information at 80 ms": ("nat", clips)}, group, {"information at 80 ms": error})

    (exact,) = comparisons({"a": wide(0.0), "b": wide(0.0)})
    (found,) = comparisons({"a": wide(0.3), "b": wide(0.4)})
    assert (exact["low"], exact["high"]) == (0, 0)
    assert (found["low"], found["high"]) == pytest.approx((-0.5, 0.5))
    assert not found["decided"]


def test_what_has_no_difference_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = compare(version_of(tmp_path, [codes("fine"), codes("coarse")], speakers=3), "fine", "coarse")
    assert found["comparisons"] == []
    missing, *rest = found["not_compared"]
    assert [each["measure"] for each in rest] == ["estoi", "mel_db"]
    assert "not in the configuration" in rest[0]["reason"]
    assert missing["measure"] == "code_rate"
    assert "3 speakers" in missing["reason"]
    assert "code_rate: not compared: fine-codes-25hz: " in printed(found, capsys)


def test_two_sizes_of_units_are_compared(tmp_path: Path) -> None:
    found = compare(version_of(tmp_path, [UNITS]), "units/4", "units/16")
    assert (found["a"], found["b"]) == ("units-codes-50hz/4", "units-codes-50hz/16")


def test_pairs_that_cannot_be_compared_are_refused_at_the_start(tmp_path: Path) -> None:
    version = version_of(tmp_path, [codes("fine"), latents("slow"), UNITS])
    for a, b, words in (
        ("fine", "fine-codes", "both are fine-codes-25hz"),
        ("fine", "slow", "no measure in common"),
        ("fine", "units", "diagnosed as units-codes-50hz/4, units-codes-50hz/16"),
        ("fine", "mimi", "fits none"),
    ):
        with pytest.raises(ConfigError, match=words):
            compare(version, a, b)
    assert version.derived("diagnostics.json") is None

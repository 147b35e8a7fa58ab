"""Arrays that are not what the codec's package makes of the recording are not published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.extractors.codecs.encodec import EncodecExtractor
from auricle.pipelines.publishing.gate_parity import compare
from auricle.pipelines.run import run
from auricle.schemas.config import RunConfig
from auricle.schemas.errors import GateError
from auricle.schemas.version import GateCheck

CODES = {"codec": "encodec24", "kind": "codes", "num_codebooks": 2, "weights": "seed:0"}
LATENTS = {"codec": "encodec24", "kind": "latents", "weights": "seed:0"}


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ray(monkeypatch)


def of(tmp_path: Path, **gate: object) -> RunConfig:
    write_corpus(tmp_path / "audio", 4)
    return config(tmp_path / "audio", tmp_path / "dataset", representations=[CODES, LATENTS], gate=gate)


def parity(checks: list[GateCheck]) -> dict[str, str]:
    return {c.expectation.split(" ")[0]: c.observed for c in checks if "made again" in c.expectation}


def test_what_the_package_makes_again_is_the_same(tmp_path: Path) -> None:
    gate = run(of(tmp_path)).version.document.gate
    assert gate.verdict != "critical"
    assert parity(gate.checks) == {"arrays": "0", "codes": "0", "latents": "0"}


def test_nothing_is_asked_where_nothing_is_compared(tmp_path: Path) -> None:
    assert parity(run(of(tmp_path, parity_clips=0)).version.document.gate.checks) == {}


def test_a_worker_that_encodes_half_a_frame_late_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = EncodecExtractor.extract

    def late(self: EncodecExtractor, waveform: np.ndarray, sample_rate: int) -> dict[str, np.ndarray]:
        return right(self, np.roll(waveform, sample_rate // 150, axis=1), sample_rate)

    monkeypatch.setattr(EncodecExtractor, "extract", late)
    with pytest.raises(GateError, match="codes made again") as refused:
        run(of(tmp_path))
    assert "latents made again" in str(refused.value)
    assert not (tmp_path / "dataset" / "versions").exists() or not any((tmp_path / "dataset" / "versions").iterdir())


def test_arrays_are_compared_by_shape_then_by_value() -> None:
    codes = np.arange(8, dtype=np.uint16).reshape(2, 4)
    assert compare(codes, codes[:, :3], codes=True) == {"parity_arrays": 1, "parity_shape_differing": 1}
    assert compare(codes, codes[::-1], codes=True)["parity_codes_differing"] == 8
    latents = np.full((2, 4), 2.0, np.float32)
    assert compare(latents, latents * 1.5, codes=False)["parity_error"] == pytest.approx(1 / 3)
    assert compare(latents, np.zeros_like(latents), codes=False)["parity_error"] == np.inf
    assert compare(latents * 0, np.zeros_like(latents), codes=False)["parity_error"] == 0

"""Networks of others run on our clips, with whatever weights they are given."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module("references")


@pytest.mark.parametrize("name", ["squim.pth", "squim.safetensors"])
def test_squim_judges_with_the_weights_of_a_file(benchmark: Any, tmp_path: Path, name: str) -> None:
    from torchaudio.models import squim_objective_base

    torch.manual_seed(0)
    model = squim_objective_base().eval()
    path = tmp_path / name
    (save_file if name.endswith("safetensors") else torch.save)(model.state_dict(), path)
    waveform = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    found = benchmark.squim(path).judge(waveform)
    with torch.inference_mode():
        expected = [float(value) for value in model(torch.from_numpy(waveform)[None])]
    assert list(found.values()) == pytest.approx(expected)
    assert list(found) == ["stoi", "pesq", "si_sdr_db"]


def test_what_is_absent_has_no_figure_and_says_why(benchmark: Any) -> None:
    for reference in benchmark.references(None, None):
        assert reference.judge is None
        assert "absent" in reference.why or "not installed" in reference.why

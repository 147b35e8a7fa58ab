"""docs/training.md does what it says, as it is written; the example learns and goes on where it stopped."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from corpus import config, write_corpus
from dataset_factory import CODES, LATENTS, voices, write_version
from inprocess import without_ray

from auricle.loaders.storage.store import Store
from auricle.pipelines.run import run
from auricle.schemas.curriculum import CURRICULUM

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "training.md"


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`speech-dataset` with representations named as the page names them, and a curriculum."""
    root = tmp_path_factory.mktemp("page") / "speech-dataset"
    specs = [
        s.model_copy(update={"name": name, "codec": "builtin"})
        for s, name in ((CODES, "builtin-codes-50hz"), (LATENTS, "builtin-latents-12.5hz"))
    ]
    recordings = voices(16)
    write_version(str(root), recordings, representations=specs)
    rows = [{"clip": r.key, "stage": i % 2} for i, r in enumerate(recordings)]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=CURRICULUM), sink)
    Store(str(root)).put_new("derived/000001/curriculum.parquet", sink.getvalue().to_pybytes())
    return root


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("token_lm", ROOT / "examples" / "token_lm.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_runs_as_it_is_written(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speech-dataset").symlink_to(dataset)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 3
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    # two epochs are behind, nothing was damaged, and the state says so too
    assert capsys.readouterr().out.splitlines() == ["2 {}", "2 0", "16 torch.Size([1, 4, 68])"]


def test_the_example_learns_and_goes_on_where_it_stopped(dataset: Path, tmp_path: Path) -> None:
    module = example()
    options = [str(dataset), "--batch-tokens", "512"]
    whole = module.main([*options, "--epochs", "4"])
    assert len(whole) == 4
    assert whole[-1] < whole[0]
    checkpoint = ["--checkpoint", str(tmp_path / "lm.pt")]
    first = module.main([*options, "--epochs", "2", *checkpoint])
    rest = module.main([*options, "--epochs", "4", *checkpoint])
    assert np.allclose(first + rest, whole, atol=1e-4)


def test_the_example_learns_from_codes_of_the_builtin_codec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataset that the pipeline made of audio; the loss falls below that of the first epoch."""
    without_ray(monkeypatch)
    write_corpus(tmp_path / "audio", 10, seconds=1.0)
    outcome = run(
        config(tmp_path / "audio", tmp_path / "data", representations=[{"codec": "builtin", "kind": "codes"}])
    )
    assert outcome.version.document.counts.kept == 10
    losses = example().main([str(tmp_path / "data"), "-r", "builtin-codes", "--epochs", "3"])
    assert len(losses) == 3
    assert losses[-1] < losses[0]


def test_the_example_predicts_nothing_from_what_comes_after(dataset: Path) -> None:
    model = example().TokenLM(4, 65).eval()
    tokens = torch.randint(0, 64, (2, 4, 20))
    later = tokens.clone()
    later[:, :, 10:] = 0
    with torch.no_grad():
        assert torch.allclose(model(tokens)[:, :, :10], model(later)[:, :, :10], atol=1e-5)

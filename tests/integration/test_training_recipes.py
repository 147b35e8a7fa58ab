"""The recipes of docs/training.md: the loader under other trainers, and other data formats. Each runs where its
package is installed, which the test environment does not bring."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from dataset_factory import CODES, payload, voices, write_version

from auricle.loaders import Loader, Settings, TrainingData
from auricle.loaders.copies.export import export

VOICES = voices(12)
BY_KEY = {voice.key: voice for voice in VOICES}
# what the packages themselves do is theirs
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    root = str(tmp_path_factory.mktemp("recipes"))
    write_version(root, VOICES)
    return TrainingData(root, "toy-codes", Settings(batch_rows=2, microbatches=2, seed=1))


def test_lightning_trains_and_its_checkpoint_goes_on(data: TrainingData, tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning", reason="the package lightning is not installed")
    seen: list[list[str]] = []

    class Model(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))
            self.loader = Loader(data)

        def train_dataloader(self) -> Loader:
            return self.loader

        def training_step(self, batch: dict[str, Any], number: int) -> torch.Tensor:
            seen.append(batch["keys"])
            return (self.weight - batch["codes"].float().mean()) ** 2

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), 1e-4)

        def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
            checkpoint["loader"] = self.loader.state_dict()

        def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
            self.loader.load_state_dict(checkpoint["loader"])

    def trainer(steps: int) -> Any:
        return lightning.Trainer(
            max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, use_distributed_sampler=False, default_root_dir=tmp_path,
        )  # fmt: skip

    whole = [batch["keys"] for batch in Loader(data)]
    first, model = trainer(4), Model()
    first.fit(model)
    first.save_checkpoint(tmp_path / "model.ckpt")
    assert seen == whole[:4]
    again = Model()
    saved = torch.load(tmp_path / "model.ckpt", weights_only=False)
    assert saved["loader"]["step"] == 2
    again.on_load_checkpoint(saved)
    trainer(2).fit(again)
    assert seen == whole


def test_accelerate_keeps_the_loaders_state(data: TrainingData, tmp_path: Path) -> None:
    accelerate = pytest.importorskip("accelerate", reason="the package accelerate is not installed")
    accelerator = accelerate.Accelerator(cpu=True)
    loader = Loader(data, rank=accelerator.process_index, world=accelerator.num_processes)
    accelerator.register_for_checkpointing(loader)
    batches = iter(loader)
    first = [next(batches)["keys"] for _ in range(2)]
    accelerator.save_state(str(tmp_path))
    rest = [batch["keys"] for batch in batches]
    accelerator.load_state(str(tmp_path))
    assert loader.step == 1
    assert [batch["keys"] for batch in loader] == rest
    assert len(first + rest) == 6


def test_lhotse_and_nemo_read_an_exported_shar(data: TrainingData, tmp_path: Path) -> None:
    lhotse = pytest.importorskip("lhotse", reason="the package lhotse is not installed")
    export(data.version.store, str(tmp_path / "shar"), "shar")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cuts = list(lhotse.CutSet.from_shar(in_dir=str(tmp_path / "shar")))
    assert len(cuts) == 12
    by_text = {voice.text: voice for voice in VOICES}
    for cut in cuts:
        voice = by_text[cut.supervisions[0].text]
        assert np.array_equal(cut.load_custom("codes"), payload(voice, CODES))


def test_the_manifest_is_what_moshi_finetune_lists(data: TrainingData, tmp_path: Path) -> None:
    """Its list is JSON lines of `path` and `duration`, which the recipe makes of the manifest."""
    export(data.version.store, str(tmp_path / "manifest"), "manifest")
    lines = (tmp_path / "manifest/manifest.jsonl").read_text().splitlines()
    listed = [json.loads(line) for line in lines]
    made = [{"path": row["audio_filepath"], "duration": row["duration"]} for row in listed if row["offset"] == 0]
    assert {row["path"] for row in made} == {f"/corpus/voices/{voice.file}" for voice in VOICES}
    assert all(row["duration"] >= 1 for row in made)

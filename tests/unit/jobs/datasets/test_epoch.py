"""`auricle plan-epoch` counts what a training reads, and touches no shard."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import app
from dataset_factory import CODES, LATENTS, voices, write_version
from typer.testing import CliRunner

from auricle.loaders.plan.settings import Settings
from auricle.loaders.training.data import TrainingData


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("epoch")
    write_version(str(root), [*voices(30, "a"), *voices(10, "b", language="de", source="radio")])
    shutil.rmtree(root / "shards")
    return str(root)


def asked(dataset: str, *options: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["plan-epoch", dataset, "-r", "toy-codes", *options, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_it_counts_what_the_loader_would_read(dataset: str) -> None:
    found = asked(dataset, "-r", "toy-latents", "--batch-tokens", "400", "--microbatches", "4", "--world", "2")
    data = TrainingData(dataset, ["toy-codes", "toy-latents"], Settings(batch_tokens=400, microbatches=4))
    plan = data.plan(0)
    assert (found["steps"], found["draws"], found["clips"]) == (plan.steps, 40, 40)
    assert found["tokens"] == found["frames"] == int(plan.frames.sum())
    sizes = [sum(int(p[2].sum()) for task in data.tasks(0, rank, 2) for p in task.pointers) for rank in (0, 1)]
    assert found["num_bytes"] == sizes
    touched = [
        sum(len({(i, s) for task in data.tasks(0, rank, 2) for s in task.pointers[i][0].tolist()}) for i in (0, 1))
        for rank in (0, 1)
    ]
    assert found["shards"] == touched
    ranges = [sum(len(set(p[0].tolist())) for task in data.tasks(0, rank, 2) for p in task.pointers) for rank in (0, 1)]
    assert found["ranges"] == ranges
    shares = {share["value"]: share for share in found["shares"]["language"]}
    assert (shares["en"]["draws"], shares["de"]["draws"]) == (30, 10)
    assert sum(share["frames"] for share in found["shares"]["source"]) == found["frames"]


def test_filters_mixing_and_packing_are_those_of_the_loader(dataset: str) -> None:
    assert asked(dataset, "--where", "language = 'de'")["clips"] == 10
    mixed = asked(dataset, "--mix", "language:en=0.5,de=0.5", "--batch-tokens", "600", "--row-tokens", "200")
    assert [share["draws"] for share in mixed["shares"]["language"]] == [20, 20]
    assert mixed["efficiency"] > 0.7


def test_what_cannot_be_planned_says_why(dataset: str, tmp_path: Path) -> None:
    for options, words in (
        (["--microbatches", "4", "--world", "3"], "take 1, 2, 4 ranks"),
        (["--mix", "language"], "--mix language"),
        (["--curriculum", "1,soon"], "--curriculum 1,soon"),
        (["--curriculum", "soon"], "no curriculum 'soon'"),
        (["--curriculum", "1"], "has no curriculum"),
    ):
        done = CliRunner().invoke(app, ["plan-epoch", dataset, "-r", "toy-codes", *options])
        assert done.exception is not None
        assert words in str(done.exception) + done.output


def test_it_prints_tables(dataset: str) -> None:
    done = CliRunner().invoke(app, ["plan-epoch", dataset, "-r", CODES.name, "-r", LATENTS.name])
    assert done.exit_code == 0
    for words in ("padding efficiency", "share of frames", "radio"):
        assert words in done.stdout

"""Fast modes in the extract pass: the clips of a unit share batches, and no clip is lost by what another does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from auricle.extractors.codecs import encodec
from auricle.extractors.coding import packing
from auricle.pipelines.passes.extract import ExtractRecipe
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.keys import sha256_file

RATE = 24_000
CODES = RepresentationConfig(codec="encodec24", kind="codes", weights="seed:0", num_codebooks=2, mode="batched")
LATENTS = RepresentationConfig(codec="builtin", kind="latents")
NAMES = ("encodec24-codes-75hz", "builtin-latents-75hz")


@pytest.fixture(scope="module")
def recipe() -> ExtractRecipe:
    return ExtractRecipe((CODES, LATENTS))


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Four clips of unlike length; the third's recording is gone."""
    folder: Path = tmp_path_factory.mktemp("audio")
    found = []
    for index, seconds in enumerate((0.5, 1.25, 1.0, 0.75)):
        path = folder / f"{index}.wav"
        rng = np.random.default_rng(index)
        soundfile.write(path, 0.1 * rng.standard_normal(int(seconds * RATE)), RATE)
        span = {"channel": 0, "start": 0, "end": int(seconds * RATE)}
        names = ",".join(NAMES)
        found.append({"key": str(index), "recording": sha256_file(path), "uri": str(path), "representations": names})
        found[-1] |= span
    Path(found[2]["uri"]).unlink()
    return found


def test_a_unit_is_encoded_in_batches_and_every_clip_has_its_row_in_order(recipe, items, monkeypatch):
    sizes = []
    encode_batch = encodec.EncodecExtractor.encode_batch

    def counted(self: Any, units: Any) -> Any:
        sizes.append(len(units))
        return encode_batch(self, units)

    monkeypatch.setattr(encodec.EncodecExtractor, "encode_batch", counted)
    results = list(recipe.build()(items))
    assert sizes == [3]
    assert [result.row["key"] for result in results] == ["0", "1", "2", "3"]
    assert results[2].row["error_reason"] == "missing"
    for result, item in zip(results, items, strict=True):
        if item["key"] != "2":
            frames = -(-(item["end"]) // 320)
            assert [result.row[name]["num_frames"] for name in NAMES] == [frames, frames]


def test_clips_of_a_batch_that_broke_are_tried_alone(recipe, items, monkeypatch):
    wanted = [result.payloads for result in recipe.build()(items)]

    def broken(self: Any, units: Any) -> Any:
        raise RuntimeError("a kernel failed")

    monkeypatch.setattr(encodec.EncodecExtractor, "encode_batch", broken)
    results = list(recipe.build()(items))
    assert [set(r.payloads) for r in results] == [set(p) for p in wanted]
    assert all("error" not in r.row[name] for r in results if r.row["key"] != "2" for name in NAMES)


def test_what_fitted_the_memory_is_remembered_from_unit_to_unit(recipe, items, monkeypatch):
    import torch

    encode_batch = encodec.EncodecExtractor.encode_batch

    def small(self: Any, units: Any) -> Any:
        if len(units) > 1:
            raise torch.cuda.OutOfMemoryError("too much")
        return encode_batch(self, units)

    monkeypatch.setattr(encodec.EncodecExtractor, "encode_batch", small)
    made = []
    packer_of = packing.packer_of
    monkeypatch.setattr("auricle.pipelines.passes.batches.packer_of", lambda e: made.append(packer_of(e)) or made[-1])
    work = recipe.build()
    first = [r.payloads for r in work(items)]
    budget = made[0].budget
    assert budget < packing.BUDGET_S["cpu"] * RATE
    assert [r.payloads for r in work(items)] == first
    assert made[0].budget <= budget

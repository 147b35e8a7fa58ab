"""However clips are cut into units, every score and every byte of an array is the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from auricle.curators.registry import build
from auricle.pipelines.passes.extract import ExtractRecipe
from auricle.pipelines.passes.score import ScoreRecipe
from auricle.pipelines.work.contract import Recipe
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.keys import sha256_file


@pytest.fixture
def items(tmp_path: Path) -> list[dict[str, Any]]:
    """Five clips of bursts of noise, of different lengths."""
    rng, made = np.random.default_rng(3), []
    for i in range(5):
        length = 16000 + 4000 * i
        wave = rng.normal(0, 0.1, length) * (np.sin(np.arange(length) / 900 + i) > -0.3)
        path = tmp_path / f"{i}.wav"
        soundfile.write(path, wave, 16000)
        place = {"recording": sha256_file(path), "uri": str(path), "channel": 0, "start": 0, "end": length}
        label = {"transcript": f"one two three {i}", "transcript_sha256": str(i), "language": "en", "speaker": None}
        made.append({"key": str(i), **place, **label})
    return made


def made_of(recipe: Recipe, units: Sequence[Sequence[dict[str, Any]]]) -> list[Any]:
    work = recipe.build()
    return [(result.row, result.payloads) for unit in units for result in work(unit)]


def test_scores(items: list[dict[str, Any]]) -> None:
    names = tuple(curator.name for curator in build(None, {}))
    wanted = [item | {"curators": ",".join(names)} for item in items]
    recipe = ScoreRecipe(names, {})
    assert repr(made_of(recipe, [wanted])) == repr(made_of(recipe, [[item] for item in wanted]))


def test_arrays(items: list[dict[str, Any]]) -> None:
    recipe = ExtractRecipe(tuple(RepresentationConfig(codec="builtin", kind=kind) for kind in ("codes", "latents")))
    names = ",".join(spec.name for spec in recipe.specs)
    wanted = [item | {"representations": names} for item in items]
    whole = made_of(recipe, [wanted])
    assert repr(whole) == repr(made_of(recipe, [wanted[:2], wanted[2:3], wanted[3:]]))
    assert whole[0][1][recipe.specs[0].name][:6] == b"\x93NUMPY"
    ahead = ExtractRecipe(recipe.representations, decode_threads=3)
    assert repr(whole) == repr(made_of(ahead, [wanted]))

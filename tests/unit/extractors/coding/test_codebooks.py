"""The vectors that a codec adds up."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from auricle.extractors.coding.codebooks import codebook_vectors
from auricle.extractors.coding.registry import load_codec
from auricle.schemas.config import RepresentationConfig


@pytest.mark.parametrize(("codec", "weights"), [("builtin", None), ("encodec24", "seed:0"), ("mimi", "seed:0")])
def test_the_vectors_of_a_codec_add_up_to_what_it_dequantises(codec, weights):
    config = RepresentationConfig(codec=codec, kind="codes", num_codebooks=4, weights=weights)
    loaded = load_codec(config)
    vectors = codebook_vectors(loaded, 4)
    assert vectors is not None
    assert vectors.shape[:2] == (4, loaded.cardinality)
    assert vectors.mean(1) == pytest.approx(np.zeros((4, vectors.shape[2])), abs=1e-4)
    codes = torch.randint(loaded.cardinality, (1, 4, 10), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        frames = loaded.dequantize(codes)[0].T.numpy()
    added = sum(table[codes[0, q].numpy()] for q, table in enumerate(vectors))
    # up to one constant for all frames
    assert added - added.mean(0) == pytest.approx(frames - frames.mean(0), abs=1e-3 * float(np.abs(frames).max()))


def fake(dequantize):
    return SimpleNamespace(cardinality=8, dequantize=dequantize)


TABLES = torch.randn(2, 8, 3, generator=torch.Generator().manual_seed(0))


def test_the_built_in_codec_gives_its_codebooks():
    loaded = load_codec(RepresentationConfig(codec="builtin", kind="codes"))
    books = np.stack([layer.codebook.numpy() for layer in loaded.quantizer.layers])
    assert codebook_vectors(loaded, 8) == pytest.approx(books - books.mean(1, keepdims=True), abs=1e-4)


def test_a_codec_without_vectors_or_whose_frames_are_no_sum_has_none():
    assert codebook_vectors(SimpleNamespace(cardinality=8), 2) is None
    product = fake(lambda codes: (TABLES[0][codes[:, 0]] * TABLES[1][codes[:, 1]]).transpose(1, 2))
    assert codebook_vectors(product, 2) is None
    smeared = fake(lambda codes: (TABLES[0][codes[:, 0]] + TABLES[1][codes[:, 1]]).cumsum(1).transpose(1, 2))
    assert codebook_vectors(smeared, 2) is None
    halved = fake(lambda codes: (TABLES[0][codes[:, 0]] + TABLES[1][codes[:, 1]]).transpose(1, 2)[..., ::2])
    assert codebook_vectors(halved, 2) is None
    added = fake(lambda codes: (TABLES[0][codes[:, 0]] + TABLES[1][codes[:, 1]]).transpose(1, 2))
    assert codebook_vectors(added, 2) == pytest.approx((TABLES - TABLES.mean(1, keepdim=True)).numpy(), abs=1e-5)

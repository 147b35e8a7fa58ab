"""The vectors that a codec adds up for the codes of a frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .inference import inference

if TYPE_CHECKING:
    from .codec import Codec

_TESTED_FRAMES = 64
_TOLERANCE = 1e-3


def codebook_vectors(codec: Codec, num_codebooks: int) -> np.ndarray | None:
    """`[Q, cardinality, D]` float32, or None where the codec has none.

    A codec has them when it offers `dequantize` (codes `[B, K, T]` to latents `[B, D, T]`) and what that gives for a
    frame is a sum over codebooks, whatever the frames beside it. Each vector is what its entry changes from entry 0,
    less the mean over the codebook: a constant per codebook is left out. That the sum holds is tried on random codes.
    """
    dequantize: Any = getattr(codec, "dequantize", None)
    if dequantize is None:
        return None
    import torch

    with inference():
        entries = torch.arange(codec.cardinality)
        ground = torch.zeros(1, num_codebooks, 1, dtype=torch.int64)
        base = dequantize(ground).float()
        vectors = []
        for q in range(num_codebooks):
            codes = ground.repeat(1, 1, codec.cardinality)
            codes[0, q] = entries
            vectors.append((dequantize(codes).float() - base)[0].T)
        if any(table.shape[0] != codec.cardinality for table in vectors):
            return None
        generator = torch.Generator().manual_seed(0)
        tried = torch.randint(codec.cardinality, (1, num_codebooks, _TESTED_FRAMES), generator=generator)
        added = base[0].T + sum(table[tried[0, q]] for q, table in enumerate(vectors))
        found = dequantize(tried).float()[0].T
        if found.shape != added.shape or (found - added).abs().max() > _TOLERANCE * found.abs().max().clamp_min(1e-9):
            return None
        tables = torch.stack(vectors)
        return (tables - tables.mean(1, keepdim=True)).numpy()

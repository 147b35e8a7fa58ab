"""Fingerprints without audio: band slopes drawn from a Gaussian process with the covariance of real ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.signal import lfilter

from auricle.curators.copies.fingerprint import (
    BANDS,
    LAG,
    PROJECTION,
    SKETCH_SPANS,
    SKETCH_VALUES,
    STRIDE,
    WORD_BITS,
    Fingerprint,
    band_powers,
    fingerprint,
)

BLOCK = 1000
"""Clips made at once."""
SCHEMA = pa.schema([("fingerprint", pa.binary()), ("duration_s", pa.float64())])
POOL = 1 << 19
"""Words of the long draw: 4.7 hours."""
SILENT_SHARE = 0.2


class Drawn:
    """The process, fitted to real clips.

    Words of a clip are a stretch of one long draw of it, with some bits turned over all along the clip. Sketches are
    drawn with the covariance that those of the process have, which is exact, since projections of a Gaussian process
    are Gaussian. Anchors of one clip are independent.
    """

    def __init__(self, waveforms: Sequence[np.ndarray]) -> None:
        """waveforms: `[T]` float32 each, at the fingerprint's sample rate."""
        slopes = [-np.diff(np.log(band_powers(x)[::STRIDE] + 1e-9), axis=1) for x in waveforms]
        stacked = np.concatenate([s - s.mean(0) for s in slopes])
        factor = np.linalg.cholesky(np.cov(stacked.T) + 1e-6 * np.eye(BANDS - 1)).astype(np.float32)
        decay = float(np.mean([np.corrcoef(s[:-1, 8], s[1:, 8])[0, 1] for s in slopes]))
        self.spacing = float(np.median([np.diff(fingerprint(x).anchors).mean() / STRIDE for x in waveforms]))
        drive = np.random.default_rng(1).standard_normal((POOL, BANDS - 1), dtype=np.float32) @ factor.T
        process = lfilter([np.sqrt(1 - decay**2)], [1, -decay], drive, axis=0).astype(np.float32)
        bits = (process[LAG:] - process[:-LAG]) > 0
        self.words = (bits @ WORD_BITS.astype(np.float64)).astype(np.uint64).astype(np.uint32)
        place = np.arange(14, POOL - 14, 3)
        around = np.concatenate([process[place + a] - process[place + b] for a, b in SKETCH_SPANS], axis=1)
        covariance = np.cov((around @ PROJECTION).T)
        self.sketch_factor = np.linalg.cholesky(covariance + 1e-6 * np.eye(64)).astype(np.float32)

    def block(self, rng: np.random.Generator, size: int) -> list[Fingerprint]:
        """`size` clips of 2.6 to 7.7 s."""
        length = rng.integers(80, 240, size=size)
        ends = np.cumsum(length)
        shift = rng.integers(0, len(self.words) - 240, size=size) - (ends - length)
        turned = rng.integers(0, 2**32, size=size, dtype=np.uint32)
        words = self.words[np.arange(ends[-1]) + np.repeat(shift, length)] ^ np.repeat(turned, length)
        words = np.where(rng.random(len(words)) < SILENT_SHARE, np.uint32(0), np.maximum(words, np.uint32(1)))
        count = np.ceil((length - 28) / self.spacing).astype(int)
        drawn = rng.standard_normal((int(count.sum()), 64), dtype=np.float32) @ self.sketch_factor.T
        sketches = np.packbits(drawn > 0, axis=1, bitorder="little").view("<u8")[:, 0]
        steps = (14 + self.spacing * np.arange(count.max())).astype(np.uint32) * STRIDE
        word_parts, sketch_parts = np.split(words, ends[:-1]), np.split(sketches, np.cumsum(count)[:-1])
        return [Fingerprint(word_parts[k], steps[: count[k]], sketch_parts[k]) for k in range(size)]


def changed(original: Fingerprint, rng: np.random.Generator) -> Fingerprint:
    """A copy with one bit in six flipped, as noise at 10 dB does."""
    flips = rng.random((len(original.words), BANDS - 1)) < 1 / 6
    noise = (flips @ WORD_BITS.astype(np.float64)).astype(np.uint64).astype(np.uint32)
    words = np.where(original.words > 0, np.maximum(original.words ^ noise, 1), 0).astype(np.uint32)
    turned = np.where(rng.random((len(original.anchors), 64)) < 1 / 12, SKETCH_VALUES, np.uint64(0))
    return Fingerprint(words, original.anchors, original.sketches ^ turned.sum(axis=1, dtype=np.uint64))


def synthetic(count: int, waveforms: Sequence[np.ndarray], seed: int = 0) -> Iterator[pa.RecordBatch]:
    """`count` fingerprints in blocks; every thousandth clip is a changed copy of the one before it."""
    drawn, rng = Drawn(waveforms), np.random.default_rng(seed)
    for first in range(0, count, BLOCK):
        made = drawn.block(rng, min(BLOCK, count - first))
        if len(made) == BLOCK:
            made[-1] = changed(made[-2], rng)
        yield pa.record_batch(
            [pa.array([one.to_bytes() for one in made]), pa.array([len(one.words) * 0.032 for one in made])],
            schema=SCHEMA,
        )


def write_synthetic(path: Path, count: int, waveforms: Sequence[np.ndarray]) -> None:
    """A Parquet file of `synthetic`."""
    with pq.ParquetWriter(path, SCHEMA, compression="none", use_dictionary=False) as file:
        for batch in synthetic(count, waveforms):
            file.write_batch(batch)

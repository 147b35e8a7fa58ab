"""Statistics that merge and subtract, and intervals that hold the truth as often as they say."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from held_out_chains import ngram_counts
from known_rows import Row

from auricle.diagnostics.estimates.interval import ratio
from auricle.diagnostics.known.processes import VectorAutoregression
from auricle.diagnostics.known.sources import SparseMarkov
from auricle.diagnostics.latents.lag_moments import LagMoments
from auricle.diagnostics.ngrams.counts import merge


def exact_statistics(large: bool) -> Iterator[Row]:
    """Merging, subtracting."""
    clips = SparseMarkov.random(1024, 1, 16, seed=0).sample(80, 5000, seed=1)
    whole = ngram_counts(clips, 1024, 2)
    shards = [ngram_counts(clips[i::8], 1024, 2) for i in range(8)]
    equal = merge(shards) == whole and whole - shards[0] == merge(shards[1:])
    yield Row("counts: 8 shards merged, one subtracted", "bit-equal" if equal else "differ", "bit-equal", bool(equal))
    data = VectorAutoregression.random(64, 0.95, seed=0).sample(80, 500, seed=1)
    all_moments = LagMoments.of(data, 64, (1,))
    parts = [LagMoments.of(data[i::8], 64, (1,)) for i in range(8)]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged + part
    scale = np.abs(all_moments.products).max()
    error = np.abs(merged.products - all_moments.products).max() / scale
    refit = (
        np.abs((all_moments - parts[0]).products - LagMoments.of(clips_without(data), 64, (1,)).products).max() / scale
    )
    worst = max(error, refit)
    yield Row("moments: 8 shards merged, one subtracted", f"{worst:.0e} relative", "<= 1e-9", bool(worst <= 1e-9))


def clips_without(data: np.ndarray) -> list[np.ndarray]:
    """All clips but every eighth."""
    return [clip for i, clip in enumerate(data) if i % 8]


def coverage(large: bool) -> Iterator[Row]:
    """How often a nominal 95 % interval holds the truth, 800 corpora each, speakers of equal and of Zipf sizes."""
    for exponent, sizes in ((0.0, "equal"), (1.0, "Zipf")):
        for speakers in (5, 10, 20, 40):
            hits = {"speakers": 0, "clips": 0}
            for seed in range(800):
                rng = np.random.default_rng(seed)
                share = np.arange(1.0, speakers + 1) ** -exponent
                each = np.maximum(1, np.round(12 * speakers * share / share.sum())).astype(int)
                speaker = np.repeat(np.arange(speakers), each)
                seconds = rng.uniform(2, 10, speaker.size)
                rate = 5 + 0.15 * rng.normal(size=speakers)[speaker] + 0.2 * rng.normal(size=speaker.size)
                for kind, groups in (("speakers", speaker), ("clips", range(speaker.size))):
                    interval = ratio(rate * seconds, seconds, [str(g) for g in groups])
                    hits[kind] += interval.low <= 5 <= interval.high
            held = hits["speakers"] / 800
            yield Row(
                f"coverage of a 95 % interval, {speakers} speakers of {sizes} size",
                f"{held:.1%} (taking clips as independent {hits['clips'] / 800:.0%})",
                "92 to 98%",
                0.92 <= held <= 0.98,
            )

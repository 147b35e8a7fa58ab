"""What an n-gram model reaches on the held-out part of a Markov source whose entropy rate is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from auricle.diagnostics.known.sources import SparseMarkov
from auricle.diagnostics.ngrams.counts import NgramCounts, pack
from auricle.diagnostics.ngrams.kneser_ney import KneserNey


def ngram_counts(clips: np.ndarray, cardinality: int, order: int) -> NgramCounts:
    """Counts of `[N, T]` symbols, each clip after `order` symbols of "before the clip"."""
    padded = np.concatenate((np.full((clips.shape[0], order), cardinality), clips), axis=1)
    symbols = [padded[:, i : i + clips.shape[1]].ravel() for i in range(order + 1)]
    return NgramCounts.of(pack(symbols, cardinality), cardinality, order)


@dataclass(frozen=True)
class HeldOut:
    """Kneser-Ney of the source's own order, fitted on nine tenths of the clips, on the last tenth."""

    truth: float
    bits: float
    plug_in: float
    unseen: float
    excess_in_errors: float
    """Mean excess over the oracle's code length on the same symbols, in paired standard errors over clips."""


def held_out(cardinality: int, order: int, successors: int, symbols: int, seed: int) -> HeldOut:
    """A random sparse Markov source of this kind; order 0 is uniform."""
    if order == 0:
        clips = np.random.default_rng(seed).integers(0, cardinality, (100, symbols // 100))
        oracle, truth = np.full(clips.shape, np.log2(cardinality)), float(np.log2(cardinality))
    else:
        source = SparseMarkov.random(cardinality, order, successors, seed)
        clips, oracle = source.sample_with_bits(100, symbols // 100, seed + 100)
        truth = source.entropy_rate()
    counts = ngram_counts(clips[:90], cardinality, order)
    model = KneserNey(counts)
    bits = np.array([model.cross_entropy(ngram_counts(clip[None], cardinality, order)) for clip in clips[90:]])
    excess = bits - oracle[90:].mean(1)
    error = excess.std(ddof=1) / np.sqrt(excess.size)
    return HeldOut(truth, bits.mean(), counts.conditional_entropy(), counts.missing_mass(), excess.mean() / error)

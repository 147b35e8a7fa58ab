"""Codes with known entropy rates, and clips whose difficulty is known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from held_out_chains import held_out, ngram_counts
from known_rows import SEEDS, Row, codes
from scipy.stats import rankdata

from auricle.diagnostics.known.sources import HiddenMarkov, ResidualQuantiser, SparseMarkov
from auricle.diagnostics.ngrams.kneser_ney import KneserNey


def discrete_sources(large: bool) -> Iterator[Row]:
    """Known entropy rates, within reach of counting."""
    kinds = [
        ("uniform, 1024 entries, 1e6", (1024, 0, 0, 10**6), 0.001, SEEDS),
        ("Markov-1, 64 entries, 1e6", (64, 1, 16, 10**6), 0.005, SEEDS),
        ("Markov-1, 1024 entries, 1e6", (1024, 1, 16, 10**6), 0.02, SEEDS),
        ("Markov-2, 64 entries, 1e6", (64, 2, 8, 10**6), 0.05, SEEDS),
    ]
    if large:
        kinds += [
            ("Markov-1, 1024 entries, 1e7", (1024, 1, 16, 10**7), 0.005, 1),
            ("Markov-2, 64 entries, 1e7", (64, 2, 8, 10**7), 0.01, 1),
        ]
    excesses = []
    for name, kind, gate, seeds in kinds:
        runs = [held_out(*kind, seed) for seed in range(seeds)]
        excesses += [run.excess_in_errors for run in runs]
        worst = max(run.bits / run.truth - 1 for run in runs)
        yield Row(f"{name}: held-out code length", f"+{worst:.2%}, worst of {seeds}", f"<= +{gate:.1%}", worst <= gate)
        if name.startswith("Markov-1, 1024"):
            inside = all(run.unseen <= 0.01 and run.plug_in <= run.truth * 1.002 <= run.bits * 1.002 for run in runs)
            width = max((run.bits - run.plug_in) / run.truth for run in runs)
            yield Row(
                f"{name}: gated plug-in and code length bracket the truth",
                f"{'yes' if inside else 'no'}, width {width:.1%}",
                "yes (plug-in to 0.2 %), <= 2.5 %",
                inside and width <= 0.025,
            )
    uniform = np.random.default_rng(0).integers(0, 1024, (100, 10_000))
    for order in (1, 2):
        counts = ngram_counts(uniform, 1024, order)
        yield Row(
            f"uniform, 1024 entries, 1e6: plug-in entropy given {order} before, without its gate",
            f"{counts.conditional_entropy() / 10 - 1:+.1%} (missing mass {counts.missing_mass():.0%})",
            "(for comparison)",
            True,
        )
    yield Row(
        "never below the oracle on the same symbols",
        f"excess at least {min(excesses):+.1f} paired standard errors in {len(excesses)} runs",
        ">= -3",
        min(excesses) >= -3,
    )


def end_to_end_codes(large: bool) -> Iterator[Row]:
    """What `diagnose_codes` says, cross-fitted over five folds of groups."""
    worst, gains, right = 0.0, [], 0
    for seed in range(SEEDS):
        clips, oracle = ResidualQuantiser.random(3, 256, 8, seed * 10).sample_with_bits(100, 3000, seed)
        result = codes(clips, 256)
        worst = max(worst, float(result.code_rate.computed or 0) / oracle.mean() - 1)
        gains.append(float(result.chain_gain.low or 0))
        right += result.code_rate.is_resolved
    yield Row("three codebooks, chain rule, 3e5 frames", f"+{worst:.2%}, worst of {SEEDS}", "<= +1.5%", worst <= 0.015)
    yield Row(
        "  the same, saved over prediction in parallel, lower end",
        f"{min(gains):.1f} bit/frame",
        ">= 5",
        min(gains) >= 5,
    )
    yield Row("  the same, called resolved", f"{right} of {SEEDS}", f"{SEEDS}", right == SEEDS)

    source = HiddenMarkov.random(16, 256, seed=0)
    clips = source.sample(100, 10_000, seed=1)
    result = codes(clips[:, None], 256)
    excess = result.bits - source.bits(clips).sum(1)
    errors = excess.mean() / (excess.std(ddof=1) / 10)
    over = result.bits.sum() / source.bits(clips).sum() - 1
    yield Row(
        "hidden Markov, 256 entries, 1e6: n-grams cannot fit it, bound only",
        f"+{over:.1%} ({errors:+.0f} errors above the oracle), {'resolved' if result.code_rate.is_resolved else 'un'}",
        ">= -3 errors",
        errors >= -3,
    )
    for symbols in (10**5, 10**6):
        clips = SparseMarkov.random(1024, 2, 8, seed=0).sample(100, symbols // 100, seed=1)
        result = codes(clips[:, None], 1024)
        yield Row(
            f"Markov-2, 1024 entries, {symbols:.0e}: out of reach",
            f"unresolved: {result.code_rate.reason}" if not result.code_rate.is_resolved else str(result.code_rate),
            "unresolved",
            not result.code_rate.is_resolved,
        )


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's."""
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def difficulties(large: bool) -> Iterator[Row]:
    """Does the cross-fitted rate rank clips as the oracle does, with contexts long enough to memorise?"""
    source = SparseMarkov.random(256, 1, 8, seed=0)
    symbols = source.sample(2000, 150, seed=1)
    rng = np.random.default_rng(2)
    noise = rng.beta(1.2, 3, 2000)
    replaced = rng.random(symbols.shape) < noise[:, None]
    symbols[replaced] = rng.integers(0, 256, replaced.sum())
    # the oracle knows the chain and the clip's noise
    dense = np.zeros((256, 256))
    np.put_along_axis(dense, source.successor, source.probability, axis=1)
    mixed = (1 - noise[:, None]) * dense[symbols[:, :-1], symbols[:, 1:]] + noise[:, None] / 256
    oracle = -np.log2(mixed).sum(1)
    result = codes(symbols[:, None], 256)
    rank = rank_correlation(result.bits, oracle)
    whole = ngram_counts(symbols, 256, 3)
    leaking = KneserNey(whole)
    inside = [leaking.cross_entropy(ngram_counts(clip[None], 256, 3)) for clip in symbols]
    leaked = rank_correlation(np.array(inside), oracle)
    yield Row("difficulty of 2000 clips against the oracle, rank correlation", f"{rank:.4f}", ">= 0.99", rank >= 0.99)
    yield Row("  the same of an order-3 model that saw the clip", f"{leaked:.3f}", "(for comparison)", True)

"""The record of one codebook: how it is used, and how predictable it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ngrams.codebook_model import Choice, CodebookModel
from ..ngrams.contexts import describe

# Above this missing mass plug-in entropies are more than a percent too low.
_PLUG_IN_MISSING = 0.01


@dataclass(frozen=True, slots=True)
class CodebookRate:
    """One codebook. Entropies are bits per code."""

    codebook: int
    bits: float
    """Held-out code length given the chosen contexts."""
    chain_gain: float
    """What the codebooks above it in the same frame save, on top of the past."""
    past_only_bits: float
    """The same from the past alone, of all codebooks: what predicting codebooks in parallel costs."""
    entropy: float | None
    """Of single codes, Miller-Madow; None where more than 1 % of the mass was never seen."""
    entropy_1: float | None
    """Of a code given the one before, under the same condition."""
    use: float
    """Share of the entries that occur at all; grows with the corpus."""
    perplexity: float
    """2 ** entropy of single codes: how many entries, used equally, would be as uncertain."""
    missing_mass: float
    """Good-Turing, of the chosen n-grams, weighted as they are mixed."""
    contexts: dict[str, float]
    """What it is predicted from: mean mixture weight over folds."""
    extrapolated_gain_bits: float
    """What longer contexts would save if they were seen everywhere as they are in places; see `ExtrapolatedGain`."""
    extrapolated_gain_context: str
    extrapolated_gain_coverage: float


def summarise(model: CodebookModel, choices: list[Choice], bits: float, chain_gain: float) -> CodebookRate:
    """The record of a codebook from what was chosen for each fold; bits: summed over all frames; chain_gain: per
    code."""
    store = model.store
    frames = int(store.lengths.sum())
    weights: dict[str, float] = {}
    missing = 0.0
    for choice in choices:
        for context, weight in zip(choice.mixture.contexts, choice.mixture.weights, strict=True):
            name = describe(context) if context is not None else "uniform"
            weights[name] = weights.get(name, 0.0) + weight / len(choices)
            missing += weight / len(choices) * (model.missing_mass(context) if context is not None else 0.0)
    entropy, entropy_missing = model.entropy(0)
    entropy_1, entropy_1_missing = model.entropy(1)
    worst = max((choice.extrapolated_gain for choice in choices), key=lambda gain: gain.bits)
    return CodebookRate(
        codebook=model.codebook,
        bits=bits / frames,
        chain_gain=chain_gain,
        past_only_bits=bits / frames + chain_gain,
        entropy=entropy if entropy_missing <= _PLUG_IN_MISSING else None,
        entropy_1=entropy_1 if entropy_1_missing <= _PLUG_IN_MISSING else None,
        use=float(np.count_nonzero(store.entries(model.codebook)) / store.cardinality),
        perplexity=float(2**entropy),
        missing_mass=missing,
        contexts=dict(sorted(weights.items(), key=lambda item: -item[1])),
        extrapolated_gain_bits=float(np.mean([choice.extrapolated_gain.bits for choice in choices])),
        extrapolated_gain_context=describe(worst.context),
        extrapolated_gain_coverage=worst.coverage,
    )

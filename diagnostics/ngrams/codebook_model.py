"""Cross-fitted Kneser-Ney models of one codebook: which contexts, how they are mixed, and whether data suffice.

For every fold the contexts and mixture weights are chosen on another fold, with models that saw neither, and then
refitted on all but the fold itself. Count tables per fold make each of these fits a subtraction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .code_store import CodeStore
from .contexts import MAX_LAG, Context, is_past_only, portfolio
from .counts import NgramCounts, merge
from .kneser_ney import KneserNey
from .mixture import fit_weights

NUM_BUCKETS = 3
"""Training clips are split in a quarter, a quarter and a half, for the learning curve."""
_COVERED = 0.95
"""Share of held-out codes from which on a context counts as seen everywhere."""
_TELLING = 0.02
"""Share below which the places where it was seen are too special to tell about the others."""


@dataclass(frozen=True, slots=True)
class ExtrapolatedGain:
    """What a context would save, bits per code, if it had been seen everywhere as it was seen in places."""

    bits: float
    context: Context
    coverage: float
    """Share of held-out codes whose context was seen in training."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """Models to mix, by their contexts. None is the uniform distribution: it limits the cost of unseen symbols."""

    contexts: tuple[Context | None, ...]
    weights: tuple[float, ...]


ENTRIES_ONLY = Mixture(((), None), (0.99, 0.01))
"""How often each entry occurs: the small model that a larger one is compared with."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the validation fold chose for one held-out fold."""

    mixture: Mixture
    past_only: Mixture
    """The same without looking at the codebooks above in the frame."""
    extrapolated_gain: ExtrapolatedGain
    by_lag: tuple[float, ...]
    """Bits per code with contexts reaching back 0, 1, ... MAX_LAG frames at most, on the validation fold."""


@dataclass(frozen=True, slots=True)
class _Tables:
    """Counts for one chain of contexts, longest only."""

    parts: list[NgramCounts]
    folds: list[NgramCounts]
    whole: NgramCounts


class CodebookModel:
    """Count tables of one codebook by context and part of the training frames, and the models made from them."""

    def __init__(
        self, store: CodeStore, codebook: int, positions: np.ndarray, parts: np.ndarray, num_folds: int
    ) -> None:
        """positions: training frames in `store`; parts: `[F]`, fold * NUM_BUCKETS + bucket of each."""
        self.store, self.codebook, self.num_folds = store, codebook, num_folds
        self.chains = portfolio(codebook, store.num_codebooks, store.cardinality)
        self._positions = positions
        self._by_part = np.split(
            np.argsort(parts, kind="stable"),
            np.cumsum(np.bincount(parts, minlength=num_folds * NUM_BUCKETS))[:-1],
        )
        self._tables: dict[Context, _Tables] = {}

    def counts(self, context: Context, *, without: tuple[int, ...], buckets: int = NUM_BUCKETS) -> NgramCounts:
        """Training counts for a context, leaving out folds, from the first `buckets` buckets of the others."""
        tables = self._chain_tables(context)
        if buckets == NUM_BUCKETS:
            table = tables.whole
            for fold in without:
                table = table - tables.folds[fold]
        else:
            table = merge(
                tables.parts[fold * NUM_BUCKETS + bucket]
                for fold in range(self.num_folds)
                if fold not in without
                for bucket in range(buckets)
            )
        return table.shorten(len(context))

    def held_out(self, context: Context, fold: int) -> NgramCounts:
        """Counts of one fold for a context."""
        return self._chain_tables(context).folds[fold].shorten(len(context))

    def missing_mass(self, context: Context) -> float:
        """Good-Turing mass of the n-grams of a context, over all folds."""
        return self._chain_tables(context).whole.shorten(len(context)).missing_mass()

    def entropy(self, order: int) -> tuple[float, float]:
        """Miller-Madow entropy of a code given its `order` predecessors, bits, and the missing mass it hangs on."""
        own_past = self.chains[0]
        table = self._chain_tables(own_past).whole.shorten(min(order, len(own_past)))
        return table.conditional_entropy(), table.missing_mass()

    def _chain_tables(self, context: Context) -> _Tables:
        chain = next(c for c in self.chains if c[: len(context)] == context)
        if chain not in self._tables:
            keys = self.store.ngrams(self.codebook, chain, self._positions)
            parts = [NgramCounts.of(keys[members], self.store.cardinality, len(chain)) for members in self._by_part]
            folds = [merge(parts[f * NUM_BUCKETS : (f + 1) * NUM_BUCKETS]) for f in range(self.num_folds)]
            self._tables[chain] = _Tables(parts, folds, merge(folds))
        return self._tables[chain]

    def choose(self, fold: int, positions: np.ndarray, other: np.ndarray | None = None) -> Choice:
        """Contexts and weights for `fold`, from codes of the next fold, by models that saw neither.

        positions: in the store, of the next fold. other: `[F]` bits of the same codes by a model of another kind.
        """
        validation = (fold + 1) % self.num_folds
        if not positions.shape[0]:
            blind = Mixture(((), None), (0.5, 0.5))
            return Choice(blind, blind, ExtrapolatedGain(0.0, (), 1.0), (0.0,) * (MAX_LAG + 1))
        bits: dict[Context, np.ndarray] = {}
        known: dict[Context, np.ndarray] = {}
        for chain in self.chains:
            training = self.counts(chain, without=(fold, validation))
            for context in (chain[:n] for n in range(len(chain) + 1)):
                if context not in bits:
                    model = KneserNey(training.shorten(len(context)))
                    keys = self.store.ngrams(self.codebook, context, positions)
                    bits[context], known[context] = model.bits(keys), model.knows_context(keys)
        mixture = self._mixture(bits)
        same = all(context is None or is_past_only(context) for context in mixture.contexts)
        past_only = mixture if same else self._mixture({c: each for c, each in bits.items() if is_past_only(c)})
        return Choice(mixture, past_only, _extrapolated_gain(bits, known, other), tuple(self._by_lag(bits)))

    def _mixture(self, bits: dict[Context, np.ndarray]) -> Mixture:
        """The best length of each chain, and how to weigh them; bits: per context, over the same held-out codes."""
        cost = {context: float(each.mean()) for context, each in bits.items()}
        prefixes = [[chain[:n] for n in range(len(chain) + 1) if chain[:n] in bits] for chain in self.chains]
        best = {min(contexts, key=lambda c: cost[c]) for contexts in prefixes}
        candidates = sorted(best, key=lambda c: (cost[c], c))
        modelled = [2.0 ** -bits[context] for context in candidates]
        uniform = np.full_like(modelled[0], 1 / self.store.cardinality)
        weights = fit_weights(np.stack([*modelled, uniform], axis=1))
        kept = [(c, float(w)) for c, w in zip([*candidates, None], weights, strict=True) if w > 0]
        return Mixture(tuple(c for c, _ in kept), tuple(w for _, w in kept))

    def _by_lag(self, bits: dict[Context, np.ndarray]) -> Iterator[float]:
        """Weights from every other held-out code, cost on the codes between."""
        for reach in range(MAX_LAG + 1):
            within = {c: each for c, each in bits.items() if all(lag <= reach for _, lag in c)}
            mixture = self._mixture({c: each[::2] for c, each in within.items()})
            uniform = np.full(bits[()][1::2].shape, 1 / self.store.cardinality)
            parts = [uniform if c is None else 2.0 ** -within[c][1::2] for c in mixture.contexts]
            mixed = sum(w * part for w, part in zip(mixture.weights, parts, strict=True))
            yield float(-np.log2(mixed).mean()) if uniform.size else 0.0

    def fit(self, mixture: Mixture, *without: int, buckets: int = NUM_BUCKETS) -> FittedMixture:
        """The mixed models, fitted on all folds but those in `without`."""
        models = [
            None if context is None else KneserNey(self.counts(context, without=without, buckets=buckets))
            for context in mixture.contexts
        ]
        return FittedMixture(self.store, self.codebook, mixture, models)


@dataclass(frozen=True, slots=True)
class FittedMixture:
    """A mixture that codes one codebook."""

    store: CodeStore
    codebook: int
    mixture: Mixture
    models: list[KneserNey | None]

    def bits(self, positions: np.ndarray) -> np.ndarray:
        """Code length of the codes at these positions of the store, `[F]` bits."""
        probability = np.zeros(positions.shape[0])
        for context, weight, model in zip(self.mixture.contexts, self.mixture.weights, self.models, strict=True):
            if context is None or model is None:
                probability += weight / self.store.cardinality
            else:
                probability += weight * model.probability(self.store.ngrams(self.codebook, context, positions))
        return -np.log2(probability)


def _extrapolated_gain(
    bits: dict[Context, np.ndarray], known: dict[Context, np.ndarray], other: np.ndarray | None
) -> ExtrapolatedGain:
    """The context that would save most if it had been seen everywhere.

    Each context is compared, where it was seen in training, with the best context that was seen nearly everywhere, or
    with the model of another kind where that is better;
    what it saves there is assumed for the rest too. Two standard errors are taken off, so that a handful of lucky
    symbols is not called structure.
    """
    coverage = {context: float(each.mean()) for context, each in known.items()}
    everywhere = [context for context in bits if not context or coverage[context] >= _COVERED]
    baseline = min((bits[context] for context in everywhere), key=lambda each: each.mean())
    if other is not None and other.mean() < baseline.mean():
        baseline = other
    worst = ExtrapolatedGain(0.0, (), 1.0)
    for context, each in bits.items():
        if coverage[context] >= _TELLING:
            saved = (baseline - each)[known[context]]
            surely = saved.mean() - 2 * saved.std() / np.sqrt(saved.shape[0])
            missing = float(surely * (1 - coverage[context]))
            if missing > worst.bits:
                worst = ExtrapolatedGain(missing, context, coverage[context])
    return worst

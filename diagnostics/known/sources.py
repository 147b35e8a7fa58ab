"""Discrete sources with known entropy rate: what the estimators of code rate are held against.

All of them draw many clips side by side, `[clips, T]` integer symbols, each clip starting from a burnt-in state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def _pick(rng: np.random.Generator, cumulative: np.ndarray) -> np.ndarray:
    """One index per row of cumulative probabilities `[N, S]`."""
    drawn = rng.random(cumulative.shape[0])[:, None]
    return np.minimum((drawn > cumulative).sum(1), cumulative.shape[1] - 1)


@dataclass(frozen=True, slots=True, eq=False)
class SparseMarkov:
    """Markov chain over `cardinality` symbols, each context with a few possible successors.

    successor, probability: `[cardinality ** order, S]`. A context is the last `order` symbols in radix
    `cardinality`, the most recent least significant.
    """

    cardinality: int
    order: int
    successor: np.ndarray
    probability: np.ndarray

    @classmethod
    def random(cls, cardinality: int, order: int, successors: int, seed: int) -> SparseMarkov:
        """Successors at random, without repetition; probabilities from Dirichlet(0.5). `cardinality` is 2**n."""
        if cardinality & (cardinality - 1):
            raise ValueError(f"cardinality must be a power of two, got {cardinality}")
        rng = np.random.default_rng(seed)
        contexts = cardinality**order
        # an odd stride visits every symbol of a power of two before it repeats one
        start = rng.integers(0, cardinality, (contexts, 1))
        stride = 2 * rng.integers(0, cardinality // 2, (contexts, 1)) + 1
        successor = (start + stride * np.arange(successors)) % cardinality
        return cls(cardinality, order, successor, rng.dirichlet(np.full(successors, 0.5), contexts))

    def sample(self, clips: int, length: int, seed: int) -> np.ndarray:
        """`[clips, length]` int64 after a burn-in of 100 symbols."""
        return self.sample_with_bits(clips, length, seed)[0]

    def sample_with_bits(self, clips: int, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Symbols and the oracle's code length of each given its true context, both `[clips, length]`."""
        rng = np.random.default_rng(seed)
        cumulative = np.cumsum(self.probability, axis=1)
        context = rng.integers(0, self.cardinality**self.order, clips)
        symbols, bits = np.empty((length, clips), np.int64), np.empty((length, clips))
        for t in range(-100, length):
            choice = _pick(rng, cumulative[context])
            symbol = self.successor[context, choice]
            if t >= 0:
                symbols[t], bits[t] = symbol, -np.log2(self.probability[context, choice])
            context = (context * self.cardinality + symbol) % self.cardinality**self.order
        return symbols.T, bits.T

    def entropy_rate(self, iterations: int = 200) -> float:
        """Bits per symbol: the rows' entropies under the stationary distribution, found by power iteration."""
        contexts = self.cardinality**self.order
        following = (np.arange(contexts)[:, None] * self.cardinality + self.successor) % contexts
        weight = np.full(contexts, 1.0 / contexts)
        for _ in range(iterations):
            flow = (weight[:, None] * self.probability).ravel()
            weight = np.bincount(following.ravel(), flow, contexts)
        rows = -(self.probability * np.log2(np.maximum(self.probability, 1e-300))).sum(1)
        return float(weight @ rows)


@dataclass(frozen=True, slots=True, eq=False)
class HiddenMarkov:
    """Hidden chain `transition` `[S, S]` that emits a symbol from its state's row of `emission` `[S, K]`."""

    transition: np.ndarray
    emission: np.ndarray

    @classmethod
    def random(cls, states: int, cardinality: int, seed: int) -> HiddenMarkov:
        """Transitions and emissions from Dirichlet(0.1): few likely successors, few likely symbols."""
        rng = np.random.default_rng(seed)
        return cls(rng.dirichlet(np.full(states, 0.1), states), rng.dirichlet(np.full(cardinality, 0.1), states))

    def sample(self, clips: int, length: int, seed: int) -> np.ndarray:
        """`[clips, length]` int64 after a burn-in of 100 symbols."""
        rng = np.random.default_rng(seed)
        move, emit = np.cumsum(self.transition, axis=1), np.cumsum(self.emission, axis=1)
        state = rng.integers(0, self.transition.shape[0], clips)
        symbols = np.empty((length, clips), np.int64)
        for t in range(-100, length):
            state = _pick(rng, move[state])
            if t >= 0:
                symbols[t] = _pick(rng, emit[state])
        return symbols.T

    def bits(self, symbols: np.ndarray) -> np.ndarray:
        """Code length of each symbol given its clip's past, `[clips, T]`, by the forward algorithm."""
        clips, length = symbols.shape
        belief = np.full((clips, self.transition.shape[0]), 1.0 / self.transition.shape[0])
        bits = np.empty((length, clips))
        for t in range(length):
            joint = (belief @ self.transition) * self.emission[:, symbols[:, t]].T
            probability = joint.sum(1)
            bits[t] = -np.log2(probability)
            belief = joint / probability[:, None]
        return bits.T


@dataclass(frozen=True, slots=True, eq=False)
class ResidualQuantiser:
    """Frames of several codebooks: the first follows a Markov chain in time, each next one depends on the one above.

    Within a frame codebook q is drawn given codebook q - 1 of that frame, so nearly all that is to know about it
    lies in the frame, not in its own past.
    """

    time: SparseMarkov
    depth: tuple[SparseMarkov, ...]

    @classmethod
    def random(cls, num_codebooks: int, cardinality: int, successors: int, seed: int) -> ResidualQuantiser:
        """One chain in time and `num_codebooks - 1` conditional tables, all of the same kind."""
        first, *rest = (SparseMarkov.random(cardinality, 1, successors, seed + q) for q in range(num_codebooks))
        return cls(first, tuple(rest))

    def sample_with_bits(self, clips: int, length: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Codes `[clips, K, length]` and the oracle's code length per frame `[clips, length]`."""
        rng = np.random.default_rng(seed)
        above, bits = self.time.sample_with_bits(clips, length, seed + 1)
        codes = [above]
        for table in self.depth:
            flat = above.ravel()
            choice = _pick(rng, np.cumsum(table.probability, axis=1)[flat])
            bits = bits - np.log2(table.probability[flat, choice]).reshape(bits.shape)
            above = table.successor[flat, choice].reshape(above.shape)
            codes.append(above)
        return np.stack(codes, axis=1), bits

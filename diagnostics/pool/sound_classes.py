"""Classes of the sound before a code: k-means of what the codec's vectors add up to.

Of every frame: the frame before, the two before, averages of the past of several lengths, and the sum of the codebooks
above within the frame. Nothing of a code or of what follows it enters its own context.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from .kmeans import NestedClasses

MAX_DIMENSION = 48
"""Vectors are projected on this many principal components of the frames: k-means sees no more in them."""
_SAMPLE = 12_000
_PART_FRAMES = 1 << 15
_SECOND = 0.7
"""Weight of the second last frame beside the last."""
_AVERAGES = (("short", 0.35, (256, 64)), ("middle", 0.1, (64, 16)), ("long", 0.02, (64, 16)))
"""Name, share of the newest frame in a running average, and sizes of its classes."""


class SoundClasses:
    """Classes fitted on some clips, for the frames of any."""

    def __init__(self, vectors: np.ndarray, clips: list[np.ndarray], seed: int = 0) -> None:
        """vectors: `[Q, cardinality, D]`, whose sum over codebooks is a frame. clips: codes `[T, Q]` to fit on."""
        self.vectors = _projected(vectors, clips)
        total = sum(codes.shape[0] for codes in clips)
        chosen = np.sort(np.random.default_rng(seed).permutation(total)[:_SAMPLE])
        drawn: dict[str, list[np.ndarray]] = {}
        begin = 0
        for part in _parts(clips):
            found = self._features(part)
            end = begin + sum(codes.shape[0] for codes in part)
            inside = chosen[(chosen >= begin) & (chosen < end)] - begin
            for name, points in found.items():
                drawn.setdefault(name, []).append(points[inside])
            begin = end
        sizes = {"previous": (256, 64, 16), "pair": (256,)} | {name: sizes for name, _, sizes in _AVERAGES}
        # at least 20 frames for each class
        limit = max(2, chosen.shape[0] // 20)
        self._classes = {}
        for name, points in drawn.items():
            wanted = dict.fromkeys(min(size, limit) for size in sizes.get(name, (256, 64)))
            self._classes[name] = NestedClasses(np.concatenate(points), tuple(wanted), seed)

    def labels(self, clips: list[np.ndarray]) -> dict[str, np.ndarray]:
        """Classes of all frames by name and size, clips end to end, `[F]` uint16 each.

        "above<q>-<size>" is the class of the sum of the codebooks before q; the others serve all codebooks.
        """
        found: dict[str, list[np.ndarray]] = {}
        for part in _parts(clips):
            for name, points in self._features(part).items():
                for size, label in zip(self.sizes(name), self._classes[name].labels(points), strict=True):
                    found.setdefault(f"{name}-{size}", []).append(label.astype(np.uint16))
        return {name: np.concatenate(each) for name, each in found.items()}

    def sizes(self, name: str) -> list[int]:
        """Number of classes of a feature, finest first."""
        return self._classes[name].sizes

    def num_classes(self) -> dict[str, int]:
        """Of every context by name."""
        return {f"{name}-{size}": size for name in self._classes for size in self.sizes(name)}

    def _features(self, clips: list[np.ndarray]) -> dict[str, np.ndarray]:
        """`[F, D]` float32 by name, clips end to end."""
        parts: dict[str, list[np.ndarray]] = {}
        for codes in clips:
            added = np.cumsum([self.vectors[q][codes[:, q]] for q in range(codes.shape[1])], axis=0)
            frames = added[-1]
            last, second = _delayed(frames, 1), _delayed(frames, 2)
            each = {"previous": last, "pair": np.hstack((last, _SECOND * second))}
            for name, share, _ in _AVERAGES:
                each[name] = lfilter([0.0, share], [1.0, share - 1.0], frames, axis=0)
            each |= {f"above{q}": added[q - 1] for q in range(1, codes.shape[1])}
            for name, points in each.items():
                parts.setdefault(name, []).append(points.astype(np.float32))
        return {name: np.concatenate(points) for name, points in parts.items()}


def _parts(clips: list[np.ndarray]) -> list[list[np.ndarray]]:
    """The clips in order, some `_PART_FRAMES` frames at a time: features are many times the size of codes."""
    parts: list[list[np.ndarray]] = []
    held = _PART_FRAMES
    for codes in clips:
        if held >= _PART_FRAMES:
            parts.append([])
            held = 0
        parts[-1].append(codes)
        held += codes.shape[0]
    return parts


def _delayed(frames: np.ndarray, by: int) -> np.ndarray:
    return np.concatenate((np.zeros_like(frames[:by]), frames[:-by]))[: frames.shape[0]]


def _projected(vectors: np.ndarray, clips: list[np.ndarray]) -> np.ndarray:
    """`[Q, cardinality, at most MAX_DIMENSION]` float32, on the principal components of the clips' frames."""
    if vectors.shape[2] <= MAX_DIMENSION:
        return vectors.astype(np.float32)
    frames = np.concatenate([sum(table[codes[:, q]] for q, table in enumerate(vectors)) for codes in clips])
    _, components = np.linalg.eigh(np.cov(frames.T))
    return (vectors @ components[:, -MAX_DIMENSION:]).astype(np.float32)

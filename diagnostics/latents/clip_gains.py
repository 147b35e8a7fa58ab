"""What the past says in each clip, summed over its frames, under models that heard nothing of its group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .gaussian_predictor import GaussianPredictor


@dataclass(frozen=True, slots=True, eq=False)
class ClipGains:
    """One value per clip, `[N]`, and per lag, `[N, L]`; all sums are corrected for what finite training data cost."""

    keys: list[str]
    groups: list[str]
    lengths: np.ndarray
    """Frames."""
    nats: np.ndarray
    """Gain; NaN without frames."""
    frames: np.ndarray
    """Frames with a whole past, over which it is summed."""
    lagged_nats: np.ndarray
    """Information about the frame so many later; NaN without frames."""
    lagged_frames: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[ClipGains]) -> ClipGains:
        """Of all parts, by key."""
        keys = [key for part in parts for key in part.keys]
        groups = [group for part in parts for group in part.groups]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        names = ("lengths", "nats", "frames", "lagged_nats", "lagged_frames")
        arrays = (np.concatenate([getattr(part, name) for part in parts])[order] for name in names)
        return cls([keys[i] for i in order], [groups[i] for i in order], *arrays)

    def at(self, places: Sequence[int], weights: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """(`[N]` sums, `[N]` frames) of information between lags: their weighted means per frame, over the frames of
        the last, of clips that have all of them. places: of the lags."""
        nats, frames = self.lagged_nats[:, places], self.lagged_frames[:, places]
        whole = (frames > 0).all(1)
        sums, counts = np.full(len(self.keys), np.nan), np.where(whole, frames[:, -1], 0)
        sums[whole] = (nats[whole] / frames[whole]) @ np.asarray(weights) * frames[whole, -1]
        return sums, counts


@dataclass(frozen=True, slots=True, eq=False)
class FoldGains:
    """The models that score the clips of one fold, and what is added to each frame. It can be pickled."""

    past: int
    """Frames before the first that is scored for the gain: the longest past that was tried, so that every order is
    scored on the same frames."""
    predictor: GaussianPredictor | None
    added: float
    """nat/frame"""
    lags: tuple[int, ...]
    lagged: tuple[GaussianPredictor | None, ...]
    lagged_added: tuple[float, ...]
    """nat/frame"""


@dataclass(slots=True, eq=False)
class GainTable:
    """Scores clips one by one."""

    num_lags: int
    _clips: list[tuple[str, str]] = field(default_factory=list)
    _counts: list[list[int]] = field(default_factory=list)
    """Frames, those behind the gain, those behind the information at each lag."""
    _nats: list[list[float]] = field(default_factory=list)

    def add(self, key: str, group: str, latents: np.ndarray, models: FoldGains) -> None:
        """A clip `[D, T]`."""
        length = latents.shape[1]
        counts, nats = [length], []
        predictor = models.predictor
        first = models.past - max(predictor.lags) if predictor is not None else 0
        for model, skipped, added in (
            (predictor, first, models.added),
            *((model, 0, added) for model, added in zip(models.lagged, models.lagged_added, strict=True)),
        ):
            usable = model is not None and length - skipped > max(model.lags)
            scores = model.gain(latents[:, skipped:]) if model is not None and usable else None
            counts.append(0 if scores is None else scores.shape[0])
            nats.append(np.nan if scores is None else float(scores.sum()) + added * scores.shape[0])
        self._clips.append((key, group))
        self._counts.append(counts)
        self._nats.append(nats)

    def gains(self) -> ClipGains:
        """Of all clips so far, in their order."""
        counts = np.array(self._counts, np.int64).reshape(-1, 2 + self.num_lags)
        nats = np.array(self._nats, np.float64).reshape(-1, 1 + self.num_lags)
        keys, groups = [key for key, _ in self._clips], [group for _, group in self._clips]
        return ClipGains(keys, groups, counts[:, 0], nats[:, 0], counts[:, 1], nats[:, 1:], counts[:, 2:])

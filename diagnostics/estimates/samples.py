"""The clips of one representation, as diagnoses read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

Sample = tuple[str, str, np.ndarray]
"""(clip key, group, array `[K or D, T]`); the group is the speaker, else the recording."""
Samples = Iterable[Sample] | Callable[[], Iterable[Sample]]
"""One pass, or a function that starts one."""


def start(samples: Samples) -> Iterable[Sample]:
    """A pass over the samples."""
    return samples() if callable(samples) else samples


class Kept:
    """Starts passes over samples, and keeps the beginnings of some clips on the way."""

    def __init__(self, samples: Samples, wanted: Mapping[str, int]) -> None:
        """wanted: clip to the most frames that are kept of it."""
        self._samples, self._wanted = samples, wanted
        self.clips: dict[str, tuple[str, np.ndarray]] = {}
        """Group and array `[..., T]` of each wanted clip that a pass has come by."""

    def __call__(self) -> Iterator[Sample]:
        """A pass over all samples."""
        for key, group, array in start(self._samples):
            if key in self._wanted:
                self.clips[key] = group, array[..., : self._wanted[key]].copy()
            yield key, group, array


def scalars(record: Any) -> dict[str, Any]:
    """The fields of a dataclass that are numbers, text or None."""
    values = {name: getattr(record, name) for name in type(record).__dataclass_fields__}
    return {name: value for name, value in values.items() if value is None or isinstance(value, str | int | float)}

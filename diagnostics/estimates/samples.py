"""The clips of one representation, as diagnoses read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

Sample = tuple[str, str, np.ndarray]
"""(clip key, group, array `[K or D, T]`); the group is the speaker, else the recording."""
Samples = Iterable[Sample] | Callable[[], Iterable[Sample]]
"""One pass, or a function that starts one."""


def start(samples: Samples) -> Iterable[Sample]:
    """A pass over the samples."""
    return samples() if callable(samples) else samples


def scalars(record: Any) -> dict[str, Any]:
    """The fields of a dataclass that are numbers, text or None."""
    values = {name: getattr(record, name) for name in type(record).__dataclass_fields__}
    return {name: value for name, value in values.items() if value is None or isinstance(value, str | int | float)}

"""What the built-in curators share: options, fingerprint, and a bad clip becoming nulls with a reason."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import ValidationError

from ..schemas.clip import Clip
from ..schemas.config import Strict
from ..schemas.errors import AuricleError, ConfigError, MissingExtraError
from ..schemas.keys import fingerprint
from ..schemas.score import UNMEASURABLE, Row, ScoreColumn
from .waveform import LOUDEST_PEAK, SILENT_PEAK, peak


class Unmeasurable(Exception):
    """Raised inside `measure`: the clip is too bad for this score. The message follows the prefix in the reason."""


class NoOptions(Strict):
    """A curator without parameters."""


class PerClip(ABC):
    """A curator that measures one clip at a time. Instances hold options only: cheap, picklable, models elsewhere."""

    name: ClassVar[str]
    version: ClassVar[int]
    columns: ClassVar[tuple[ScoreColumn, ...]]
    inputs: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type[Strict]] = NoOptions
    needs_signal: ClassVar[bool] = True
    """Whether digital silence is refused before `measure`."""

    def __init__(self, **options: Any) -> None:
        """Options by name; an unknown or impossible one raises `ConfigError` that says what is allowed."""
        try:
            self.options: Any = self.Options(**options)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            allowed = ", ".join(sorted(self.Options.model_fields)) or "none"
            raise ConfigError(
                f"curator '{self.name}', option '{where}': {first['msg']}, found {first.get('input')!r}. "
                f"Options of this curator: {allowed}"
            ) from None

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Resolved options, JSON-able; one that was renamed keeps its first name here, and so the fingerprint holds."""
        return self.options.model_dump(mode="json", by_alias=True)

    def weights(self) -> str:
        """What the scores rest on beside the options: SHA-256 of weights, names of fixed kernels. "" when nothing."""
        return ""

    @property
    def fingerprint(self) -> str:
        """32 hex digits over name, version, parameters and weights."""
        return fingerprint(self.name, self.version, self.parameters, self.weights())

    def score(self, batch: Sequence[Clip]) -> list[Row]:
        """One row per clip, in order; never raises on a bad clip, only where the installation is incomplete."""
        with np.errstate(all="ignore"):  # what overflows is caught as a value that is not finite, never a warning
            return [self._row(clip) for clip in batch]

    @abstractmethod
    def measure(self, clip: Clip) -> Row:
        """Columns' values of one clip, "reason" where one is null; raises `Unmeasurable`."""

    def _row(self, clip: Clip) -> Row:
        empty: Row = {column.name: None for column in self.columns}
        try:
            self._check(clip)
            row = {**empty, "reason": None, **self.measure(clip)}
        except Unmeasurable as error:
            return {**empty, "reason": f"{UNMEASURABLE}: {error}"}
        except AuricleError:
            raise
        except ImportError as error:
            raise MissingExtraError("score", "curate", error.name or str(error)) from error
        except Exception as error:  # the contract: one bad clip is a row, whatever is wrong with it
            return {**empty, "reason": f"failed: {type(error).__name__}: {error}"[:500]}
        for column in self.columns:
            value = row[column.name]
            if isinstance(value, float) and not math.isfinite(value):
                row[column.name] = None
                row["reason"] = row["reason"] or f"failed: {column.name} is not finite"
        return row

    def _check(self, clip: Clip) -> None:
        if clip.waveform.size == 0:
            raise Unmeasurable("no samples")
        largest = peak(clip)
        if not math.isfinite(largest):
            raise Unmeasurable("samples that are not finite")
        if largest > LOUDEST_PEAK:
            raise Unmeasurable(f"peak of {largest:.3g} times full scale is no audio")
        if self.needs_signal and largest < SILENT_PEAK:
            raise Unmeasurable("digital silence")

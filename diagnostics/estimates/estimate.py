"""A measured number with its interval, or the reason why there is none."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number that can be quoted, or "unresolved" with the reason and what would resolve it.

    Unresolved estimates keep what was computed in `computed`, so that nobody has to rerun to see it, but `value`,
    `low` and `high` are None: nothing downstream can quote them by accident.
    """

    unit: str
    value: float | None
    low: float | None
    """95 % interval over groups, with `high`."""
    high: float | None
    computed: float | None
    """What the estimator gave, resolved or not."""
    relation: str = "="
    """"<=" where the estimator bounds the quantity from above in expectation."""
    reason: str = ""
    """Why it is unresolved; "" when it is not."""
    remedy: str = ""
    """What would resolve it."""

    @classmethod
    def resolved(cls, value: float, low: float | None, high: float | None, unit: str, relation: str = "=") -> Estimate:
        """A number that stands; `low` and `high` may be None where an interval has no meaning."""
        return cls(unit, value, low, high, value, relation)

    @classmethod
    def unresolved(
        cls, reason: str, remedy: str, unit: str, computed: float | None = None, relation: str = "="
    ) -> Estimate:
        """No number: too little data, and what would be enough."""
        return cls(unit, None, None, None, computed, relation, reason, remedy)

    @property
    def is_resolved(self) -> bool:
        """Whether `value` is a number."""
        return self.value is not None

    def scaled(self, factor: float, unit: str) -> Estimate:
        """The same estimate in another unit; `factor` is positive and exact."""

        def times(x: float | None) -> float | None:
            return None if x is None else x * factor

        return Estimate(
            unit,
            times(self.value),
            times(self.low),
            times(self.high),
            times(self.computed),
            self.relation,
            self.reason,
            self.remedy,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, with `status` "resolved" or "unresolved"."""
        return {"status": "resolved" if self.is_resolved else "unresolved", **asdict(self)}

    def __str__(self) -> str:
        if self.value is None:
            needed = f"; needed: {self.remedy}" if self.remedy else ""
            return f"unresolved ({self.reason}{needed})"
        sign = "" if self.relation == "=" else f"{self.relation} "
        if self.low is None or self.high is None:
            return f"{sign}{self.value:.4g} {self.unit}"
        return f"{sign}{self.value:.4g} {self.unit} [{self.low:.4g}, {self.high:.4g}]"

"""What of a representation is unresolved: each reason once, with all that it leaves open and what would be enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class Unresolved:
    """Collects while lines are written; `lines` says it at their end."""

    def __init__(self) -> None:
        self._measures: dict[str, list[str]] = {}

    def add(self, measure: str, estimate: Mapping[str, Any]) -> None:
        """An estimate without a value, under the name of its measure; both may come again."""
        measures = self._measures.setdefault(why(estimate), [])
        if measure not in measures:
            measures.append(measure)

    def shown(self, measure: str, estimate: Mapping[str, Any], form: str = ".3f") -> str:
        """The estimate with its interval; "unresolved" where it has none, and then it is collected."""
        if estimate["value"] is None:
            self.add(measure, estimate)
            return "unresolved"
        return f"{estimate['value']:{form}} ({estimate['low']:{form}} to {estimate['high']:{form}})"

    def lines(self) -> Iterator[str]:
        """One per reason."""
        for reason, measures in self._measures.items():
            yield f"unresolved: {', '.join(measures)}: {reason}"


def why(estimate: Mapping[str, Any]) -> str:
    """What there is and, told apart from it, what is needed."""
    needed = f"; needed: {estimate['remedy']}" if estimate.get("remedy") else ""
    return f"{estimate['reason']}{needed}"

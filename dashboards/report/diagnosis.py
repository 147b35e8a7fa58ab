"""Rows of the diagnostics tables, from whatever a version's diagnostics hold: absent keys leave cells empty."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from ...schemas.derived import renamed
from ..drawing.charts import interval


@dataclass(frozen=True)
class Cell:
    """An estimate as a table shows it."""

    resolved: bool
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    relation: str = ""
    reason: str = ""
    remedy: str = ""

    @classmethod
    def of(cls, found: Any) -> Cell:
        """From `diagnostics.Estimate.to_dict`, a bare number, or nothing at all."""
        if isinstance(found, int | float) and not isinstance(found, bool):
            return cls(True, float(found))
        if not isinstance(found, Mapping):
            return cls(False, reason="not measured")
        value = found.get("value")
        if found.get("status") == "unresolved" or not isinstance(value, int | float):
            return cls(
                False, reason=str(found.get("reason") or "no reason given"), remedy=str(found.get("remedy") or "")
            )
        sign = str(found.get("relation") or "=")
        relation = {"=": "", "<=": "≤ ", ">=": "≥ "}.get(sign, f"{sign} ")
        return cls(True, value, found.get("low"), found.get("high"), str(found.get("unit") or ""), relation)


def tables(diagnostics: Mapping[str, Any] | None) -> dict[str, list[dict[str, Any]]]:
    """{"codes": rows, "latents": rows}; diagnostics: representation name -> record, bare or under "representations"."""
    rows: dict[str, list[dict[str, Any]]] = {"codes": [], "latents": []}
    for name, record in records(diagnostics):
        common = {
            "name": name,
            "frame_rate": record.get("frame_rate"),
            "clips": record.get("num_clips"),
            "hours": (record.get("total_seconds") or 0) / 3600,
            "groups": record.get("num_groups"),
            "group_kind": record.get("group_kind") or "group",
            "skipped": sum(v for v in (record.get("skipped") or {}).values() if isinstance(v, int)),
        }
        if record.get("kind") == "latents" or "pred_gain" in record:
            later = record.get("lagged_mutual_information") or ()
            gains = {
                "gain": Cell.of(record.get("pred_gain")),
                "gain_per_s": Cell.of(record.get("pred_gain_per_s")),
                "r2": record.get("r2_info"),
                "dim": record.get("dim"),
                "order": record.get("order"),
                "later": [(h.get("tau_ms"), Cell.of(h)) for h in later if isinstance(h, Mapping)],
            }
            rows["latents"].append(common | gains)
        else:
            books = [book for book in record.get("codebooks") or () if isinstance(book, Mapping)]
            left = record.get("reconstruction") or {}
            rates = {
                "raw": record.get("rate_raw"),
                "rate": Cell.of(record.get("code_rate")),
                "efficiency": Cell.of(record.get("efficiency")),
                "chain_gain": Cell.of(record.get("chain_gain")),
                "estoi": Cell.of(left.get("estoi")),
                "mel_db": Cell.of(left.get("mel_db")),
                "decoded": left.get("num_clips"),
                "cardinality": record.get("cardinality"),
                "codebooks": books,
                "use": _span([book.get("use") for book in books]),
                "perplexity": _span([book.get("perplexity") for book in books]),
            }
            rows["codes"].append(common | rates)
    _draw(rows["codes"], "rate", [row["raw"] for row in rows["codes"]])
    return rows


def records(diagnostics: Mapping[str, Any] | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Representations in the order of their names, with their measures under today's names."""
    found = (diagnostics or {}).get("representations", diagnostics) or {}
    for name, record in sorted(found.items()):
        if isinstance(record, Mapping) and ("kind" in record or "code_rate" in record or "pred_gain" in record):
            yield name, renamed(dict(record))


def _span(values: list[Any]) -> tuple[float, float] | None:
    known = [v for v in values if isinstance(v, int | float)]
    return (min(known), max(known)) if known else None


def _draw(rows: list[dict[str, Any]], key: str, others: list[Any]) -> None:
    """Adds "drawn" to each row: its interval on a scale from zero that all rows of the table share."""
    cells = [row[key] for row in rows if row[key].resolved]
    ends = [v for cell in cells for v in (cell.value, cell.low, cell.high) if v is not None]
    most = max([*ends, *(v for v in others if isinstance(v, int | float))], default=0.0)
    least = min([0.0, *ends])
    for row in rows:
        cell = row[key]
        row["drawn"] = interval(cell.value, cell.low, cell.high, least, most) if cell.resolved else Markup()

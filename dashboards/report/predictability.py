"""Drawings of a version's diagnostics: one scale for one unit, and nulls beside what they are nulls of.

Nats per second of two frame rates are never on one axis: the same sound sampled faster has more of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from markupsafe import Markup

from ..drawing.lines import KINDS, Line, key, lines
from ..drawing.text import number, share
from .diagnosis import records


@dataclass(frozen=True)
class Figure:
    """A chart with what it says."""

    title: str
    note: str
    chart: Markup
    """Empty where there is nothing to draw; the note says why."""
    legend: list[tuple[Markup, str]]
    """A piece of line and what it stands for."""


def figures(diagnostics: Mapping[str, Any] | None) -> list[Figure]:
    """What there is to draw, of the first `KINDS` representations of each kind."""
    found = list(records(diagnostics))
    made = (make(found) for make in (_information, _learning, _tightness, _rollout, _read_out))
    return [figure for figure in made if figure is not None]


def _information(found: Sequence[tuple[str, Mapping[str, Any]]]) -> Figure | None:
    note = "What a frame says about the one so much later. It may be compared across frame rates."
    drawn = [
        _measured(name, kind, [(h.get("tau_ms"), h) for h in _rows(record.get("lagged_mutual_information"))])
        for kind, (name, record) in _some(found, "lagged_mutual_information")
    ]
    return _figure("Information against horizon", note, drawn, "horizon, ms", "nat")


def _learning(found: Sequence[tuple[str, Mapping[str, Any]]]) -> Figure | None:
    note = (
        "The rate with a quarter, a half and all of the training data. More data would lower a line that still falls. "
        "Dotted: the rate is unresolved."
    )
    drawn = []
    for kind, (name, record) in _some(found, "learning_curve"):
        raw, rate = record.get("rate_raw"), record.get("frame_rate")
        if not (_is_number(raw) and _is_number(rate) and raw > 0 and rate > 0):
            continue
        points = [(p.get("frames"), p.get("bits_per_s")) for p in _rows(record["learning_curve"])]
        points = [(x / rate / 60, y / raw) for x, y in points if _is_number(x) and _is_number(y) and x > 0]
        estimate = record.get("code_rate")
        unresolved = isinstance(estimate, Mapping) and estimate.get("value") is None
        drawn.append([Line(f"{name}{', unresolved' if unresolved else ''}", points, kind, is_unresolved=unresolved)])
    across, upwards = "training audio, min", "code rate, share of the raw rate"
    return _figure("Learning curves of the code rate", note, drawn, across, upwards, from_zero=False, written=share)


def _tightness(found: Sequence[tuple[str, Mapping[str, Any]]]) -> Figure | None:
    note = (
        "Mean cosine of a step to the nearest archetype, on speakers that they were not fitted on. Dashed: the same "
        "frames in random order. Only what is above that has to do with time."
    )
    title, drawn, lost = "Archetypes against shuffled frames", [], {}
    for kind, (name, record) in _some(found, "motion"):
        sizes = _rows(_inside(record, "motion", "archetypes", "sizes"))
        drawn.append(_beside_null(name, kind, sizes, "num_archetypes", "tightness"))
        lost |= _unresolved(name, sizes, "tightness")
    return _figure(title, note, drawn, "archetypes", "tightness, cosine", from_zero=False) or _undrawn(title, lost)


def _rollout(found: Sequence[tuple[str, Mapping[str, Any]]]) -> Figure | None:
    note = (
        "Mean cosine of the frame that a linear prediction expects and the one that comes, both about the mean. "
        "Dashed: the same frames in random order."
    )
    title, drawn, lost = "Predictions that are fed back", [], {}
    for kind, (name, record) in _some(found, "motion"):
        steps = _rows(_inside(record, "motion", "rollout", "steps"))
        drawn.append(_beside_null(name, kind, steps, "ms", "frame_cos"))
        lost |= _unresolved(name, steps, "frame_cos")
    return _figure(title, note, drawn, "ahead, ms", "cosine") or _undrawn(title, lost)


def _read_out(found: Sequence[tuple[str, Mapping[str, Any]]]) -> Figure | None:
    note = "The share of the predictive gain that the best linear read-out of so many numbers of the past keeps."
    drawn = [
        _measured(name, kind, [(r.get("dimensions"), r.get("share")) for r in _rows(record["read_out"])])
        for kind, (name, record) in _some(found, "read_out")
    ]
    return _figure("Read-outs of few dimensions", note, drawn, "dimensions", "share of the gain", written=share)


def _some(
    found: Sequence[tuple[str, Mapping[str, Any]]], measure: str
) -> Iterator[tuple[int, tuple[str, Mapping[str, Any]]]]:
    """Representations that have the measure, numbered by colour."""
    yield from list(enumerate((name, record) for name, record in found if record.get(measure)))[:KINDS]


def _figure(
    title: str,
    note: str,
    drawn: Sequence[Sequence[Line]],
    across: str,
    upwards: str,
    *,
    from_zero: bool = True,
    written: Callable[[float], str] = number,
) -> Figure | None:
    """None where no line has two points."""
    flat = [line for each in drawn for line in each if len(line.points) > 1]
    if not flat:
        return None
    chart = lines(title, flat, across, upwards, from_zero=from_zero, written=written)
    return Figure(title, note, chart, [(key(line), line.name) for line in flat])


def _undrawn(title: str, lost: Mapping[str, str]) -> Figure | None:
    """In the place of a chart of which nothing is resolved: why. lost: representation to reason."""
    if not lost:
        return None
    reasons = "; ".join(f"{name}: {reason}" for name, reason in lost.items())
    return Figure(title, f"Not drawn, because nothing of it is resolved. {reasons}.", Markup(), [])


def _unresolved(name: str, rows: Sequence[Mapping[str, Any]], measure: str) -> dict[str, str]:
    """By the name of the representation, why none of its values is resolved; empty where one is, or there is none."""
    estimates = [row[measure] for row in rows if isinstance(row.get(measure), Mapping)]
    if not estimates or any(_is_number(each.get("value")) for each in estimates):
        return {}
    return {name: str(estimates[0].get("reason") or "no reason given")}


def _measured(name: str, kind: int, rows: Sequence[tuple[Any, Any]]) -> list[Line]:
    """A line of the estimates that are resolved; none of the others."""
    points, spread = [], []
    for x, estimate in rows:
        if not (_is_number(x) and x > 0 and isinstance(estimate, Mapping) and _is_number(estimate.get("value"))):
            continue
        points.append((x, estimate["value"]))
        if _is_number(estimate.get("low")) and _is_number(estimate.get("high")):
            spread.append((x, estimate["low"], estimate["high"]))
    return [Line(name, points, kind, spread)]


def _beside_null(name: str, kind: int, rows: Sequence[Mapping[str, Any]], across: str, measure: str) -> list[Line]:
    """The lines of a measure and of the same with frames in random order, by the names that they have in a record.

    None where nothing is resolved: a null by itself says nothing.
    """
    measured = _measured(name, kind, [(row.get(across), row.get(measure)) for row in rows])
    if not any(line.points for line in measured):
        return []
    return measured + _null(name, kind, [(row.get(across), row.get(f"{measure}_shuffled")) for row in rows])


def _null(name: str, kind: int, rows: Sequence[tuple[Any, Any]]) -> list[Line]:
    points = [(x, y) for x, y in rows if _is_number(x) and _is_number(y) and x > 0]
    return [Line(f"{name}, shuffled", points, kind, is_null=True)]


def _inside(record: Any, *names: str) -> Any:
    """What is below these names; None where one is missing."""
    for name in names:
        record = record.get(name) if isinstance(record, Mapping) else None
    return record


def _rows(found: Any) -> list[Mapping[str, Any]]:
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, Sequence) else []


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")

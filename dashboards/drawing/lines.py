"""Line charts of measures over a doubling scale: horizons, numbers of clusters, amounts of data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log2

from markupsafe import Markup, escape

from .bins import ticks
from .text import number, shown

WIDTH, HEIGHT = 420, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 14, 20, 32
KINDS = 5
"""Colours and marks that tell lines apart."""
_MARKS = (
    "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0",
    "M-3 -3h6v6h-6z",
    "M0 -4l4 7h-8z",
    "M0 -4l4 4l-4 4l-4 -4z",
    "M-4 -3h8l-4 7z",
)


@dataclass(frozen=True)
class Line:
    """(x, y) points in order, x above 0; `spread` has (x, low, high) of those with an interval."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: int = 0
    """Colour and mark."""
    spread: Sequence[tuple[float, float, float]] = ()
    is_null: bool = False
    """Drawn dashed, without marks: what the line of the same kind is to be compared with."""
    is_unresolved: bool = False
    """Drawn dotted: what was computed, and does not stand."""


def lines(
    title: str,
    drawn: Sequence[Line],
    across: str,
    upwards: str,
    *,
    from_zero: bool = True,
    written: Callable[[float], str] = number,
) -> Markup:
    """Lines over x, which doubles from mark to mark, on one scale upwards; the points' x are the marks.

    Every point is also in the description for readers who do not see the chart. written: how values upwards are.
    """
    xs = sorted({x for line in drawn for x, _ in line.points})
    ys = [y for line in drawn for _, y in line.points]
    ys += [y for line in drawn for _, low, high in line.spread for y in (low, high)]
    low, high = min([*ys, 0.0] if from_zero else ys), max(ys)
    high = high if high > low else low + 1.0
    plot = _Plot(log2(xs[0]), max(log2(xs[-1]), log2(xs[0]) + 1e-9), low, high)
    shapes = [*_axes(plot, xs, written)]
    for line in drawn:
        shapes += _line(plot, line)
    shapes.append(f'<text x="{WIDTH - _RIGHT}" y="{HEIGHT - 4}" text-anchor="end">{escape(across)}</text>')
    shapes.append(f'<text x="4" y="11">{escape(upwards)}</text>')
    said = "; ".join(f"{shown(line.name)}: {_said(line, written)}" for line in drawn)
    label = escape(f"{title}. {upwards} over {across}. {said}")
    return Markup(
        f'<svg class="lines" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" aria-label="{label}">{"".join(shapes)}</svg>'
    )


def key(line: Line) -> Markup:
    """The piece of line that stands before its name in a legend."""
    kind = line.kind % KINDS
    mark = "" if line.is_null else f'<path class="mark{kind}" transform="translate(13 6)" d="{_MARKS[kind]}"/>'
    return Markup(f'<svg viewBox="0 0 26 12" aria-hidden="true"><path class="{_class(line)}" d="M1 6h24"/>{mark}</svg>')


@dataclass(frozen=True)
class _Plot:
    """left, right: logarithms of x."""

    left: float
    right: float
    low: float
    high: float

    def x(self, value: float) -> float:
        return _LEFT + 8 + (WIDTH - _LEFT - _RIGHT - 16) * (log2(value) - self.left) / (self.right - self.left)

    def y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - self.low) / (self.high - self.low)


def _axes(plot: _Plot, xs: Sequence[float], written: Callable[[float], str]) -> list[str]:
    bottom = HEIGHT - _BOTTOM
    shapes = [f'<path class="axis" d="M{_LEFT} {_TOP - 4}V{bottom}H{WIDTH - _RIGHT}"/>']
    for tick in ticks(plot.low, plot.high, 4):
        y = plot.y(tick)
        shapes.append(f'<path class="axis faint" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>')
        shapes.append(f'<text x="{_LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{escape(written(tick))}</text>')
    last = -100.0
    for value in xs:
        at = plot.x(value)
        if at - last < 30:  # names of marks do not run into each other
            continue
        last = at
        shapes.append(f'<path class="axis" d="M{at:.1f} {bottom}v4"/>')
        shapes.append(f'<text x="{at:.1f}" y="{bottom + 14}" text-anchor="middle">{escape(number(value, 3))}</text>')
    return shapes


def _line(plot: _Plot, line: Line) -> list[str]:
    path = "L".join(f"{plot.x(x):.1f} {plot.y(y):.1f}" for x, y in line.points)
    shapes = [f'<path class="{_class(line)}" d="M{path}"/>']
    if line.is_null:
        return shapes
    kind = line.kind % KINDS
    for x, low, high in line.spread:
        at = plot.x(x)
        shapes.append(f'<path class="curve spread curve{kind}" d="M{at:.1f} {plot.y(low):.1f}V{plot.y(high):.1f}"/>')
    for x, y in line.points:
        shapes.append(
            f'<path class="mark{kind}" transform="translate({plot.x(x):.1f} {plot.y(y):.1f})" d="{_MARKS[kind]}"/>'
        )
    return shapes


def _class(line: Line) -> str:
    style = " null" if line.is_null else " unresolved" if line.is_unresolved else ""
    return f"curve curve{line.kind % KINDS}{style}"


def _said(line: Line, written: Callable[[float], str]) -> str:
    spread = {x: (low, high) for x, low, high in line.spread}
    each = []
    for x, y in line.points:
        around = f" ({written(spread[x][0])} to {written(spread[x][1])})" if x in spread else ""
        each.append(f"{written(y)}{around} at {number(x, 3)}")
    return ", ".join(each)

"""Charts as inline SVG, drawn from the binned profile.

Plain SVG and no chart library, because a page must be readable where no script runs and follow the reader's light or
dark setting: colours are classes that the page's style sheet fills, a chart is 1 to 4 kB where a chart library's
script is most of a megabyte, and no expression compiler means that the page needs no
`unsafe-eval`. Every chart has a title and a description for readers who do not see it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from .bins import ticks
from .text import count, number, share

WIDTH, HEIGHT = 360, 156
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 20, 22
STACK = ("kept", "dropped", "failed")
_ROOT_ABOVE = 0.5


@dataclass(frozen=True)
class Plot:
    """Coordinates of a histogram: scores [start, end] across, 0 to `most` clips upwards."""

    start: float
    end: float
    most: float
    root: bool
    """Whether the axis of counts is a square root."""

    def x(self, value: float) -> float:
        """Horizontal position of a score."""
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (value - self.start) / (self.end - self.start)

    def y(self, clips: float) -> float:
        """Vertical position of a number of clips."""
        level = min(clips / self.most, 1.0)
        return _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - (level**0.5 if self.root else level))


def stacked_bar(parts: Sequence[tuple[str, float, str]], title: str) -> Markup:
    """One horizontal bar of (label, value, class) parts, widths in proportion; nothing is drawn for zeros."""
    total = sum(value for _, value, _ in parts)
    shapes, at = [], 0.0
    for label, value, kind in parts:
        if value <= 0:
            continue
        width = 1000 * value / total
        tip = escape(f"{label}: {count(value)} ({share(value / total)})")
        seen = max(width - 1.5, 2)  # a sliver stays visible
        shapes.append(f'<rect class="{kind}" x="{at:.1f}" width="{seen:.1f}" height="28"><title>{tip}</title></rect>')
        at += width
    said = ", ".join(f"{label} {count(value)}" for label, value, _ in parts)
    return _svg(title, said, 1000, 28, "".join(shapes), "bar", stretch=True)


def bar(value: float, most: float, kind: str, inner: float = 0.0) -> Markup:
    """A small bar for a table cell: `value` of `most`, its first `inner` in full colour and the rest paler."""

    def rect(kind: str, part: float) -> str:
        return f'<rect class="{kind}" width="{100 * part:.1f}" height="10" rx="2"/>'

    scale = most or 1.0
    shapes = rect("track", 1.0) + rect(f"{kind} pale", value / scale) + (rect(kind, inner / scale) if inner else "")
    box = 'viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"'
    return Markup(f'<svg class="cell-bar" {box}>{shapes}</svg>')


def parts_bar(parts: Sequence[tuple[float, str]]) -> Markup:
    """A small bar for a table cell: (share, class) parts side by side, shares adding up to 1 or less."""
    shapes, at = ['<rect class="track" width="100" height="10" rx="2"/>'], 0.0
    for part, kind in parts:
        if part > 0:
            shapes.append(f'<rect class="{kind}" x="{100 * at:.1f}" width="{100 * part:.1f}" height="10"/>')
            at += part
    box = 'viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"'
    return Markup(f'<svg class="cell-bar" {box}>{"".join(shapes)}</svg>')


def interval(value: float, low: float | None, high: float | None, start: float, end: float) -> Markup:
    """A point with its confidence interval on the scale [start, end], for a table cell."""
    span = (end - start) or 1.0

    def x(v: float) -> float:
        return 4 + 112 * min(max((v - start) / span, 0), 1)

    shapes = '<line class="axis" x1="4" x2="116" y1="8" y2="8"/>'
    if low is not None and high is not None:
        shapes += f'<line class="whisker" x1="{x(low):.1f}" x2="{x(high):.1f}" y1="8" y2="8"/>'
    shapes += f'<circle class="point" cx="{x(value):.1f}" cy="8" r="3.5"/>'
    return Markup(f'<svg class="interval" viewBox="0 0 120 16" aria-hidden="true">{shapes}</svg>')


def histogram(
    name: str,
    score: Mapping[str, Any],
    limits: Sequence[tuple[str, float]] = (),
    previous: Mapping[str, Any] | None = None,
) -> Markup:
    """Clips by score, kept at the bottom with dropped and failed stacked on them.

    limits: ("min", 10.0) of the rules, drawn as lines. previous: the same score in the version before, whose kept
    clips are outlined, scaled to as many as are kept now. The axis of counts is a square root where one bin holds
    more than half of the clips, and says so.
    """
    bins = score["histogram"]
    start, step, size = bins["start"], bins["step"], bins["count"]
    rows = [np.asarray(bins["counts"].get(status, [0] * size), float) for status in STACK]
    tops = np.cumsum(rows, axis=0)
    most = float(tops[-1].max()) or 1.0
    root = bool(most > _ROOT_ABOVE * tops[-1].sum() and (tops[-1] > 0).sum() > 1)
    plot = Plot(start, start + step * size, most, root)
    shapes = [f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{plot.y(0)}" y2="{plot.y(0)}"/>']
    below = np.zeros(size)
    width = plot.x(start + step) - plot.x(start) - 1
    for status, top in zip(STACK, tops, strict=True):
        bars = [
            f"M{plot.x(start + i * step) + 0.5:.1f} {plot.y(low):.1f}V{plot.y(high):.1f}h{width:.1f}V{plot.y(low):.1f}z"
            for i, (low, high) in enumerate(zip(below, top, strict=True))
            if high > low
        ]
        if bars:
            shapes.append(f'<path class="{status}" d="{"".join(bars)}"/>')
        below = top
    shapes += _outline(plot, previous, float(rows[0].sum()), step)
    shapes += _limits(plot, limits)
    for tick in ticks(plot.start, plot.end):
        at = plot.x(tick)
        anchor = "start" if at < 20 else "end" if at > WIDTH - 20 else "middle"
        shapes.append(
            f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{plot.y(0)}" y2="{plot.y(0) + 4:.1f}"/>'
            f'<text x="{at:.1f}" y="{HEIGHT - 5}" text-anchor="{anchor}">{escape(number(tick))}</text>'
        )
    scale = f"tallest {_clips(most)}" + (", root scale" if root else "")
    shapes.append(f'<text x="{WIDTH - _RIGHT}" y="10" text-anchor="end">{escape(scale)}</text>')
    return _svg(f"Distribution of {name}", describe(score), WIDTH, HEIGHT, "".join(shapes), "histogram")


@dataclass(frozen=True)
class Curve:
    """A line of a chart: (x, y) points in 0 to 1, in order."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


def curves(
    title: str, lines: Sequence[Curve], across: str, upwards: str, low: float = 0.0, wide: float = 1.0
) -> Markup:
    """Lines of shares over shares, 0 to `wide` across and `low` to 1 upwards; their names at the lower right."""

    def x(v: float) -> float:
        return 38 + (WIDTH - 48) * min(max(v / wide, 0.0), 1.0)

    def y(v: float) -> float:
        return _TOP + (HEIGHT - _TOP - _BOTTOM - 8) * (1 - min(max((v - low) / (1 - low), 0.0), 1.0))

    shapes = [f'<path class="axis" d="M{x(0):.1f} {y(1):.1f}V{y(low):.1f}H{x(wide):.1f}"/>']
    for k in range(5):
        across_at, up_at = wide * k / 4, low + (1 - low) * k / 4
        shapes.append(
            f'<text x="{x(across_at):.1f}" y="{HEIGHT - 17}" text-anchor="middle">{escape(share(across_at))}</text>'
        )
        shapes.append(
            f'<text x="{x(0) - 4:.1f}" y="{y(up_at) + 3:.1f}" text-anchor="end">{escape(share(up_at))}</text>'
        )
    for i, line in enumerate(lines):
        path, kind = "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in line.points), f"curve curve{i % 3}"
        kind, beside = "curve dashed" if line.dashed else kind, y(low) - 6 - 11 * (len(lines) - 1 - i)
        shapes.append(
            f'<path class="{kind}" d="M{path}"/><path class="{kind}" d="M{x(wide) - 18:.1f} {beside - 3:.1f}h18"/>'
            f'<text x="{x(wide) - 22:.1f}" y="{beside:.1f}" text-anchor="end">{escape(line.name)}</text>'
        )
    shapes.append(f'<text x="{WIDTH - 10}" y="{HEIGHT - 4}" text-anchor="end">{escape(across)}</text>')
    shapes.append(f'<text x="4" y="9">{escape(upwards)}</text>')
    said = "; ".join(
        f"{line.name}: from {share(line.points[0][1])} at {share(line.points[0][0])} to {share(line.points[-1][1])} at "
        f"{share(line.points[-1][0])}"
        for line in lines
    )
    return _svg(title, f"{upwards} over {across}: {said}", WIDTH, HEIGHT, "".join(shapes), "curves")


def _clips(number_of: float) -> str:
    return f"{count(number_of)} {'clip' if number_of == 1 else 'clips'}"


def describe(score: Mapping[str, Any]) -> str:
    """The histogram in words."""
    unit = "" if score.get("unit") in ("", "1", None) else f" {score['unit']}"
    return "; ".join(
        f"{status}: {_clips(q['count'])}, median {number(q['p50'])}{unit}, "
        f"5 to 95 percent {number(q['p05'])} to {number(q['p95'])}{unit}"
        for status in STACK
        if (q := score["quantiles"].get(status))
    )


def waveform(low: np.ndarray, high: np.ndarray) -> Markup:
    """An outline of a waveform, 24 high. low, high: `[N]` float32, smallest and largest samples in [-1, 1]."""
    top = 12 - 12 * np.clip(high, -1, 1)
    bottom = 12.3 - 12 * np.clip(low, -1, 1)  # silence is a hair, not nothing
    up = " ".join(f"{i} {v:.1f}" for i, v in enumerate(top))
    down = " ".join(f"{i} {bottom[i]:.1f}" for i in reversed(range(len(bottom))))
    box = f'viewBox="0 0 {len(low)} 24" preserveAspectRatio="none" aria-hidden="true"'
    return Markup(f'<svg class="waveform" {box}><path d="M{up}L{down}z"/></svg>')


def _outline(plot: Plot, previous: Mapping[str, Any] | None, kept: float, step: float) -> list[str]:
    old = (previous or {}).get("histogram")
    if not old or not kept or not sum(old["counts"].get("kept", [])):
        return []
    counts = np.asarray(old["counts"]["kept"], float)
    # per unit of the score, then per bin of this chart: the two versions may be binned differently
    heights = counts / counts.sum() * kept * step / old["step"]
    lefts = old["start"] + np.arange(len(counts)) * old["step"]
    pieces = [
        f"{plot.x(max(left, plot.start)):.1f} {plot.y(height):.1f}H{plot.x(min(left + old['step'], plot.end)):.1f}"
        for left, height in zip(lefts.tolist(), heights.tolist(), strict=True)
        if left < plot.end and left + old["step"] > plot.start
    ]
    return [f'<path class="previous" d="M{"L".join(pieces)}"/>'] if pieces else []


def _limits(plot: Plot, limits: Sequence[tuple[str, float]]) -> list[str]:
    shapes: list[str] = []
    for word, value in limits:
        if not plot.start <= value <= plot.end:
            continue
        at = plot.x(value)
        anchor, offset = ("end", -3) if at > WIDTH / 2 else ("start", 3)
        label = escape(f"{word} {number(value)}")
        shapes.append(
            f'<line class="limit" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP - 2}" y2="{HEIGHT - _BOTTOM}"/>'
            f'<text class="limit-label" x="{at + offset:.1f}" y="{_TOP + 8 + 10 * len(shapes)}" '
            f'text-anchor="{anchor}">{label}</text>'
        )
    return shapes


def _svg(title: str, said: str, width: int, height: int, body: str, kind: str, *, stretch: bool = False) -> Markup:
    aspect = ' preserveAspectRatio="none"' if stretch else ""
    label = escape(f"{title}. {said}")
    return Markup(
        f'<svg class="{kind}" role="img" viewBox="0 0 {width} {height}"{aspect} aria-label="{label}">{body}</svg>'
    )

"""The diagnostics table as the command prints it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...schemas.counted import counted
from ..terminal import console
from .motion_lines import direction_lines, motion_lines
from .unresolved import Unresolved

TAUS_MS = (80.0, 160.0, 320.0)
MEASURES = {"estoi": "ESTOI", "mel_db": "mel distance in dB"}
"""Of decoded clips against their recordings, as tables name them."""


def print_diagnosis(record: Mapping[str, Any]) -> None:
    """One row per representation. An unresolved number is not shown; each reason is printed once below the table, with
    what would be enough."""
    rows = [_row(name, r) for name, r in record["representations"].items()]
    later = tuple(f"nat at {tau:g} ms" for tau in TAUS_MS)
    left = ("ESTOI", "mel dB")
    heads = ("representation", "Hz", "raw bit/s", "code rate bit/s", "of raw", *left, *later, "dimensions", "over")
    console.wide_table("how predictable", heads, rows)
    for difference in record.get("comparisons", ()):
        console.say(_difference(difference))
    for name, r in record["representations"].items():
        for line in _lines(r):
            console.say(f"{name}: {line}")


def _lines(r: Mapping[str, Any]) -> Iterator[str]:
    """What is said of a representation below the table."""
    lost = Unresolved()
    for key in ("code_rate", "pred_gain"):
        if r.get(key, {}).get("reason"):
            lost.add(key, r[key])
    said: list[str] = []
    if r.get("effective_dimension"):
        said += _dimension(r["effective_dimension"], r["rank"], lost)
    if r.get("read_out"):
        said += _read_out(r["read_out"], lost)
    if r.get("mixture_density"):
        said += _mixture(r["mixture_density"], lost)
    if r.get("motion"):
        said += motion_lines(r["motion"], lost)
    if r.get("directions"):
        said += direction_lines(r["directions"], lost)
    yield from lost.lines()
    yield from said
    if r["kind"] == "codes" and r.get("reconstruction"):
        yield _reconstruction(r["reconstruction"])
    if r.get("within") and r["code_rate"]["value"] is not None:
        off = _within(r["within"], r.get("portfolio"))
        yield f"code_rate is resolved within {r['within']['total']:.1%}: {off}"
    if r.get("portfolio"):
        yield _portfolio(r["portfolio"])
    for model, reason in r.get("absent_members", {}).items():
        yield f"{model} is not in the portfolio: {reason}"
    if r["kind"] == "codes":
        yield _difficulty(r.get("difficulty", {}))


def print_comparison(found: Mapping[str, Any]) -> None:
    """Two side by side, per measure: the difference over the clips of both, and which is more predictable."""
    a, b = found["a"], found["b"]
    each = {name: _estimates(record) for name, record in found["representations"].items()}
    rows = []
    for d in found["comparisons"]:
        difference = f"{d['value']:+,.3g} ({d['low']:+,.3g} to {d['high']:+,.3g})"
        verdict = d["favours"] or "undecided: the interval contains 0"
        values = (each[name].get(d["measure"], "-") for name in (a, b))
        speakers = d.get("num_groups", "-")
        rows.append((d["measure"], d["unit"], *values, difference, d["num_clips"], speakers, verdict))
    heads = ("measure", "unit", a, b, "second minus first", "clips of both", "groups of both", "in favour of")
    if rows:
        console.wide_table("paired over what both have", heads, rows)
    for missing in found["not_compared"]:
        console.say(f"{missing['measure']}: not compared: {missing['reason']}")
    if any(d["unit"] == "bit/s" for d in found["comparisons"]):
        console.say("a lower rate may be a worse reconstruction: read it together with how well each reconstructs")


def _estimates(record: Mapping[str, Any]) -> dict[str, str]:
    """By measure, as comparisons name them."""
    if record["kind"] == "codes":
        left = record.get("reconstruction", {})
        return {"code_rate": _estimate(record["code_rate"])} | {m: _estimate(left[m]) for m in MEASURES if m in left}
    return {f"information at {h['tau_ms']:g} ms": _estimate(h) for h in record["lagged_mutual_information"]}


def _row(name: str, r: Mapping[str, Any]) -> tuple[str, ...]:
    over = f"{counted(r['num_clips'], 'clip')}, {r['num_groups']} by {r['group_kind']}"
    title, rate = _name(name, r), f"{r['frame_rate']:g}"
    if r["kind"] == "codes":
        told = f"{r['rate_raw']:,.0f}", _estimate(r["code_rate"]), _share(r["efficiency"]), *_left(r)
        return title, rate, *told, *("-" for _ in TAUS_MS), "-", over
    later = {h["tau_ms"]: h for h in r["lagged_mutual_information"]}
    nats = (_estimate(later[tau]) if tau in later else "-" for tau in TAUS_MS)
    return title, rate, "-", "-", "-", "-", "-", *nats, f"{r['rank']} of {r['dim']}", over


def _left(r: Mapping[str, Any]) -> tuple[str, ...]:
    """What decoded clips keep of their recordings; older records have nothing of it."""
    found = r.get("reconstruction") or {}
    values = ((found.get(measure) or {}).get("value") for measure in MEASURES)
    return tuple("-" if value is None else f"{value:.2f}" for value in values)


def _reconstruction(found: Mapping[str, Any]) -> str:
    """On what it was measured, or why it was not."""
    unresolved = {found[m]["reason"]: None for m in MEASURES if found[m]["value"] is None}
    if found["num_clips"]:
        over = f"{counted(found['num_groups'], 'group')}, interval over {found['interval_over']}s"
        each = (f"{name} {_estimate(found[m])}" for m, name in MEASURES.items() if found[m]["value"] is not None)
        told = f"{', '.join(each)} of {counted(found['num_clips'], 'decoded clip')}, {over}"
        lost = "".join(f"; {count} could not be read: {reason}" for reason, count in found["skipped"].items())
        return told + lost + "".join(f"; {reason}" for reason in unresolved)
    lost = "".join(f"; {count} of the sample: {reason}" for reason, count in found["skipped"].items())
    return f"reconstruction not measured: {'; '.join(unresolved)}{lost}"


def _difference(d: Mapping[str, Any]) -> str:
    """One line: which is lower and by how much, or that it is undecided."""
    by = f"{d['value']:+,.3g}{' ' * bool(d['unit'])}{d['unit']}"
    by += f" ({d['low']:+,.3g} to {d['high']:+,.3g}, {counted(d['num_clips'], 'clip')})"
    verdict = "" if d["decided"] else ": undecided"
    return f"{d['measure']}, {d['b']} minus {d['a']}: {by}{verdict}"


def _dimension(d: Mapping[str, Any], rank: int, lost: Unresolved) -> Iterator[str]:
    """How many dimensions are used, and in how many the past says something."""
    if d["participation_ratio"]["value"] is None:
        lost.add("dimensions that frames share", d["participation_ratio"])
    else:
        yield f"frames share their variance over {_estimate(d['participation_ratio'])} dimensions"
    if d["predictive_dimension"] is None:
        return
    if not d["predictive_dimension"]:
        yield f"in none of {rank} directions does the frame before explain anything"
        return
    low, high = d["predictive_dimension_range"]
    yield (
        f"of {rank} directions {d['predictive_dimension']} ({low} to {high} in single folds) carry 90 % of what the "
        f"frame before explains, {d['explained_share']:.0%} of the variance"
    )


def _read_out(found: Sequence[Mapping[str, Any]], lost: Unresolved) -> Iterator[str]:
    """What few numbers of the past keep of the gain."""
    known = [each for each in found if each["share"]["value"] is not None]
    if not known:
        lost.add("what read-outs of the past keep", found[0]["share"])
        return
    each = (
        f"{k['dimensions']} dimensions {k['share']['value']:.0%} ({k['share']['low']:.0%} to {k['share']['high']:.0%})"
        for k in known
    )
    yield f"of the predictive gain, linear read-outs of the past keep: {', '.join(each)}"


def _mixture(m: Mapping[str, Any], lost: Unresolved) -> Iterator[str]:
    """What a network says beyond the linear prediction, on the same frames."""
    if m["gain"]["value"] is None:
        lost.add("mixture density network", m["gain"])
        return
    yield (
        f"nat per frame of {counted(m['num_frames'], 'frame')}: mixture density network {_estimate(m['gain'])}, "
        f"linear prediction {_estimate(m['linear_gain'])}, difference {_estimate(m['difference'])}; "
        "neither corrected for finite data"
    )


def _portfolio(p: Mapping[str, Any]) -> str:
    """What each model costs, and what mixing them took off: how far apart bounds of the same thing are."""
    each = ", ".join(f"{name} {bits:.2f}" for name, bits in p["members"].items())
    beside = "".join(f"; {name}: {note}" for name, note in p.get("notes", {}).items())
    low, high, saved = p.get("saved_low"), p.get("saved_high"), p["saved"]
    ends = [] if low is None or high is None else [low, high]
    where = "below"
    if saved < 0:
        where, saved, ends = "above", -saved, [-end for end in reversed(ends)]
    interval = f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else ""
    return f"bits per frame: {each}; mixed {p['mixed']:.2f}, {saved:.2f}{interval} {where} the best of them{beside}"


def _within(w: Mapping[str, float], portfolio: Mapping[str, Any] | None) -> str:
    """What is seen to lower the bound still, and what was not tried."""
    counted = set((portfolio or {}).get("members", ())) <= {"counts", "pool"}
    return (
        f"ten times the data would take off {w['more_data']:.1%}, other models took off {w['other_models']:.1%}, "
        f"longer contexts would take off {w['longer_contexts']:.1%}"
        + ("; a model with longer memory was not tried (--budget 10m)" if counted else "")
    )


def _difficulty(d: Mapping[str, Any]) -> str:
    """How far clips may be ranked by it."""
    again = d.get("split_half_repeatability")
    shown = "unknown" if again is None else f"{again:.2f}"
    explained = d.get("explained_by_level_and_voicing")
    if explained is None:
        return (
            "difficulty includes level and pauses (to remove these, add a features representation at a multiple of its "
            f"rate); split-half repeatability {shown}"
        )
    return (
        f"level and voicing explain {explained:.0%} of the variance of the bits of frames; "
        f"split-half repeatability without them {shown}"
    )


def _name(name: str, r: Mapping[str, Any]) -> str:
    return name if r.get("trained", True) else f"{name} (untrained)"


def _share(e: Mapping[str, Any]) -> str:
    return "-" if e["value"] is None else f"{e['value']:.0%}"


def _estimate(e: Mapping[str, Any]) -> str:
    if e["value"] is None:
        return "unresolved"
    bound = "≤ " if e["relation"] == "<=" else ""
    interval = f" ({e['low']:,.3g} to {e['high']:,.3g})" if e["low"] is not None else ""
    return f"{bound}{e['value']:,.4g}{interval}"

"""The diagnostics table as the command prints it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..terminal import console


def print_diagnosis(record: Mapping[str, Any]) -> None:
    """Codes first, then latents; an unresolved number is said with its reason, never shown."""
    codes = {n: r for n, r in record["representations"].items() if r["kind"] == "codes"}
    latents = {n: r for n, r in record["representations"].items() if r["kind"] == "latents"}
    if codes:
        rows = [
            (
                _name(name, r),
                f"{r['rate_raw']:,.0f}",
                _estimate(r["code_rate"]),
                _estimate(r["efficiency"]),
                _range([b["use"] for b in r["codebooks"]]),
                _range([b["perplexity"] for b in r["codebooks"]]),
                f"{r['num_clips']} clips, {r['num_groups']} by {r['group_kind']}",
            )
            for name, r in codes.items()
        ]
        heads = ("codes", "raw bit/s", "code rate bit/s", "of raw", "codebook use", "perplexity", "over")
        console.table("how predictable", heads, rows)
    if latents:
        rows = [
            (
                _name(name, r),
                _estimate(r["pred_gain"]),
                _estimate(r["pred_gain_per_s"]),
                f"{r['capacity_note']:.3g}",
                f"{r['num_clips']} clips, {r['num_groups']} by {r['group_kind']}",
            )
            for name, r in latents.items()
        ]
        console.table("", ("latents", "gain nat/frame", "gain nat/s", "short of it by data", "over"), rows)
    for name, r in record["representations"].items():
        for key in ("code_rate", "pred_gain"):
            if r.get(key, {}).get("reason"):
                console.say(f"{name}: {key} unresolved: {r[key]['reason']}; {r[key]['remedy']}")


def _name(name: str, r: Mapping[str, Any]) -> str:
    return name if r.get("trained", True) else f"{name} (untrained)"


def _estimate(e: Mapping[str, Any]) -> str:
    if e["value"] is None:
        return "unresolved"
    bound = "≤ " if e["relation"] == "<=" else ""
    interval = f" ({e['low']:,.3g} to {e['high']:,.3g})" if e["low"] is not None else ""
    return f"{bound}{e['value']:,.4g}{interval}"


def _range(values: list[Any]) -> str:
    found = [v for v in values if v is not None]
    if not found:
        return "-"
    low, high = min(found), max(found)
    if high <= 1:
        return f"{low:.0%} to {high:.0%}"
    return f"{low:,.0f} to {high:,.0f}"

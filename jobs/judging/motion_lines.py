"""How latents move, in the lines that `diagnose` prints below its table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...schemas.counted import counted
from .unresolved import Unresolved

AHEAD = {"frame_cos": "cosine of the frame", "dir_cos": "of its displacement", "length_ratio": "ratio of lengths"}
"""What the table of a rollout holds, in words."""


def motion_lines(motion: Mapping[str, Any], lost: Unresolved) -> Iterator[str]:
    """One line per measure that is resolved, or why it was not measured. lost: takes what is unresolved."""
    yield from _archetypes(motion["archetypes"], lost)
    yield from _rollout(motion["rollout"], lost)


def direction_lines(found: Mapping[str, Any], lost: Unresolved) -> Iterator[str]:
    """What the past says of the direction and of the length of steps, beside shuffled frames."""
    measure = "steps as direction and length"
    names = ("gain", "dir_gain_excess", "dir_cos_excess", "logmag_r2_excess")
    if all(found[name]["value"] is None for name in names):
        lost.add(measure, found["gain"])
        return
    gain, direction, cosine, length = (lost.shown(measure, found[name], "+.3f") for name in names)
    yield (
        f"{measure}: gain {gain} nat/frame over frames by themselves; direction {direction} nat/frame, "
        f"cosine {cosine}, R2 of log length {length}, all above shuffled frames"
    )


def _rollout(found: Mapping[str, Any], lost: Unresolved) -> Iterator[str]:
    measure = "predictions several frames ahead"
    if not found["steps"]:
        yield f"{measure} not measured: {found['reason']}"
        return
    for each in (found["steps"][0], found["steps"][-1]):
        if all(each[name]["value"] is None for name in AHEAD):
            lost.add(measure, each["frame_cos"])
            continue
        beside = "; ".join(
            f"{words} {lost.shown(measure, each[name])}, shuffled {each[f'{name}_shuffled']:.3f}"
            for name, words in AHEAD.items()
        )
        yield f"{counted(each['steps'], 'frame')} ahead ({each['ms']:.3g} ms): {beside}"


def _archetypes(found: Mapping[str, Any], lost: Unresolved) -> Iterator[str]:
    if not found["sizes"]:
        yield f"archetypes not measured: {found['reason']}"
        return
    fewest, most = found["sizes"][0], found["sizes"][-1]
    for size in (fewest, most) if most is not fewest else (most,):
        if all(size[name]["value"] is None for name in ("tightness", "excess", "uniform_excess", "transfer")):
            lost.add("archetypes", size["tightness"])
            continue
        excess, uniform, transfer = (
            lost.shown("archetypes", size[name], "+.3f") for name in ("excess", "uniform_excess", "transfer")
        )
        yield (
            f"{size['num_archetypes']} archetypes: tightness {lost.shown('archetypes', size['tightness'])}; {excess} "
            f"above shuffled frames, {uniform} above uniform directions; {transfer} on unseen speakers"
        )
    correlations = found["change_correlation"]
    known = {name: e for name, e in correlations.items() if e["value"] is not None}
    if known:
        each = ", ".join(f"{name} {lost.shown(name, e, '+.3f')}" for name, e in known.items())
        yield f"archetypes change with the sound, correlation with changes of {each}"
    else:
        reason = next(iter(correlations.values()))["reason"]
        yield f"whether archetypes change with F0, energy and flux was not measured: {reason}"

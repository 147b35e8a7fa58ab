"""How latents move, in the lines that `diagnose` prints below its table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...schemas.counted import counted

AHEAD = {"frame_cos": "cosine of the frame", "dir_cos": "of its displacement", "length_ratio": "ratio of lengths"}
"""What the table of a rollout holds, in words."""


def motion_lines(motion: Mapping[str, Any]) -> Iterator[str]:
    """One line per measure, or why there is none."""
    yield from _archetypes(motion["archetypes"])
    yield from _rollout(motion["rollout"])


def direction_line(found: Mapping[str, Any]) -> str:
    """What the past says of the direction and of the length of steps, beside shuffled frames."""
    each = (
        f"direction {_signed(found['dir_gain_excess'])} nat/frame, cosine {_signed(found['dir_cos_excess'])}, "
        f"R2 of log length {_signed(found['logmag_r2_excess'])}, all above shuffled frames"
    )
    return f"steps as direction and length: gain {_signed(found['gain'])} nat/frame over frames by themselves; {each}"


def _rollout(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["steps"]:
        yield f"predictions several frames ahead not measured: {found['reason']}"
        return
    for each in (found["steps"][0], found["steps"][-1]):
        beside = "; ".join(
            f"{words} {_shown(each[name])}, shuffled {each[f'{name}_shuffled']:.3f}" for name, words in AHEAD.items()
        )
        yield f"{counted(each['steps'], 'frame')} ahead ({each['ms']:.3g} ms): {beside}"


def _archetypes(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["sizes"]:
        yield f"archetypes not measured: {found['reason']}"
        return
    fewest, most = found["sizes"][0], found["sizes"][-1]
    for size in (fewest, most) if most is not fewest else (most,):
        yield (
            f"{size['num_archetypes']} archetypes: tightness {_shown(size['tightness'])}; {_signed(size['excess'])} "
            f"above shuffled frames, {_signed(size['uniform_excess'])} above uniform directions; "
            f"{_signed(size['transfer'])} on unseen speakers"
        )
    correlations = found["change_correlation"]
    known = {name: e for name, e in correlations.items() if e["value"] is not None}
    if known:
        each = ", ".join(f"{name} {_signed(e)}" for name, e in known.items())
        yield f"archetypes change with the sound, correlation with changes of {each}"
    else:
        reason = next(iter(correlations.values()))["reason"]
        yield f"whether archetypes change with F0, energy and flux was not measured: {reason}"


def _shown(estimate: Mapping[str, Any], form: str = ".3f") -> str:
    if estimate["value"] is None:
        return f"unresolved ({estimate['reason']})"
    return f"{estimate['value']:{form}} ({estimate['low']:{form}} to {estimate['high']:{form}})"


def _signed(estimate: Mapping[str, Any]) -> str:
    return _shown(estimate, "+.3f")

"""What a plan depends on besides the version: the settings, and the fingerprint that a saved state carries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ...schemas.errors import ConfigError
from ...schemas.keys import canonical_json

PLANNER = 1
"""Raised when the same settings would give another order."""
STATE_FIELDS = ("fingerprint", "epoch", "step")


@dataclass(frozen=True)
class Mixing:
    """How much of each group an epoch draws.

    column: of the clip table, or `column.child` of a curator's struct: source, language, tier, speaker.
    repeats: how often an epoch draws each clip of a group: 2 twice, 0.5 every second one, 0 none; others once.
    shares: instead, the part of an epoch that each group makes up; they are scaled to add to 1, and groups that are
    not named are left out.
    measure: what shares are counted in: `clips` or `frames`.
    """

    column: str
    repeats: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    measure: str = "clips"

    def __post_init__(self) -> None:
        if bool(self.repeats) == bool(self.shares):
            raise ConfigError(f"mixing over {self.column!r}: give either repeats or shares, and not both")
        if self.measure not in ("clips", "frames"):
            raise ConfigError(f"mixing over {self.column!r}: measure {self.measure!r}; there are clips and frames")
        weights = [*self.repeats.values(), *self.shares.values()]
        if any(not 0 <= w < float("inf") for w in weights) or (self.shares and not sum(weights)):
            raise ConfigError(f"mixing over {self.column!r}: weights must be at least 0 and finite, found {weights}")


@dataclass(frozen=True)
class Settings:
    """Settings of a plan. Lengths are in frames of the first representation unless they say tokens.

    seed: of every order and crop.
    microbatches: microbatches of one step over all ranks together, `G`; any world that divides it gives the same steps.
    batch_tokens: budget of one microbatch with its padding: rows times the longest row.
    batch_rows: instead, so many clips in each microbatch.
    row_tokens: packing: several clips in a row of at most so many tokens; `batch_tokens` then counts full rows.
    bucket_ratio: clips of one microbatch differ in length by about this factor; nearer 1 pads less.
    min_frames, max_frames: shorter and longer clips are left out and counted. Longer than the budget are in any case.
    crop_frames: longer clips are cut to so many frames.
    crop: `random`, another place in every epoch, or `start`.
    token_scale, token_extra: a clip of n frames becomes `token_scale * n + token_extra` tokens in its row.
    window_shards: shards whose clips are shuffled together; fewer keep reading local, None shuffles everything.
    stage: only clips that are open at this stage of the version's curriculum.
    pacing: instead, the epoch in which each stage opens: (0, 2, 5) has stage 1 from epoch 2 and stage 2 from epoch 5.
    curriculum: instead, a named curriculum of the version, which says what each epoch draws of each of its stages; its
    name, or `name-hash` with the beginning of the hash.
    """

    seed: int = 0
    microbatches: int = 1
    batch_tokens: int | None = None
    batch_rows: int | None = None
    row_tokens: int | None = None
    bucket_ratio: float = 1.05
    min_frames: int = 1
    max_frames: int | None = None
    crop_frames: int | None = None
    crop: str = "random"
    token_scale: int = 1
    token_extra: int = 0
    window_shards: int | None = 16
    stage: int | None = None
    pacing: Sequence[int] | None = None
    mixing: Mixing | None = None
    curriculum: str | None = None

    def __post_init__(self) -> None:
        if (self.batch_tokens is None) == (self.batch_rows is None):
            raise ConfigError("a plan needs one of batch_tokens (a padded budget) and batch_rows (a number of clips)")
        for name in ("microbatches", "batch_tokens", "batch_rows", "row_tokens", "min_frames", "max_frames",
                     "crop_frames", "token_scale", "window_shards"):  # fmt: skip
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ConfigError(f"{name} must be a whole number of at least 1, found {value!r}")
        if self.row_tokens is not None and (self.batch_tokens is None or self.batch_tokens < self.row_tokens):
            raise ConfigError(f"packing rows of {self.row_tokens} tokens needs batch_tokens of at least as many")
        if self.bucket_ratio <= 1:
            raise ConfigError(f"bucket_ratio must be above 1, found {self.bucket_ratio}")
        if self.crop not in ("random", "start"):
            raise ConfigError(f"crop {self.crop!r}; there are random and start")
        own = [name for name in ("stage", "pacing", "mixing") if getattr(self, name) is not None]
        if self.curriculum is not None and own:
            raise ConfigError(
                f"the curriculum {self.curriculum!r} says what each epoch draws: leave {' and '.join(own)} out, or "
                "change its pacing"
            )
        if self.stage is not None and self.pacing is not None:
            raise ConfigError("give stage (one for all epochs) or pacing (the epoch in which each opens), not both")
        if self.pacing is not None and (
            not len(self.pacing) or self.pacing[0] != 0 or list(self.pacing) != sorted(self.pacing)
        ):
            raise ConfigError(
                f"pacing {list(self.pacing)}: stage 0 opens in epoch 0, the others not before it, ascending"
            )

    @property
    def needs_curriculum(self) -> bool | str:
        """Whether a stage limits what is read; the name where a named curriculum does."""
        return self.curriculum or (self.stage is not None or self.pacing is not None)

    def stage_of(self, epoch: int) -> int | None:
        """The stage that is open in an epoch, None without a curriculum."""
        if self.pacing is not None:
            return sum(1 for opens in self.pacing if opens <= epoch) - 1
        return self.stage

    def described(self) -> dict[str, Any]:
        """All fields as plain JSON values."""
        found = asdict(self)
        # the subject of a plan has the curriculum's hash, which its name may change without
        found.pop("curriculum")
        if self.pacing is not None:
            found["pacing"] = list(self.pacing)
        if self.mixing is not None:
            found["mixing"] = {
                **asdict(self.mixing),
                "repeats": dict(self.mixing.repeats),
                "shares": dict(self.mixing.shares),
            }
        return found


def fingerprint(settings: Settings, subject: Mapping[str, Any]) -> str:
    """One line of JSON that names everything the order depends on: `subject` (the version and its selection), the
    settings and the planner. Equal lines, equal plans."""
    return canonical_json({"planner": PLANNER, **subject, **settings.described()}).decode()


def require_same(found: str, own: str) -> None:
    """Refuse a state that was saved under another fingerprint.

    Raises `ConfigError` that names every field that differs, with both values.
    """
    if found == own:
        return
    try:
        saved, here = json.loads(found), json.loads(own)
        names = [name for name in sorted({*saved, *here}) if saved.get(name) != here.get(name)]
        lines = [f"{name}: saved {saved.get(name)!r}, here {here.get(name)!r}" for name in names]
    except (TypeError, ValueError, AttributeError):
        lines = [f"the saved fingerprint is not one of a plan: {str(found)[:80]!r}"]
    raise ConfigError(
        "the state belongs to another order of clips: resuming from it would repeat some clips and skip others. "
        + "; ".join(lines)
        + ". Give the loader the saved values, or start a new epoch without the state"
    )


def read_state(state: Mapping[str, Any], own: str) -> tuple[int, int]:
    """Epoch and step of a saved state, after its fingerprint is checked. Raises `ConfigError`."""
    missing = [name for name in STATE_FIELDS if name not in state]
    if missing:
        raise ConfigError(f"a loader's state has {', '.join(STATE_FIELDS)}; this one lacks {', '.join(missing)}")
    require_same(str(state["fingerprint"]), own)
    epoch, step = int(state["epoch"]), int(state["step"])
    if epoch < 0 or step < 0:
        raise ConfigError(f"a loader's state counts epochs and steps from 0; this one says {epoch} and {step}")
    return epoch, step

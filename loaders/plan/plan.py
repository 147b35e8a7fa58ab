"""The plan of an epoch: every step, its microbatches, their rows and the clips in them.

A step is `microbatches` microbatches, whatever the world. Rank r of W reads microbatches r, r + W, r + 2 W, ... of each
step, so any W that divides them reads the same steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...schemas.counted import counted
from ...schemas.errors import ConfigError
from .buckets import into_microbatches
from .draws import CROP, SHUFFLE, draw, sizes
from .hashing import seed_of, splitmix64
from .index import Index
from .packing import pack
from .settings import Settings


@dataclass(frozen=True)
class Plan:
    """One epoch. Microbatch m holds rows `row_starts[m] : row_starts[m + 1]`, row r holds draws
    `draw_starts[r] : draw_starts[r + 1]`, and each draw is a row of the index."""

    epoch: int
    microbatches: int
    """Of one step."""
    draws: np.ndarray
    """`[m]` int32 rows of the index."""
    crop_starts: np.ndarray | None
    """`[m]` int32 first frame of each draw; None when nothing is cropped."""
    frames: np.ndarray
    """`[m]` int32 frames of each draw after cropping."""
    tokens: np.ndarray
    """`[m]` int32 tokens of each draw."""
    draw_starts: np.ndarray
    """`[rows + 1]` int64."""
    row_starts: np.ndarray
    """`[steps * microbatches + 1]` int64."""
    left_out: dict[str, int]
    """Clips that the settings leave out, by reason."""

    @property
    def steps(self) -> int:
        """Steps of the epoch."""
        return (len(self.row_starts) - 1) // self.microbatches

    @property
    def empty(self) -> int:
        """Microbatches at the end that hold nothing, because too few clips were left."""
        return int((np.diff(self.row_starts) == 0).sum())

    def rows_of(self, step: int, slot: int) -> range:
        """Rows of microbatch `slot` of a step."""
        at = step * self.microbatches + slot
        return range(int(self.row_starts[at]), int(self.row_starts[at + 1]))

    def slots(self, rank: int, world: int, first_step: int = 0) -> Iterator[tuple[int, int]]:
        """(step, slot) that one rank reads, in order. Raises `ConfigError` for a world that does not divide a step."""
        require_world(rank, world, self.microbatches)
        for step in range(first_step, self.steps):
            for slot in range(rank, self.microbatches, world):
                yield step, slot

    @cached_property
    def row_tokens(self) -> np.ndarray:
        """`[rows]` int64 tokens of each row."""
        total = np.concatenate([[0], np.cumsum(self.tokens, dtype=np.int64)])
        return total[self.draw_starts[1:]] - total[self.draw_starts[:-1]]

    def padded_tokens(self, row_width: int | None = None) -> np.ndarray:
        """`[steps * microbatches]` int64: rows times the longest row of each microbatch; rows of `row_width` instead
        where they are packed."""
        counts = np.diff(self.row_starts)
        longest = np.zeros(len(counts), np.int64)
        filled = counts > 0
        if filled.any():
            longest[filled] = np.maximum.reduceat(self.row_tokens, self.row_starts[:-1][filled])
        return counts * (longest if row_width is None else np.where(filled, row_width, 0))

    def efficiency(self, row_width: int | None = None) -> float:
        """Tokens of clips per token of the padded microbatches."""
        padded = int(self.padded_tokens(row_width).sum())
        return int(self.tokens.sum(dtype=np.int64)) / padded if padded else 1.0


def require_world(rank: int, world: int, microbatches: int) -> None:
    """Raises `ConfigError` for ranks and worlds that cannot share the microbatches of a step."""
    if world < 1 or not 0 <= rank < world:
        raise ConfigError(f"rank {rank} of {world}: ranks count from 0 to the world's size less 1")
    if microbatches % world:
        fits = [w for w in range(1, microbatches + 1) if microbatches % w == 0]
        raise ConfigError(
            f"{world} ranks cannot share the {microbatches} microbatches of a step evenly: "
            f"take {', '.join(map(str, fits))} ranks, or another number of microbatches"
        )


def make_plan(index: Index, settings: Settings, epoch: int) -> Plan:
    """The plan of epoch `epoch`: equal arguments, equal plan, on every machine.

    Raises `ConfigError` when the settings leave no clip.
    """
    eligible, left_out = _eligible(index, settings, epoch)
    draws = draw(index, eligible, settings, epoch)
    if not len(draws):
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.items() if count) or "mixing draws none"
        raise ConfigError(f"epoch {epoch}: none of the {counted(len(index), 'clip')} is left to read ({why})")
    lengths = index.pointers[0].frames[draws]
    frames = lengths if settings.crop_frames is None else np.minimum(lengths, settings.crop_frames).astype(np.int32)
    tokens = (settings.token_scale * frames + settings.token_extra).astype(np.int32)
    seed = seed_of(settings.seed, epoch, SHUFFLE)
    if settings.row_tokens is not None:
        order, counts = pack(tokens, settings.row_tokens)
        per_batch = int(settings.batch_tokens or 0) // settings.row_tokens
        order_rows, rest, sizes = into_microbatches(counts, None, per_batch, settings.bucket_ratio)
    else:
        order_rows, rest, sizes = into_microbatches(
            tokens, settings.batch_tokens, settings.batch_rows, settings.bucket_ratio
        )
        order, counts = None, None
    tail = _even_tail(_shuffled(rest, seed), sizes, order_rows, settings.microbatches)
    rows = np.concatenate([order_rows[: int(tail.full.sum())], *tail.parts]).astype(np.int64)
    row_starts = _starts(np.concatenate([tail.full, tail.sizes]))
    if order is None or counts is None:
        places, draw_starts = rows, np.arange(len(rows) + 1, dtype=np.int64)
    else:
        # packed rows stay in their order
        places, draw_starts = order, _starts(counts)
    crop_starts = None
    if settings.crop_frames is not None:
        crop_starts = _crop_starts(index, draws, lengths - frames, settings, epoch)[places]
    return Plan(
        epoch=epoch,
        microbatches=settings.microbatches,
        draws=draws[places],
        crop_starts=crop_starts,
        frames=frames[places],
        tokens=tokens[places],
        draw_starts=draw_starts,
        row_starts=row_starts,
        left_out=left_out,
    )


def _eligible(index: Index, settings: Settings, epoch: int) -> tuple[np.ndarray, dict[str, int]]:
    frames = index.pointers[0].frames
    allowed = np.ones(len(index), bool)
    left_out: dict[str, int] = {}
    stage = settings.stage_of(epoch)
    if stage is not None:
        if index.stage is None:
            raise ConfigError("a stage was asked for, and the index was read without the curriculum")
        allowed &= index.stage <= stage
        left_out["not_open_yet"] = int((~allowed).sum())
    short = allowed & (frames < settings.min_frames)
    limit = _longest(settings)
    long = allowed & (frames > limit) if limit is not None else np.zeros(len(index), bool)
    left_out |= {"too_short": int(short.sum()), "too_long": int(long.sum())}
    eligible = np.flatnonzero(allowed & ~short & ~long).astype(np.int32)
    if index.schedule is not None:
        clips, frames = sizes(index, eligible)
        index.schedule.require_quotas(clips, left_out)
        idle = [first == last for first, last in index.schedule.span(epoch, clips, frames)]
        left_out["not_drawn_in_this_epoch"] = int(clips[idle].sum())
    return eligible, left_out


def _longest(settings: Settings) -> int | None:
    """Frames of the longest clip that fits, None without a limit."""
    limits = [settings.max_frames] if settings.max_frames is not None else []
    room = settings.row_tokens or settings.batch_tokens
    if room is not None:
        fits = (room - settings.token_extra) // settings.token_scale
        if settings.crop_frames is None:
            limits.append(fits)
        elif settings.crop_frames > fits:
            raise ConfigError(
                f"a crop of {counted(settings.crop_frames, 'frame')} does not fit into {counted(room, 'token')}"
            )
    return min(limits) if limits else None


def _crop_starts(index: Index, draws: np.ndarray, slack: np.ndarray, settings: Settings, epoch: int) -> np.ndarray:
    """First frame of each draw: another for every draw of a clip."""
    if settings.crop == "start":
        return np.zeros(len(draws), np.int32)
    place = np.arange(len(draws), dtype=np.uint64)
    mixed = splitmix64(splitmix64(index.key[draws, 1] ^ seed_of(settings.seed, epoch, CROP)) ^ place)
    return (mixed % (slack.astype(np.uint64) + np.uint64(1))).astype(np.int32)


def _shuffled(batches: list[np.ndarray], seed: np.uint64) -> list[np.ndarray]:
    """What was left over, not by length."""
    mixed = splitmix64(np.arange(len(batches), dtype=np.uint64) ^ seed)
    return [batches[i] for i in np.argsort(mixed, kind="stable")]


@dataclass(frozen=True)
class _Tail:
    full: np.ndarray
    """Sizes of the microbatches that stay as they are."""
    parts: list[np.ndarray]
    sizes: np.ndarray


def _even_tail(rest: list[np.ndarray], sizes: np.ndarray, rows: np.ndarray, microbatches: int) -> _Tail:
    """Fill the last step: the largest of what was left over is halved until every microbatch has something; where too
    few clips are left, microbatches stay empty."""
    rest, full = list(rest), sizes
    missing = -(len(sizes) + len(rest)) % microbatches
    while missing:
        at = max(range(len(rest)), key=lambda i: len(rest[i])) if rest else -1
        if at < 0 or len(rest[at]) < 2:
            if not len(full) or full[-1] < 2:
                break
            end = int(full.sum())
            rest.insert(0, rows[end - int(full[-1]) : end])
            full, at = full[:-1], 0
        half = len(rest[at]) // 2
        rest[at : at + 1] = [rest[at][:half], rest[at][half:]]
        missing -= 1
    return _Tail(full, rest, np.array([*map(len, rest), *[0] * missing], np.int64))


def _starts(sizes: np.ndarray) -> np.ndarray:
    """`[n]` sizes to `[n + 1]` places where each begins."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])

"""Which clips an epoch draws, in which order: shares of groups, passes over each group, windows of shards.

A group's draws go on from epoch to epoch: pass p goes through all its clips once in an order of its own, and epoch e
takes draws [floor(w n e), floor(w n (e + 1))) of n clips drawn w times an epoch. So quotas are exact, a fraction is
not lost, and a group that is drawn little is covered in time.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ...schemas.errors import ConfigError
from .hashing import seed_of, splitmix64
from .index import Index
from .schedule import exact
from .settings import Mixing, Settings

_ORDER, _SHARDS, CROP, SHUFFLE = 1, 2, 3, 4
"""What a seed is for."""


def draw(index: Index, eligible: np.ndarray, settings: Settings, epoch: int) -> np.ndarray:
    """Rows of the index in the order in which epoch `epoch` goes through them, `[m]` int32.

    eligible: `[e]` ascending rows that may be drawn at all.
    """
    sequences = []
    for group, first, last in _spans(index, eligible, settings.mixing, epoch):
        if last > first:
            members = eligible[index.group[eligible] == group] if len(index.groups) > 1 else eligible
            sequences.append(_sequence(index, members, settings, first, last))
    if not sequences:
        return np.empty(0, np.int32)
    if len(sequences) == 1:
        return sequences[0]
    # each group evenly over the epoch
    place = np.concatenate([(np.arange(len(s)) + 0.5) / len(s) for s in sequences])
    return np.concatenate(sequences)[np.argsort(place, kind="stable")]


def _spans(index: Index, eligible: np.ndarray, mixing: Mixing | None, epoch: int) -> list[tuple[int, int, int]]:
    """Group, and the first and last of its draws in an epoch."""
    clips, frames = sizes(index, eligible)
    if index.schedule is not None:
        spans = index.schedule.span(epoch, clips, frames)
        return [(group, first, last) for group, (first, last) in enumerate(spans)]
    weights = _weights(index, eligible, mixing)
    return [(g, int(w * int(clips[g]) * epoch), int(w * int(clips[g]) * (epoch + 1))) for g, w in weights]


def sizes(index: Index, eligible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`[groups]` int64 clips and frames of the rows that may be drawn."""
    group = index.group[eligible]
    clips = np.bincount(group, minlength=len(index.groups))
    frames = np.bincount(group, weights=index.pointers[0].frames[eligible], minlength=len(index.groups))
    # sums below 2^53 are exact as doubles
    return clips.astype(np.int64), frames.astype(np.int64)


def _weights(index: Index, eligible: np.ndarray, mixing: Mixing | None) -> list[tuple[int, Fraction]]:
    """Group and draws per clip and epoch."""
    if mixing is None:
        return [(group, Fraction(1)) for group in range(len(index.groups))]
    named = mixing.repeats or mixing.shares
    unknown = sorted(set(named) - set(index.groups))
    if unknown:
        raise ConfigError(
            f"mixing over {mixing.column!r}: no clip has {', '.join(map(repr, unknown))}; "
            f"there are {', '.join(map(repr, index.groups))}"
        )
    if mixing.repeats:
        return [(g, exact(mixing.repeats.get(name, 1))) for g, name in enumerate(index.groups)]
    frames = index.pointers[0].frames if mixing.measure == "frames" else None
    size = np.bincount(
        index.group[eligible], weights=None if frames is None else frames[eligible], minlength=len(index.groups)
    )
    total = sum(exact(share) for share in mixing.shares.values())
    found = []
    for group, name in enumerate(index.groups):
        share = exact(mixing.shares.get(name, 0)) / total
        if share and not size[group]:
            raise ConfigError(f"mixing over {mixing.column!r}: no clip of {name!r} is left to give it a share")
        if share:
            found.append((group, share * int(size.sum()) / int(size[group])))
    return found


def _sequence(index: Index, members: np.ndarray, settings: Settings, first: int, last: int) -> np.ndarray:
    """Draws [first, last) of a group."""
    found = []
    for number in range(first // len(members), -(-last // len(members))):
        start = number * len(members)
        order = _pass(index, members, settings, number)
        found.append(order[max(first - start, 0) : last - start])
    return np.concatenate(found)


def _pass(index: Index, members: np.ndarray, settings: Settings, number: int) -> np.ndarray:
    """The group's rows in the order of pass `number`: by window of shards, then by the hash of their keys."""
    mixed = splitmix64(index.key[members, 0] ^ seed_of(settings.seed, number, _ORDER))
    pointers = index.pointers[0]
    if settings.window_shards is not None and len(pointers.shards) > settings.window_shards:
        names = np.array([int(sha256[:16], 16) for sha256 in pointers.shards], np.uint64)
        rank = np.empty(len(names), np.uint64)
        rank[np.argsort(splitmix64(names ^ seed_of(settings.seed, number, _SHARDS)), kind="stable")] = np.arange(
            len(names), dtype=np.uint64
        )
        window = rank // np.uint64(settings.window_shards)
        bits = np.uint64(max(1, int(window.max()).bit_length()))
        mixed = (window[pointers.shard[members]] << (np.uint64(64) - bits)) | (mixed >> bits)
    return members[np.argsort(mixed, kind="stable")].astype(np.int32)

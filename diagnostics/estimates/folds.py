"""Cross-fitting folds: whole groups (speakers, else recordings) are held out together, the same way every time.

A model that has heard the speaker codes that speaker's clips too cheaply, so clips are judged by models fitted on
other groups only. Which groups share a fold depends on the groups' names and sizes, not on their order or on chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...schemas.keys import digest


def hash_unit(*parts: str | int) -> float:
    """A number in [0, 1) that depends on `parts` alone."""
    return int(digest(*parts)[:13], 16) / 16**13


def counted(number: int, group_kind: str) -> str:
    """ "3 speakers"; "3 groups" where what they are takes more than a word."""
    return f"{number} {group_kind if group_kind.isalpha() else 'group'}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Folds:
    """Which fold each group is in."""

    group_kind: str
    """What is held out together: "speaker", "recording", or "clip" where there are too few groups."""
    of: Mapping[str, int]
    num_folds: int

    def fold_of(self, clip_key: str, group: str) -> int:
        """Fold of a clip."""
        return self.of[clip_key if self.group_kind == "clip" else group]

    def describe(self) -> str:
        """One phrase for tables: "5 folds by speaker (40 speakers)"."""
        return f"{self.num_folds} folds by {self.group_kind} ({counted(len(self.of), self.group_kind)})"


def make_folds(sizes: Mapping[str, float], *, group_kind: str, num_folds: int = 5, seed: int = 0) -> Folds:
    """Groups into at most `num_folds` folds of about equal size.

    sizes: group to its size (frames or seconds). The largest group goes first, each into the lightest fold, ties by
    the hash of the group's name. With fewer groups than folds every group is its own fold; with one group there is
    nothing to hold out and `num_folds` is 1.
    """
    order = sorted(sizes, key=lambda group: (-sizes[group], digest("fold", seed, group)))
    count = max(1, min(num_folds, len(order)))
    load, members, assigned = [0.0] * count, [0] * count, {}
    for group in order:
        fold = min(range(count), key=lambda f: (load[f], members[f], f))
        assigned[group] = fold
        load[fold] += sizes[group]
        members[fold] += 1
    return Folds(group_kind, assigned, count)


def folds_of_clips(
    clips: Sequence[tuple[str, str, int]], *, group_kind: str, num_folds: int = 5, seed: int = 0
) -> Folds:
    """Folds for `clips` (key, group, frames) by group; by single clips where fewer than three groups exist.

    Three is the least that leaves something to fit on with one fold held out and another to choose on. Folds by clip
    share speakers between fitting and holding out: results then say so, and no interval over groups is given.
    """
    sizes: dict[str, float] = {}
    for _, group, frames in clips:
        sizes[group] = sizes.get(group, 0.0) + frames
    if len(sizes) < 3:
        group_kind, sizes = "clip", {key: float(frames) for key, _, frames in clips}
    return make_folds(sizes, group_kind=group_kind, num_folds=num_folds, seed=seed)


def sample_clips(clips: Sequence[tuple[str, str, int]], max_frames: int, *, seed: int = 0) -> set[str]:
    """Keys of a subset of `clips` (key, group, frames) with at most `max_frames` frames, spread over all groups.

    Groups take turns, each giving its clips in hash order, until the next clip would not fit. Independent of the order
    in which clips are given. Everything when it fits.
    """
    if sum(frames for _, _, frames in clips) <= max_frames:
        return {key for key, _, _ in clips}
    by_group: dict[str, list[tuple[str, str, int]]] = {}
    for key, group, frames in clips:
        by_group.setdefault(group, []).append((digest("sample", seed, key), key, frames))
    ranked = [
        (turn, digest("sample", seed, group), key, frames)
        for group, members in by_group.items()
        for turn, (_, key, frames) in enumerate(sorted(members))
    ]
    total, chosen = 0, set()
    for _, _, key, frames in sorted(ranked):
        if total + frames > max_frames:
            break
        total += frames
        chosen.add(key)
    return chosen


def held_clips(
    clips: Sequence[tuple[str, str, int]], max_frames: int | None, *, group_kind: str, seed: int = 0
) -> set[str]:
    """Keys of `sample_clips`, on which models are fitted; of all clips (None too) where so few would leave one of
    `folds_of_clips` without a clip, as where a clip is many hours long."""
    if max_frames is None:
        return {key for key, _, _ in clips}
    held = sample_clips(clips, max_frames, seed=seed)
    folds = folds_of_clips(clips, group_kind=group_kind, seed=seed)
    covered = {folds.fold_of(key, group) for key, group, _ in clips if key in held}
    return held if len(covered) == folds.num_folds else {key for key, _, _ in clips}


def training_shares(keys: Sequence[str], lengths: Sequence[int], folds: Sequence[int], seed: int = 0) -> list[int]:
    """0, 1 or 2 for each clip: the first quarter, the second quarter and the second half of its fold's frames.

    For learning curves; which clip is where depends on the hash of its key.
    """
    order = sorted(range(len(keys)), key=lambda i: digest("bucket", seed, keys[i]))
    total: dict[int, int] = {}
    for fold, length in zip(folds, lengths, strict=True):
        total[int(fold)] = total.get(int(fold), 0) + int(length)
    seen, share = dict.fromkeys(total, 0), [0] * len(keys)
    for i in order:
        fold = int(folds[i])
        seen[fold] += int(lengths[i])
        share[i] = (4 * seen[fold] > total[fold]) + (2 * seen[fold] > total[fold])
    return share

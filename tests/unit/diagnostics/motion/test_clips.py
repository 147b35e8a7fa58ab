"""Which clips a diagnosis holds in memory."""

from __future__ import annotations

import numpy as np
import pytest

from auricle.diagnostics.estimates.samples import Kept
from auricle.diagnostics.motion.clips import MAX_FRAMES, Clips, beginnings


def test_everything_is_taken_where_it_fits() -> None:
    index = [(f"c{i}", f"s{i % 3}", 100) for i in range(20)]
    assert beginnings(index, 8) == {key: 100 for key, _, _ in index}


@pytest.mark.parametrize("dim", [8, 2048])
def test_what_is_held_is_bounded_and_comes_from_all_speakers(dim: int) -> None:
    index = [(f"c{i:04}", f"s{i % 40:02}", 5000) for i in range(4000)]
    taken = beginnings(index, dim)
    total = sum(taken.values())
    assert total <= min(MAX_FRAMES, 4_000_000 // dim)
    assert total > 0.9 * min(MAX_FRAMES, 4_000_000 // dim)
    groups = {key: group for key, group, _ in index}
    assert len({groups[key] for key in taken}) >= min(40, len(taken))
    assert beginnings(index[::-1], dim) == taken, "in whatever order clips come"


def test_a_few_hours_long_clips_give_their_beginnings() -> None:
    taken = beginnings([(f"c{i}", f"s{i}", 10**6) for i in range(5)], 8)
    assert list(taken.values()) == [MAX_FRAMES // 5] * 5


def test_a_pass_keeps_the_beginnings_of_clips_and_changes_nothing_that_goes_by() -> None:
    samples = [(f"c{i}", "s", np.full((2, 9), float(i))) for i in range(4)]
    kept = Kept(samples, {"c1": 5, "c3": 20, "gone": 7})
    passed = list(kept())
    assert [key for key, _, _ in passed] == ["c0", "c1", "c2", "c3"]
    assert {key: array.shape for key, (_, array) in kept.clips.items()} == {"c1": (2, 5), "c3": (2, 9)}
    passed[1][2][:] = 7
    assert kept.clips["c1"][1][0, 0] == 1


def test_what_cannot_be_used_is_left_out() -> None:
    good = np.random.default_rng(0).normal(size=(4, 30))
    bad = good.copy()
    bad[1, 2] = np.nan
    kept = {"a": ("s0", good), "b": ("s1", bad), "c": ("s2", good[:3]), "d": ("s3", good[:, :2]),
            "e": ("s4", good.astype(np.int64)), "f": ("s5", good[0])}  # fmt: skip
    clips = Clips.of(kept, group_kind="speaker")
    assert (clips.keys, clips.dim, clips.num_frames) == (["a"], 4, 30)
    mixed = clips.shuffled(1).frames[0]
    assert not np.array_equal(mixed, clips.frames[0])
    assert np.array_equal(np.sort(mixed, axis=0), np.sort(clips.frames[0], axis=0))
    assert Clips.of({}, group_kind="speaker").num_frames == 0

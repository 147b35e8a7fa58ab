"""Units shrink for short passes and towards the end, and workers end together."""

from __future__ import annotations

import heapq

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from auricle.pipelines.run import in_order
from auricle.pipelines.work.cut import Sizes, cut


def units_of(weights: list[float], sizes: Sizes | None, coarse: list[int] | None = None) -> list[list[float]]:
    rows = pa.table({"unit": coarse or [0] * len(weights), "key": list(range(len(weights))), "weight": weights})
    found = pa.Table.from_batches(list(cut(rows.to_reader(max_chunksize=7), sizes))).to_pylist()
    assert [row["key"] for row in found] == list(range(len(weights)))
    units: dict[int, list[float]] = {}
    for row, weight in zip(found, weights, strict=True):
        units.setdefault(row["unit"], []).append(weight)
    assert list(units) == sorted(units)
    return list(units.values())


def test_a_short_pass_has_several_units_for_each_worker() -> None:
    """60 clips of 447 s on two workers were two units of 300 s."""
    units = units_of([7.45] * 60, Sizes(447.0, 2, 300.0))
    assert len(units) >= 2 * 4
    assert max(map(sum, units)) <= 447 / 2 / 4 + 7.45


def test_no_unit_has_more_items_than_it_may() -> None:
    assert max(map(len, units_of([1.0] * 60, Sizes(60.0, 1, 300.0, most_items=4)))) == 4


def test_a_long_pass_has_units_of_the_configured_size_until_near_its_end() -> None:
    units = [sum(unit) for unit in units_of([10.0] * 20_000, Sizes(200_000.0, 8, 300.0))]
    assert units[:600] == [300.0] * 600
    assert units[-1] <= 30


def test_what_came_in_two_units_is_never_in_one() -> None:
    coarse = [0] * 5 + [1] * 5 + [7] * 5
    assert [len(u) for u in units_of([1.0] * 15, None, coarse)] == [5, 5, 5]
    cuts = np.cumsum([len(u) for u in units_of([1.0] * 15, Sizes(15.0, 1, 300.0), coarse)])
    assert {5, 10, 15} <= set(cuts.tolist())


def test_a_short_pass_takes_the_longest_recordings_first_and_leaves_their_clips_together() -> None:
    lengths = {"a": [3.0], "b": [2.0, 9.0, 4.0], "c": [5.0], "d": [3.0]}
    rows = [
        (place, recording, seconds)
        for place, (recording, seconds) in enumerate((r, s) for r, all_of in lengths.items() for s in all_of)
    ]
    items = (
        f"(VALUES {', '.join(f'({i // 3}, {i}, {r!r}, {s})' for i, r, s in rows)}) t(unit, place, recording, seconds)"
    )

    def found(sizes: Sizes) -> list[float]:
        return [row[3] for row in duckdb.sql(in_order(items, "t.seconds", "recording", sizes)).fetchall()]

    assert found(Sizes(26.0, 2, 300.0)) == [2, 9, 4, 5, 3, 3]
    # of a long one the order of the sources, but for what is longer than a unit
    assert found(Sizes(26.0, 2, 1.2)) == [3, 2, 9, 4, 5, 3]


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
@pytest.mark.parametrize("seed", range(5))
def test_with_heavy_tailed_times_no_worker_idles_longer_than_a_twentieth_of_the_pass(workers: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    seconds = rng.uniform(2, 20, 400 * workers)
    # how long a clip takes is not what its duration says: Pareto, with a finite mean and no finite variance
    times = seconds * (1 + rng.pareto(1.8, seconds.shape)).clip(max=20)
    free, at = [0.0] * workers, 0
    for unit in units_of(seconds.tolist(), Sizes(float(seconds.sum()), workers, 300.0)):
        begin = heapq.heappop(free)
        heapq.heappush(free, begin + float(times[at : at + len(unit)].sum()))
        at += len(unit)
    assert max(free) - min(free) <= 0.05 * max(free)

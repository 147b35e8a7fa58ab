"""How a pass scales from 1 to 8 workers, and how long workers idle at its end, with heavy-tailed times of clips.

    python benchmarks/cluster.py [--clips 4000] [--rounds 20]

A simulation, seeded, of how the pool cuts a pass (`pipelines/work/cut.py`) and hands its units out
(`pipelines/work/pool.py`): no Ray, no audio. Clips take 2 to 20 s of audio; how long a worker takes for one is its
duration times 1 + Pareto(1.8), 21 times at most, over `--speed`. Beside it the same with units of one size.
"""

from __future__ import annotations

import argparse
import heapq
import statistics
from collections import deque
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from auricle.pipelines.work.cut import Sizes, cut
from auricle.pipelines.work.pool import AHEAD, PLENTY

UNIT_S = 300.0
OVERHEAD_S = 0.02
"""What a unit costs beside its clips."""


def units_of(seconds: np.ndarray, sizes: Sizes | None) -> list[int]:
    """Clips of each unit; without `sizes` as many as make `UNIT_S`."""
    coarse = ((np.cumsum(seconds) - seconds) // UNIT_S).astype(int) if sizes is None else np.zeros(len(seconds), int)
    rows = pa.table({"unit": coarse, "weight": seconds})
    found = pa.Table.from_batches(list(cut(rows.to_reader(), sizes)))["unit"].to_numpy()
    return np.bincount(found).tolist()


def simulated(times: Sequence[float], workers: int, ahead: int, plenty: int) -> tuple[float, float]:
    """(seconds of the pass, largest seconds that a worker idles at its end) for units of these times, in order."""
    queue = deque(times)
    held: list[deque[float]] = [deque() for _ in range(workers)]
    ends: list[tuple[float, int]] = []
    last = [0.0] * workers

    def hand_out(now: float) -> None:
        for depth in range(1, ahead + 1):
            if depth > 1 and len(queue) < plenty * workers:
                return
            for i in range(workers):
                if queue and len(held[i]) < depth:
                    held[i].append(queue.popleft())
                    if len(held[i]) == 1:
                        heapq.heappush(ends, (now + held[i][0] + OVERHEAD_S, i))

    hand_out(0.0)
    while ends:
        now, i = heapq.heappop(ends)
        held[i].popleft()
        last[i] = now
        if held[i]:
            heapq.heappush(ends, (now + held[i][0] + OVERHEAD_S, i))
        hand_out(now)
    return max(last), max(last) - min(last)


def main() -> None:
    """Print scaling and idle share, medians and the worst of all rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--speed", type=float, default=20.0, help="Real time that a worker does, mean of a plain clip")
    args = parser.parse_args()
    print(f"{args.clips} clips, {args.rounds} seeds; idle: share of the pass that the worst worker waits at its end")
    print(f"{'workers':>7}  {'speed-up':>8}  {'idle':>6}  {'worst':>6}  {'units':>6}   units of {UNIT_S:g} s: ", end="")
    print(f"{'speed-up':>8}  {'idle':>6}  {'worst':>6}")
    for workers in range(1, 9):
        found: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
        count = 0
        for seed in range(args.rounds):
            rng = np.random.default_rng(seed)
            seconds = rng.uniform(2, 20, args.clips)
            times = seconds / args.speed * (1 + rng.pareto(1.8, args.clips).clip(max=20))
            for shrinking in (True, False):
                sizes = Sizes(float(seconds.sum()), workers, UNIT_S) if shrinking else None
                order = np.arange(args.clips)
                if sizes is not None and sizes.short:
                    order = np.argsort(-seconds, kind="stable")
                units = units_of(seconds[order], sizes)
                count = len(units) if shrinking else count
                of_unit = np.add.reduceat(times[order], np.cumsum([0, *units[:-1]]))
                took, idle = simulated(of_unit.tolist(), workers, AHEAD, PLENTY if shrinking else 0)
                found[shrinking].append((float(times.sum()) / took, idle / took))
        line = f"{workers:7}"
        for shrinking in (True, False):
            speed, idle = zip(*found[shrinking], strict=True)
            line += f"  {statistics.median(speed):8.2f}  {statistics.median(idle):6.1%}  {max(idle):6.1%}"
            line += f"  {count:6}{'':22}" if shrinking else ""
        print(line)


if __name__ == "__main__":
    main()

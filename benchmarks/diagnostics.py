"""Holds the diagnostics against sources with known answers and prints measured against gate.

    python benchmarks/diagnostics.py            some minutes on one core
    python benchmarks/diagnostics.py --large    adds the runs on 1e7 symbols and on 5 h of 512-dimensional latents
    python benchmarks/diagnostics.py --only codes var

Exits with 1 when a gate fails. Where a row says "worst of n", n sources and samples with different seeds were run.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator

import known_codes
import known_costs
import known_directions
import known_latents
import known_mixtures
import known_motion
import known_statistics
import numpy as np
from known_rows import Row

CHECKS: dict[str, Callable[[bool], Iterator[Row]]] = {
    "discrete": known_codes.discrete_sources,
    "codes": known_codes.end_to_end_codes,
    "exact": known_statistics.exact_statistics,
    "var": known_latents.autoregressions,
    "invariance": known_latents.invariances,
    "coverage": known_statistics.coverage,
    "difficulty": known_codes.difficulties,
    "direction": known_directions.directions,
    "read-out": known_latents.read_outs,
    "motion": known_motion.motion,
    "mixture": known_mixtures.mixtures,
    "cost": known_costs.costs,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="the long runs too (some 10 minutes, 3 GB)")
    parser.add_argument("--only", choices=sorted(CHECKS), nargs="*", help="only these checks")
    options = parser.parse_args()
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}, {threads} thread(s)\n")
    print("| test | measured | gate | |\n|---|---|---|---|")
    failed, begin = 0, time.process_time()
    for name in options.only or CHECKS:
        for row in CHECKS[name](options.large):
            failed += not row.passed
            print(f"| {row.test} | {row.measured} | {row.gate} | {'ok' if row.passed else 'FAILED'} |", flush=True)
    print(f"\n{failed} failed; {time.process_time() - begin:.0f} CPU seconds")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

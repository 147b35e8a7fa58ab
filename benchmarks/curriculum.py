"""Is a curriculum worth having? A small language model at equal tokens, by which clips it gets and in which order.

    python benchmarks/curriculum.py planted            # noise, difficulty, null
    python benchmarks/curriculum.py speech DATASET [-r builtin-codes] [--tier gold]

DATASET is one that `auricle run` made, with codes and tiers. Every arm trains on the same number of frames, from the
same first weights, with the same learning rate after the same number of frames. Arms:

random          passes over all clips, each in a random order: the baseline
duration        the first pass from the shortest to the longest clip, then random
tiers           only clips of the best quality tier, in random order: fewer clips, more passes
paced           in three thirds of the budget the easiest 50 %, 80 % and 100 % of the hours
anti            the same from the hardest
tiers_paced     paced among the clips of the best tier; with `--arms tiers tiers_paced` the difference is what the order
                adds to the filter

The figure is bits per second on speakers that no arm trained on, less those of the first arm with the same seed, mean
over speakers. The intervals cover both which speakers and which seeds were drawn (variances of the two means added,
degrees of freedom after Satterthwaite), and all arms of a corpus together at 95 % (Bonferroni). An arm wins, or loses,
where its interval does not contain 0. The command exits with 1 where a planted answer is missed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from curriculum_corpora import Corpus, of_dataset, planted, spoilt
from curriculum_lm import bits_of, train
from scipy import stats

from auricle.diagnostics.difficulty import quantiles

ARMS = ("random", "duration", "tiers", "paced", "anti")
FURTHER = ("tiers_paced",)
PACED = ("paced", "anti", "tiers_paced")
OPENS = (0.5, 0.8, 1.0)


def sequence(corpus: Corpus, arm: str, frames: int, seed: int) -> Iterator[np.ndarray]:
    """An endless sequence of training clips."""
    rng = np.random.default_rng([seed, (*ARMS, *FURTHER).index(arm)])
    rows, length = corpus.train, np.array([clip.shape[1] for clip in corpus.clips])
    standing = corpus.standing if arm != "anti" else 1 - corpus.standing
    if arm in ("tiers", "tiers_paced"):
        rows = rows[corpus.good[rows]]
        # where a clip stands among the best
        standing = np.full(length.size, np.nan)
        standing[rows] = quantiles(corpus.standing[rows], length[rows] / corpus.frame_rate)
    given, left = 0, np.empty(0, np.int64)
    before = -1
    while True:
        phase = min(int(len(OPENS) * given / frames), len(OPENS) - 1)
        if not left.size or (arm in PACED and phase != before):
            allowed = rows
            if arm in PACED:
                # NaN compares false: what could not be measured joins last
                allowed = rows[(standing[rows] < OPENS[phase]) | (phase == len(OPENS) - 1)]
            left = rng.permutation(allowed)
            if arm == "duration" and before < 0:
                left = left[np.argsort(length[left], kind="stable")]
            before = phase
        yield corpus.clips[left[0]]
        given, left = given + int(length[left[0]]), left[1:]


def rates(corpus: Corpus, arm: str, frames: int, seed: int) -> dict[str, dict[str, float]]:
    """Target -> held-out speaker -> bit/s."""
    model = train(sequence(corpus, arm, frames, seed), frames, corpus.clips[0].shape[0], corpus.entries, seed)
    rows = np.flatnonzero(corpus.held_out)
    bits = bits_of(model, [corpus.clips[i] for i in rows])
    seconds = np.array([corpus.clips[i].shape[1] for i in rows]) / corpus.frame_rate
    found: dict[str, dict[str, float]] = {}
    for target, counts in corpus.targets.items():
        names = corpus.speaker[rows]
        found[target] = {
            str(name): float(bits[own].sum() / seconds[own].sum())
            for name in np.unique(names)
            if (own := (names == name) & counts[rows]).any()
        }
    return found


def paired(difference: np.ndarray, arms: int) -> tuple[float, float, float]:
    """Mean of `[seeds, speakers]` differences with its interval, simultaneous over so many arms."""
    seeds, speakers = difference.shape
    parts = [difference.mean(0).var(ddof=1) / speakers, difference.mean(1).var(ddof=1) / seeds]
    degrees = sum(parts) ** 2 / (parts[0] ** 2 / (speakers - 1) + parts[1] ** 2 / (seeds - 1))
    half = stats.t.ppf(1 - 0.025 / arms, degrees) * np.sqrt(sum(parts))
    mean = float(difference.mean())
    return mean, mean - float(half), mean + float(half)


def measure(corpus: Corpus, seeds: int, passes: float, arms: Sequence[str]) -> list[dict[str, object]]:
    """A row for each target and each arm but the first, with which the others are compared."""
    frames = int(passes * sum(corpus.clips[i].shape[1] for i in corpus.train))
    rows = corpus.train
    good = corpus.good[rows]
    print(
        f"\n{corpus.name}: {len(rows)} clips to train on, {good.sum()} in the best tier; "
        f"{np.unique(corpus.speaker[corpus.held_out]).size} speakers held out; {frames:,} frames for each arm; "
        f"{seeds} seeds",
        flush=True,
    )
    found = {arm: [rates(corpus, arm, frames, seed) for seed in range(seeds)] for arm in arms}
    table = []
    for target in corpus.targets:
        speakers = sorted(found[arms[0]][0][target])
        value = {a: np.array([[run[target][s] for s in speakers] for run in runs]) for a, runs in found.items()}
        base = float(value[arms[0]].mean())
        print(f"held out: {target}, {len(speakers)} speakers; {arms[0]} {base:.2f} bit/s", flush=True)
        for arm in arms[1:]:
            mean, low, high = paired(value[arm] - value[arms[0]], len(arms) - 1)
            verdict = "wins" if high < 0 else "loses" if low > 0 else "undecided"
            print(f"| {arm} | {mean:+.2f} [{low:+.2f}, {high:+.2f}] | {mean / base:+.2%} | {verdict} |", flush=True)
            row = {"corpus": corpus.name, "target": target, "arm": arm, "over": arms[0], "base": base}
            table.append(row | {"difference": mean, "low": low, "high": high, "verdict": verdict})
    return table


def missed(table: list[dict[str, object]]) -> list[str]:
    """Planted answers that did not come out."""
    answers = [row for row in table if row["target"] == "all" and row["over"] == "random"]
    said = {(row["corpus"], row["arm"]): row["verdict"] for row in answers}
    wrong = [f"{c}: {a} {v}" for (c, a), v in said.items() if c == "planted null" and v == "wins"]
    for corpus in ("planted noise", "speech, 40% shuffled"):
        if said.get((corpus, "tiers"), "wins") != "wins":
            wrong.append(f"{corpus}: filtering should win, and is {said[corpus, 'tiers']}")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["planted", "speech"])
    parser.add_argument("dataset", nargs="?", help="for speech: a dataset with codes")
    parser.add_argument("-r", "--representation", default="builtin-codes")
    parser.add_argument("--tier", default="gold", help="the best quality tier of the dataset")
    parser.add_argument("--codebooks", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--passes", type=float, default=2.0, help="frames of an arm over the frames there are")
    parser.add_argument("--only", nargs="*", default=["noise", "difficulty", "null"])
    parser.add_argument("--arms", nargs="+", choices=[*ARMS, *FURTHER], default=ARMS, help="the first is compared with")
    parser.add_argument("--json", type=Path, help="write the rows here")
    args = parser.parse_args()
    torch.set_num_threads(1)
    began, table = time.monotonic(), []
    if args.what == "planted":
        for kind in args.only:
            table += measure(planted(kind), args.seeds, args.passes, args.arms)
    else:
        if args.dataset is None:
            parser.error("speech needs a DATASET")
        corpus = of_dataset(args.dataset, args.representation, args.tier, args.codebooks)
        for each in (corpus, spoilt(corpus)):
            table += measure(each, args.seeds, args.passes, args.arms)
    print(f"\n{time.monotonic() - began:.0f} s")
    if args.json:
        args.json.write_text(json.dumps(table, indent=1))
    if wrong := missed(table):
        raise SystemExit("; ".join(wrong))


if __name__ == "__main__":
    main()

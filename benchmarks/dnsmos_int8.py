"""What DNSMOS' largest layers in integers of 8 bits change and save (`dnsmos_rounding.py` makes the integers).

    python benchmarks/dnsmos_int8.py [--clips 40] [--windows 120]

On held-out speakers in held-out noises at -5 to 40 dB: fast mode in integers and in floats against the reference mode,
and their rank correlation with the SNR. On windows of recordings of all kinds and of made-up extremes: how many are
outside the range of the integers, so that they are heard in floats. The CPU time of a window both ways, in turns.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from curator_data import RATE, crop, disturbances, mix, utterances
from curator_stats import figure, spearman
from dnsmos_filters import extremes, recorded

from auricle.curators.models import session
from auricle.curators.networks.eight_bits import HIGHEST, LARGEST_VALUE, in_eight_bits
from auricle.curators.networks.silent_filters import answering
from auricle.curators.signal.dnsmos import INPUT_SIZE, POLYNOMIALS, _model, looped, segment_starts

LEVELS_DB = (-5, 0, 5, 10, 15, 20, 25, 30, 35, 40)
FLOAT, INTEGER = "in floats", "in integers"
MOST_SEGMENTS = 24


def clips(count: int) -> list[tuple[np.ndarray, float, str]]:
    """(waveform, SNR in dB, speaker), none of which the integers were made on."""
    rng, speech, found = np.random.default_rng(2), utterances(True), []
    for i in np.linspace(0, len(speech) - 1, count).astype(int):
        x, every = crop(rng, speech[i]), list(disturbances(rng, speech[i].speaker))
        _, _, noise = every[len(found) % len(every)]
        y, truth = mix(x, noise.astype(np.float32), float(rng.choice(LEVELS_DB)), speech[i].floor_db)
        found.append((np.asarray(y / max(1.0, float(np.abs(y).max())), dtype=np.float32), truth, speech[i].speaker))
    return found


def mos(raw: np.ndarray) -> np.ndarray:
    """The three scores of `[3]` outputs."""
    return np.array([np.polyval(p, value) for p, value in zip(POLYNOMIALS.values(), raw, strict=True)])


class Hearing:
    """Both networks, and the CPU seconds of each for its windows."""

    def __init__(self) -> None:
        self.models = {FLOAT: session(_model(), edit=answering), INTEGER: session(_model(), (HIGHEST,), in_eight_bits)}
        self.spent: dict[str, list[float]] = {name: [] for name in self.models}

    def scores(self, name: str, x: np.ndarray) -> tuple[np.ndarray, bool]:
        """`[3]` scores of a window, and whether all was in range."""
        started = time.process_time()
        raw, *highest = self.models[name].run(None, {"input_1": x[None, :INPUT_SIZE]})
        self.spent[name].append(time.process_time() - started)
        return mos(np.asarray(raw)[0]), not highest or np.asarray(highest[0]).item() < LARGEST_VALUE

    def fast(self, name: str, x: np.ndarray) -> np.ndarray:
        """`[3]` scores of a window as fast mode gives them."""
        found, inside = self.scores(name, x)
        return found if inside else self.scores(FLOAT, x)[0]


def compare(hearing: Hearing, count: int) -> None:
    """Fast mode both ways against the reference, and both in order of SNR."""
    rows, speakers = [], []
    for x, truth, speaker in clips(count):
        y = looped(x)
        reference = {s: hearing.scores(FLOAT, y[s:])[0] for s in segment_starts(y.size, "reference", MOST_SEGMENTS)}
        starts = segment_starts(y.size, "fast", MOST_SEGMENTS)
        slow = np.mean(list(reference.values()), axis=0)
        floats = np.mean([reference[s] for s in starts], axis=0)
        integers = np.mean([hearing.fast(INTEGER, y[s:]) for s in starts], axis=0)
        rows.append([truth, *slow, *floats, *integers])
        speakers.append(speaker)
    values = np.array(rows)
    truth, slow, floats, integers = values[:, :1], values[:, 1:4], values[:, 4:7], values[:, 7:]

    def said(pair: np.ndarray) -> str:
        worst = np.abs(pair).max(axis=1)
        return f"{figure(lambda r: float(r.mean()), worst, speakers).text()} on average, {worst.max():.3f} at most"

    print(f"{len(rows)} clips of {len(set(speakers))} speakers, none heard by the fit; worst of three scores")
    print(f"fast mode {FLOAT} against reference: {said(floats - slow)}")
    print(f"fast mode {INTEGER} against reference: {said(integers - slow)}")
    print(f"{INTEGER} against {FLOAT}: {said(integers - floats)}; mean {(integers - floats).mean(axis=0).round(4)}")
    for k, column in enumerate(POLYNOMIALS):
        both = np.c_[truth, floats[:, k], integers[:, k]]
        orders = [spearman(both[:, i], both[:, 0]) for i in (1, 2)]
        gain = figure(lambda r: spearman(r[:, 2], r[:, 0]) - spearman(r[:, 1], r[:, 0]), both, speakers)
        print(f"{column}, Spearman with SNR: {orders[0]:.3f} {FLOAT}, {orders[1]:.3f} {INTEGER}, more: {gain.text()}")


def ranges(hearing: Hearing, count: int) -> None:
    """Windows that are outside the range, and what the integers would make of them and of the others."""
    for kind, windows in (("recordings", recorded(count)), ("made-up extremes", extremes())):
        inside, outside = [], []
        for x in windows.values():
            x = np.asarray(x, dtype=np.float32)
            (got, whole), (want, _) = hearing.scores(INTEGER, x), hearing.scores(FLOAT, x)
            (inside if whole else outside).append(float(np.abs(got - want).max()))
        off = f"{np.mean(inside):.3f} MOS off on average, {max(inside):.3f} at most" if inside else "none"
        print(f"{len(inside)} of {len(windows)} {kind} are in range: {off}")
        if outside:
            print(f"the {len(outside)} others are heard {FLOAT}; {INTEGER} they were {max(outside):.3f} off at most")


def main() -> None:
    """Prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--windows", type=int, default=120)
    args = parser.parse_args()
    hearing = Hearing()
    compare(hearing, args.clips)
    hearing.spent = {name: [] for name in hearing.spent}
    ranges(hearing, args.windows)
    times = {name: float(np.median(values)) for name, values in hearing.spent.items()}
    print(f"CPU s per window of {INPUT_SIZE / RATE:.2f} s: {times[FLOAT]:.3f} {FLOAT}, {times[INTEGER]:.3f} {INTEGER}")


if __name__ == "__main__":
    main()

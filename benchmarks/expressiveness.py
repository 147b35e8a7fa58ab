"""How well the spread of pitch and of level are measured: against pitch that was planted, and against how lively
espeak-ng was told to speak.

    python benchmarks/expressiveness.py DATA [--training]

DATA is a folder with speech/<corpus>/transcripts.tsv. Speakers are split by `curators.mixtures.alternate`: constants
were chosen with --training, the tables of docs/voices.md are made without. Planted: the vocal tract of a recording (18
linear prediction coefficients per 32 ms) driven by pulses whose F0 glides up and down over a known number of semitones.
Where `parselmouth` can be imported, Praat is shown beside ours on the same clips.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from curator_stats import figure, spearman

from auricle.curators.training.mixtures import alternate, read_mono
from auricle.curators.training.train_voice import LEFT_OUT
from auricle.curators.voices.intonation import semitones
from auricle.curators.voices.voice import VoiceCurator
from auricle.curators.waveform import resample
from auricle.jobs.demo.espeak import Voice, synthesise
from auricle.schemas.clip import Clip

RATE, ORDER, FRAME, HOP = 16_000, 18, 512, 128
EMPHASIS = 0.95
BANDWIDTH = 0.98
"""Powers of it scale the coefficients: sharp poles would ring at the harmonics of the voice that they came from."""
MEDIANS_HZ, SPREADS_ST = (90.0, 120.0, 160.0, 220.0), (0.0, 2.0, 4.0, 8.0, 12.0)
PERIOD_S = 0.9
CLIPS_PER_SPEAKER, MAX_S, MIN_S = 3, 10.0, 2.0
SWELL_DB, SWELL_S = 12.0, 1.3
TEXTS = (
    "The harbour was quiet in the morning, and nobody had seen the old boat leave.",
    "Would you believe that it came back before noon, with all its lamps lit?",
    "Seven letters lay on the table; one of them was open.",
    "He counted the coins twice, and then he laughed.",
)
VOICES = ("en-us", "en-us+f2", "en-us+f4", "en-us+m3", "en-us+m7", "pt", "de", "fr", "es", "it")
RANGES = (0, 25, 50, 75, 99)
Measure = Callable[[np.ndarray, int], dict[str, float] | None]


def speakers(data: Path, training: bool) -> dict[str, list[Path]]:
    """Recordings of the chosen half of the speakers."""
    found: dict[str, list[Path]] = {}
    for table in sorted((data / "speech").glob("*/transcripts.tsv")):
        if table.parent.name in LEFT_OUT:
            continue
        with table.open(encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                if not row["file"].endswith(".mp3") and "_noisy" not in row["file"]:
                    found.setdefault(row["speaker"], []).append(table.parent / row["file"])
    return {name: found[name] for name in alternate(list(found), not training)}


def glide(count: int, median_hz: float, spread_st: float, rng: np.random.Generator) -> np.ndarray:
    """`[count]` Hz: up and down evenly in semitones; the 10th to 90th percentile is `spread_st`."""
    phase = (np.arange(count) / RATE / PERIOD_S + rng.random()) % 1
    return median_hz * 2 ** ((2 * np.abs(2 * phase - 1) - 1) * spread_st / 0.8 / 24)


def replanted(x: np.ndarray, hz: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`x` spoken with the pitch `hz`, `[T]` float32, and where it is voiced, `[T]` bool: where the spectrum of `x`
    falls with frequency; noise drives the rest."""
    from scipy.linalg import solve_toeplitz
    from scipy.signal import lfilter

    x = np.append(x[:1], x[1:] - np.float32(EMPHASIS) * x[:-1])
    turns = np.cumsum(hz) / RATE + rng.random()
    at = np.flatnonzero(np.diff(np.floor(turns)))
    late = (np.floor(turns[at + 1]) - turns[at]) / (turns[at + 1] - turns[at])
    pulses = np.zeros(len(x))
    pulses[at] += (1 - late) * np.sqrt(RATE / hz[at])
    pulses[at + 1] += late * np.sqrt(RATE / hz[at])
    breath, window = rng.normal(size=len(x)), np.hanning(FRAME)
    y, voiced, state = np.zeros(len(x)), np.zeros(len(x), dtype=bool), np.zeros(ORDER)
    for start in range(0, len(x) - FRAME, HOP):
        frame = x[start : start + FRAME] * window
        r = np.correlate(frame, frame, "full")[FRAME - 1 : FRAME + ORDER]
        r[0] = 1.0001 * r[0] + 1e-9
        own = np.r_[1, -solve_toeplitz(r[:ORDER], r[1:])]
        gain = np.sqrt(max(float(own @ r), 1e-12) / np.sum(window**2))
        middle = slice(start + (FRAME - HOP) // 2, start + (FRAME + HOP) // 2)
        voiced[middle] = r[1] > 0.3 * r[0]
        driven = pulses[middle] + 0.03 * breath[middle] if r[1] > 0.3 * r[0] else 0.5 * breath[middle]
        y[middle], state = lfilter([gain], own * BANDWIDTH ** np.arange(ORDER + 1), driven, zi=state)
    y = np.asarray(lfilter([1.0], [1.0, -EMPHASIS], y))
    return (y / max(2 * float(np.abs(y).max()), 1e-9)).astype(np.float32), voiced


def conditions(x: np.ndarray, rng: np.random.Generator) -> dict[str, tuple[np.ndarray, int]]:
    """The clip, and what should leave its spreads as they are."""
    noise = rng.normal(size=len(x)).astype(np.float32) * np.float32(np.sqrt(np.mean(x**2)) * 10 ** (-15 / 20))
    return {
        "clean": (x, RATE),
        "-40 dB gain": (x * np.float32(0.01), RATE),
        "8 kHz": (resample(x, RATE, 8000), 8000),
        "white noise, 15 dB": (x + noise, RATE),
    }


def ours(x: np.ndarray, rate: int) -> dict[str, float] | None:
    """The curator's row, or None where it says nothing of pitch."""
    (row,) = VoiceCurator().score([Clip("", x, rate)])
    return None if row.get("f0_spread_st") is None else row


def praat(x: np.ndarray, rate: int) -> dict[str, float] | None:
    """Praat's autocorrelation pitch with its own settings and our range."""
    import parselmouth  # ty: ignore # pyright: ignore[reportMissingImports]

    hz = parselmouth.Sound(x.astype(np.float64), rate).to_pitch(pitch_floor=65.0, pitch_ceiling=400.0)
    hz = hz.selected_array["frequency"]
    if (hz > 0).sum() < 50:
        return None
    low, high = np.percentile(semitones(hz[hz > 0]), (10, 90))
    return {"f0_median_hz": float(np.median(hz[hz > 0])), "f0_spread_st": float(high - low)}


def clips(data: Path, training: bool) -> Iterator[tuple[str, np.ndarray]]:
    """Speaker and waveform at 16 kHz."""
    for speaker, paths in sorted(speakers(data, training).items()):
        for path in paths[:CLIPS_PER_SPEAKER]:
            x, rate = read_mono(path)
            x = resample(x[: int(MAX_S * rate)], rate, RATE)
            if len(x) >= MIN_S * RATE:
                yield speaker, x


def planted(data: Path, training: bool, measures: dict[str, Measure]) -> None:
    """Error of spread and median where the pitch is known."""
    rng, rows = np.random.default_rng(0), {}
    for number, (speaker, x) in enumerate(clips(data, training)):
        hz = glide(len(x), MEDIANS_HZ[number % 4], SPREADS_ST[number % 5], rng)
        y, voiced = replanted(x, hz, rng)
        if voiced.sum() < RATE:
            continue
        low, high = np.percentile(semitones(hz[voiced]), (10, 90))
        for name, (z, rate) in conditions(y, rng).items():
            for who, measure in measures.items():
                got = measure(z, rate)
                kept, lost = rows.setdefault((name, who), ([], []))
                if got is None:
                    lost.append(speaker)
                    continue
                off = 12 * np.log2(got["f0_median_hz"] / np.median(hz[voiced]))
                kept.append((speaker, abs(got["f0_spread_st"] - (high - low)), abs(off), got["f0_spread_st"]))
    print(
        "| planted pitch | clips, speakers | no value | spread, mean error, st | off by more than 1 st | median, st |"
    )
    print("|---|---|---|---|---|---|")
    for (name, who), (kept, lost) in rows.items():
        own, values = [k[0] for k in kept], np.array([k[1:] for k in kept])
        spread = figure(lambda r: float(r[:, 0].mean()), values, own)
        wrong = figure(lambda r: float((r[:, 0] > 1).mean()), values, own)
        median = figure(lambda r: float(r[:, 1].mean()), values, own)
        print(
            f"| {who}, {name} | {len(own)}, {len(set(own))} | {len(lost)} | {spread.text()} | {wrong.text()} | "
            f"{median.text()} |"
        )


def unmoved(data: Path, training: bool) -> None:
    """How far gain, band and noise move the spreads of real speech, and whether swells of level are seen."""
    rng, rows = np.random.default_rng(1), {}
    for speaker, x in clips(data, training):
        clean = ours(x, RATE)
        time = np.arange(len(x)) / RATE
        swell = 10 ** (SWELL_DB / 20 * (np.abs(2 * ((time / SWELL_S + rng.random()) % 1) - 1) - 0.5))
        changed = {**conditions(x, rng), f"swells of {SWELL_DB:g} dB": (x * swell.astype(np.float32), RATE)}
        for name, (y, rate) in list(changed.items())[1:]:
            got = ours(y, rate)
            if clean and got:
                pair = [(clean[c], got[c]) for c in ("f0_spread_st", "level_spread_db")]
                rows.setdefault(name, []).append((speaker, *pair[0], *pair[1]))
    print("\n| real speech | clips, speakers | column | change, mean | change, mean size | rank kept (Spearman) |")
    print("|---|---|---|---|---|---|")
    for name, found in rows.items():
        own, values = [f[0] for f in found], np.array([f[1:] for f in found])
        for column, at in (("f0_spread_st", 0), ("level_spread_db", 2)):
            pair = values[:, at : at + 2]
            mean = figure(lambda r: float((r[:, 1] - r[:, 0]).mean()), pair, own)
            size = figure(lambda r: float(np.abs(r[:, 1] - r[:, 0]).mean()), pair, own)
            rank = figure(lambda r: spearman(r[:, 0], r[:, 1]), pair, own)
            print(
                f"| {name} | {len(own)}, {len(set(own))} | `{column}` | {mean.text()} | {size.text()} | {rank.text()} |"
            )
    clean = np.array([f[1:] for f in rows["8 kHz"]])
    print(f"\nAmong clean clips: f0_spread_st {clean[:, 0].mean():.1f} ± {clean[:, 0].std():.1f} st, ", end="")
    print(f"level_spread_db {clean[:, 2].mean():.1f} ± {clean[:, 2].std():.1f} dB (mean and standard deviation).")


def told() -> None:
    """The same sentences by the same voices, told to speak flat or lively."""
    rows = []
    for voice in VOICES:
        for text in TEXTS:
            spreads = []
            for lively in RANGES:
                x, rate = synthesise(text, Voice(voice, pitch_range=lively))
                got = ours((x / 32768).astype(np.float32), rate)
                spreads.append(np.nan if got is None else got["f0_spread_st"])
            rows.append((voice, spreads))
    own, values = [r[0] for r in rows], np.array([r[1] for r in rows])
    print(f"\n| espeak-ng, {len(TEXTS)} sentences | pitch range {' | '.join(map(str, RANGES))} |")
    print("|---|" + "---|" * len(RANGES))
    for voice in VOICES:
        mine = values[[o == voice for o in own]]
        print(f"| {voice}, mean `f0_spread_st` | {' | '.join(f'{v:.1f}' for v in mine.mean(axis=0))} |")
    order = figure(lambda r: float((np.diff(r, axis=1) > 0).mean()), values, own)
    apart = figure(lambda r: float((r[:, -1:] > r[:, :1].T).mean()), values, own)
    print(f"\nNeighbouring steps in the right order: {order.text()} of {values.size - len(values)}; ", end="")
    print(
        f"flattest (0) below liveliest (99), any voices and sentences: {apart.text()} ({len(own)} clips each, ", end=""
    )
    print(f"{len(VOICES)} voices; {int(np.isnan(values).sum())} without a value).")


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description="How well pitch spread and level spread are measured.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--training", action="store_true", help="the speakers that constants may be chosen on")
    chosen = parser.parse_args()
    measures: dict[str, Measure] = {"ours": ours}
    try:
        praat(np.zeros(RATE, dtype=np.float32), RATE)
        measures["Praat"] = praat
    except ImportError:
        pass
    planted(chosen.data, chosen.training, measures)
    unmoved(chosen.data, chosen.training)
    told()


if __name__ == "__main__":
    main()

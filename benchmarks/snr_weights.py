"""How much the pauses and how much the network should say of the SNR: chosen on noises and speakers new to a network.

    python benchmarks/snr_weights.py SOUNDS [--weights NET.safetensors]

Everything here is of the training half. A network is trained (20 minutes of one core, or taken from --weights, where
it is written) without every second of its speakers, of its noise and of its music recordings, without three families of
made-up noise and without every fourth of the packages that `sound_packages.py` took apart; what was left out gives the
cases. Prints the error of `snr` for each weighting, of the pauses alone and of the network alone.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from curator_data import DATA, RATE, crop, labelled_files, mix, recordings, utterances
from train_acoustic import talkers

from auricle.curators.signal.learned import estimate, load_weights
from auricle.curators.signal.snr import PAUSE_GUARD, PAUSE_PROBABILITY, SnrOptions, gated_snr_db
from auricle.curators.signal.vad import FRAME_S, FRAME_SIZE, pauses, speech_features, speech_probabilities
from auricle.curators.training import synthetic
from auricle.curators.training.colours import unit_power
from auricle.curators.training.mixtures import Utterance, alternate, read_mono
from auricle.curators.training.train_acoustic import Recipe, audio_files, train
from auricle.curators.waveform import frame_power
from auricle.schemas.clip import Clip

LEFT_OUT_FAMILIES = ("tilted", "machine", "calls")
FAMILIES = tuple(synthetic.TRAIN_NOISES[name] for name in LEFT_OUT_FAMILIES)
RECIPE = Recipe(mixtures=7000, steps=3200, held_out=60)
PER_PACKAGE, TIMES = 6, {"recordings": 14, "families": 8, "babble": 16, "packages": 2}


def packages(sounds: Path) -> tuple[list[str], list[str]]:
    """Packages to learn from, and every fourth one, left out."""
    names = sorted({p.name.split("__")[0] for p in sounds.rglob("*.flac")})
    return [n for n in names if n not in names[2::4]], names[2::4]


def learn(sounds: Path, out: Path) -> None:
    """The network that has not heard what the cases are made of."""
    learned, _ = packages(sounds)
    speakers = set(alternate([s for _, s in labelled_files()], held_out=False))
    halves = {kind: set(alternate([p.name for p in audio_files(DATA / kind)], False)) for kind in ("noise", "music")}
    more = {
        kind: [p for p in audio_files(sounds / kind) if p.name.split("__")[0] in learned] for kind in ("noise", "music")
    }
    # training takes its families from this table; the cases keep theirs in FAMILIES
    for family in LEFT_OUT_FAMILIES:
        synthetic.TRAIN_NOISES.pop(family)
    train(
        [f for f in labelled_files() if f[1] in speakers],
        [p for p in audio_files(DATA / "noise") if p.name in halves["noise"]],
        [p for p in audio_files(DATA / "music") if p.name in halves["music"]],
        out,
        RECIPE,
        talkers(120),
        more["noise"],
        more["music"],
        progress=lambda line: print(line, flush=True),
    )


def disturbances(rng: np.random.Generator, sounds: Path, voices: list[Utterance]) -> list[np.ndarray]:
    """Noises that the network has not heard, each as often as it shall be drawn."""
    out: list[np.ndarray] = []
    for kind in ("noise", "music"):
        own = recordings(kind, False)
        unheard = set(alternate([name for name, _ in own], True))
        out += [x for name, x in own if name in unheard] * TIMES["recordings"]
    for family in FAMILIES:
        out += [family(rng, 30 * RATE)] * TIMES["families"]
    crowd = [np.roll(np.resize(voices[int(k)].waveform, 20 * RATE), int(k) * RATE) for k in rng.integers(0, 20, 6)]
    out += [unit_power(np.sum([unit_power(x) for x in crowd], axis=0))] * TIMES["babble"]
    for package in packages(sounds)[1]:
        for kind in ("noise", "music"):
            files = sorted((sounds / kind).glob(f"{package}__*.flac"))
            chosen = rng.choice(len(files), min(len(files), PER_PACKAGE), replace=False)
            out += [read_mono(files[i])[0] for i in chosen] * TIMES["packages"]
    return out


def cases(sounds: Path) -> Iterator[tuple[np.ndarray, float]]:
    """(waveform, true SNR) of natural clips of speakers that the network has not heard."""
    rng = np.random.default_rng(123)
    speakers = set(alternate(alternate([s for _, s in labelled_files()], False), True))
    voices = [u for u in utterances(False) if u.floor_db >= 30 and u.speaker in speakers]
    for noise in disturbances(rng, sounds, voices):
        for levels in (np.arange(0, 31, 5), np.arange(-5, 41, 5)):
            u = voices[int(rng.integers(len(voices)))]
            x = crop(rng, u)
            start = int(rng.integers(noise.size))
            z = np.take(noise, np.arange(start, start + x.size), mode="wrap")
            if float(np.mean(z**2)) > 1e-8:
                yield mix(x, z, float(rng.choice(levels)), u.floor_db)


def main() -> None:
    """Train if need be, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", type=Path)
    parser.add_argument("--weights", type=Path, default=Path("build/curators/snr_weights.safetensors"))
    a = parser.parse_args()
    if not a.weights.exists():
        learn(a.sounds, a.weights)
    network, rows = load_weights(a.weights), []
    for x, truth in cases(a.sounds):
        clip = Clip("", x, RATE)
        heard = speech_probabilities(clip)
        pause = pauses(heard, PAUSE_PROBABILITY, PAUSE_GUARD)
        guess = estimate(network, x, heard, speech_features(clip)).snr_db
        if pause.sum() * FRAME_S < SnrOptions().min_pause_s or guess is None:
            continue
        power = frame_power(x, FRAME_SIZE, float(x.mean(dtype=np.float64)))
        unsteady = power[pause].std() / max(float(power[pause].mean()), 1e-30)
        rows.append((truth, gated_snr_db(power, pause), guess, unsteady, pause.sum() * FRAME_S))
    truth, measured, guess, unsteady, pause_s = np.array(rows).T
    print("| weight of the pauses | MAE 0 to 30 dB | MAE above | 15 dB gate right | clips |\n|---|---|---|---|---|")
    shares = {"1: pauses alone": 1.0, "0: network alone": 0.0, "0 where unsteady": np.float64(0)}
    shares |= {f"{w:g} where unsteady": np.float64(w) for w in (0.15, 0.25, 0.5)}
    shares |= {f"pause / (pause + {s} s * unsteadiness^2)": pause_s / (pause_s + s * unsteady**2) for s in (2, 4, 8)}
    for name, share in shares.items():
        steady = np.zeros(truth.size, bool) if "alone" in name else unsteady <= SnrOptions().steady
        error = np.where(steady, measured, share * measured + (1 - share) * guess) - truth
        inside, right = (truth >= 0) & (truth <= 30), (truth + error >= 15) == (truth >= 15)
        print(
            f"| {name} | {np.abs(error[inside]).mean():.2f} | {np.abs(error[truth > 30]).mean():.2f} "
            f"| {right.mean():.3f} | {truth.size} |"
        )


if __name__ == "__main__":
    main()

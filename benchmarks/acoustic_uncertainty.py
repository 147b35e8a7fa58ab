"""Fits and judges how far C50 and speech quality may be off.

    python benchmarks/acoustic_uncertainty.py collect    evidence and error of clips in other rooms and noises (minutes)
    python benchmarks/acoustic_uncertainty.py fit        writes curators/weights/acoustic_sigma.json; prints coverage
    python benchmarks/acoustic_uncertainty.py judge      held-out voices, recorded rooms and noises: shipped weights

The fit's voices are of the training half. Its rooms are three families of which the acoustic network has heard one (the
image method, other rooms of it) and half of the recorded responses, none of which it has heard. Its noises are those of
training and six families of other making. `fit` leaves whole sources out; what it prints is of sources left out.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from curator_data import RATE, crop, disturbances, image_rooms, mix, recorded_responses, recordings, utterances
from curator_line import clip_of
from other_noises import OTHER_NOISES
from snr_uncertainty import Z90, cross_fitted, evenly, fitted, scales, weighted_quantile

from auricle.curators.signal import sigma
from auricle.curators.signal.learned import acoustics
from auricle.curators.signal.vad import speech_probabilities, speech_seconds
from auricle.curators.training import rooms, synthetic
from auricle.curators.training.estoi import estoi
from auricle.curators.training.mixtures import Utterance, alternate

EVIDENCE = Path("build/curators/acoustic_evidence.npz")
JUDGED = Path("build/curators/acoustic_judged.npz")
LONGEST_S, LEAST_SPEECH_S = 6.0, 0.5
ROOMS_OF_A_FAMILY, PER_ROOM, PER_NOISE = 24, 14, 40
IN_ROOM = 0.35
"""Share of the clips of a noise that are spoken in a room."""
SCORES = ("c50_db", "speech_quality")


@dataclass(frozen=True, slots=True)
class Heard:
    """A clip with what is true of it; room "" for none."""

    waveform: np.ndarray
    c50_db: float
    estoi: float
    room: str
    noise: str
    speaker: str


def diffuse_room(rng: np.random.Generator, slopes: int) -> np.ndarray:
    """Response `[T]` of a room by statistics instead of geometry (Polack, 1988): the direct sound, a few reflections,
    and noise that decays faster the higher its frequency; with two slopes, as of coupled rooms."""
    size = 2 * RATE
    t = np.arange(size) / RATE
    out = np.zeros(size)
    for k in range(slopes):
        t60 = np.exp(rng.uniform(np.log(0.15), np.log(0.5 if k == 0 and slopes > 1 else 3.0)))
        for low_hz, faster in ((0, 1.0), (1000, rng.uniform(1, 1.7)), (4000, rng.uniform(1.2, 2.5))):
            spectrum = np.fft.rfft(rng.normal(size=size))
            hz = np.fft.rfftfreq(size, 1 / RATE)
            spectrum[hz < low_hz] = 0
            out += np.fft.irfft(spectrum, size) * np.exp(-6.9 * t * faster / t60) * 10 ** (-k * rng.uniform(5, 20) / 20)
    start = int(rng.uniform(0.001, 0.04) * RATE)
    out[:start] = 0
    out *= 1 / np.sqrt(np.sum(out**2))
    for at in rng.integers(8, int(0.05 * RATE), int(rng.integers(2, 12))):
        out[at] += rng.normal() * rng.uniform(0.05, 0.4)
    out[0] = np.sqrt(10 ** (rng.uniform(-16, 12) / 10) * np.sum(out[1:] ** 2))
    return (out / np.abs(out).max()).astype(np.float32)


def training_rooms(rng: np.random.Generator) -> list[tuple[str, np.ndarray]]:
    """(family:room, response) of every family and of half of the recorded responses."""
    found = [(f"image:{i}", h) for i, h in enumerate(image_rooms(ROOMS_OF_A_FAMILY, 90210))]
    found += [(f"diffuse:{i}", diffuse_room(rng, 1)) for i in range(ROOMS_OF_A_FAMILY)]
    found += [(f"coupled:{i}", diffuse_room(rng, 2)) for i in range(ROOMS_OF_A_FAMILY)]
    files = sorted({name.split(":")[0] for name, _ in recorded_responses()})
    mine = set(alternate(files, False))
    return found + [(f"recorded:{n}", h) for n, h in recorded_responses() if n.split(":")[0] in mine]


def training_noises(rng: np.random.Generator, n: int) -> list[tuple[str, np.ndarray]]:
    """(source, one stretch of it) of every noise of the fit."""
    made = [*synthetic.TRAIN_NOISES.items(), *synthetic.TRAIN_MUSIC.items(), *OTHER_NOISES.items()]
    found = [(name, family(rng, n)) for name, family in made]
    for folder in ("noise", "music"):
        for name, x in recordings(folder, False):
            start = int(rng.integers(0, x.shape[0]))
            found.append((name, np.take(x, np.arange(start, start + n), mode="wrap")))
    return found


def heard(rng: np.random.Generator, u: Utterance, room: tuple[str, np.ndarray] | None, noise) -> Heard:
    """One clip: a stretch of the utterance, in the room, with (name, `[T]`) at a random level, None for none."""
    x = crop(rng, u, float(rng.uniform(1.5, LONGEST_S)))
    wet = x if room is None else rooms.reverberate(x, room[1])
    y = wet if noise is None else mix(wet, noise[1], float(rng.uniform(-5, 35)), 90.0)[0]
    truth = estoi(x, y, RATE)
    return Heard(
        y,
        np.nan if room is None else rooms.c50_db(room[1], RATE),
        np.nan if truth is None else truth,
        "" if room is None else room[0],
        "" if noise is None else noise[0],
        u.speaker,
    )


def _one(rng: np.random.Generator, of: Sequence[Any]) -> Any:
    return of[int(rng.integers(len(of)))]


def cases(seed: int = 21) -> Iterator[Heard]:
    """Clips of the fit: every room with and without noise, every noise with and without room."""
    rng = np.random.default_rng(seed)
    voices = [u for u in utterances(False) if u.floor_db >= 30]
    n = int(LONGEST_S * RATE)
    responses = training_rooms(rng)
    some = training_noises(rng, n)
    for room in responses:
        for k in range(PER_ROOM):
            yield heard(rng, _one(rng, voices), room, _one(rng, some) if k % 2 else None)
    for _ in range(PER_NOISE):
        for noise in training_noises(rng, n):
            yield heard(
                rng,
                _one(rng, voices),
                responses[int(rng.integers(len(responses)))] if rng.random() < 0.35 else None,
                noise,
            )


def held_out_cases(seed: int = 22) -> Iterator[Heard]:
    """The same of held-out voices, the other half of the recorded responses, new image rooms, and held-out noises."""
    rng = np.random.default_rng(seed)
    voices = utterances(True)
    files = sorted({name.split(":")[0] for name, _ in recorded_responses()})
    others = set(alternate(files, True))
    responses = [(f"recorded:{n}", h) for n, h in recorded_responses() if n.split(":")[0] in others]
    responses += [(f"image:{i}", h) for i, h in enumerate(image_rooms(30, 4242))]
    for room in responses:
        for k in range(20 if room[0].startswith("recorded") else 8):
            u = _one(rng, voices)
            some = list(disturbances(rng, u.speaker)) if k % 2 else []
            yield heard(rng, u, room, _one(rng, some)[1:] if some else None)
    for _ in range(14):
        u = _one(rng, voices)
        for _, name, noise in disturbances(rng, u.speaker):
            yield heard(rng, u, _one(rng, responses) if rng.random() < IN_ROOM else None, (name, noise))


def collect(clips: Iterator[Heard], out: Path) -> None:
    """Evidence, inner values, scores and truths of every clip that has enough speech."""
    rows, hidden, names = [], [], []
    for case in clips:
        clip = clip_of(case.waveform)
        if speech_seconds(clip) < LEAST_SPEECH_S:
            continue
        found = acoustics(clip)
        x = sigma.symptoms(found, speech_probabilities(clip))
        rows.append([*x, found.c50_db, found.estoi, case.c50_db, case.estoi])
        hidden.append(found.hidden)
        names.append((case.room, case.noise, case.speaker))
        if len(rows) % 500 == 0:
            print(len(rows), flush=True)
    table = np.array(rows)
    np.savez(
        out, x=table[:, :-4], score=table[:, -4:-2], truth=table[:, -2:], hidden=np.array(hidden), names=np.array(names)
    )


def group_of(names: np.ndarray, score: str) -> np.ndarray:
    """The source that a claim about the score is about: the room, image rooms as one family, or the noise."""
    if score == "speech_quality":
        return np.array([noise or "no noise" for noise in names[:, 1]])
    return names[:, 0]


def fit() -> None:
    """Fit on all, set the scale on sources left out, print what it is worth there."""
    found = np.load(EVIDENCE)
    far = {"mean": found["hidden"].mean(axis=0), "spread": found["hidden"].std(axis=0) + 1e-3}
    evidence = np.column_stack([found["x"], sigma.distance(found["hidden"], **far)])
    card: dict = {
        "made_by": "python benchmarks/acoustic_uncertainty.py fit",
        "features": sigma.ACOUSTIC_FEATURES,
        "far": {name: np.round(value, 5).tolist() for name, value in far.items()},
    }
    for k, score in enumerate(SCORES):
        known = np.isfinite(found["truth"][:, k])
        x, error = evidence[known], (found["score"] - found["truth"])[known, k]
        groups = group_of(found["names"][known], score)
        families = np.array([g.split(":")[0] for g in groups])
        unit = 1.0 if score == "c50_db" else 20.0  # of the size that the fit's floor of 0.1 suits
        left = cross_fitted(x, error * unit, families) / unit
        voices = found["names"][known, 2]
        # the widest of what a room or noise, a kind of them, or a voice drawn at random needs
        ratio, alike = np.abs(error) / left, (groups, families, voices)
        scale = max(weighted_quantile(ratio, evenly(names) ** 2, 0.9) for names in alike) / Z90
        weights = fitted(x, error * unit, evenly(groups)) | {"scale": np.float64(scale / unit)}
        card[score] = {name: np.round(value, 5).tolist() for name, value in weights.items()}
        card[f"{score}_clips"], card[f"{score}_sources"] = int(error.size), int(np.unique(groups).size)
        print(f"\n## {score}, kinds of sources left out")
        report(score, error, left * scale, {"source": groups, "kind": families, "voice": voices})
    sigma.ACOUSTIC_WEIGHTS.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def report(score: str, error: np.ndarray, wide: np.ndarray, by: dict[str, np.ndarray]) -> None:
    """Coverage of nominal 90 % intervals over all and by each kind of source, and what the deviation is worth."""
    covered = np.abs(error) <= Z90 * wide
    order = np.corrcoef(np.argsort(np.argsort(wide)), np.argsort(np.argsort(np.abs(error))))[0, 1]
    print(
        f"{error.size} clips, MAE {np.abs(error).mean():.3f}, median sigma {np.median(wide):.3f}; 90 % intervals cover "
        f"{covered.mean():.3f}; rank correlation of sigma with the error {order:.2f}"
    )
    for kind, names in by.items():
        shares = {name: float(covered[names == name].mean()) for name in np.unique(names) if (names == name).sum() >= 8}
        well = float(np.mean([share >= 0.85 for share in shares.values()]))
        worst = sorted(shares, key=lambda n: shares[n])[:5]
        said = ", ".join(f"{name or 'none'} {shares[name]:.2f} of {(names == name).sum()}" for name in worst)
        print(f"  by {kind}: {well:.2f} of {len(shares)} have at least 0.85; the worst: {said}")


def judge() -> None:
    """The held-out half with the shipped weights."""
    found = np.load(JUDGED)
    bounds = {
        "c50_db": (sigma.C50_LEAST_DB, sigma.MOST_DB),
        "speech_quality": (sigma.QUALITY_LEAST, sigma.QUALITY_MOST),
    }
    card = json.loads(sigma.ACOUSTIC_WEIGHTS.read_text(encoding="utf-8"))
    far = {name: np.asarray(value) for name, value in card["far"].items()}
    evidence = np.column_stack([found["x"], sigma.distance(found["hidden"], **far)])
    for k, score in enumerate(SCORES):
        known = np.isfinite(found["truth"][:, k])
        w = {name: np.asarray(value) for name, value in card[score].items()}
        wide = np.clip(scales(w, evidence[known]) * float(w["scale"]), *bounds[score])
        names = found["names"][known]
        print(f"\n## {score}, held-out voices, rooms and noises")
        by = {"source": group_of(names, score), "room": names[:, 0], "noise": names[:, 1], "voice": names[:, 2]}
        report(score, (found["score"] - found["truth"])[known, k], wide, by)
        rows = np.column_stack([found["score"][known, k], found["truth"][known, k], wide])
        np.savez(JUDGED.with_name(f"points_{score}.npz"), rows=rows, sources=group_of(names, score))


def main() -> None:
    """One step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("collect", "fit", "judge"))
    a = parser.parse_args()
    EVIDENCE.parent.mkdir(parents=True, exist_ok=True)
    if a.step == "collect":
        collect(cases(), EVIDENCE)
    elif a.step == "fit":
        fit()
    else:
        if not JUDGED.is_file():
            collect(held_out_cases(), JUDGED)
        judge()


if __name__ == "__main__":
    main()

"""Trains the voice embedding from speech whose speakers are known: clean, with noise at 10 dB, and through 8 kHz.

    python -m auricle.curators.training.train_voice DATA --owner NAME

DATA is a folder with speech/<corpus>/transcripts.tsv and noise/. Writes `curators/weights/voice.safetensors` and its
card. How well it does on speakers that it has not heard is measured by `benchmarks/voice.py`, which calls `fit` on a
part of the speakers at a time.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...schemas.clip import Clip
from ...schemas.keys import digest, sha256_file
from ..signal.vad import SAMPLE_RATE
from ..voices.overlap import evidence
from ..voices.voice_embedding import (
    CEPSTRA,
    DIMENSIONS,
    MIN_FRAMES,
    WEIGHTS,
    Weights,
    posteriors,
    shapes,
    supervector,
)
from ..waveform import resample
from .mixtures import read_mono
from .train_transcript import conditions, gather_noises

GAUSSIANS = 16
EM_STEPS = 12
UBM_FRAMES = 60_000
VARIANCE_FLOOR = 0.05
"""Of the variance of all frames."""
PRINCIPAL = 200
SHRINKAGE = 0.5
"""Share of the within-speaker scatter that is taken to be the same in all directions: few speakers are at hand."""
RIDGE = 50.0
MAX_S = 20.0
LEFT_OUT = ("fsdd", "overlap_2spk_8k", "azure_samples_probably_tts")
"""Corpora of single words, of two people at once, of machines."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """One recording of a known speaker. waveform: `[T]` at 16 kHz; cepstra: `[F, 24]` of its speech by condition."""

    corpus: str
    speaker: str
    path: Path
    waveform: np.ndarray
    cepstra: dict[str, np.ndarray]


def gather(data: Path) -> list[Heard]:
    """Recordings with a speaker under `data/speech`, in every condition; copies of others left out."""
    noises, found = gather_noises(data), []
    for table in sorted((data / "speech").glob("*/transcripts.tsv")):
        if table.parent.name in LEFT_OUT:
            continue
        with table.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        for row in rows:
            if row["file"].endswith(".mp3") or "_noisy" in row["file"]:
                continue
            path = table.parent / row["file"]
            x, rate = read_mono(path)
            x = resample(x[: int(MAX_S * rate)], rate, SAMPLE_RATE)
            made = {
                name: shapes(Clip("", y, SAMPLE_RATE))[0] for name, y in conditions(x, noises, (5, len(found))).items()
            }
            if min(map(len, made.values())) >= MIN_FRAMES:
                found.append(Heard(table.parent.name, row["speaker"], path, x, made))
    return found


def fit(cepstra: Sequence[np.ndarray], speakers: Sequence[str], seed: int = 0) -> Weights:
    """Mixture and discriminant from clips' cepstra `[F, 24]` and who speaks in each; deterministic."""
    w = mixture(cepstra, seed)
    vectors = np.array([supervector(c, w) for c in cepstra])
    centre = vectors.mean(axis=0)
    deviations = vectors - centre
    axes = np.linalg.svd(deviations, full_matrices=False)[2][: min(PRINCIPAL, len(vectors) - 1)].T
    z = deviations @ axes
    within, between, count = np.zeros((z.shape[1],) * 2), np.zeros((z.shape[1],) * 2), 0
    who = np.array(speakers)
    for speaker in sorted(set(speakers)):
        own = z[who == speaker]
        middle = own.mean(axis=0)
        within += (own - middle).T @ (own - middle)
        between += len(own) * np.outer(middle, middle)
        count += len(own) - 1
    within /= count
    within = (1 - SHRINKAGE) * within + SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    whitening = np.linalg.cholesky(np.linalg.inv(within))
    values, vectors = np.linalg.eigh(whitening.T @ (between / len(z)) @ whitening)
    best = np.argsort(-values)[:DIMENSIONS]
    gain = np.sqrt(values[best].clip(0) / (1 + values[best].clip(0)))
    turned = axes @ whitening @ vectors[:, best] * gain
    # an eigenvector's sign is arbitrary: the largest entry is made positive
    turned *= np.sign(turned[np.abs(turned).argmax(axis=0), np.arange(turned.shape[1])])
    return {**w, "centre": centre, "discriminant": turned}


def mixture(cepstra: Sequence[np.ndarray], seed: int) -> Weights:
    """`GAUSSIANS` diagonal Gaussians over the frames of all clips, by expectation maximisation."""
    rng = np.random.default_rng(seed)
    frames = np.concatenate(cepstra)
    frames = frames[rng.permutation(len(frames))[:UBM_FRAMES]]
    spread = frames.var(axis=0)
    w = {
        "ubm.mean": frames[rng.permutation(len(frames))[:GAUSSIANS]].copy(),
        "ubm.variance": np.tile(spread, (GAUSSIANS, 1)),
        "ubm.weight": np.full(GAUSSIANS, 1 / GAUSSIANS),
    }
    for _ in range(EM_STEPS):
        shares = posteriors(frames, w)
        count = shares.sum(axis=0) + 1e-6
        mean = (shares.T @ frames) / count[:, None]
        variance = (shares.T @ frames**2) / count[:, None] - mean**2
        w = {
            "ubm.mean": mean,
            "ubm.variance": np.maximum(variance, VARIANCE_FLOOR * spread),
            "ubm.weight": count / count.sum(),
        }
    return w


def overlapped(one: Heard, other: Heard, rng: np.random.Generator) -> np.ndarray:
    """Two recordings at once, `[T]` of the shorter one, their powers within 4 dB."""
    count = min(len(one.waveform), len(other.waveform))
    a, b = one.waveform[:count], other.waveform[:count]
    power = float(np.mean(a.astype(np.float64) ** 2) / (np.mean(b.astype(np.float64) ** 2) + 1e-12))
    return (a + b * np.float32(np.sqrt(power) * 10 ** (rng.uniform(-4, 4) / 20))).astype(np.float32)


def overlap_cases(
    heard: Sequence[Heard], noises: Sequence[np.ndarray], seed: int = 0
) -> list[tuple[Heard, bool, str, np.ndarray]]:
    """Every recording alone and with one of another speaker, in every condition: (recording, overlapped, condition,
    evidence `[12]`)."""
    rng, found = np.random.default_rng(seed), []
    for k, one in enumerate(heard):
        others = [other for other in heard if other.speaker != one.speaker]
        mixed = overlapped(one, others[int(rng.integers(len(others)))], rng)
        for is_mixed, x in ((False, one.waveform), (True, mixed)):
            for name, y in conditions(x, noises, (9, k, int(is_mixed))).items():
                clip = Clip("", y, SAMPLE_RATE)
                if len(shapes(clip)[0]) >= MIN_FRAMES:
                    found.append((one, is_mixed, name, evidence(clip)))
    return found


def fit_overlap(features: np.ndarray, mixed: np.ndarray) -> Weights:
    """Logistic regression by Newton's method, `RIDGE` on its coefficients. features: `[N, 12]`, mixed: `[N]` bool."""
    mean, scale = features.mean(axis=0), features.std(axis=0)
    z = np.c_[(features - mean) / scale, np.ones(len(features))]
    penalty = RIDGE * np.eye(z.shape[1])
    penalty[-1, -1] = 1e-6
    beta = np.zeros(z.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-z @ beta))
        beta -= np.linalg.solve((z * (p * (1 - p))[:, None]).T @ z + penalty, z.T @ (p - mixed) + penalty @ beta)
    return {
        "overlap.mean": mean,
        "overlap.scale": scale,
        "overlap.coefficient": beta[:-1],
        "overlap.intercept": beta[-1:],
    }


def main() -> None:
    """Trains on everyone and writes weights and card."""
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description="Trains the voice embedding.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--owner", default="")
    chosen = parser.parse_args()
    heard = gather(chosen.data)
    cepstra = [c for one in heard for c in one.cepstra.values()]
    speakers = [one.speaker for one in heard for _ in one.cepstra]
    cases = overlap_cases(heard, gather_noises(chosen.data))
    mixed = np.array([is_mixed for _, is_mixed, _, _ in cases])
    weights = fit(cepstra, speakers) | fit_overlap(np.array([features for *_, features in cases]), mixed)
    WEIGHTS.parent.mkdir(exist_ok=True)
    save_file({name: np.ascontiguousarray(value, dtype=np.float32) for name, value in weights.items()}, str(WEIGHTS))
    card = {
        "model": "voice embedding (Gaussian mixture statistics, linear discriminant) and overlap (logistic regression)",
        "owner": chosen.owner,
        "weights_sha256": sha256_file(WEIGHTS),
        "data": {
            "recordings": len(heard),
            "speakers": len(set(speakers)),
            "corpora": sorted({one.corpus for one in heard}),
            "sha256": digest(*(sha256_file(one.path) for one in heard)),
        },
        "configuration": {
            "gaussians": GAUSSIANS, "cepstra": CEPSTRA, "dimensions": DIMENSIONS, "em_steps": EM_STEPS,
            "shrinkage": SHRINKAGE, "conditions": ["clean", "noise at 10 dB", "through 8 kHz"],
        },
        "held_out": "benchmarks/voice.py fits on every second speaker and reports on the others",
        "use": "Grouping clips of one corpus by voice. Not for identifying people.",
    }  # fmt: skip
    WEIGHTS.with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(f"{WEIGHTS}: {len(heard)} recordings of {len(set(speakers))} speakers")


if __name__ == "__main__":
    main()

"""Trains the weights of the learned curator that ship in the package, from the development recordings.

    python benchmarks/train_acoustic.py OUT.safetensors --sounds SOUNDS [--recipe '{"steps": 100}']

Real speech, noise and music come from the training half of `curator_data`; further talkers are espeak-ng voices that
read the training half's transcripts, so that more voices than recordings are heard; further noise and music are what
`sound_packages.py` takes from free software. About an hour of one core.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from curator_data import CORPORA, DATA, labelled_files

from auricle.curators.training.mixtures import Utterance, alternate, utterance
from auricle.curators.training.train_acoustic import Recipe, audio_files, train
from auricle.jobs.demo.espeak import Voice, synthesise
from auricle.schemas.errors import ConfigError

VOICES = {"en": "en-us", "de": "de", "es": "es", "fr": "fr-fr", "it": "it", "pt": "pt", "ja": "ja", "ko": "ko"}
VARIANTS = ("", "+m1", "+m2", "+m3", "+m4", "+m6", "+m7", "+f1", "+f2", "+f3", "+f4", "+f5", "+croak", "+klatt")


def training_sentences() -> list[tuple[str, str]]:
    """(language, transcript) of the training half of the speakers."""
    speakers = set(alternate([s for _, s in labelled_files()], held_out=False))
    out = []
    for corpus in CORPORA:
        with (DATA / "speech" / corpus / "transcripts.tsv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                if f"{corpus}/{row['speaker']}" in speakers and row["transcript"] and row["language"] in VOICES:
                    out.append((row["language"], row["transcript"].lower()))
    return sorted(set(out))


def talkers(count: int, seed: int = 0) -> list[Utterance]:
    """Synthetic voices at random pitch and speed, one sentence each with half a second of silence around it."""
    rng = np.random.default_rng(seed)
    sentences = training_sentences()
    foreign = [s for s in sentences if s[0] != "en"]
    made = []
    for _ in range(count):
        pool = foreign if rng.random() < 0.4 and foreign else sentences
        language, text = pool[int(rng.integers(len(pool)))]
        variant = VARIANTS[int(rng.integers(len(VARIANTS)))]
        pitch, speed, spread = int(rng.integers(15, 85)), int(rng.integers(120, 210)), int(rng.integers(20, 90))
        try:
            x, rate = synthesise(text, Voice(VOICES[language] + variant, speed, pitch, spread))
        except ConfigError:  # a voice that this build of espeak-ng lacks
            continue
        quiet = np.zeros(rate // 2, dtype=np.float32)
        x = np.concatenate([quiet, x.astype(np.float32) / 32768, quiet])
        u = utterance(x, rate, f"espeak/{language}{variant}/{pitch}")
        if u is not None:
            made.append(u)
    return made


def main() -> None:
    """Train and print the card's report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--recipe", type=json.loads, default={}, help="fields of Recipe as JSON")
    parser.add_argument("--talkers", type=int, default=120, help="synthetic voices")
    parser.add_argument("--sounds", type=Path, help="folder that sound_packages.py made; far less is learned without")
    a = parser.parse_args()
    card = train(
        labelled_files(),
        audio_files(DATA / "noise"),
        audio_files(DATA / "music"),
        a.out,
        Recipe(**a.recipe),
        talkers(a.talkers),
        audio_files(a.sounds / "noise") if a.sounds else [],
        audio_files(a.sounds / "music") if a.sounds else [],
        owner="the maintainers of auricle",
        progress=lambda line: print(line, flush=True),
    )
    print(json.dumps(card["held_out_report"], indent=2))


if __name__ == "__main__":
    main()

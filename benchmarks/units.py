"""Units on held-out speakers: cluster use, stability over seeds, purity against the aligner's phones.

    python benchmarks/units.py [--clips 40] [--json out.json]

Needs the development recordings beside the checkout. Phones come from forced alignment of transcripts that are known
to be right (LibriSpeech, LJ Speech, CMU ARCTIC, VCTK); a frame's phone is the one at its middle; pauses are left out.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from auricle.curators.acoustic_model import acoustic_model
from auricle.curators.aligner import phone_index
from auricle.curators.cepstra import FRAME_S, cepstra, with_differences
from auricle.curators.forced_path import best_path, build_network, segments, state_nats
from auricle.curators.pronunciation import pronunciations
from auricle.curators.senones import senone_nats
from auricle.curators.spoken_words import spoken_words
from auricle.extractors import registry, units
from auricle.extractors.builtin_data import is_held_out, read_mono
from auricle.extractors.kmeans import assign, fit
from auricle.extractors.mfcc import SAMPLE_RATE, mfcc
from auricle.schemas.config import RepresentationConfig

DATA = Path(__file__).resolve().parents[1].parent / "shared/data/speech"
TRUSTED = ("librispeech_test_other", "ljspeech", "cmu_arctic", "vctk_noisy_pairs")
FRAME = 320


def phones(waveform: np.ndarray, words: list[str], frames: int) -> np.ndarray | None:
    """Phone `[frames]` at the middle of each frame, -1 in pauses; waveform `[T]` at 16 kHz."""
    index = phone_index()
    said = [way for way in ([[index[p] for p in w] for w in pronunciations(word)] for word in words) if way]
    model = acoustic_model()
    network = build_network(model, said)
    wanted = np.unique(network.senones)
    nats, _ = senone_nats(model, with_differences(cepstra(waveform)), wanted, None)
    path = best_path(network, state_nats(network, nats, wanted))
    if path is None:
        return None
    phone = np.where(network.word[path] >= 0, network.phone[path], -1)
    assert len(segments(path)) > 1
    at = ((np.arange(frames) + 0.5) * FRAME / SAMPLE_RATE / FRAME_S).astype(int)
    return np.where(at < len(phone), phone[np.minimum(at, len(phone) - 1)], -1)


def contingency(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Counts `[codes, labels]`."""
    table = np.zeros((codes.max() + 1, labels.max() + 1))
    np.add.at(table, (codes, labels), 1)
    return table


def entropy(p: np.ndarray) -> float:
    """Bits of the distribution proportional to `p`."""
    p = p[p > 0] / p.sum()
    return float(-(p * np.log2(p)).sum())


def agreement(codes: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Purities of HuBERT (Hsu et al. 2021, section IV.A) and mutual information over the labels' entropy."""
    table = contingency(codes, labels)
    shared = entropy(table.sum(1)) + entropy(table.sum(0)) - entropy(table.ravel())
    return {
        "phone_purity": round(float(table.max(1).sum() / table.sum()), 3),
        "cluster_purity": round(float(table.max(0).sum() / table.sum()), 3),
        "pnmi": round(shared / entropy(table.sum(0)), 3),
    }


def normalised_information(a: np.ndarray, b: np.ndarray) -> float:
    """Mutual information of two labellings over the mean of their entropies: 1 when they agree."""
    table = contingency(a, b)
    mean = 0.5 * (entropy(table.sum(1)) + entropy(table.sum(0)))
    return (entropy(table.sum(1)) + entropy(table.sum(0)) - entropy(table.ravel())) / mean


def clips(held_out: bool, limit: int) -> list[tuple[str, np.ndarray, str]]:
    """(name, waveform at 24 kHz, transcript) of trusted recordings of held-out or of training speakers."""
    found = []
    for folder in TRUSTED:
        with (DATA / folder / "transcripts.tsv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                wrong = row["file"].endswith(".mp3") or "noisy" in row["file"]
                if not wrong and is_held_out(row["speaker"], 0.2) == held_out:
                    found.append((f"{folder}/{row['file']}", row["transcript"]))
    chosen = found[:: max(1, len(found) // limit)][:limit]
    return [(name, read_mono(DATA / name, SAMPLE_RATE), text) for name, text in chosen]


def main() -> None:
    """Print one row per size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=30)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    (extractor,) = registry.build([RepresentationConfig(codec="units", kind="codes")])
    sizes = extractor.specs[0].details["sizes"]
    codes, labels, vectors = [], [], []
    heard = clips(True, options.clips)
    for name, audio, text in heard:
        code = extractor.extract(audio[None], SAMPLE_RATE)[extractor.specs[0].name]
        phone = phones(read_mono(DATA / name, 16_000), list(spoken_words(text)), code.shape[1])
        if phone is not None:
            spoken = phone >= 0
            codes.append(code[:, spoken])
            labels.append(phone[spoken])
            vectors.append(mfcc(audio, FRAME).T[spoken])
    held = np.concatenate(codes, axis=1).astype(int)
    truth, frames = np.concatenate(labels), np.concatenate(vectors)
    print(f"{len(codes)} of {len(heard)} held-out clips aligned, {len(truth)} frames of speech\n")
    fitting = [(name, mfcc(audio, FRAME).T) for name, audio, _ in clips(False, options.clips)]
    by_seed = [fit(lambda: iter(fitting), sizes, passes=10, seed=seed) for seed in (0, 1, 2)]
    rows: list[dict[str, Any]] = []
    for i, size in enumerate(sizes):
        under = [assign((frames - f.mean) / f.deviation, f.centroids[size]) for f in by_seed]
        pairs = [(0, 1), (0, 2), (1, 2)]
        stability = float(np.mean([normalised_information(under[a], under[b]) for a, b in pairs]))
        hits = np.bincount(held[i], minlength=size)
        rows.append(
            {
                "size": size,
                "used": round(float((hits > 0).mean()), 3),
                "perplexity": round(2 ** entropy(hits), 1),
                **agreement(held[i], truth),
                "seed_stability": round(stability, 3),
            }
        )
        print(rows[-1])
    if options.json:
        options.json.write_text(json.dumps({"weights": units.WEIGHTS.name, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

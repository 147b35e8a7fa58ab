"""Units on held-out speakers: cluster use, stability over seeds, purity against the aligner's phones.

    python benchmarks/units.py [--json out.json]

Needs the development recordings beside the checkout. Phones come from forced alignment of transcripts that are known
to be right; a frame's phone is the one at its middle; pauses are left out. Many of the speakers are learners of English
(speechocean762), whose phones are often not those of the dictionary. Compared are the packaged units, and k-means over
MFCC and over the built-in codec's latents, both fitted here on the other speakers. `pnmi_shuffled` is what so many
clusters reach on phones in random order, by chance alone.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from auricle.curators.signal.cepstra import FRAME_S, cepstra, with_differences
from auricle.curators.words.acoustic_model import acoustic_model
from auricle.curators.words.aligner import phone_index
from auricle.curators.words.forced_path import best_path, build_network, segments, state_nats
from auricle.curators.words.pronunciation import pronunciations
from auricle.curators.words.senones import senone_nats
from auricle.curators.words.spoken_words import spoken_words
from auricle.extractors.coding import registry
from auricle.extractors.features import units
from auricle.extractors.features.kmeans import assign, fit
from auricle.extractors.features.mfcc import SAMPLE_RATE
from auricle.extractors.training.builtin_data import is_held_out, read_mono
from auricle.schemas.config import RepresentationConfig

DATA = Path(__file__).resolve().parents[1].parent / "shared/data/speech"
TRUSTED = (
    *("librispeech_test_other", "ljspeech", "cmu_arctic", "vctk_noisy_pairs"),
    *("speechocean762", "pocketsphinx_librivox"),
)
FRAME = 320


@dataclass(frozen=True)
class Spoken:
    """A recording whose transcript is known to be right; audio `[T]` at 24 kHz."""

    name: str
    speaker: str
    text: str
    audio: np.ndarray


@dataclass(frozen=True)
class Heard:
    """What the aligner heard of one: which frames are speech, and their phones."""

    spoken: Spoken
    at: np.ndarray
    phone: np.ndarray


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


def normalised_information(a: np.ndarray, b: np.ndarray) -> float:
    """Mutual information of two labellings over the mean of their entropies: 1 when they agree."""
    table = contingency(a, b)
    mean = 0.5 * (entropy(table.sum(1)) + entropy(table.sum(0)))
    return (entropy(table.sum(1)) + entropy(table.sum(0)) - entropy(table.ravel())) / mean


def clips(held_out: bool, limit: int | None) -> list[Spoken]:
    """Trusted recordings of held-out or of training speakers, evenly chosen where there are more than `limit`."""
    found = []
    for folder in TRUSTED:
        with (DATA / folder / "transcripts.tsv").open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                wrong = row["file"].endswith(".mp3") or "noisy" in row["file"]
                if not wrong and is_held_out(row["speaker"], 0.2) == held_out:
                    found.append((f"{folder}/{row['file']}", row["speaker"], row["transcript"]))
    chosen = found if limit is None else found[:: max(1, len(found) // limit)][:limit]
    return [Spoken(name, who, text, read_mono(DATA / name, SAMPLE_RATE)) for name, who, text in chosen]


def across(tables: list[np.ndarray], draws: int = 2000) -> tuple[float, str]:
    """Share of frames whose phone is the commonest of their cluster in the *other* speakers, and its 95 % interval.

    Purity itself grows with the number of clusters, and under resampling; this does not. Speakers are resampled.
    """
    whole = np.sum(tables, axis=0)
    right = np.array([t[np.arange(len(t)), (whole - t).argmax(1)].sum() for t in tables])
    frames = np.array([t.sum() for t in tables])
    drawn = np.random.default_rng(0).integers(len(tables), size=(draws, len(tables)))
    low, high = np.quantile(right[drawn].sum(1) / frames[drawn].sum(1), [0.025, 0.975])
    return float(right.sum() / frames.sum()), f"{low:.3f} to {high:.3f}"


def purity(table: np.ndarray) -> float:
    """Share of frames whose cluster's commonest phone is their own."""
    return float(table.max(1).sum() / table.sum())


def information(table: np.ndarray) -> float:
    """Mutual information over the phones' entropy."""
    return (entropy(table.sum(1)) + entropy(table.sum(0)) - entropy(table.ravel())) / entropy(table.sum(0))


def row_of(source: str, size: int, heard: list[Heard], codes: list[np.ndarray], by_seed: list[list[np.ndarray]]):
    """One line of the table: `codes` per clip under the first fit, `by_seed` the same under all of them."""
    phones = 1 + max(int(h.phone.max()) for h in heard)
    speakers = sorted({h.spoken.speaker for h in heard})
    tables = []
    for speaker in speakers:
        table = np.zeros((size, phones))
        for h, code in zip(heard, codes, strict=True):
            if h.spoken.speaker == speaker:
                np.add.at(table, (code, h.phone), 1)
        tables.append(table)
    whole, labels = np.sum(tables, axis=0), np.concatenate([h.phone for h in heard])
    everything = np.concatenate(codes)
    shuffled = np.zeros_like(whole)
    np.add.at(shuffled, (everything, np.random.default_rng(0).permutation(labels)), 1)
    pairs = [(a, b) for a in range(len(by_seed)) for b in range(a)]
    agreeing = [normalised_information(np.concatenate(by_seed[a]), np.concatenate(by_seed[b])) for a, b in pairs]
    hits = whole.sum(1)
    other, span = across(tables)
    return {
        "source": source,
        "size": size,
        "used": round(float((hits > 0).mean()), 3),
        "perplexity": round(2 ** entropy(hits), 1),
        "phone_purity": round(purity(whole), 3),
        "across_speakers": round(other, 3),
        "across_speakers_95": span,
        "cluster_purity": round(float(whole.max(0).sum() / whole.sum()), 3),
        "pnmi": round(information(whole), 3),
        "pnmi_shuffled": round(information(shuffled), 3),
        "seed_stability": round(float(np.mean(agreeing)), 3) if agreeing else None,
    }


def main() -> None:
    """Print one row per source and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, help="At most so many held-out clips, and training clips; default all")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 200, 500])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    latents = RepresentationConfig(codec="builtin", kind="latents")
    sources = {
        "mfcc": units.Source(units.source_card(None)),
        "builtin-latents": units.Source(units.source_card(latents)),
    }
    (packaged,) = registry.build([RepresentationConfig(codec="units", kind="codes")])
    held = clips(True, options.clips)
    heard: list[Heard] = []
    for spoken in held:
        frames = -(-len(spoken.audio) // FRAME)
        phone = phones(read_mono(DATA / spoken.name, 16_000), list(spoken_words(spoken.text)), frames)
        if phone is not None:
            at = phone >= 0
            heard.append(Heard(spoken, at, phone[at]))
    labels = sum(len(h.phone) for h in heard)
    who = Counter(h.spoken.speaker for h in heard)
    print(
        f"{len(heard)} of {len(held)} held-out clips aligned, {len(who)} speakers, {labels} frames of speech",
        flush=True,
    )
    training = clips(False, options.clips)
    minutes = sum(len(t.audio) for t in training) / SAMPLE_RATE / 60
    print(
        f"fitted on {len(training)} clips of {len({t.speaker for t in training})} other speakers, {minutes:.1f} min\n"
    )
    rows: list[dict[str, Any]] = []
    made = [
        packaged.extract(h.spoken.audio[None], SAMPLE_RATE)[packaged.specs[0].name][:, h.at].astype(int) for h in heard
    ]
    for i, size in enumerate(packaged.specs[0].details["sizes"]):
        if size in options.sizes:
            rows.append(row_of("mfcc, packaged", size, heard, [codes[i] for codes in made], []))
            print(rows[-1], flush=True)
    for source, maker in sources.items():
        fitting = [(t.name, maker.vectors(t.audio[None], SAMPLE_RATE).T) for t in training]
        vectors = [maker.vectors(h.spoken.audio[None], SAMPLE_RATE).T[h.at] for h in heard]
        fits = [fit(lambda f=fitting: iter(f), options.sizes, passes=10, seed=seed) for seed in range(options.seeds)]
        for size in options.sizes:
            under = [[assign((v - f.mean) / f.deviation, f.centroids[size]) for v in vectors] for f in fits]
            rows.append(row_of(source, size, heard, under[0], under))
            print(rows[-1], flush=True)
    if options.json:
        options.json.write_text(json.dumps({"weights": units.WEIGHTS.name, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""Is anything in one folder of sounds a copy of what lies in another? Keeps held-out noise out of training.

    python benchmarks/sound_copies.py SOUNDS HELD_OUT [HELD_OUT ...]

Three stretches of 1.3 s of every held-out file against every position of every sound, by the bits of their
fingerprints (`auricle.curators.copies.fingerprint`): unrelated sounds differ in 0.35 to 0.4 of the bits at the best of
a million positions, a shifted or re-encoded copy in 0.1. Exits with 1 where one is under 0.25.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from auricle.curators.copies.fingerprint import SAMPLE_RATE, fingerprint
from auricle.curators.training.mixtures import read_mono
from auricle.curators.training.train_acoustic import AUDIO
from auricle.curators.waveform import resample

WORDS, LEAST_WORDS, STRETCHES = 40, 20, 3
"""Words of 32 ms in a stretch; how many of them must say something on both sides."""
COPY = 0.25


def words(path: Path) -> np.ndarray:
    """Fingerprint words `[W]` uint32 of a file, repeated where it is shorter than a stretch."""
    found = fingerprint(resample(*read_mono(path), SAMPLE_RATE)).words
    return np.resize(found, WORDS) if found.size < WORDS else found


def difference(stretch: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Share of bits in which `stretch` differs from `line` at each position; 1 where too little is heard."""
    count = line.size - WORDS + 1
    bits, heard = np.zeros(count), np.zeros(count)
    for i in np.flatnonzero(stretch):
        other = line[i : i + count]
        bits += np.where(other == 0, 0, np.bitwise_count(other ^ stretch[i]))
        heard += other != 0
    return np.where(heard >= LEAST_WORDS, bits / (32 * np.maximum(heard, 1)), 1.0)


def main() -> None:
    """The nearest sound of each held-out file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sounds", type=Path)
    parser.add_argument("held_out", type=Path, nargs="+")
    a = parser.parse_args()
    files = sorted(p for p in a.sounds.rglob("*") if p.suffix.lower() in AUDIO)
    printed = [np.append(words(p), np.zeros(WORDS, dtype=np.uint32)) for p in files]
    line, owner = np.concatenate(printed), np.repeat(np.arange(len(files)), [p.size for p in printed])
    copies = 0
    for path in sorted(p for folder in a.held_out for p in folder.rglob("*") if p.suffix.lower() in AUDIO):
        own = words(path)
        starts = sorted({int(s) for s in np.linspace(0, own.size - WORDS, STRETCHES)})
        found = [difference(own[s : s + WORDS], line) for s in starts]
        nearest = min(found, key=lambda share: share.min())
        share, name = float(nearest.min()), files[int(owner[int(nearest.argmin())])].name
        copies += share < COPY
        said = "too short or too quiet to tell" if share == 1 else f"{share:.3f} of the bits differ from {name}"
        print(f"{path.name}: {said}", flush=True)
    print(f"{copies} copies among {len(files)} sounds")
    sys.exit(bool(copies))


if __name__ == "__main__":
    main()

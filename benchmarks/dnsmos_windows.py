"""Whether cutting, levelling or padding clips otherwise than speechmos brings DNSMOS closer to the SNR.

    python benchmarks/dnsmos_windows.py [--seed N] [--only K...]

On training speakers, noises and music only (`curator_data`), one clip of each speaker in two noises at -5 to 40 dB:
a variant that won here would be measured on the held-out half. Prints one line per variant.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from curator_data import RATE, crop, mix, recordings, utterances
from curator_line import clip_of
from curator_stats import figure, spearman

from auricle.curators.signal.dnsmos import INPUT_SIZE, DnsmosCurator
from auricle.curators.signal.vad import FRAME_SIZE, speech_mask

LEVELS_DB = (-5, 0, 5, 10, 15, 20, 25, 30, 35, 40)
COLUMNS = ("dnsmos_ovrl", "dnsmos_bak", "dnsmos_sig")
ACTIVE = 10 ** (-26 / 20)


def cases(seed: int = 5) -> list[tuple[np.ndarray, float, str]]:
    """(waveform, SNR in dB, speaker)."""
    rng = np.random.default_rng(seed)
    noises = [rng.normal(size=20 * RATE), *(x for f in ("noise", "music") for _, x in recordings(f, False))]
    seen, found = set(), []
    for u in utterances(False):
        if u.speaker in seen:
            continue
        seen.add(u.speaker)
        for _ in range(2):
            x, noise = crop(rng, u), noises[int(rng.integers(len(noises)))]
            start = int(rng.integers(0, len(noise)))
            n = np.take(noise, np.arange(start, start + len(x)), mode="wrap").astype(np.float32)
            y, truth = mix(x, n, float(rng.choice(LEVELS_DB)), u.floor_db)
            found.append((np.asarray(y / max(1.0, float(np.abs(y).max())), dtype=np.float32), truth, u.speaker))
    return found


def variants(x: np.ndarray) -> dict[str, np.ndarray]:
    """The same clip, given to the network otherwise."""
    mask = np.repeat(speech_mask(clip_of(x)), FRAME_SIZE)[: len(x)]
    mask = np.pad(mask, (0, len(x) - len(mask)))
    level = float(np.sqrt(np.mean(x[mask] ** 2))) if mask.any() else 1.0
    return {
        "as shipped": x,
        "speech at -26 dBFS": np.clip(x * np.float32(ACTIVE / level), -1, 1),
        "speech only, pauses cut out": x[mask] if mask.sum() > RATE else x,
        "zeros after the end, not the clip again": np.pad(x, (0, max(0, INPUT_SIZE - len(x)))),
    }


def main() -> None:
    """Prints the rank correlations, and by how much each differs from the first on the same clips."""
    parser = argparse.ArgumentParser(description="DNSMOS on clips that are cut, levelled or padded otherwise.")
    parser.add_argument("--seed", type=int, default=5, help="other clips' stretches, noises and levels")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of variants, 0 is as shipped; default all")
    chosen = parser.parse_args()
    begun, curator, rows, speakers = time.process_time(), DnsmosCurator(), {}, []
    for x, truth, speaker in cases(chosen.seed):
        given = [v for k, v in enumerate(variants(x).items()) if chosen.only is None or k in chosen.only]
        scored = {name: curator.score([clip_of(y)])[0] for name, y in given}
        if any(row["dnsmos_ovrl"] is None for row in scored.values()):
            continue
        speakers.append(speaker)
        for name, row in scored.items():
            rows.setdefault(name, []).append([row[c] for c in COLUMNS] + [truth])
    print("| given to DNSMOS | " + " | ".join(f"`{c}`" for c in COLUMNS) + " | first column, more than shipped |")
    print("|---|---|---|---|---|")
    shipped = np.array(next(iter(rows.values())))
    for name, found in rows.items():
        values = np.array(found)
        both = np.c_[values, shipped]
        gain = figure(lambda r: spearman(r[:, 0], r[:, 3]) - spearman(r[:, 4], r[:, 7]), both, speakers)
        cells = [
            figure(lambda r, k=k: spearman(r[:, k], r[:, 3]), values, speakers).text() for k in range(len(COLUMNS))
        ]
        print(f"| {name} | {' | '.join(cells)} | {gain.text()} |")
    print(f"\n{len(speakers)} clips, {len(set(speakers))} speakers; {time.process_time() - begun:.0f} CPU-s")


if __name__ == "__main__":
    main()

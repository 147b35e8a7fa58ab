"""How well copies are found across a corpus, how often unrelated clips are called copies, and at what size it works.

    python benchmarks/duplicates.py DATA [--clips N]

DATA is a folder with speech/<corpus>/ and noise/. Prints the tables of docs/duplicates.md. The corpus of N synthetic
clips is made of fingerprints alone: band slopes drawn from a Gaussian process with the covariance of real ones.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from synthetic_fingerprints import write_synthetic

from auricle.curators.copies import duplicates as module
from auricle.curators.copies.corpus import gather
from auricle.curators.copies.duplicate_proposals import proposals
from auricle.curators.copies.duplicates import find_duplicates, overlap_similarity
from auricle.curators.copies.fingerprint import (
    SAMPLE_RATE,
    fingerprint,
)
from auricle.curators.training.transcript_cases import at_snr
from auricle.curators.waveform import resample

RATE = 16000
MIN_S, MAX_S = 2.2, 12.0
SENTENCES = (
    "the train to the north leaves at seven in the morning from platform nine",
    "the train to the north leaves at seven in the evening from platform nine",
    "the train to the south leaves at eight in the evening from platform five",
    "she sells sea shells by the sea shore every single summer",
    "please remember to water the plants while we are away on holiday",
    "a small step for a man can be a giant leap for all of us",
    "we walked along the old canal until the rain began to fall",
    "he opened the letter slowly and read every word twice before speaking",
)
VOICES = ("en-us", "en-us+f3", "en-us+m3", "en-us+f5", "en-us+paul", "en-us+belinda", "en-gb-x-rp", "en-gb-x-rp+m7")
TAKES = ((160, 50), (160, 65), (175, 50), (150, 40))
TARGETS = {"gain −40 dB": 1.0, "MP3 32 kb/s": 1.0, "Opus 16 kb/s": 1.0, "8 kHz": 1.0, "shift 137 ms": 1.0}
NOISE_TARGET = 0.9
CLOSE_SPREAD = 0.5


def load(path: Path) -> np.ndarray:
    """Mean of the channels at `RATE`, `[T]` float32."""
    import soundfile

    x, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resample(x.mean(axis=1), rate, RATE)


def recordings(data: Path) -> list[tuple[str, np.ndarray]]:
    """Real clips that are no copies of each other, cut to `MAX_S`."""
    found = []
    for path in sorted((data / "speech").glob("*/*.*")):
        copy = path.stem.endswith(("_noisy", "_same_content")) or path.suffix in (".mp3", ".tsv")
        if not copy and len(x := load(path)) >= MIN_S * RATE:
            found.append((f"{path.parent.name}/{path.name}", x[: int(MAX_S * RATE)]))
    return found


def encoded(x: np.ndarray, codec: str, container: str, rate: int, bits_per_s: int) -> np.ndarray:
    """`x` through a lossy codec at a bit rate, by PyAV, back at `RATE`; the codec's delay stays in."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = bits_per_s
        y = resample(0.7 * x, RATE, rate)
        frame = av.AudioFrame.from_ndarray(np.round(y * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate, frame_size=stream.frame_size or 0)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container_in:
        to_float = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        blocks = [f.to_ndarray()[0] for frame in container_in.decode(audio=0) for f in to_float.resample(frame)]
    return np.concatenate(blocks).astype(np.float32)


def changes(noises: list[np.ndarray]) -> dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]]:
    """Ways to change a clip, by name."""

    def narrow(x: np.ndarray) -> np.ndarray:
        return resample(resample(x, RATE, 8000), 8000, RATE)

    def shifted(x: np.ndarray, milliseconds: int) -> np.ndarray:
        return np.concatenate([np.zeros(milliseconds * RATE // 1000, dtype=np.float32), x])

    def white(x: np.ndarray, snr_db: float, rng: np.random.Generator) -> np.ndarray:
        return at_snr(x, rng.normal(size=3 * RATE).astype(np.float32), snr_db, rng)

    return {
        "gain −40 dB": lambda x, rng: 0.01 * x,
        "clipped by 6 dB": lambda x, rng: np.clip(2 * x / np.abs(x).max(), -1, 1),
        "MP3 64 kb/s": lambda x, rng: encoded(x, "libmp3lame", "mp3", RATE, 64_000),
        "MP3 32 kb/s": lambda x, rng: encoded(x, "libmp3lame", "mp3", RATE, 32_000),
        "MP3 16 kb/s": lambda x, rng: encoded(x, "libmp3lame", "mp3", RATE, 16_000),
        "Opus 32 kb/s": lambda x, rng: encoded(x, "libopus", "ogg", 48_000, 32_000),
        "Opus 16 kb/s": lambda x, rng: encoded(x, "libopus", "ogg", 48_000, 16_000),
        "Opus 10 kb/s": lambda x, rng: encoded(x, "libopus", "ogg", 48_000, 10_000),
        "8 kHz": lambda x, rng: narrow(x),
        "shift 137 ms": lambda x, rng: shifted(x, 137),
        "shift 16 ms": lambda x, rng: shifted(x, 16),
        "first 150 ms cut": lambda x, rng: x[150 * RATE // 1000 :],
        "white noise 10 dB": lambda x, rng: white(x, 10, rng),
        "real noise 10 dB": lambda x, rng: at_snr(x, noises[int(rng.integers(len(noises)))], 10, rng),
        "8 kHz, white noise 15 dB": lambda x, rng: white(narrow(x), 15, rng),
        "shift 50 ms, Opus 16 kb/s": lambda x, rng: encoded(shifted(x, 50), "libopus", "ogg", 48_000, 16_000),
    }


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    z, p = 1.96, hits / n
    centre, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)


def prints(waveforms: list[np.ndarray]) -> tuple[list[bytes], np.ndarray]:
    """Fingerprints and durations in seconds."""
    made = [fingerprint(resample(np.asarray(x, dtype=np.float32), RATE, SAMPLE_RATE)).to_bytes() for x in waveforms]
    return made, np.array([len(x) / RATE for x in waveforms])


def recall(clips: list[tuple[str, np.ndarray]], noises: list[np.ndarray]) -> None:
    """Each change's copies searched for among all originals together."""
    originals, durations = prints([x for _, x in clips])
    print("\n| change | found | recall | 95 % | false pairs | target | |\n|---|---|---|---|---|---|---|")
    for name, change in changes(noises).items():
        copies, lengths = prints([change(x, np.random.default_rng([7, k])) for k, (_, x) in enumerate(clips)])
        n = len(clips)
        found = find_duplicates(
            [str(k) for k in range(2 * n)], originals + copies, np.concatenate([durations, lengths])
        )
        hits = sum(j - i == n for i, j, _ in found)
        low, high = wilson(hits, n)
        target = TARGETS.get(name, NOISE_TARGET if name.endswith("noise 10 dB") else None)
        state = "" if target is None else "met" if hits / n >= target else "open" if high >= target else "missed"
        print(
            f"| {name} | {hits} of {n} | {hits / n:.3f} | {low:.3f}–{high:.3f} | {len(found) - hits} "
            f"| {'' if target is None else f'≥ {target:g}'} | {state} |"
        )


def synthetic_takes() -> None:
    """Pairs of a synthetic corpus in which nothing is a copy: every pair found is false."""
    from auricle.jobs.demo.espeak import Voice, synthesise

    said, waveforms = [], []
    for text in SENTENCES:
        for voice in VOICES:
            for speed, pitch in TAKES:
                samples, rate = synthesise(text, Voice(voice, speed, pitch))
                said.append((text, voice, speed, pitch))
                waveforms.append(resample(samples.astype(np.float32) / 32768, rate, RATE))
    made, durations = prints(waveforms)
    found = {(i, j) for i, j, _ in find_duplicates([str(k) for k in range(len(said))], made, durations)}
    kinds = {
        "same sentence, same voice, other pitch": lambda a, b: a[:3] == b[:3],
        "same sentence, same voice, other speed": lambda a, b: a[:2] == b[:2] and a[2] != b[2],
        "same sentence, other voice": lambda a, b: a[0] == b[0] and a[1] != b[1],
        "sentences that differ in one word, same voice and speed": lambda a, b: (
            a[1:] == b[1:] and {a[0], b[0]} == set(SENTENCES[:2])
        ),
        "other sentence, same voice and speed": lambda a, b: a[1:] == b[1:] and {a[0], b[0]} != set(SENTENCES[:2]),
    }
    print("\n| pairs of synthetic takes | pairs | called copies |\n|---|---|---|")
    for name, is_kind in kinds.items():
        own = [(i, j) for i, j in combinations(range(len(said)), 2) if is_kind(said[i], said[j])]
        print(f"| {name} | {len(own)} | {len(found & set(own))} |")


def tail(clips: list[tuple[str, np.ndarray]], alignments: int = 2_000_000) -> None:
    """How alike unrelated clips are at random shifts, how far that tail reaches, and what the anchors say of it."""
    from scipy.stats import genpareto

    made, durations = prints([x for _, x in clips])
    corpus = gather([name for name, _ in clips], made, durations)
    length = np.diff(corpus.word_start)
    rng = np.random.default_rng(0)
    spread, close = [], []
    for _ in range(-(-alignments // 50_000)):
        i, j = rng.integers(len(clips), size=(2, 50_000))
        i, j = i[i != j], j[i != j]
        low = -(length[i] // 5)
        shift = low + (rng.random(len(i)) * (length[j] // 5 - low + 1)).astype(int)
        similarity, _, compared = overlap_similarity(corpus, i, j, shift)
        z = (similarity - 0.5) * np.sqrt(compared)
        used = compared >= module.MIN_AUDIBLE
        spread.append(z[used])
        close += [
            (corpus.one(i[k]), corpus.one(j[k]), int(shift[k])) for k in np.flatnonzero(used & (z > CLOSE_SPREAD))
        ]
    z = np.concatenate(spread)
    edge = float(np.quantile(z, 0.9995))
    shape, _, scale = genpareto.fit(z[z > edge] - edge, floc=0)
    beyond = 0.0005 * float(genpareto.sf(module.CHANCE_SPREAD - edge, shape, 0, scale))
    exponential = 0.0005 * float(np.exp(-(module.CHANCE_SPREAD - edge) / np.mean(z[z > edge] - edge)))
    agree = sum(module.anchors_agree(*pair) for pair in close)
    print(
        f"\nUnrelated clips at {len(z)} random shifts: (similarity - .5) * sqrt(words) has standard deviation "
        f"{z.std():.3f}, exceeds {edge:.2f} once in 2000, at most {z.max():.2f}; a copy needs {module.CHANCE_SPREAD}. "
        f"Beyond that: {beyond:.1e} per alignment by a generalised Pareto tail (shape {shape:.2f}), {exponential:.1e} "
        f"by an exponential one. Of the {len(close)} alignments beyond {CLOSE_SPREAD}, the anchors let {agree} pass, "
        f"so at most {(agree + 3) / max(len(close), 1):.1e} (95 %)."
    )


def scale(count: int, clips: list[tuple[str, np.ndarray]], scratch: Path | None) -> None:
    """The synthetic corpus searched by a process of its own, with time and memory."""
    with tempfile.TemporaryDirectory(prefix="auricle-duplicates-", dir=scratch) as folder:
        path = Path(folder) / "fingerprints.parquet"
        start = time.perf_counter()
        write_synthetic(path, count, [resample(x, RATE, SAMPLE_RATE) for _, x in clips[:60]])
        print(f"\n{count} synthetic clips made in {time.perf_counter() - start:.0f} s", flush=True)
        # what made them must not count as memory of the search
        subprocess.run([sys.executable, __file__, str(path), "--search"], check=True)


def peak_mb() -> float:
    """Peak resident memory of this process; getrusage would count what the parent had when it started this one."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def stored(path: Path) -> Iterator[bytes]:
    """The fingerprints of a Parquet file. A reader of pyarrow keeps what it has read: each one reads a few groups."""
    groups = pq.ParquetFile(path).num_row_groups
    for first in range(0, groups, 50):
        with pq.ParquetFile(path) as file:
            for group in range(first, min(groups, first + 50)):
                yield from (d.as_py() for d in file.read_row_group(group, columns=["fingerprint"]).column(0))


def search(path: Path) -> None:
    """Time and peak memory of the search among the fingerprints of a Parquet file, and what it found."""
    durations = pq.read_table(path, columns=["duration_s"])["duration_s"].to_numpy()
    count, base = len(durations), peak_mb()
    names = pa.chunked_array([pa.repeat("", count)])
    start, cpu = time.perf_counter(), time.process_time()
    found = find_duplicates(names, stored(path), durations, folder=path.parent)
    planted = {(k - 1, k) for k in range(999, count, 1000)}
    right = sum((i, j) in planted for i, j, _ in found)
    spent = time.process_time() - cpu
    print(
        f"{durations.sum() / 3600:.0f} h, {path.stat().st_size / 1e6:.0f} MB of fingerprints. "
        f"Found {right} of {len(planted)} planted copies and {len(found) - right} false pairs in "
        f"{time.perf_counter() - start:.0f} s ({spent:.0f} s of processor, {spent / count * 1e6:.0f} us per clip), "
        f"peak memory {peak_mb():.0f} MB, {base:.0f} MB of it before the search",
        flush=True,
    )


def speed(clips: list[tuple[str, np.ndarray]]) -> None:
    """Seconds of audio per second of processor for the fingerprint, and how many proposals the corpus gives."""
    start = time.process_time()
    made, durations = prints([x for _, x in clips])
    spent = time.process_time() - start
    corpus = gather([name for name, _ in clips], made, durations)
    i, _, _ = proposals(corpus)
    print(
        f"\nFingerprint: {durations.sum() / spent:.0f} times real time on one core, resampling included, "
        f"{sum(map(len, made)) / durations.sum():.0f} bytes per second of audio; "
        f"{len(i)} proposals among {len(clips)} clips"
    )


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--search", action="store_true", help="search the Parquet file that DATA is (used by --clips)")
    parser.add_argument("--scratch", type=Path, help="folder for the synthetic corpus, 1 GB per million clips")
    parser.add_argument("--clips", type=int, default=0, help="size of the synthetic corpus, 0 for none")
    parser.add_argument("--only-scale", action="store_true", help="the synthetic corpus alone")
    chosen = parser.parse_args()
    if chosen.search:
        search(chosen.data)
        return
    clips = recordings(chosen.data)
    if not chosen.only_scale:
        noises = [x for path in sorted((chosen.data / "noise").iterdir()) if len(x := load(path)) >= 3 * RATE]
        print(f"{len(clips)} clips, {sum(len(x) for _, x in clips) / RATE / 60:.0f} min, cut to at most {MAX_S:g} s")
        speed(clips)
        recall(clips, noises)
        synthetic_takes()
        tail(clips)
    if chosen.clips:
        scale(chosen.clips, clips, chosen.scratch)


if __name__ == "__main__":
    main()

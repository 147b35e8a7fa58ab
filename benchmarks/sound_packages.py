"""Real noise and music to train on, out of free software: game, instrument and ambience packages of Debian.

    mkdir debs && cd debs && apt-get download $(cut -f1 ../benchmarks/sound_packages.tsv | tail -n +2)
    python benchmarks/sound_packages.py debs sounds

With `--table benchmarks/sound_packages_unheard.tsv` (and the packages that it names) it gives the sounds that no
network learned from: what `snr_uncertainty.py` fits on.

`sound_packages.tsv` names every package with its version, the Debian release that has it and its SHA-256; all of them
are free (DFSG), their licences lie in each package's `copyright`. With `sound_packages_test.tsv` it gives sounds on
which nothing was trained, fitted or chosen. Needs `dpkg-deb`, and `gresource` (libglib2.0-bin) for one package.
Recorded prompts and words become `voices/`: other talkers. Sounds over 4 s become a track of their own, 40 s at most;
shorter ones follow each other with random gaps and levels, 30 s to a track. Elsewhere files with voices are left out,
as are those by name. Ten minutes of one core.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import soundfile

from auricle.curators.signal.vad import speech_probabilities
from auricle.curators.training.mixtures import read_mono
from auricle.curators.waveform import resample
from auricle.schemas.clip import Clip
from auricle.schemas.keys import sha256_file

TABLE = Path(__file__).with_suffix(".tsv")
RATE = 16_000
SOUND = (".ogg", ".wav", ".flac", ".mp3", ".oga", ".opus", ".aif", ".aiff")
ALL_MUSIC = {
    "asterisk-moh-opsound-wav",
    "hydrogen-drumkits",
    "hyperrogue-music",
    "lmms-common",
    "sonic-pi-samples",
    "warzone2100-music",
    "wesnoth-1.16-music",
}
ALL_NOISE = {"blanket"}
"""A coffee shop's voices are noise."""
ALL_VOICES = ("asterisk-core-sounds-", "ktuberling-data", "klettres-data", "fillets-ng-data-")
"""Packages of recorded words, by how their names start."""
VOICES = ("voice", "speech", "/locale", "mk-viii", "tcas", "_talk", "taunt", "_desc")
MOST_SPEECH = {"noise": 0.3, "music": 0.5, "voices": 1.0}
"""Share of frames in which the voice detector may hear speech."""
MOST_WORDS = 400
"""Files of a package of words, evenly over its languages; the other kinds are not limited."""
SHORTEST_S, LONG_S, EXCERPT_S, TRACK_S, LONGEST_FILE_S = 0.03, 4.0, 40.0, 30.0, 300.0
SILENT = 1e-3


@dataclass(frozen=True, slots=True)
class Package:
    """One row of the table."""

    name: str
    version: str
    debian: str
    sha256: str


def table(path: Path) -> list[Package]:
    """The packages, in the table's order."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [Package(row["package"], row["version"], row["debian"], row["sha256"]) for row in rows]


def found(folder: Path, path: Path = TABLE) -> dict[str, Path]:
    """The table's packages in `folder` by name; exits where one is absent or another file than the table's."""
    at = {}
    for package in table(path):
        files = sorted(folder.glob(f"{package.name}_*.deb"))
        if not files:
            raise SystemExit(f"{package.name} {package.version} is not in {folder}: Debian {package.debian} has it")
        if sha256_file(files[0]) != package.sha256:
            raise SystemExit(f"{files[0].name} is not {package.name} {package.version} as in {path.name}")
        at[package.name] = files[0]
    return at


def unpack(deb: Path, folder: Path) -> None:
    """Sound files of a package into `folder`, with their paths."""
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as process,
        tarfile.open(fileobj=process.stdout, mode="r|") as archive,
    ):
        for member in archive:
            if (member.isfile() or member.issym()) and member.name.lower().endswith((*SOUND, ".gresource", ".zip")):
                archive.extract(member, folder, filter="data")
    for bundle in sorted(folder.rglob("*.gresource")):
        names = subprocess.run(["gresource", "list", str(bundle)], capture_output=True, text=True, check=True).stdout
        for name in (n for n in names.split() if n.lower().endswith(SOUND)):
            sound = subprocess.run(["gresource", "extract", str(bundle), name], capture_output=True, check=True).stdout
            (folder / Path(name).name).write_bytes(sound)
    for bundle in sorted(folder.rglob("*.zip")):
        with zipfile.ZipFile(bundle) as archive:
            archive.extractall(folder, [n for n in archive.namelist() if n.lower().endswith(SOUND)])


def sounds(package: str, folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """(noise, music or voices, `[T]` at 16 kHz) of each file that is worth having, in the order of the paths."""
    seen, is_voices = set(), package.startswith(ALL_VOICES)
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix.lower() in SOUND)
    for path in paths[:: len(paths) // MOST_WORDS + 1] if is_voices else paths:
        low, key = str(path.relative_to(folder)).lower(), sha256_file(path)
        if key in seen or (not is_voices and any(word in low for word in VOICES)):
            continue
        seen.add(key)
        try:
            x, rate = read_mono(path)
        except soundfile.LibsndfileError:
            continue
        if x.size < SHORTEST_S * rate or not np.isfinite(x).all() or np.abs(x).max() < SILENT:
            continue
        x = resample(x[: int(LONGEST_FILE_S * rate)], rate, RATE)
        if is_voices:
            yield "voices", x
            continue
        is_music = package in ALL_MUSIC or "music" in low or "soundtrack" in low
        kind = "music" if is_music and package not in ALL_NOISE else "noise"
        if package in ALL_NOISE or _speech(x) <= MOST_SPEECH[kind]:
            yield kind, x


def _speech(x: np.ndarray) -> float:
    """Share of frames in which the detector hears speech; a short sound is repeated for 2 s."""
    if x.size <= 2 * RATE:
        gap = np.zeros(RATE // 4, dtype=np.float32)
        x = np.tile(np.concatenate([x, gap]), -(-2 * RATE // (x.size + gap.size)))
    return float((speech_probabilities(Clip("", x[: 20 * RATE], RATE)) > 0.5).mean())


def tracks(rng: np.random.Generator, heard: list[np.ndarray]) -> Iterator[np.ndarray]:
    """The long ones, cut; then the short ones, strung together."""
    for x in (x for x in heard if x.size >= LONG_S * RATE):
        start = max(0, (x.size - int(EXCERPT_S * RATE)) // 2)
        y = x[start : start + int(EXCERPT_S * RATE)]
        if np.abs(y).max() >= SILENT:
            y = 0.05 * y / np.sqrt(np.mean(y**2))
            yield y / max(1, np.abs(y).max())
    short = [x / (np.sqrt(np.mean(x**2)) + 1e-9) for x in heard if x.size < LONG_S * RATE]
    rng.shuffle(short)
    pieces, size = [], 0
    for i, x in enumerate(short):
        gap = np.zeros(int(RATE * min(1.5, rng.exponential(0.25))), dtype=np.float32)
        pieces += [(x * rng.lognormal(0, 0.5)).astype(np.float32), gap]
        size += x.size + gap.size
        if size > TRACK_S * RATE or i == len(short) - 1:
            y = np.concatenate(pieces)
            if size > 3 * RATE:
                yield (y / np.abs(y).max() * 0.9).astype(np.float32)
            pieces, size = [], 0


def make(job: tuple[str, Path, Path]) -> str:
    """Tracks of one package into the folders of `out`; a line about them."""
    package, deb, out = job
    rng = np.random.default_rng(int(hashlib.sha256(package.encode()).hexdigest()[:8], 16))
    counts = {}
    with tempfile.TemporaryDirectory() as folder:
        unpack(deb, Path(folder))
        heard = list(sounds(package, Path(folder)))
    for kind in MOST_SPEECH:
        made = list(tracks(rng, [x for k, x in heard if k == kind]))
        for i, track in enumerate(made):
            soundfile.write(str(out / kind / f"{package}__{i:03d}.flac"), track, RATE)
        counts[kind] = f"{len(made)} tracks of {kind}, {sum(t.size for t in made) / RATE / 60:.1f} min"
    return f"{package}: {', '.join(counts.values())}"


def main() -> None:
    """Check the packages, then take them apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("debs", type=Path, help="folder with the packages of the table")
    parser.add_argument("out", type=Path, help="folder to make; noise/, music/ and voices/ lie in it")
    parser.add_argument("--table", type=Path, default=TABLE, help="which packages (default: those to train on)")
    parser.add_argument("--processes", type=int, help="at a time (default: one per core)")
    a = parser.parse_args()
    packages = found(a.debs, a.table)
    for kind in MOST_SPEECH:
        (a.out / kind).mkdir(parents=True, exist_ok=True)
    with Pool(a.processes) as pool:
        jobs = [(name, deb, a.out) for name, deb in packages.items()]
        for line in pool.imap_unordered(make, jobs):
            print(line, flush=True)


if __name__ == "__main__":
    main()

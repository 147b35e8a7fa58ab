"""Prints what each model of the portfolio makes of the built-in codec's codes of speech, and their mixture.

    python benchmarks/code_rate_speech.py FOLDER... [--budget-s 600] [--every 6] [--workers 2]

Each FOLDER holds audio and a `transcripts.tsv` with columns file and speaker. There is no known answer here: the tests
have those. `--every N` also measures every Nth frame only: as few frames as the same audio has at 75 / N per second.
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

import numpy as np
import soundfile

from auricle.diagnostics.codes.codes_diagnosis import CodesDiagnosis, diagnose_codes
from auricle.diagnostics.codes.members import Member
from auricle.diagnostics.pool.pool_member import Pool
from auricle.extractors.coding.codebooks import codebook_vectors
from auricle.extractors.coding.registry import build, load_codec
from auricle.pipelines.work.processes import Processes
from auricle.schemas.config import RepresentationConfig

CONFIG = RepresentationConfig(codec="builtin", kind="codes")


def spent_s() -> float:
    """CPU seconds of this process and of those that ended."""
    return sum(os.times()[:4])


def codes_of(folders: list[Path]) -> list[tuple[str, str, np.ndarray]]:
    """(file, speaker, codes `[Q, T]`) of everything that is longer than a second."""
    (extractor,) = build([CONFIG])
    found = []
    for folder in folders:
        with (folder / "transcripts.tsv").open(encoding="utf-8") as table:
            for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
                waveform, rate = soundfile.read(folder / row["file"], dtype="float32", always_2d=True)
                if waveform.shape[0] > rate:
                    (codes,) = extractor.extract(np.ascontiguousarray(waveform.T[:1]), rate).values()
                    found.append((f"{folder.name}/{row['file']}", f"{folder.name}/{row['speaker']}", codes))
    return found


def report(name: str, result: CodesDiagnosis, spent_s: float) -> None:
    """The portfolio in bit/s."""
    portfolio, rate = result.portfolio, result.frame_rate
    assert portfolio is not None
    assert result.within is not None
    print(f"| {name} | raw | {result.rate_raw:.0f} | |")
    for member, bits in portfolio.members.items():
        print(f"| {name} | {member} | {bits * rate:.0f} | weight {portfolio.weights[member]:.2f} |")
    low, high = portfolio.saved_low or float("nan"), portfolio.saved_high or float("nan")
    best = portfolio.members[portfolio.best]
    shares = " to ".join(f"{each / best:.1%}" for each in (low, high))
    print(f"| {name} | mixed | {portfolio.mixed * rate:.0f} | {portfolio.saved / best:.1%} [{shares}] below the best |")
    print(f"| {name} | code_rate | {result.code_rate} | {spent_s:.0f} CPU s |")
    off = result.within
    parts = f"more data {off.more_data:.1%}, other models {off.other_models:.1%}, contexts {off.longer_contexts:.1%}"
    print(f"| {name} | resolved within | {off.total:.1%} | {parts} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--budget-s", type=float, help="also a neural member, trained for so long")
    parser.add_argument("--every", type=int, help="also only every so many frames: a lower frame rate")
    parser.add_argument("--workers", type=int, help="processes; default one per core")
    options = parser.parse_args()
    jobs = Processes(options.workers)
    found = codes_of(options.folders)
    frames = sum(codes.shape[1] for _, _, codes in found)
    print(f"{len(found)} recordings, {frames / 75 / 60:.1f} minutes, {len({s for _, s, _ in found})} speakers\n")
    vectors = codebook_vectors(load_codec(CONFIG), found[0][2].shape[0])
    print("| codes | model | bit/s | |\n|---|---|---|---|")
    for every in dict.fromkeys((1, options.every or 1)):
        members: dict[str, Member] = {"pool": Pool(vectors, jobs=jobs)}
        if options.budget_s:
            from auricle.diagnostics.neural.language_model import LanguageModel

            members["neural"] = LanguageModel(options.budget_s, vectors=vectors, jobs=jobs)
        begin = spent_s()
        samples = [(key, speaker, codes[:, ::every]) for key, speaker, codes in found]
        result = diagnose_codes(samples, 75 / every, 1024, group_kind="speaker", members=members, jobs=jobs)
        report(f"8 x 1024, {75 / every:g} Hz", result, spent_s() - begin)


if __name__ == "__main__":
    main()

"""Transcript trust beside what others do: decode with a recogniser, take the word error rate against the given text.

    python benchmarks/transcript_decode.py DATA [--observations FILE] [--every N]

DATA and FILE as for benchmarks/transcript.py, whose cases these are, of every N-th utterance. Each clip is decoded once
and its words are compared with every text. Trust is of a regression without the clip's speaker.
Prints the tables of docs/transcript_trust.md under "Beside decode and compare"; about nine minutes of one core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from curator_stats import auc, figure
from transcript import group, observed, out_of_fold

from auricle.curators.signal.vad import speech_probabilities
from auricle.curators.training.train_transcript import Observation, conditions, gather_noises, gather_utterances, load
from auricle.curators.training.transcript_cases import Utterance, cases
from auricle.curators.words.edit_distance import edit_distance
from auricle.curators.words.relabel import PocketsphinxRecogniser
from auricle.curators.words.spoken_words import spoken_words
from auricle.curators.words.transcript import TranscriptCurator
from auricle.schemas.clip import Clip

KINDS = ("unrelated", "sub25", "sub10", "truncated", "appended", "foreign")
CONDITIONS = ("clean", "10 dB")
PARTS = ("read", "learners")
METHODS = ("transcript_trust", "1 - word error rate", "1 - character error rate")
Key = tuple[str, str, str, str]
"""Corpus, file, condition, kind of text."""


def accuracy(given: Sequence[str], heard: Sequence[str]) -> float:
    """1 less the errors per element of the given text; below 0 where more was heard than given."""
    return 1.0 - edit_distance(given, heard) / max(len(given), 1)


def texts(utterances: Sequence[Utterance]) -> dict[tuple[str, str], dict[str, str]]:
    """By corpus and file: the text of each kind."""
    made: dict[tuple[str, str], dict[str, str]] = {}
    for case in cases(utterances):
        path = case.utterance.path
        made.setdefault((path.parent.name, path.name), {})[case.kind] = case.text
    return made


def clips(utterances: Sequence[Utterance], noises: Sequence[np.ndarray], chosen: set[tuple[str, str]]) -> Iterator:
    """(corpus, file, condition, clip) of the chosen utterances, as `observe` heard them."""
    for number, u in enumerate(utterances):  # the number seeds the noise: it counts all of them
        name = (u.path.parent.name, u.path.name)
        if name in chosen:
            made = conditions(load(u.path), noises, (0, number, 1))
            for condition in CONDITIONS:
                yield *name, condition, Clip("", made[condition], 16000, transcript=u.text, language="en")


def compare(part: str, trusted: dict[Key, float], heard: dict[Key, tuple[float, float]], who: dict[Key, str]) -> None:
    """One row per condition and corruption, every method on the very same pairs of clip and text."""
    for condition in CONDITIONS:
        for kind in KINDS:
            keys = [k for k in heard if k[2] == condition and k[3] in ("correct", kind)]
            right = np.array([k[3] == "correct" for k in keys], dtype=float)
            speakers = [who[k] for k in keys]
            cells = []
            for values in ([trusted[k] for k in keys], *zip(*(heard[k] for k in keys), strict=True)):
                rows = np.column_stack([values, right])
                cells.append(figure(lambda r: auc(r[:, 0], r[:, 1]), rows, speakers).text(3))
            count = f"{right.sum():.0f} / {(1 - right).sum():.0f}"
            print(f"| {part} | {condition} | {kind} | {' | '.join(cells)} | {count} | {len(set(speakers))} |")


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--observations", type=Path)
    parser.add_argument("--every", type=int, default=2, help="every n-th utterance of readers, and of learners")
    a = parser.parse_args()
    utterances, noises = gather_utterances(a.data), gather_noises(a.data)
    observations = observed(utterances, noises, a.observations)
    own = [o for o in observations if o.mode == "full"]
    trusted, speakers = {}, {}
    for o, score in zip(own, out_of_fold(own), strict=True):
        trusted[_key(o)], speakers[_key(o)] = float(score), o.speaker
    parts: dict[tuple[str, str], str] = {(o.corpus, o.file): group(o) for o in own}
    chosen = {name for part in PARTS for name in [n for n in parts if parts[n] == part][:: a.every]}
    made = texts(utterances)

    recogniser, curator = PocketsphinxRecogniser(), TranscriptCurator()
    heard: dict[Key, tuple[float, float]] = {}
    words_wrong: dict[tuple[str, str], list[int]] = {}
    words_in: dict[tuple[str, str], list[int]] = {}
    spent, seconds = {"trust": 0.0, "decode": 0.0}, 0.0
    for corpus, file, condition, clip in clips(utterances, noises, chosen):
        speech_probabilities(clip)
        if not heard:  # models are loaded before anything is timed
            recogniser.transcribe([clip])
            curator.score([clip])
        started = time.process_time()
        words = recogniser.transcribe([clip])[0].split()
        between = time.process_time()
        curator.score([clip])
        spent["decode"] += between - started
        spent["trust"] += time.process_time() - between
        seconds += clip.duration_s
        for kind, text in made[corpus, file].items():
            given = spoken_words(text)
            letters = accuracy(" ".join(given), " ".join(words))
            heard[corpus, file, condition, kind] = accuracy(given, words), letters
        truth = spoken_words(clip.transcript or "")
        words_wrong.setdefault((parts[corpus, file], condition), []).append(edit_distance(truth, words))
        words_in.setdefault((parts[corpus, file], condition), []).append(len(truth))
    print("\n| | condition | wrong text | " + " | ".join(f"AUC of {m} [95 %]" for m in METHODS), end="")
    print(" | right / wrong | speakers |\n" + "|---" * (len(METHODS) + 5) + "|")
    for part in PARTS:
        compare(part, trusted, {k: v for k, v in heard.items() if parts[k[:2]] == part}, speakers)
    print(f"\n{recogniser.name}, word error rate against the right texts:")
    for (part, condition), wrong in words_wrong.items():
        total = sum(words_in[part, condition])
        print(f"{part}, {condition}: {sum(wrong) / total:.2f} of {total} words, {len(wrong)} clips")
    print("\n| method | audio | CPU | times real time |\n|---|---|---|---|")
    for method, name in (("trust", "transcript_trust, full mode"), ("decode", "decode and compare, pocketsphinx")):
        print(f"| {name} | {seconds:.0f} s | {spent[method]:.0f} s | {seconds / spent[method]:.1f} |")


def _key(o: Observation) -> Key:
    return o.corpus, o.file, o.condition, o.kind


if __name__ == "__main__":
    main()

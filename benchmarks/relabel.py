"""What the offline recogniser is worth: as a judge of transcripts (decode and compare), and for relabelling.

    python benchmarks/relabel.py DATA [--clips N] [--min-difference SHARE]

DATA as for benchmarks/transcript.py. Prints the tables on new transcripts of docs/corpus.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from auricle.curators.training.train_transcript import conditions, gather_noises, gather_utterances, load
from auricle.curators.training.transcript_cases import CORRUPTIONS, cases
from auricle.curators.words.edit_distance import edit_distance
from auricle.curators.words.relabel import MARGIN, MIN_TRUST, PocketsphinxRecogniser, relabel
from auricle.curators.words.spoken_words import spoken_words
from auricle.curators.words.transcript import TranscriptCurator
from auricle.schemas.clip import Clip

LEARNERS = ("speechocean762",)


def error_rate(reference: Sequence[str], found: Sequence[str]) -> float:
    """Edits over the length of the reference."""
    return edit_distance(reference, found) / max(len(reference), 1)


def letters(text: str) -> str:
    """What is compared of a text."""
    return " ".join(spoken_words(text))


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--min-difference", type=float, help="of letters; default what the recogniser asks")
    chosen = parser.parse_args()
    everyone = [u for u in gather_utterances(chosen.data) if u.path.parent.name not in LEARNERS]
    noises = gather_noises(chosen.data)
    made: dict[Path, dict[str, str]] = {}
    for case in cases(everyone):
        made.setdefault(case.utterance.path, {})[case.kind] = case.text
    step = max(1, len(everyone) // chosen.clips)
    utterances = everyone[::step][: chosen.clips]
    recogniser, judge = PocketsphinxRecogniser(), TranscriptCurator()
    print(f"{len(utterances)} clips of {len({u.speaker for u in utterances})} speakers, {recogniser.name}")
    for condition in ("clean", "10 dB"):
        clips = [
            Clip(str(k), conditions(load(u.path), noises, (0, k, 1))[condition], 16000, language="en")
            for k, u in enumerate(utterances)
        ]
        start = time.process_time()
        heard = recogniser.transcribe(clips)
        spent = time.process_time() - start
        truth = [spoken_words(u.text) for u in utterances]
        wer = sum(edit_distance(t, h.split()) for t, h in zip(truth, heard, strict=True)) / sum(map(len, truth))
        seconds = sum(clip.duration_s for clip in clips)
        print(f"\n## {condition}: {wer:.2f} of the words wrong, {seconds / spent:.1f} times real time")
        print("\n| wrong text | AUC of decode-and-compare (character error rate) |\n|---|---|")
        right = np.array([-error_rate(letters(u.text), h) for u, h in zip(utterances, heard, strict=True)])
        for kind in CORRUPTIONS:
            wrong = np.array(
                [
                    -error_rate(letters(made[u.path][kind]), h)
                    for u, h in zip(utterances, heard, strict=True)
                    if kind in made[u.path]
                ]
            )
            area = (right[:, None] > wrong).mean() + 0.5 * (right[:, None] == wrong).mean()
            print(f"| {kind} | {area:.3f} |")
        print(f"\nRelabelling, margin {MARGIN}, least trust {MIN_TRUST}:\n")
        print("| old text | clips | new text taken | words wrong in the old | in the new ones taken | made worse |")
        print("|---|---|---|---|---|---|")
        for kind in ("correct", "unrelated", "sub50", "sub25", "truncated"):
            for clip, u in zip(clips, utterances, strict=True):
                clip.transcript = u.text if kind == "correct" else made[u.path].get(kind)

            class Remembered:
                name, languages, min_difference = recogniser.name, recogniser.languages, recogniser.min_difference

                def transcribe(self, batch: Sequence[Clip], heard: Sequence[str] = heard) -> list[str]:
                    return [heard[int(clip.key)] for clip in batch]

            rows = relabel(clips, Remembered(), judge, min_difference=chosen.min_difference)
            taken = [row for row in rows if row.taken]
            old = [error_rate(truth[int(r.key)], spoken_words(r.old_text or "")) for r in taken]
            new = [error_rate(truth[int(r.key)], spoken_words(r.new_text or "")) for r in taken]
            worse = sum(n > o for o, n in zip(old, new, strict=True))
            shown = (f"{np.mean(old):.2f}", f"{np.mean(new):.2f}") if taken else ("–", "–")
            print(f"| {kind} | {len(rows)} | {len(taken)} | {shown[0]} | {shown[1]} | {worse} |")


if __name__ == "__main__":
    main()

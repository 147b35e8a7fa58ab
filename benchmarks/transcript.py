"""How well transcript trust tells right from wrong texts, on speakers that it was not fitted on.

    python benchmarks/transcript.py DATA [--observations FILE] [--synthetic N]

DATA is a folder with speech/<corpus>/transcripts.tsv and noise/, as for
`auricle.curators.training.train_transcript`, whose observations (alignment features of every case) can be kept in FILE
and are used again. Prints the tables of docs/transcript_trust.md. Six folds over speakers; intervals are of a bootstrap
over speakers and, where there is noise, over noises at once (`curator_stats`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from curator_stats import auc, figure, verdict

from auricle.curators.signal.vad import speech_probabilities
from auricle.curators.training.train_transcript import (
    FOLDS,
    MIN_NOISE_S,
    MODES,
    NOISY,
    Observation,
    balance,
    fit_observations,
    gather_noises,
    gather_utterances,
    load,
    observe,
    read_observations,
    write_observations,
)
from auricle.curators.training.transcript_cases import CORRUPTIONS, Utterance, read_utterances
from auricle.curators.waveform import resample
from auricle.curators.words.transcript import TranscriptCurator, fitted, trust
from auricle.schemas.clip import Clip

LEARNERS = ("speechocean762",)
"""Corpora of learners and children, whose transcript is the prompt, not what was said: reported apart."""
TARGETS = {
    "clean": {"unrelated": 0.99, "sub25": 0.97, "sub10": 0.88, "truncated": 0.97, "appended": 0.97, "foreign": 0.99},
    "10 dB": {"unrelated": 0.95, "sub25": 0.90, "sub10": 0.78, "truncated": 0.95, "appended": 0.95, "foreign": 0.97},
}
MAX_ECE = 0.05
VOICES = ("en-us+f1", "en-us+ed", "en-us+steph", "en-us+paul", "en-us+linda", "en-us+m3", "en-gb-x-rp+f5", "en-us+max")


def group(o: Observation) -> str:
    """The part of the table that an observation belongs to."""
    return "learners" if o.corpus in LEARNERS else "synthetic" if o.corpus == "espeak" else "read"


def noise_names(data: Path) -> list[str]:
    """Names of the noises that `gather_noises` takes, in its order."""
    return [p.name for p in sorted((data / "noise").iterdir()) if soundfile.info(p).duration >= MIN_NOISE_S]


def out_of_fold(observations: Sequence[Observation]) -> np.ndarray:
    """Trust of each observation by a regression that has seen none of its speaker's."""
    speakers = sorted({o.speaker for o in observations})
    fold = np.array([speakers.index(o.speaker) % FOLDS for o in observations])
    result = np.zeros(len(observations))
    for k in range(FOLDS):
        model = fit_observations([o for o, f in zip(observations, fold, strict=True) if f != k])
        for i in np.flatnonzero(fold == k):
            features = observations[i].features
            result[i] = 0.0 if features is None else trust(features, model)
    return result


def auc_table(observations: Sequence[Observation], scores: np.ndarray, part: str, names: Sequence[str]) -> None:
    """One row per condition and corruption. names: of the noises."""
    print("\n| condition | wrong text | AUC | 95 % | worst noise | right / wrong | sources | target | |")
    print("|---|---|---|---|---|---|---|---|---|")
    for condition in ("clean", "10 dB", "8 kHz"):
        for kind in CORRUPTIONS:
            chosen = [
                i
                for i, o in enumerate(observations)
                if group(o) == part and o.condition == condition and o.kind in ("correct", kind)
            ]
            right = np.array([observations[i].kind == "correct" for i in chosen])
            if right.all() or not len(chosen):
                continue
            sources = {"speakers": [observations[i].speaker for i in chosen]}
            if condition == NOISY:
                sources["noises"] = [names[observations[i].noise] for i in chosen]
            found = figure(lambda r: auc(r[:, 0], r[:, 1]), np.c_[scores[chosen], right], sources)
            target = TARGETS.get(condition, {}).get(kind) if part == "read" else None
            mark = "" if target is None else verdict(found, target, "high")
            worst = found.worst("high")
            if worst is not None and round(worst[1], 3) >= round(found.value, 3):
                worst = None
            counted = " x ".join(f"{len(set(of))} {name}" for name, of in sources.items())
            print(
                f"| {condition} | {kind} | {found.value:.3f} | {found.low:.3f}–{found.high:.3f} "
                f"| {'' if worst is None else f'{worst[0]} {worst[1]:.3f}'} | {right.sum()} / {(~right).sum()} "
                f"| {counted} | {'' if target is None else f'≥ {target:.2f}'} | {mark} |"
            )


def acceptance_table(observations: Sequence[Observation], scores: np.ndarray) -> None:
    """Share of texts with a trust of at least .5."""
    print(
        "\n| | condition | " + " | ".join(("correct", *CORRUPTIONS)) + " |\n|---|---|" + "---|" * (len(CORRUPTIONS) + 1)
    )
    for part in ("read", "learners", "synthetic"):
        for condition in ("clean", "10 dB", "8 kHz"):
            cells = []
            for kind in ("correct", *CORRUPTIONS):
                s = [
                    score
                    for o, score in zip(observations, scores, strict=True)
                    if group(o) == part and o.condition == condition and o.kind == kind
                ]
                cells.append(f"{100 * np.mean(np.array(s) >= 0.5):.0f} %" if s else "–")
            if cells[0] != "–":
                print(f"| {part} | {condition} | " + " | ".join(cells) + " |")


def calibration(observations: Sequence[Observation], scores: np.ndarray, names: Sequence[str]) -> None:
    """Reliability by tenths of trust, right and wrong texts weighing the same, and the expected calibration error."""
    right = np.array([o.kind == "correct" for o in observations])
    weight = balance([o.kind for o in observations])

    def error(rows: np.ndarray) -> float:
        trusts, is_right, w = rows.T
        bins = np.minimum((trusts * 10).astype(int), 9)
        return sum(abs(float((w * (trusts - is_right))[bins == b].sum())) for b in range(10)) / float(w.sum())

    print("\n| trust | weight | mean trust | share right | n |\n|---|---|---|---|---|")
    bins = np.minimum((scores * 10).astype(int), 9)
    for b in range(10):
        inside = bins == b
        if inside.any():
            w = weight[inside] / weight[inside].sum()
            print(
                f"| {b / 10:.1f}–{(b + 1) / 10:.1f} | {weight[inside].sum():.3f} | {w @ scores[inside]:.3f} "
                f"| {w @ right[inside]:.3f} | {inside.sum()} |"
            )
    heard = [names[o.noise] if o.condition == NOISY else o.condition for o in observations]
    sources = {"speakers": [o.speaker for o in observations], "noises, clean and 8 kHz": heard}
    found = figure(error, np.c_[scores, right, weight], sources)
    worst = found.worst("low")
    print(
        f"\nExpected calibration error {found.value:.3f} (95 % {found.low:.3f}–{found.high:.3f}, {found.count()}; "
        f"worst of these {worst and worst[0]}): {verdict(found, MAX_ECE, 'low')}"
    )


def synthetic(utterances: Sequence[Utterance], noises: Sequence[np.ndarray], count: int) -> list[Observation]:
    """Observations of sentences of the corpus said by synthetic voices, of which none is in training."""
    from auricle.jobs.demo.espeak import Voice, synthesise

    rng = np.random.default_rng(0)
    texts = sorted({u.text for u in utterances if 5 <= len(u.text.split()) <= 20})
    said = []
    for k in range(count):
        voice = VOICES[k % len(VOICES)]
        said.append(Utterance(Path(f"espeak/{k}"), voice, str(rng.choice(texts))))

    def speak(u: Utterance) -> np.ndarray:
        samples, rate = synthesise(u.text, Voice(u.speaker, int(150 + 3 * (len(u.text) % 10))))
        return resample(samples.astype(np.float32) / 32768, rate, 16000)

    return [o for o in observe(said, noises, speak) if o.mode == "full"]


def single_words(data: Path) -> None:
    """Spoken digits at 8 kHz, of speakers and of a length that training has none of."""
    spoken = read_utterances(data / "speech" / "fsdd")[::4]
    vocabulary = sorted({u.text for u in spoken})
    rng = np.random.default_rng(0)
    curator = TranscriptCurator()
    right, wrong = [], []
    for u in spoken:
        other = str(rng.choice([word for word in vocabulary if word != u.text]))
        for text, scores in ((u.text, right), (other, wrong)):
            (row,) = curator.score([Clip("", load(u.path), 16000, transcript=text, language="en")])
            scores.append(row["transcript_trust"])
    known = np.array([score is not None for score in right])
    a, b = (np.array(scores, dtype=float)[known] for scores in (right, wrong))
    order = auc(np.r_[a, b], np.arange(a.size + b.size) < a.size)
    print(
        f"{known.sum()} of {len(spoken)} clips of {len({u.speaker for u in spoken})} speakers have a trust; "
        f"AUC of another digit {order:.3f}, accepted at .5: {100 * np.mean(a >= 0.5):.0f} % of right and "
        f"{100 * np.mean(b >= 0.5):.0f} % of wrong digits"
    )


def speed(utterances: Sequence[Utterance]) -> None:
    """Seconds of audio per second of processor, models loaded, speech detection apart."""
    print("\n| mode | clips | audio | times real time |\n|---|---|---|---|")
    clips = [
        Clip("", load(u.path), 16000, transcript=u.text, language="en") for u in utterances[:: len(utterances) // 24]
    ]
    for mode in MODES:
        curator = TranscriptCurator(mode=mode)
        for clip in clips:
            speech_probabilities(clip)
        curator.score(clips[:1])
        seconds = sum(clip.duration_s for clip in clips)
        best = np.inf
        for _ in range(3):
            start = time.process_time()
            curator.score(clips)
            best = min(best, time.process_time() - start)
        print(f"| {mode} | {len(clips)} | {seconds:.0f} s | {seconds / best:.0f} |")


def observed(utterances: list[Utterance], noises: list[np.ndarray], kept: Path | None) -> list[Observation]:
    """What the aligner saw of every case: read from `kept` where it is there, else made, and kept there."""
    if kept is not None and kept.is_file():
        return read_observations(kept)
    observations = list(observe(utterances, noises))
    if kept is not None:
        write_observations(observations, kept)
    return observations


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--observations", type=Path)
    parser.add_argument("--synthetic", type=int, default=48, help="synthetic utterances, 0 for none")
    chosen = parser.parse_args()
    utterances, noises = gather_utterances(chosen.data), gather_noises(chosen.data)
    names = noise_names(chosen.data)
    observations = observed(utterances, noises, chosen.observations)
    for mode in MODES:
        own = [o for o in observations if o.mode == mode]
        scores = out_of_fold(own)
        for part in ("read", "learners"):
            print(f"\n## {mode}, {part}")
            auc_table(own, scores, part, names)
        print(f"\n## {mode}, share accepted at trust 0.5")
        acceptance_table(own, scores)
        print(f"\n## {mode}, calibration")
        calibration(own, scores, names)
    if chosen.synthetic:
        made = synthetic(utterances, noises, chosen.synthetic)
        scores = np.array([0.0 if o.features is None else trust(o.features, fitted("full")) for o in made])
        print("\n## full, synthetic voices (none in training), the shipped weights")
        auc_table(made, scores, "synthetic", names)
        acceptance_table(made, scores)
    if (chosen.data / "speech" / "fsdd").is_dir():
        print("\n## full, single words, the shipped weights")
        single_words(chosen.data)
    print("\n## speed, one core")
    speed(utterances)


if __name__ == "__main__":
    main()

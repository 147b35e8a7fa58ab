"""Fits transcript trust: `python -m auricle.curators.training.train_transcript DATA`
writes curators/weights/transcript.json.

DATA has speech/<corpus>/transcripts.tsv (file, speaker, language, transcript) with the audio beside it, and noise/.
Every utterance is aligned with its own text and with wrong ones, clean and with noise at 10 dB or through 8 kHz.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np

from ...schemas.clip import Clip
from ...schemas.keys import digest
from ..signal.vad import speech_probabilities
from ..waveform import resample
from ..words.acoustic_model import acoustic_model_sha256
from ..words.aligner import Mode, align, listen
from ..words.spoken_words import spoken_words
from ..words.transcript import FEATURES, MAX_DEVIATION, WEIGHTS, evidence
from .transcript_cases import CORRUPTIONS, Case, Utterance, at_snr, cases, read_utterances

SAMPLE_RATE = 16000
NARROW_RATE = 8000
SNR_DB = 10.0
NOISY = "10 dB"
"""The condition with a noise."""
MIN_WORDS, MAX_DURATION_S = 3, 15.0
MIN_NOISE_S = 3.0
PER_CORPUS = 80
L2 = 0.003
FOLDS = 6
MODES: tuple[Mode, ...] = ("full", "lite")


@dataclass(frozen=True, slots=True)
class Observation:
    """One case in one condition. features: by name, None where the words did not fit into the clip. noise: which of the
    noises was mixed in, -1 for none."""

    corpus: str
    speaker: str
    file: str
    kind: str
    condition: str
    mode: Mode
    features: dict[str, float] | None
    noise: int = -1


def load(path: Path) -> np.ndarray:
    """The file's channels' mean at `SAMPLE_RATE`, `[T]` float32."""
    import soundfile

    x, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resample(x.mean(axis=1), rate, SAMPLE_RATE)


def gather_utterances(data: Path) -> list[Utterance]:
    """English utterances of at least `MIN_WORDS` words and at most `MAX_DURATION_S`, up to `PER_CORPUS` spread evenly
    over each folder; copies of another file (re-encoded, with noise) left out."""
    import soundfile

    chosen: list[Utterance] = []
    for folder in sorted((data / "speech").iterdir()):
        if (folder / "transcripts.tsv").is_file():
            usable = [
                u
                for u in read_utterances(folder)
                if u.path.suffix != ".mp3"
                and not u.path.stem.endswith("_noisy")
                and len(u.text.split()) >= MIN_WORDS
                and soundfile.info(u.path).duration <= MAX_DURATION_S
            ]
            count = min(len(usable), PER_CORPUS)
            chosen += [usable[k * len(usable) // count] for k in range(count)]
    return chosen


def gather_noises(data: Path) -> list[np.ndarray]:
    """The recordings of `data/noise` that are long enough."""
    loaded = [load(path) for path in sorted((data / "noise").iterdir())]
    return [x for x in loaded if len(x) >= MIN_NOISE_S * SAMPLE_RATE]


def drawn_noise(rng: np.random.Generator, count: int) -> int:
    """Which of `count` noises an utterance gets: the first draw of its generator."""
    return int(rng.integers(count))


def conditions(speech: np.ndarray, noises: Sequence[np.ndarray], seed: Sequence[int]) -> dict[str, np.ndarray]:
    """The clip as it is, with a noise at `SNR_DB`, and as a telephone would have left it; all at `SAMPLE_RATE`."""
    rng = np.random.default_rng(list(seed))
    noise = noises[drawn_noise(rng, len(noises))]
    narrow = resample(resample(speech, SAMPLE_RATE, NARROW_RATE), NARROW_RATE, SAMPLE_RATE)[: len(speech)]
    return {"clean": speech, NOISY: at_snr(speech, noise, SNR_DB, rng), "8 kHz": narrow}


def observe(
    utterances: Sequence[Utterance],
    noises: Sequence[np.ndarray],
    open_audio: Callable[[Utterance], np.ndarray] = lambda u: load(u.path),
    seed: int = 0,
) -> Iterator[Observation]:
    """All cases of all utterances in all conditions; "lite" of every second utterance only, to save time."""
    grouped: dict[Path, list[Case]] = {}
    for case in cases(utterances, seed):
        grouped.setdefault(case.utterance.path, []).append(case)
    for number, (path, own) in enumerate(grouped.items()):
        speech = open_audio(own[0].utterance)
        drawn = drawn_noise(np.random.default_rng([seed, number, 1]), len(noises))
        for condition, x in conditions(speech, noises, (seed, number, 1)).items():
            probabilities = speech_probabilities(Clip("", x, SAMPLE_RATE))
            heard = listen(x, everything=True)
            for case, mode in product(own, MODES if number % 2 == 0 else MODES[:1]):
                words = spoken_words(case.text)
                found = align(heard, words, mode)
                features = None if found is None else evidence(words, *found, probabilities)
                corpus, speaker = path.parent.name, case.utterance.speaker
                noise = drawn if condition == NOISY else -1
                yield Observation(corpus, speaker, path.name, case.kind, condition, mode, features, noise)


def balance(kinds: Sequence[str]) -> np.ndarray:
    """Weights that sum to 1: half for the right transcripts, the other half shared equally by the corruptions."""
    kind = np.array(kinds)
    weight = np.where(kind == "correct", 0.5 / max((kind == "correct").sum(), 1), 0.0)
    present = [k for k in CORRUPTIONS if (kind == k).any()]
    for k in present:
        weight[kind == k] = 0.5 / len(present) / (kind == k).sum()
    return weight


def fit(x: np.ndarray, right: np.ndarray, weight: np.ndarray) -> dict:
    """Logistic regression of `right` `[N]` bool on `x` `[N, len(FEATURES)]`, ridge `L2` on standardised features."""
    from scipy.optimize import minimize

    mean, scale = x.mean(0), x.std(0) + 1e-9
    z = np.clip((x - mean) / scale, -MAX_DEVIATION, MAX_DEVIATION)
    sign = np.where(right, 1.0, -1.0)

    def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (z @ p[1:] + p[0])
        slope = -sign * weight / (1 + np.exp(margin))
        value = float(weight @ np.logaddexp(0, -margin) + L2 * p[1:] @ p[1:])
        return value, np.concatenate([[slope.sum()], z.T @ slope + 2 * L2 * p[1:]])

    p = minimize(loss, np.zeros(len(FEATURES) + 1), jac=True, method="L-BFGS-B").x
    return {
        "intercept": round(float(p[0]), 6),
        "coefficient": {name: round(float(v), 6) for name, v in zip(FEATURES, p[1:], strict=True)},
        "mean": {name: round(float(v), 6) for name, v in zip(FEATURES, mean, strict=True)},
        "scale": {name: round(float(v), 6) for name, v in zip(FEATURES, scale, strict=True)},
    }


def fit_observations(observations: Sequence[Observation]) -> dict:
    """`fit` over those observations that have features."""
    usable = [o for o in observations if o.features is not None]
    x = np.array([[o.features[name] for name in FEATURES] for o in usable if o.features is not None])
    right = np.array([o.kind == "correct" for o in usable])
    return fit(x, right, balance([o.kind for o in usable]))


def write_observations(observations: Iterable[Observation], path: Path) -> None:
    """One JSON object per line."""
    with path.open("w", encoding="utf-8") as file:
        for o in observations:
            file.write(json.dumps(asdict(o)) + "\n")


def read_observations(path: Path) -> list[Observation]:
    """What `write_observations` wrote."""
    return [Observation(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """Reads DATA (or observations made before), fits both modes, writes the weights with what they come from."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("data", type=Path, help="folder with speech/ and noise/")
    parser.add_argument("--observations", type=Path, help="keep the aligned features here, or take them from here")
    chosen = parser.parse_args()
    utterances = gather_utterances(chosen.data)
    if chosen.observations is None or not chosen.observations.is_file():
        observations = list(observe(utterances, gather_noises(chosen.data)))
        if chosen.observations is not None:
            write_observations(observations, chosen.observations)
    else:
        observations = read_observations(chosen.observations)
    document = {
        "what": "logistic regression of alignment features on whether a transcript is right; half of them are",
        "made_by": "python -m auricle.curators.training.train_transcript DATA",
        "accuracy": "docs/transcript_trust.md, by benchmarks/transcript.py with speakers held out",
        "utterances": len(utterances),
        "speakers": len({u.speaker for u in utterances}),
        "utterances_digest": digest(*sorted(u.path.name for u in utterances)),
        "acoustic_model": acoustic_model_sha256(),
        "corruptions": list(CORRUPTIONS),
        "conditions": sorted({o.condition for o in observations}),
        "modes": {mode: fit_observations([o for o in observations if o.mode == mode]) for mode in MODES},
    }
    WEIGHTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(utterances)} utterances, {len(observations)} observations -> {WEIGHTS.name}\n")


if __name__ == "__main__":
    main()

"""Whether a trust says how sure it is, in voices that it was not fitted on.

    python benchmarks/trust_uncertainty.py OBSERVATIONS

OBSERVATIONS is what `benchmarks/transcript.py --observations` keeps. A trust is a probability, and one text is right or
wrong: no single clip can show that 0.8 was 0.8. What can be seen is whether a voice has the share of right texts that
its trusts say, within chance. Trusts are of a regression that saw nothing of the voice. Of every clip and condition one
text is drawn, its own or a wrong one with even odds; 40 draws.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from transcript import group, out_of_fold

from auricle.curators.training.train_transcript import MODES, Observation, read_observations

DRAWS, CHANCES, LEAST_TEXTS = 40, 400, 6
Texts = dict[tuple[str, str], dict[tuple[str, str], dict[str, float]]]


def by_voice(observations: list[Observation], scores: np.ndarray) -> Texts:
    """(speech, speaker) -> (file, condition) -> kind of text -> trust."""
    found: Texts = {}
    for o, score in zip(observations, scores, strict=True):
        clips = found.setdefault((group(o), o.speaker), {})
        clips.setdefault((o.file, o.condition), {})[o.kind] = float(score)
    return found


def judged(voice: dict[tuple[str, str], dict[str, float]], rng: np.random.Generator) -> tuple[bool, float]:
    """Whether the share of right texts is inside the 90 % interval of the trusts, and how many deviations it is off."""
    right = rng.random(len(voice)) < 0.5
    trust = np.array(
        [
            kinds["correct" if own else str(rng.choice([k for k in kinds if k != "correct"]))]
            for own, kinds in zip(right, voice.values(), strict=True)
        ]
    )
    low, high = np.quantile((rng.random((CHANCES, trust.size)) < trust).mean(axis=1), [0.05, 0.95])
    off = (right - trust).sum() / np.sqrt((trust * (1 - trust)).sum() + 0.02)
    return bool(low <= right.mean() <= high), float(off)


def main() -> None:
    """Prints coverage over voices, by kind of speech and by mode."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("observations", type=Path)
    observations = read_observations(parser.parse_args().observations)
    for mode in MODES:
        own = [o for o in observations if o.mode == mode]
        voices = {k: v for k, v in by_voice(own, out_of_fold(own)).items() if len(v) >= LEAST_TEXTS}
        rng = np.random.default_rng(0)
        rows = {voice: np.array([judged(clips, rng) for _ in range(DRAWS)]) for voice, clips in voices.items()}
        for part in ("read", "learners"):
            mine = {speaker: r for (p, speaker), r in rows.items() if p == part}
            if not mine:
                continue
            inside = {speaker: float(r[:, 0].mean()) for speaker, r in mine.items()}
            worst = min(inside, key=lambda s: inside[s])
            off = np.concatenate([r[:, 1] for r in mine.values()])
            shares = np.array(list(inside.values()))
            most = float(np.mean(shares >= 0.85))
            print(
                f"{mode}, {part}: the 90 % interval covers {shares.mean():.3f} of {len(mine)} voices with "
                f"{LEAST_TEXTS} texts and more; at least 0.85 of the draws for {most:.2f} of them, the worst ({worst}) "
                f"{inside[worst]:.2f}; variance of the deviations {off.var():.2f}"
            )


if __name__ == "__main__":
    main()

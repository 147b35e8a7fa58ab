"""How well the share of wrong texts is estimated from trusts, and what a bound that follows it decides.

    python benchmarks/wrong_texts.py DATA [--observations FILE]

The trusts are of `benchmarks/transcript.py`: development recordings, each text judged by a regression that has seen
none of its speaker. Shares are planted: of every clip its own text or a wrong one of a random kind. 40 draws of each.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from transcript import group, observed, out_of_fold

from auricle.curators.training.train_transcript import Observation, gather_noises, gather_utterances
from auricle.pipelines.policy.wrong_texts import BINS, FEW_CLIPS, MOST_LOGIT, estimate, stepped
from auricle.schemas.condition import Condition

PLANTED = (0.0, 0.05, 0.25, 0.5, 1.0)
DRAWS = 40
KINDS = {"all kinds": None, "unrelated or foreign": ("unrelated", "neighbour", "foreign")}


def counts(trust: np.ndarray) -> np.ndarray:
    """Clips by the log odds of their trust, as a run counts them."""
    edge = 1 / (1 + np.exp(MOST_LOGIT - 1e-9))
    bounded = np.clip(trust, edge, 1 - edge)
    return np.histogram(np.log(bounded / (1 - bounded)), BINS, (-MOST_LOGIT, MOST_LOGIT))[0]


def drawn(
    clips: dict[tuple[str, str], dict[str, float]], share: float, kinds: tuple[str, ...] | None, rng
) -> tuple[np.ndarray, np.ndarray]:
    """Trust `[N]` of one text of every clip, and whether it is wrong."""
    names = list(clips)
    wrong = np.zeros(len(names), dtype=bool)
    wrong[rng.permutation(len(names))[: round(share * len(names))]] = True
    trust = []
    for name, is_wrong in zip(names, wrong, strict=True):
        able = [kind for kind in clips[name] if kind != "correct" and (kinds is None or kind in kinds)]
        trust.append(clips[name][str(rng.choice(able)) if is_wrong else "correct"])
    return np.array(trust), wrong


def errors(trust: np.ndarray, wrong: np.ndarray, share: float) -> float:
    """Share of texts on the wrong side of a bound of 0.5 for this share."""
    bound = Condition(score="transcript_trust", min=0.5).for_share(share).min
    return float(np.mean((trust >= bound) == wrong))


def table(observations: list[Observation], scores: np.ndarray) -> None:
    """One row per kind of speech and planted share."""
    heads = ("speech", "wrong texts", "clips", "planted", "estimated, mean of draws", "its 95 % interval covers it")
    heads = (*heads, "errors, trust taken as it stands", "errors, for the estimated share")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for part in ("read", "learners"):
        clips: dict[tuple[str, str], dict[str, float]] = {}
        for o, score in zip(observations, scores, strict=True):
            if group(o) == part:
                clips.setdefault((o.file, o.condition), {})[o.kind] = float(score)
        for said, kinds in KINDS.items():
            for planted in PLANTED:
                rng = np.random.default_rng(0)
                rows = []
                for _ in range(DRAWS):
                    trust, wrong = drawn(clips, planted, kinds, rng)
                    found, true = estimate(counts(trust), 0.5, FEW_CLIPS), float(wrong.mean())
                    covered = found.low - 1e-9 <= true <= found.high + 1e-9
                    bound = stepped(found.mean)
                    rows.append((found.mean, covered, errors(trust, wrong, 0.5), errors(trust, wrong, bound)))
                mean, covered, plain, corrected = np.mean(rows, axis=0)
                print(
                    f"| {part} | {said} | {len(clips)} | {100 * planted:.0f} % | {100 * mean:.1f} % | {covered:.2f} | "
                    f"{100 * plain:.1f} % | {100 * corrected:.1f} % |"
                )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--observations", type=Path)
    a = parser.parse_args()
    found = observed(gather_utterances(a.data), gather_noises(a.data), a.observations)
    own = [o for o in found if o.mode == "full"]
    table(own, out_of_fold(own))


if __name__ == "__main__":
    main()

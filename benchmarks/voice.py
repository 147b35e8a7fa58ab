"""How well voices are told apart and grouped, and two people at once are noticed, on speakers that were not trained on.

    python benchmarks/voice.py DATA [--choose]

DATA is a folder with speech/<corpus>/transcripts.tsv and noise/. Speakers are split by `curators.mixtures.alternate`:
models are fitted on the training half, and the tables of docs/voices.md are of the held-out half, speakers with five
clips or more. `--choose` prints what the constants of `curators.voices` were chosen by: the training half only.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from curator_stats import figure

from auricle.curators.training.mixtures import alternate
from auricle.curators.training.train_transcript import gather_noises
from auricle.curators.training.train_voice import Heard, fit, fit_overlap, gather, overlap_cases
from auricle.curators.voices import voices
from auricle.curators.voices.overlap import FEATURES
from auricle.curators.voices.voice import MIN_HALF_FRAMES, VoiceCurator
from auricle.curators.voices.voice_embedding import Weights, embed
from auricle.curators.voices.voices import group_voices
from auricle.schemas.clip import Clip

MIN_CLIPS, RESAMPLES, DRAWS = 5, 500, 100
LEASTS, CHANCES = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6), (0.05, 0.1, 0.2, 0.5)
THRESHOLDS = np.round(np.arange(0.4, 0.85, 0.05), 2)
Scored = list[tuple[np.ndarray, str, str]]
"""Voice, speaker, corpus."""
Case = tuple[Heard, bool, str, np.ndarray]


def auc(right: np.ndarray, wrong: np.ndarray) -> float:
    """Probability that a right pair scores higher than a wrong one, ties half."""
    ordered = np.sort(wrong)
    return float(
        (np.searchsorted(ordered, right, "left") + np.searchsorted(ordered, right, "right")).mean() / 2 / len(wrong)
    )


def equal_error(right: np.ndarray, wrong: np.ndarray) -> float:
    """Error rate where as many right pairs are missed as wrong ones accepted."""
    at = np.quantile(np.concatenate([right, wrong]), np.linspace(0, 1, 2001))
    missed, accepted = np.array([(right < t).mean() for t in at]), np.array([(wrong >= t).mean() for t in at])
    best = int(np.abs(missed - accepted).argmin())
    return float((missed[best] + accepted[best]) / 2)


def interval(values: list[float]) -> str:
    """95 % of bootstrap values."""
    return "{:.3f}–{:.3f}".format(*np.quantile(values, (0.025, 0.975)))


def pairs(found: Scored, other: Scored | None = None) -> list[tuple[float, bool, bool, str, str]]:
    """Cosine, same speaker, same corpus, and both speakers, of all pairs."""
    return [
        (float(e @ f), who == whom, where == there, who, whom)
        for i, (e, who, where) in enumerate(found)
        for k, (f, whom, there) in enumerate(other or found)
        if (k > i if other is None else k != i)
    ]


def pair_row(name: str, rows: list[tuple[float, bool, bool, str, str]]) -> None:
    """AUC with an interval over speakers, and the equal error rate."""
    score, same = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    who = sorted({r[3] for r in rows} | {r[4] for r in rows})
    at = {speaker: k for k, speaker in enumerate(who)}
    first, second = np.array([at[r[3]] for r in rows]), np.array([at[r[4]] for r in rows])
    rng, values = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        times = np.bincount(rng.integers(len(who), size=len(who)), minlength=len(who))
        weight = times[first] * np.where(first == second, 1, times[second])
        chosen = np.repeat(np.arange(len(rows)), weight)
        if same[chosen].any() and not same[chosen].all():
            values.append(auc(score[chosen][same[chosen]], score[chosen][~same[chosen]]))
    right, wrong = score[same], score[~same]
    print(
        f"| {name} | {len(right)} / {len(wrong)} | {len(who)} | {auc(right, wrong):.3f} | {interval(values)} "
        f"| {equal_error(right, wrong):.3f} |"
    )


def grouped(found: Scored, same: float | None) -> tuple[float, float, int]:
    """Purity (share of clips in the majority of their group), coverage (share of a speaker's clips in its largest
    group), number of groups."""
    names = group_voices([f"{k:06d}" for k in range(len(found))], np.array([f[0] for f in found]), same)
    who = [f[1] for f in found]
    joint = Counter(zip(names, who, strict=True))
    pure = sum(max(n for (g, _), n in joint.items() if g == group) for group in set(names))
    whole = sum(max(n for (_, s), n in joint.items() if s == speaker) for speaker in set(who))
    return pure / len(found), whole / len(found), len(set(names))


def grouping(found: Scored) -> None:
    """Grouped as shipped, with intervals over draws of three quarters of the speakers, then with fixed thresholds."""
    rng, names, drawn = np.random.default_rng(0), sorted({f[1] for f in found}), []
    for _ in range(DRAWS):
        chosen = set(rng.choice(names, 3 * len(names) // 4, replace=False))
        drawn.append(grouped([f for f in found if f[1] in chosen], None)[:2])
    among = [interval(list(values)) for values in zip(*drawn, strict=True)]
    print(f"\nGrouping of {len(found)} clean clips of {len({f[1] for f in found})} held-out speakers.\n")
    print("| a clip joins a group from | purity | coverage | groups |\n|---|---|---|---|")
    for name, same in [("as shipped", None), *((f"{t:.2f}", float(t)) for t in THRESHOLDS)]:
        purity, coverage, groups = grouped(found, same)
        ends = [f" [{ends}]" for ends in among] if same is None else ["", ""]
        print(f"| {name} | {purity:.3f}{ends[0]} | {coverage:.3f}{ends[1]} | {groups} |")


def fitted(train: list[Heard]) -> Weights:
    """The embedding, from all conditions of the clips."""
    return fit([c for one in train for c in one.cepstra.values()], [one.speaker for one in train for _ in one.cepstra])


def folds(heard: list[Heard], count: int, seeds: int) -> Iterator[list[Heard]]:
    """The clips of each part of the speakers, dealt by chance, for every seed."""
    names = sorted({one.speaker for one in heard})
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(names))
        for part in range(count):
            own = {names[k] for i, k in enumerate(order) if i % count == part}
            yield [one for one in heard if one.speaker in own]


def heard_by_others(heard: list[Heard], own: list[Heard]) -> Scored:
    """Clean voices of `own` by a model of everyone else."""
    who = {one.speaker for one in own}
    w = fitted([one for one in heard if one.speaker not in who])
    return [(embed(one.cepstra["clean"], w), one.speaker, one.corpus) for one in own]


def choose(heard: list[Heard], clips: Counter[str]) -> None:
    """How unlike strangers are (eighths of the speakers left out), and grouping by `LEAST` and `CHANCE` (thirds and
    halves left out)."""
    unlike = []
    for own in folds(heard, 8, 2):
        found = heard_by_others(heard, own)
        for speaker in {who for _, who, _ in found}:
            middle = np.sum([e for e, who, _ in found if who == speaker], axis=0)
            unlike += [float(e @ middle) / float(np.linalg.norm(middle)) for e, who, _ in found if who != speaker]
    print(f"unlike: mean {np.mean(unlike):.3f}, spread {np.std(unlike):.3f} of {len(unlike)} clips and strangers")
    print("\n| left out | `LEAST` | " + " | ".join(f"chance {c}" for c in CHANCES) + " |")
    print("|---|---|" + "---|" * len(CHANCES))
    shipped = voices.LEAST, voices.CHANCE
    for count in (3, 2):
        parts = [
            heard_by_others(heard, [one for one in own if clips[one.speaker] >= MIN_CLIPS])
            for own in folds(heard, count, 6)
        ]
        for least in LEASTS:
            cells = []
            for chance in CHANCES:
                voices.LEAST, voices.CHANCE = least, chance
                rows = [grouped(part, None) for part in parts]
                sizes = [len(part) for part in parts]
                purity, coverage = (float(np.average([r[k] for r in rows], weights=sizes)) for k in (0, 1))
                cells.append(f"{2 * purity * coverage / (purity + coverage):.3f}")
            print(f"| 1 of {count} | {least} | {' | '.join(cells)} |")
    voices.LEAST, voices.CHANCE = shipped


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description="How well voices are told apart.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--choose", action="store_true", help="on training speakers, by what constants are chosen")
    chosen = parser.parse_args()
    heard = gather(chosen.data)
    clips = Counter(one.speaker for one in heard)
    trained = set(alternate(list(clips), False))
    train = [one for one in heard if one.speaker in trained]
    if chosen.choose:
        choose(train, clips)
        return
    test = [one for one in heard if one.speaker not in trained and clips[one.speaker] >= MIN_CLIPS]
    w = fitted(train)
    found: dict[str, Scored] = {}
    for one in test:
        for name, cepstra in one.cepstra.items():
            found.setdefault(name, []).append((embed(cepstra, w), one.speaker, one.corpus))
    print(f"fitted on {len(train)} clips of {len(trained)} speakers\n")
    print("| pairs of clips, unseen speakers | same / different | speakers | AUC | 95 % | equal error rate |")
    print("|---|---|---|---|---|---|")
    for name, scored in found.items():
        pair_row(f"both {name}", pairs(scored))
        pair_row(f"both {name}, within one corpus", [p for p in pairs(scored) if p[2]])
    for name in list(found)[1:]:
        pair_row(f"clean and {name}", pairs(found["clean"], found[name]))
    grouping(found["clean"])
    halves = changes(test, w)
    score, right = np.array([h[0] for h in halves]), np.array([h[1] for h in halves])
    print(
        f"\n`same_voice`: {right.sum()} clips of one speaker, {(~right).sum()} of two in turn: AUC "
        f"{auc(score[right], score[~right]):.3f}, equal error rate {equal_error(score[right], score[~right]):.3f}"
    )
    noises = gather_noises(chosen.data)
    overlapping(overlap_cases(train, noises), overlap_cases(test, noises))
    audio = [Clip(str(k), one.waveform, 16000) for k, one in enumerate(heard[:100])]
    VoiceCurator().score(audio[:2])
    for clip in audio:
        clip.memo = {key: value for key, value in clip.memo.items() if key == "speech_probabilities"}
    start = time.process_time()
    VoiceCurator().score(audio)
    spent = time.process_time() - start
    print(f"\n{sum(c.duration_s for c in audio) / spent:.0f} times real time on one core, voice activity not included")


def overlapping(train: list[Case], test: list[Case]) -> None:
    """The regression fitted on the first cases, tried on the second."""
    v = fit_overlap(np.array([f for *_, f in train]), np.array([mixed for _, mixed, _, _ in train]))
    z = ((np.array([f for *_, f in test]) - v["overlap.mean"]) / v["overlap.scale"]).clip(-4, 4)
    logits = z @ v["overlap.coefficient"] + v["overlap.intercept"][0]
    mixed = np.array([is_mixed for _, is_mixed, _, _ in test])
    conditions = np.array([condition for _, _, condition, _ in test])
    print(f"\n| `overlap`, {FEATURES} features | alone / two at once | AUC | 95 % | right at 0.5 |")
    print("|---|---|---|---|---|")
    for name in dict.fromkeys(conditions):
        own = conditions == name
        speakers = [case[0].speaker for case, chosen in zip(test, own, strict=True) if chosen]
        line = figure(lambda r: auc(r[r[:, 1] > 0, 0], r[r[:, 1] == 0, 0]), np.c_[logits[own], mixed[own]], speakers)
        print(
            f"| {name} | {(~mixed[own]).sum()} / {mixed[own].sum()} | {line.value:.3f} | "
            f"{line.low:.3f}–{line.high:.3f} | {((logits[own] > 0) == mixed[own]).mean():.3f} |"
        )


def changes(test: list[Heard], w: dict[str, np.ndarray]) -> list[tuple[float, bool]]:
    """Cosine of the halves of clips of one speaker, and of clips made of halves of two; whether it is one."""
    usable = [one.cepstra["clean"] for one in test if len(one.cepstra["clean"]) >= 2 * MIN_HALF_FRAMES]
    who = [one.speaker for one in test if len(one.cepstra["clean"]) >= 2 * MIN_HALF_FRAMES]
    rng, out = np.random.default_rng(2), []
    for cepstra, speaker in zip(usable, who, strict=True):
        half = len(cepstra) // 2
        out.append((float(embed(cepstra[:half], w) @ embed(cepstra[half:], w)), True))
        others = [k for k, other in enumerate(who) if other != speaker]
        other = usable[others[int(rng.integers(len(others)))]]
        out.append((float(embed(cepstra[:half], w) @ embed(other[len(other) // 2 :], w)), False))
    return out


if __name__ == "__main__":
    main()

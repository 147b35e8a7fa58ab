"""How well voices are told apart and grouped, and two people at once are noticed, on speakers that were not trained on.

    python benchmarks/voice.py DATA

DATA is a folder with speech/<corpus>/transcripts.tsv and noise/. Speakers with five clips or more are dealt into two
halves; each half is heard by models fitted on everyone else. Prints the tables of docs/voices.md.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np

from auricle.curators.overlap import FEATURES
from auricle.curators.train_transcript import gather_noises
from auricle.curators.train_voice import Heard, fit, fit_overlap, gather, overlap_cases
from auricle.curators.voice import MIN_HALF_FRAMES, VoiceCurator
from auricle.curators.voice_embedding import embed
from auricle.curators.voices import group_voices
from auricle.schemas.clip import Clip

FOLDS, MIN_CLIPS, RESAMPLES = 2, 5, 200
THRESHOLDS = np.round(np.arange(0.4, 0.85, 0.05), 2)
Scored = list[tuple[np.ndarray, str, str, str, int]]
"""Voice, speaker, corpus, condition, part of the speakers."""


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
    """Cosine, same speaker, same corpus, and both speakers, of pairs within one part."""
    out = []
    for i, (e, who, where, _, part) in enumerate(found):
        for k, (f, whom, there, _, section) in enumerate(other or found):
            if part == section and ((other is None and k > i) or (other is not None and k != i)):
                out.append((float(e @ f), who == whom, where == there, who, whom))
    return out


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
    """Each half grouped as shipped, then with fixed thresholds."""
    parts = [[f for f in found if f[4] == part] for part in range(FOLDS)]
    sizes = [len(part) for part in parts]
    said = ", ".join(f"{len({f[1] for f in part})} in {len(part)} clips" for part in parts)
    print(f"\nGrouping of clean clips, each half by itself; speakers: {said}.\n")
    print("| a clip joins a group from | purity | coverage | groups |\n|---|---|---|---|")
    for name, same in [("as shipped", None), *((f"{t:.2f}", float(t)) for t in THRESHOLDS)]:
        rows = [grouped(part, same) for part in parts]
        mean = [np.average([row[k] for row in rows], weights=sizes) for k in (0, 1)]
        print(f"| {name} | {mean[0]:.3f} | {mean[1]:.3f} | {' and '.join(str(row[2]) for row in rows)} |")


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description="How well voices are told apart.")
    parser.add_argument("data", type=Path)
    chosen = parser.parse_args()
    heard = gather(chosen.data)
    clips = Counter(one.speaker for one in heard)
    tested = sorted(s for s, n in clips.items() if n >= MIN_CLIPS)
    dealt = {tested[k]: i % FOLDS for i, k in enumerate(np.random.default_rng(1).permutation(len(tested)))}
    cases = overlap_cases([one for one in heard if one.speaker in dealt], gather_noises(chosen.data))
    found: dict[str, Scored] = {}
    halves: list[tuple[float, bool]] = []
    judged: list[tuple[float, bool, str]] = []
    for part in range(FOLDS):
        train = [one for one in heard if dealt.get(one.speaker) != part]
        test = [one for one in heard if dealt.get(one.speaker) == part]
        w = fit([c for one in train for c in one.cepstra.values()], [one.speaker for one in train for _ in one.cepstra])
        for one in test:
            for name, cepstra in one.cepstra.items():
                voice = embed(cepstra, w)
                found.setdefault(name, []).append((voice, one.speaker, one.corpus, name, part))
        halves += changes(test, w)
        features = np.array([f for *_, f in cases])
        mixed = np.array([is_mixed for _, is_mixed, _, _ in cases])
        own = np.array([dealt[one.speaker] == part for one, *_ in cases])
        v = fit_overlap(features[~own], mixed[~own])
        z = ((features[own] - v["overlap.mean"]) / v["overlap.scale"]).clip(-4, 4)
        logits = z @ v["overlap.coefficient"] + v["overlap.intercept"][0]
        judged += [
            (float(s), bool(m), name)
            for s, m, name in zip(logits, mixed[own], [c[2] for c, o in zip(cases, own, strict=True) if o], strict=True)
        ]
    print("| pairs of clips, unseen speakers | same / different | speakers | AUC | 95 % | equal error rate |")
    print("|---|---|---|---|---|---|")
    for name, scored in found.items():
        pair_row(f"both {name}", pairs(scored))
        pair_row(f"both {name}, within one corpus", [p for p in pairs(scored) if p[2]])
    for name in list(found)[1:]:
        pair_row(f"clean and {name}", pairs(found["clean"], found[name]))
    grouping(found["clean"])
    score, right = np.array([h[0] for h in halves]), np.array([h[1] for h in halves])
    print(
        f"\n`same_voice`: {right.sum()} clips of one speaker, {(~right).sum()} of two in turn: AUC "
        f"{auc(score[right], score[~right]):.3f}, equal error rate {equal_error(score[right], score[~right]):.3f}"
    )
    print(f"\n| `overlap`, {FEATURES} features | alone / two at once | AUC | right at 0.5 |\n|---|---|---|---|")
    for name in found:
        own = [(s, m) for s, m, condition in judged if condition == name]
        s, m = np.array([o[0] for o in own]), np.array([o[1] for o in own])
        print(f"| {name} | {(~m).sum()} / {m.sum()} | {auc(s[m], s[~m]):.3f} | {((s > 0) == m).mean():.3f} |")
    audio = [Clip(str(k), one.waveform, 16000) for k, one in enumerate(heard[:100])]
    VoiceCurator().score(audio[:2])
    for clip in audio:
        clip.memo = {key: value for key, value in clip.memo.items() if key == "speech_probabilities"}
    start = time.process_time()
    VoiceCurator().score(audio)
    spent = time.process_time() - start
    print(f"\n{sum(c.duration_s for c in audio) / spent:.0f} times real time on one core, voice activity included")


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

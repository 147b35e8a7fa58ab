"""Corpora of codes for `curriculum.py`: planted ones whose answer is known, and the codes of a dataset."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from auricle.diagnostics.difficulty import difficulty, quantiles, strata
from auricle.diagnostics.known.sources import SparseMarkov
from auricle.diagnostics.summary import diagnose_codes
from auricle.loaders.reading.version import open_version

CARDINALITY, FRAME_RATE = 16, 50.0


@dataclass(frozen=True)
class Corpus:
    """Clips with what the arms go by. Arrays are `[N]`."""

    name: str
    clips: list[np.ndarray]
    """Each `[K, T]`."""
    speaker: np.ndarray
    good: np.ndarray
    """Bool: in the best quality tier."""
    standing: np.ndarray
    """Quantile of the difficulty within strata, by hours; NaN where it has none."""
    held_out: np.ndarray
    """Bool: of a speaker that no arm trains on."""
    targets: dict[str, np.ndarray]
    """What held-out clips count, by name: bool."""
    frame_rate: float
    entries: int

    @property
    def train(self) -> np.ndarray:
        """Rows to train on."""
        return np.flatnonzero(~self.held_out)


def planted(kind: str, seed: int = 0, speakers: int = 60, per_speaker: int = 20) -> Corpus:
    """Clips of one Markov source of order 2 with 16 symbols, of 1 to 5 s. A clip's share of symbols that are replaced
    at random is its planted difficulty.

    noise: two fifths of the training clips are nothing but random symbols; the tier is a score with errors.
    difficulty: shares from 0 to 0.6, in training and held out alike; the tier is the easier half, with errors.
    null: one share for all clips, and tier and difficulty drawn at random: no order can be better than another.
    """
    rng = np.random.default_rng(seed)
    source = SparseMarkov.random(CARDINALITY, 2, 3, seed)
    speaker = np.repeat(np.arange(speakers), per_speaker)
    n = speaker.size
    lengths = rng.integers(50, 251, n)
    clean = source.sample(n, 250, seed + 1)
    held_out = speaker >= speakers * 2 // 3
    share = np.full(n, 0.15)
    if kind == "noise":
        share = np.where((rng.random(n) < 0.4) & ~held_out, 1.0, 0.05)
    elif kind == "difficulty":
        share = rng.uniform(0, 0.6, n)
    clips = []
    for i in range(n):
        symbols = clean[i, : lengths[i]].copy()
        hit = rng.random(lengths[i]) < share[i]
        symbols[hit] = rng.integers(0, CARDINALITY, int(hit.sum()))
        clips.append(symbols[None])
    # a curator errs: one clip in some twenty is on the wrong side
    score = share + rng.normal(0, 0.15, n)
    good = score < (0.5 if kind == "noise" else np.median(score))
    hard = rng.random(n) if kind == "null" else None
    if kind == "null":
        good = rng.random(n) < 0.5
    names = np.array([f"s{s}" for s in speaker])
    corpus = Corpus(f"planted {kind}", clips, names, good, np.zeros(n), held_out, {"all": np.ones(n, bool)},
                    FRAME_RATE, CARDINALITY)  # fmt: skip
    return ranked(corpus, hard)


def of_dataset(dataset: str, representation: str, tier: str, codebooks: int) -> Corpus:
    """The first codebooks of a version's codes; a third of the speakers is held out, every third by name."""
    version = open_version(dataset)
    spec = version.representation(representation)
    samples = list(version.samples(spec.name))
    rows = version.clips(["clip", "speaker", "recording", "tier"]).to_pylist()
    facts = {row["clip"]: row for row in rows}
    speaker = np.array([facts[s.key]["speaker"] or facts[s.key]["recording"] for s in samples])
    good = np.array([facts[s.key]["tier"] == tier for s in samples])
    known = np.unique(speaker)
    held_out = np.isin(speaker, known[1::3])
    clips = [s.array[:codebooks].astype(np.int64) for s in samples]
    assert spec.cardinality is not None
    targets = {"all": np.ones(len(clips), bool), tier: good}
    return ranked(Corpus("speech", clips, speaker, good, np.zeros(len(clips)), held_out, targets,
                         spec.frame_rate, spec.cardinality))  # fmt: skip


def spoilt(corpus: Corpus, share: float = 0.4, seed: int = 0) -> Corpus:
    """The corpus with the frames of some training clips in random order, and a tier that knows which, with errors.

    What is held out counts as it was: a known answer on real codes."""
    rng = np.random.default_rng(seed)
    hit = (rng.random(len(corpus.clips)) < share) & ~corpus.held_out
    clips = [c[:, rng.permutation(c.shape[1])] if h else c for c, h in zip(corpus.clips, hit, strict=True)]
    good = (hit + rng.normal(0, 0.3, hit.size)) < 0.5
    return ranked(replace(corpus, name=f"{corpus.name}, {share:.0%} shuffled", clips=clips, good=good))


def ranked(corpus: Corpus, hard: np.ndarray | None = None) -> Corpus:
    """With the standing of each clip: by cross-fitted difficulty as `auricle diagnose` has it, or by given numbers."""
    seconds = np.array([clip.shape[1] for clip in corpus.clips]) / corpus.frame_rate
    if hard is None:
        keys = [f"{i:06d}" for i in range(len(corpus.clips))]
        samples = list(zip(keys, corpus.speaker.tolist(), corpus.clips, strict=True))
        found = diagnose_codes(samples, corpus.frame_rate, corpus.entries, group_kind="speaker")
        costs = found.clips
        made = difficulty(costs.hard_bits, found.seconds, found.groups, costs.split_half, costs.split_half_seconds)
        value = dict(zip(found.clip_keys, made.shrunk.tolist(), strict=True))
        hard = np.array([value.get(key, np.nan) for key in keys])
    return replace(corpus, standing=quantiles(hard, seconds, strata(seconds)))

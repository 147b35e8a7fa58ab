"""Clips with transcripts that are right, and the same clips with transcripts that are wrong in known ways."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOREIGN = (
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren sie sind mit Vernunft und Gewissen begabt",
    "Tous les êtres humains naissent libres et égaux en dignité et en droits ils sont doués de raison",
    "Todos los seres humanos nacen libres e iguales en dignidad y derechos y dotados como están de razón",
    "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti essi sono dotati di ragione",
    "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren zij zijn begiftigd met verstand",
    "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw są oni obdarzeni rozumem",
    "Alla människor är födda fria och lika i värde och rättigheter de är utrustade med förnuft och samvete",
    "Todos os seres humanos nascem livres e iguais em dignidade e em direitos dotados de razão e de consciência",
    "Все люди рождаются свободными и равными в своем достоинстве и правах они наделены разумом и совестью",
)
"""Article 1 of the Universal Declaration of Human Rights, in languages that English is not mistaken for."""

CORRUPTIONS = ("unrelated", "neighbour", "sub10", "sub25", "sub50", "truncated", "appended", "foreign")


@dataclass(frozen=True, slots=True)
class Utterance:
    """One recording with what is truly said in it."""

    path: Path
    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """One utterance with one transcript."""

    utterance: Utterance
    kind: str
    """"correct" or one of `CORRUPTIONS`."""
    text: str


def read_utterances(folder: Path) -> list[Utterance]:
    """The English utterances of `folder/transcripts.tsv` (file, speaker, language, transcript) that have a text."""
    with (folder / "transcripts.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Utterance(folder / row["file"], row["speaker"], row["transcript"])
        for row in rows
        if row["language"] == "en" and row["transcript"]
    ]


def substituted(words: Sequence[str], share: float, vocabulary: Sequence[str], rng: np.random.Generator) -> list[str]:
    """`words` with `share` of them, at least one, replaced by others from `vocabulary`."""
    result = list(words)
    count = max(1, round(share * len(words)))
    for i in rng.choice(len(words), size=min(count, len(words)), replace=False):
        while (word := str(rng.choice(vocabulary))) == result[i]:
            pass
        result[i] = word
    return result


def nearest_in_length(text: str, others: Sequence[str], rng: np.random.Generator) -> str | None:
    """One of the five of `others` whose number of words is nearest to that of `text`; None without others."""
    length = len(text.split())
    ranked = sorted((t for t in others if t != text), key=lambda t: (abs(len(t.split()) - length), t))[:5]
    return str(rng.choice(ranked)) if ranked else None


def cases(utterances: Sequence[Utterance], seed: int = 0) -> Iterator[Case]:
    """Every utterance with its own text, then with each corruption that can be made of it.

    Wrong words come from the same set of utterances, so that style and vocabulary do not give them away.
    """
    texts = {u.speaker: [] for u in utterances}
    for u in utterances:
        texts[u.speaker].append(u.text.lower())
    vocabulary = sorted({w for spoken in texts.values() for text in spoken for w in text.split()})
    for number, u in enumerate(utterances):
        rng = np.random.default_rng([seed, number])
        text = u.text.lower()
        words = text.split()
        strangers = [t for speaker, spoken in sorted(texts.items()) if speaker != u.speaker for t in spoken]
        foreign = str(rng.choice(FOREIGN)).split()
        wrong = {
            "unrelated": nearest_in_length(text, strangers, rng),
            "neighbour": nearest_in_length(text, texts[u.speaker], rng),
            "sub10": " ".join(substituted(words, 0.10, vocabulary, rng)),
            "sub25": " ".join(substituted(words, 0.25, vocabulary, rng)),
            "sub50": " ".join(substituted(words, 0.50, vocabulary, rng)),
            "truncated": " ".join(words[: len(words) // 2]) if len(words) >= 4 else None,
            "appended": " ".join([*words, *(str(w) for w in rng.choice(vocabulary, 5))]),
            "foreign": " ".join((foreign * 4)[: max(2, round(len(words) * 0.9))]),
        }
        yield Case(u, "correct", u.text)
        for kind in CORRUPTIONS:
            if (made := wrong[kind]) is not None and made != text:
                yield Case(u, kind, made)


def at_snr(speech: np.ndarray, noise: np.ndarray, snr_db: float, rng: np.random.Generator) -> np.ndarray:
    """`speech` with `noise`, looped from a random start, at `snr_db` of mean powers over the whole clip.

    speech: `[T]`, noise: `[N]`, both float32 at one rate. The result is scaled down where it would clip.
    """
    start = int(rng.integers(len(noise)))
    index = (start + np.arange(len(speech))) % len(noise)
    loop = noise[index] - noise[index].mean()
    power = float(np.mean(speech**2)) / max(float(np.mean(loop**2)), 1e-12)
    mixed = speech + loop * np.sqrt(power / 10 ** (snr_db / 10))
    return (mixed / max(1.0, float(np.abs(mixed).max()))).astype(np.float32)

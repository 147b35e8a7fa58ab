"""How English words are said: the CMU dictionary, and letter-to-sound rules learned from it for what it lacks."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from ..models import package_file

RULES = Path(__file__).parents[1] / "weights" / "pronunciation.txt"
CONTEXTS = ((0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3))
"""Letters to the left and to the right that a rule looks at, from the narrowest rule to the widest."""
MAX_LETTERS = 40
FOLD = str.maketrans({"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "đ": "d", "ł": "l", "ı": "i", "þ": "th", "ð": "th"})


@cache
def dictionary() -> dict[str, list[str]]:
    """Word -> its pronunciations, phones of the ARPAbet without stress, separated by spaces."""
    path = package_file("pocketsphinx", "model", "en-us", "cmudict-en-us.dict")
    said: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, _, phones = line.partition(" ")
        said.setdefault(word.partition("(")[0], []).append(phones.strip())
    return said


@cache
def rules() -> dict[str, str]:
    """The letter-to-sound rules: key of `context` -> phones."""
    lines = RULES.read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t") for line in lines)


def context(padded: str, at: int, width: int) -> str:
    """Key of the rule of one width for the letter at `at`; `padded` has three # at both ends."""
    left, right = CONTEXTS[width]
    return f"{width}{padded[at - left : at + right + 1]}"


def best_rule(table: Mapping[str, str], padded: str, at: int, width: int = len(CONTEXTS) - 1) -> str:
    """What the widest rule up to `width` says of the letter at `at`; "" when there is none."""
    for narrower in range(width, -1, -1):
        sound = table.get(context(padded, at, narrower))
        if sound is not None:
            return sound
    return ""


@lru_cache(maxsize=1 << 16)
def by_rule(word: str) -> str:
    """What the rules say of a word of Latin letters, accents dropped; "" for other scripts."""
    folded = unicodedata.normalize("NFKD", word.translate(FOLD))
    plain = "".join(c for c in folded if "a" <= c <= "z" or c == "'")
    if not plain or len(plain) < sum(c.isalpha() for c in folded) or len(plain) > MAX_LETTERS:
        return ""
    padded = f"###{plain}###"
    return " ".join(filter(None, (best_rule(rules(), padded, i + 3) for i in range(len(plain)))))


def known(word: str) -> bool:
    """Whether the dictionary has `word`, or its stem before a possessive."""
    return bool(listed(word))


def listed(word: str) -> list[str]:
    """The dictionary's pronunciations of `word`, of its stem with an s for a possessive; [] when it has none."""
    said = dictionary()
    if word in said:
        return said[word]
    stem = word.removesuffix("'s").removesuffix("'")
    if stem in said:
        return [f"{p} {possessive(p)}" if word.endswith("'s") else p for p in said[stem]]
    return []


def possessive(phones: str) -> str:
    """The sound of a possessive s after `phones`."""
    last = phones.rsplit(" ", 1)[-1]
    if last in ("S", "Z", "SH", "ZH", "CH", "JH"):
        return "IH Z"
    return "S" if last in ("P", "T", "K", "F", "TH") else "Z"


def pronunciations(word: str) -> list[list[str]]:
    """How `word` may be said, each a list of phones; [] when nobody knows."""
    said = listed(word)
    if not said and (guess := by_rule(word)):
        said = [guess]
    return [phones.split() for phones in dict.fromkeys(said)]

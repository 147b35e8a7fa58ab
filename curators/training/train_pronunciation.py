"""Learns letter-to-sound rules from the CMU dictionary: `python -m auricle.curators.training.train_pronunciation`.

Letters are aligned to phones (none, one or two each) by hard EM; a rule says what a letter sounds like between its
neighbours, and is kept only where it corrects what a rule of narrower context would say (Daelemans and van den Bosch,
"Language-independent data-oriented grapheme-to-phoneme conversion", 1996).
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from ..words.edit_distance import edit_distance
from ..words.pronunciation import CONTEXTS, RULES, best_rule, context, dictionary

ITERATIONS = 4
MIN_CORRECTED = 3
"""Words that a rule must correct: fewer are names, not rules."""
HELD_OUT = 50
"""One word in this many is left out to measure with; the shipped rules are made from the rest all the same."""
Chunk = tuple[str, ...]


def aligned(word: str, phones: Sequence[str], cost: dict[tuple[str, Chunk], float]) -> list[Chunk] | None:
    """The phones of each letter on the cheapest path; None where two phones per letter do not suffice."""
    n, m = len(word), len(phones)
    best = np.full((n + 1, m + 1), np.inf)
    best[0, 0] = 0.0
    taken = np.zeros((n + 1, m + 1), dtype=int)
    for i in range(n):
        for j in range(max(0, m - 2 * (n - i)), min(m, 2 * i) + 1):
            if best[i, j] == np.inf:
                continue
            for k in range(min(2, m - j) + 1):
                total = best[i, j] + cost.get((word[i], tuple(phones[j : j + k])), 12.0 + 2 * k)
                if total < best[i + 1, j + k]:
                    best[i + 1, j + k] = total
                    taken[i + 1, j + k] = k
    if best[n, m] == np.inf:
        return None
    chunks: list[Chunk] = []
    j = m
    for i in range(n, 0, -1):
        k = int(taken[i, j])
        chunks.append(tuple(phones[j - k : j]))
        j -= k
    return chunks[::-1]


def align_all(entries: Sequence[tuple[str, list[str]]]) -> list[tuple[str, list[Chunk]]]:
    """Every word with the phones of each of its letters, after `ITERATIONS` of hard EM."""
    cost: dict[tuple[str, Chunk], float] = {}
    result: list[tuple[str, list[Chunk]]] = []
    # the first costs: how often a letter and a phone stand at about the same place of a word
    start: Counter[tuple[str, Chunk]] = Counter()
    letters: Counter[str] = Counter()
    for word, phones in entries:
        for i, letter in enumerate(word):
            letters[letter] += 1
            start[letter, (phones[min(i * len(phones) // len(word), len(phones) - 1)],)] += 1
    cost = {pair: -float(np.log(count / letters[pair[0]])) for pair, count in start.items()}
    cost |= {(letter, ()): 2.5 for letter in letters}
    for _ in range(ITERATIONS):
        pairs: Counter[tuple[str, Chunk]] = Counter()
        result = [(word, chunks) for word, phones in entries if (chunks := aligned(word, phones, cost)) is not None]
        for word, chunks in result:
            pairs.update(zip(word, chunks, strict=True))
        cost = {pair: -float(np.log(count / letters[pair[0]])) for pair, count in pairs.items()}
    return result


def learn(words: Sequence[tuple[str, list[Chunk]]]) -> dict[str, str]:
    """The rules: key of `context` -> phones."""
    rules: dict[str, str] = {}
    for width in range(len(CONTEXTS)):
        seen: dict[str, Counter[str]] = defaultdict(Counter)
        said: dict[str, Counter[str]] = defaultdict(Counter)
        for word, chunks in words:
            padded = f"###{word}###"
            for i, chunk in enumerate(chunks):
                key = context(padded, i + 3, width)
                sound = " ".join(chunk)
                seen[key][sound] += 1
                said[key][best_rule(rules, padded, i + 3, width - 1)] += 1
        for key in sorted(seen):
            sound, count = min(seen[key].items(), key=lambda item: (-item[1], item[0]))
            # all words with this wider context share the narrower one, so they are all told the same so far
            (current,) = said[key]
            if sound != current and (width == 0 or count - seen[key][current] >= MIN_CORRECTED):
                rules[key] = sound
    return rules


def phone_errors(rules: dict[str, str], words: Sequence[str]) -> float:
    """Edit distance to the nearest pronunciation of the dictionary over the phones of its first one."""
    wrong = total = 0
    for word in words:
        padded = f"###{word}###"
        guess = " ".join(best_rule(rules, padded, i + 3) for i in range(len(word))).split()
        options = [phones.split() for phones in dictionary()[word]]
        wrong += min(edit_distance(guess, option) for option in options)
        total += len(options[0])
    return wrong / total


def main() -> None:
    """Learns, measures on words left out, writes `curators/weights/pronunciation.txt`."""
    usable = re.compile(r"[a-z]+(?:'[a-z]+)?")
    entries = [(w, p[0].split()) for w, p in sorted(dictionary().items()) if usable.fullmatch(w) and len(w) > 1]
    train = [entry for k, entry in enumerate(entries) if k % HELD_OUT]
    held_out = [word for k, (word, _) in enumerate(entries) if k % HELD_OUT == 0]
    rules = learn(align_all(train))
    RULES.write_text("".join(f"{key}\t{sound}\n" for key, sound in sorted(rules.items())), encoding="utf-8")
    sys.stdout.write(
        f"{len(train)} words, {len(rules)} rules; {len(held_out)} held out: "
        f"{phone_errors(rules, held_out):.3f} phone errors\n"
    )


if __name__ == "__main__":
    main()

"""Makes the n-gram table of `language`: `python -m auricle.curators.training.train_languages PROFILES`.

PROFILES is the folder of profiles inside the source distribution of langdetect 1.0.9 (Apache-2.0): counts of 1-, 2- and
3-grams of Wikipedia's text, one JSON file per language.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np

from ..words.language import SCRIPT_LANGUAGES, WEIGHTS

KEPT = {1: 80, 2: 300, 3: 700}
"""n-grams of each length that each language adds to the table, its most frequent ones."""
UNSEEN = 2e-6
"""Share of the text that an n-gram is given which a language's profile lacks."""
STEP_NATS = 0.06


def read_profiles(folder: Path) -> dict[str, Counter[str]]:
    """Counts in lower case by language; the profiles of one language in two scripts or regions together."""
    profiles: dict[str, Counter[str]] = {}
    for path in sorted(folder.iterdir()):
        counts = profiles.setdefault(path.name.split("-")[0], Counter())
        for gram, count in json.loads(path.read_text(encoding="utf-8"))["freq"].items():
            counts[gram.lower()] += count
    return profiles


def of_script(gram: str, script: str) -> bool:
    """Whether all letters of the n-gram are the script's; spaces may stand between them."""
    letters = [c for c in gram if c != " "]
    return bool(letters) and all(unicodedata.name(c, "").split()[:1] == [script.upper()] for c in letters)


def code(gram: str) -> int:
    """21 bits per character, the last one lowest."""
    return sum(ord(c) << (21 * k) for k, c in enumerate(reversed(gram)))


def table(profiles: dict[str, Counter[str]]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Codes `[G]` uint64 ascending, surprisals `[G, L]` uint8 in `STEP_NATS`, languages `[L]`."""
    own: dict[str, dict[str, int]] = {}
    kept: set[str] = set()
    for script, names in SCRIPT_LANGUAGES.items():
        for language in names.split() if " " in names else ():
            own[language] = {g: n for g, n in profiles[language].items() if len(g) <= 3 and of_script(g, script)}
            for length, count in KEPT.items():
                grams = [g for g in own[language] if len(g) == length]
                kept |= set(sorted(grams, key=lambda g: (-own[language][g], g))[:count])
    languages, grams = sorted(own), sorted(kept, key=code)
    surprisal = np.empty((len(grams), len(languages)), dtype=np.float32)
    for column, language in enumerate(languages):
        counts = own[language]
        total = {k: sum(n for g, n in counts.items() if len(g) == k) for k in KEPT}
        shares = [counts.get(g, 0) / total[len(g)] + UNSEEN for g in grams]
        surprisal[:, column] = -np.log(np.array(shares))
    codes = np.array([code(g) for g in grams], dtype=np.uint64)
    return codes, np.round(surprisal / STEP_NATS).clip(0, 255).astype(np.uint8), languages


def main(folder: Path) -> None:
    """Writes the table."""
    from safetensors.numpy import save

    codes, surprisal, languages = table(read_profiles(folder))
    metadata = {
        "languages": " ".join(languages),
        "step_nats": str(STEP_NATS),
        "source": "n-gram counts of langdetect 1.0.9 (Apache-2.0), from Wikipedia",
    }
    WEIGHTS.write_bytes(save({"codes": codes, "surprisal": surprisal}, metadata=metadata))
    sys.stdout.write(f"{len(codes)} n-grams, {len(languages)} languages -> {WEIGHTS.name}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

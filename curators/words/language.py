"""Which language a text is written in: the script first, character n-grams among the languages that share it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

WEIGHTS = Path(__file__).parents[1] / "weights" / "languages.safetensors"
MAX_CHARACTERS = 200
"""Of a text that are looked at; more change nothing."""
BOUNDARY = 0x20
SLOT_BITS = 18
NATS_SCALE = 0.35
"""n-grams overlap, so their log likelihoods add up to too much; a posterior over them is tempered by this."""

SCRIPT_LANGUAGES = {
    "latin": "af ca cs cy da de en es et fi fr hr hu id it lt lv nl no pl pt ro sk sl so sq sv sw tl tr vi",
    "cyrillic": "bg mk ru uk",
    "arabic": "ar fa ur",
    "devanagari": "hi mr ne",
    "greek": "el",
    "hebrew": "he",
    "bengali": "bn",
    "gurmukhi": "pa",
    "gujarati": "gu",
    "tamil": "ta",
    "telugu": "te",
    "kannada": "kn",
    "malayalam": "ml",
    "thai": "th",
    "hangul": "ko",
    "kana": "ja",
    "han": "zh",
}
"""Languages that can be told apart, by script. A language written in another script is never detected."""

RANGES = (
    (0x0041, 0x024F, "latin"),
    (0x0370, 0x03FF, "greek"),
    (0x0400, 0x052F, "cyrillic"),
    (0x0590, 0x05FF, "hebrew"),
    (0x0600, 0x077F, "arabic"),
    (0x0900, 0x097F, "devanagari"),
    (0x0980, 0x09FF, "bengali"),
    (0x0A00, 0x0A7F, "gurmukhi"),
    (0x0A80, 0x0AFF, "gujarati"),
    (0x0B80, 0x0BFF, "tamil"),
    (0x0C00, 0x0C7F, "telugu"),
    (0x0C80, 0x0CFF, "kannada"),
    (0x0D00, 0x0D7F, "malayalam"),
    (0x0E00, 0x0E7F, "thai"),
    (0x1100, 0x11FF, "hangul"),
    (0x1E00, 0x1EFF, "latin"),
    (0x3040, 0x30FF, "kana"),
    (0x3400, 0x4DBF, "han"),
    (0x4E00, 0x9FFF, "han"),
    (0xAC00, 0xD7AF, "hangul"),
    (0x20000, 0x2FA1F, "han"),
)
SCRIPTS = tuple(dict.fromkeys(name for _, _, name in RANGES))
SCRIPT_OF_LANGUAGE = {lang: script for script, langs in SCRIPT_LANGUAGES.items() for lang in langs.split()}
DENSE_SCRIPTS, DENSE_WEIGHT = ("han", "kana", "hangul"), 3
"""Scripts that write a syllable or a word in one character: a Latin name among them does not outweigh them."""
KANA_SHARE = 0.1
"""Japanese mixes kana into Chinese characters; from this share on the text is Japanese."""


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """language: ISO 639-1, None when no script with a known language dominates or the text is too short to say.
    probability: of that language among those of its script. script: the dominating one, None without letters."""

    language: str | None
    probability: float
    script: str | None
    log_probability: dict[str, float]
    """Tempered log posterior of every language of the script."""


@cache
def script_table() -> np.ndarray:
    """`[65536]` int8: index into `SCRIPTS` of each code point of the basic plane, -1 where none."""
    table = np.full(1 << 16, -1, dtype=np.int8)
    for first, last, name in RANGES:
        if last < len(table):
            table[first : last + 1] = SCRIPTS.index(name)
    # signs and digits between the letters of the Latin and Arabic blocks belong to no script
    for code in [*range(0x5B, 0x61), *range(0x7B, 0xC0), 0xD7, 0xF7, *range(0x600, 0x620), *range(0x660, 0x66E)]:
        table[code] = -1
    return table


@cache
def letter_weights() -> np.ndarray:
    """`[len(SCRIPTS)]` int: how many letters a character is worth when scripts are mixed."""
    return np.array([DENSE_WEIGHT if name in DENSE_SCRIPTS else 1 for name in SCRIPTS])


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The n-grams of one script. slots: `[2**SLOT_BITS]` int16, row of the n-gram hashed there. codes: `[G]` uint64.
    nats: `[G + 1, L]` float32, tempered log probability by language, the last row 0 for unknown n-grams."""

    languages: list[str]
    slots: np.ndarray
    codes: np.ndarray
    nats: np.ndarray


def slot_of(codes: np.ndarray) -> np.ndarray:
    """Slot of each n-gram code, multiplicative hashing (Knuth, TAOCP 3, 6.4)."""
    return (codes * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(64 - SLOT_BITS)


@cache
def tables() -> dict[str, Table]:
    """The n-gram table of each script that several languages share."""
    from safetensors import safe_open

    with safe_open(str(WEIGHTS), framework="numpy") as file:
        metadata = file.metadata()
        codes, surprisal = file.get_tensor("codes"), file.get_tensor("surprisal")
    languages = metadata["languages"].split()
    last = (codes & np.uint64(2**21 - 1)).astype(np.int64)
    # the last letter of an n-gram is its script's, or the space that ends a word: then the one before is
    last = np.where(last == BOUNDARY, ((codes >> np.uint64(21)) & np.uint64(2**21 - 1)).astype(np.int64), last)
    script_of = script_table()[last]
    made = {}
    for script, names in SCRIPT_LANGUAGES.items():
        if " " not in names:
            continue
        rows = np.flatnonzero(script_of == SCRIPTS.index(script))
        columns = [languages.index(name) for name in names.split()]
        nats = -NATS_SCALE * float(metadata["step_nats"]) * surprisal[rows][:, columns].astype(np.float32)
        slots = np.full(1 << SLOT_BITS, len(rows), dtype=np.int16)
        # of n-grams that meet in a slot the most common stays: some 2 % are lost
        common = np.argsort(nats.max(1), kind="stable")
        slots[slot_of(codes[rows][common])] = common
        made[script] = Table(names.split(), slots, np.append(codes[rows], 0), np.append(nats, nats[:1] * 0, axis=0))
    return made


def ngram_codes(codes: np.ndarray) -> np.ndarray:
    """Codes of all 1-, 2- and 3-grams of code points `[T]` uint64: 21 bits each, the last one lowest."""
    pairs = (codes[:-1] << np.uint64(21)) | codes[1:]
    triples = (pairs[:-1] << np.uint64(21)) | codes[2:]
    return np.concatenate([codes, pairs, triples])


def detect(text: str) -> Detection:
    """The language of `text`; names and numbers alone do not decide. Never raises."""
    points = np.frombuffer(f" {text[:MAX_CHARACTERS].lower()} ".encode("utf-32-le", "replace"), dtype="<u4")
    in_plane = points < 1 << 16
    kinds = np.where(in_plane, script_table()[np.where(in_plane, points, 0)], -1)
    if not in_plane.all():
        kinds[points >= 0x20000] = SCRIPTS.index("han")
    counts = np.bincount(kinds[kinds >= 0], minlength=len(SCRIPTS)) * letter_weights()
    letters = float(counts.sum())
    if letters == 0:
        return Detection(None, 0.0, None, {})
    script = SCRIPTS[int(counts.argmax())]
    if script == "han" and counts[SCRIPTS.index("kana")] >= KANA_SHARE * letters:
        script = "kana"
    names = SCRIPT_LANGUAGES[script].split()
    if len(names) == 1:
        return Detection(names[0], 1.0, script, {names[0]: 0.0})
    table = tables()[script]
    codes = np.where(kinds == SCRIPTS.index(script), points, BOUNDARY).astype(np.uint64)
    codes = codes[np.concatenate([[True], (codes[1:] != BOUNDARY) | (codes[:-1] != BOUNDARY)])]
    grams = ngram_codes(codes)
    rows = table.slots[slot_of(grams)]
    rows = np.where(table.codes[rows] == grams, rows, len(table.codes) - 1)
    total = (np.ones(len(rows), dtype=np.float32) @ table.nats[rows]).astype(np.float64)
    total -= np.log(np.exp(total - total.max()).sum()) + total.max()
    best = int(total.argmax())
    scores = dict(zip(table.languages, total.tolist(), strict=True))
    return Detection(table.languages[best], float(np.exp(total[best])), script, scores)


def fold(text: str) -> str:
    """`text` in NFKC: full-width letters become plain ones, composed accents one code point."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)

"""How well the language of short texts is told, and how fast texts are read.

    python benchmarks/text.py LOCALES

LOCALES is a folder of gettext catalogues <language>/LC_MESSAGES/*.po, at any depth: those inside the Django wheel are
short sentences in some ninety languages, none of which the n-grams were made from. Prints the tables of docs/text.md.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from auricle.curators.words.language import SCRIPT_OF_LANGUAGE, detect
from auricle.curators.words.text import MIN_LETTERS, PLAIN_WORDS, UNSPACED, TextCurator, language_matches

STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{[^}]*\}|<[^>]+>|&\w+;|\\.")
ALIASES = {"nb": "no", "nn": "no"}


def sentences(folder: Path, min_words: int, max_words: int) -> dict[str, list[str]]:
    """Translated messages by language, placeholders taken out; by characters where words are not spaced."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in folder.rglob("*.po"):
        name = path.parts[-3].split("_")[0]
        language = ALIASES.get(name, name)
        if language not in SCRIPT_OF_LANGUAGE or path.parts[-3] in ("sr_Latn", "en"):
            continue
        for entry in path.read_text(encoding="utf-8").split("\n\n"):
            if "fuzzy" in entry or "msgstr" not in entry or entry.startswith("#~"):
                continue
            text = "".join(STRING.findall(entry[entry.index("msgstr") :].split("msgstr[1]")[0]))
            text = " ".join(PLACEHOLDER.sub(" ", text).split())
            size = len(text) / 3 if language in ("zh", "ja", "th") else len(text.split())
            if min_words <= size <= max_words and "Project-Id-Version" not in text and not untranslated(entry):
                found[language].add(text)
    english = (p.read_text(encoding="utf-8") for p in folder.rglob("en/LC_MESSAGES/*.po"))
    for catalogue in english:
        for entry in catalogue.split("\n\n"):
            if "msgid" in entry and "msgstr" in entry:
                text = "".join(
                    STRING.findall(entry[entry.index("msgid") : entry.index("msgstr")].split("msgid_plural")[0])
                )
                text = " ".join(PLACEHOLDER.sub(" ", text).split())
                if min_words <= len(text.split()) <= max_words:
                    found["en"].add(text)
    return {language: sorted(texts) for language, texts in sorted(found.items())}


def untranslated(entry: str) -> bool:
    """Whether the message still stands in English, or for the most part."""
    source = "".join(STRING.findall(entry[entry.index("msgid") : entry.index("msgstr")]))
    words = set(PLACEHOLDER.sub(" ", source).split())
    target = PLACEHOLDER.sub(" ", "".join(STRING.findall(entry[entry.index("msgstr") :]))).split()
    return not target or sum(word in words for word in target) > 0.5 * len(target)


def accuracy(folder: Path) -> None:
    """Share of texts whose language is told, and of right and wrong claims that are contradicted."""
    print("| words | texts | languages | language told right | right claims contradicted | wrong claims contradicted |")
    print("|---|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    for low, high in ((4, 6), (7, 12), (13, 30)):
        texts = sentences(folder, low, high)
        told, refused, caught = [], [], []
        for language, own in texts.items():
            others = [name for name in texts if name != language]
            for text in own:
                found = detect(text)
                letters = sum(c.isalpha() for c in text)
                told.append(found.language == language)
                refused.append(language_matches(language, found, letters) is False)
                caught.append(language_matches(str(rng.choice(others)), found, letters) is False)
        print(
            f"| {low}–{high} | {len(told)} | {len(texts)} | {np.mean(told):.3f} | {np.mean(refused):.4f} "
            f"| {np.mean(caught):.3f} |"
        )
    print(f"\nA text of fewer than {MIN_LETTERS} letters contradicts a claim by its script only.\n")
    texts = sentences(folder, 7, 30)
    print("| language | texts | told right | most often taken for |\n|---|---|---|---|")
    for language, own in texts.items():
        found = [detect(text).language for text in own]
        right = np.mean([name == language for name in found])
        wrong = [name for name in found if name != language]
        other = max(sorted(set(map(str, wrong))), key=list(map(str, wrong)).count) if wrong else ""
        if right < 0.98:
            print(f"| {language} | {len(own)} | {right:.3f} | {other} |")


CREDITS = (
    *("Thanks for watching and see you in the next video.", "Don't forget to like, comment and subscribe!"),
    *("Subtitles by the community", "Transcribed by volunteers", "Captions by our team", "Copyright 2020 by the BBC"),
    *("Visit www.example.com for more", "This is a LibriVox recording.", "Follow us on social media"),
    *("Sous-titres réalisés par la communauté", "Untertitel der Redaktion, 2019"),
    *("Untertitelung im Auftrag des Senders", "If you enjoyed it, hit the bell.", "Please rate and review."),
    *("Subtítulos realizados por la comunidad", "Legendas pela comunidade", "Sottotitoli creati dai volontari"),
    *("Редактор субтитров А. Иванов", "ご視聴ありがとうございました", "請訂閱我的頻道", "구독과 좋아요 부탁드립니다"),
    *("Thank you so much for listening to this podcast.",),
)
"""What ends recordings and is not what is said in them, written down for this benchmark."""


def signs(folder: Path) -> None:
    """False alarms of `text_machine` and `text_boilerplate` on people's sentences, and the planted signs found."""
    curator, rng = TextCurator(), np.random.default_rng(1)
    texts = [(text, language) for language, own in sentences(folder, 7, 30).items() for text in own]
    print("\n| what | texts | text_machine 1 | text_machine 0.5 or 1 | text_boilerplate |\n|---|---|---|---|---|")

    def line(name: str, chosen: list[tuple[str, str | None]]) -> None:
        found = [curator.read(text, language)[2] for text, language in chosen]
        machine = np.array([row["text_machine"] for row in found], dtype=float)
        boilerplate = np.mean([row["text_boilerplate"] for row in found])
        print(
            f"| {name} | {len(found)} | {np.mean(machine == 1):.4f} | {np.mean(machine >= 0.5):.4f} "
            f"| {boilerplate:.4f} |"
        )

    line("as written", texts)
    spaced = [(text, language) for text, language in texts if language not in UNSPACED]
    for repeats in (2, 4, 8):
        looped = []
        for text, language in spaced[:3000]:
            words = text.split()
            unit = " ".join(words[-int(rng.integers(1, 9)) :])
            looped.append((" ".join([text, *[unit] * repeats]), language))
        line(f"the last 1 to 8 words said {repeats + 1} times", looped)
    long = [(text, language) for text, language in spaced if len(text.split()) >= PLAIN_WORDS]
    plain = [(re.sub(r"[^\w\s']", "", text.lower()), language) for text, language in long]
    line(f"{PLAIN_WORDS} words and more, in lower case without marks", plain)
    line("credits and calls to subscribe", [(text, None) for text in CREDITS])


def speed(folder: Path) -> None:
    """Texts per second of processor, by length."""
    curator = TextCurator()
    texts = sentences(folder, 1, 60)
    print("\n| characters | texts | texts per second, one core |\n|---|---|---|")
    everything = [(text, language) for language, own in texts.items() for text in own]
    for low, high in ((20, 50), (50, 100), (100, 200)):
        own = [(t, g) for t, g in everything if low <= len(t) < high][:4000]
        best = np.inf
        for _ in range(3):
            start = time.process_time()
            for text, language in own:
                curator.read(text, language)
            best = min(best, time.process_time() - start)
        print(f"| {low}–{high} | {len(own)} | {len(own) / best:.0f} |")


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("locales", type=Path)
    chosen = parser.parse_args()
    accuracy(chosen.locales)
    signs(chosen.locales)
    speed(chosen.locales)


if __name__ == "__main__":
    main()

"""English text as the words that a reader would say: lower case, numbers and abbreviations spelled out."""

from __future__ import annotations

import re
import unicodedata

ONES = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
]
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
ABBREVIATIONS = {
    "mr": "mister",
    "mrs": "missus",
    "dr": "doctor",
    "prof": "professor",
    "etc": "et cetera",
    "vs": "versus",
    "jr": "junior",
    "sr": "senior",
}
SYMBOLS = {"&": " and ", "%": " percent ", "@": " at ", "+": " plus ", "=": " equals "}
CURRENCIES = {"$": "dollars", "£": "pounds", "€": "euros"}

MARKUP = re.compile(r"<[^<>]{1,40}>|\[[^\[\]]{1,40}\]|\{[^{}]{1,40}\}")
MONEY = re.compile(r"([$£€])\s?([0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?)")
NUMBER = re.compile(r"[0-9]+(?:,[0-9]{3})*(?:\.[0-9]+)?(?:(?:st|nd|rd|th)\b)?")
ABBREVIATION = re.compile(r"\b(" + "|".join(ABBREVIATIONS) + r")\b\.?")
TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*'?")
FOLD = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", **SYMBOLS})


def cardinal(n: int) -> list[str]:
    """The words of 0 <= n < 10**12, without "and": 342 -> three hundred forty two."""
    if n < 20:
        return [ONES[n]]
    if n < 100:
        return [TENS[n // 10], *([ONES[n % 10]] if n % 10 else [])]
    for scale, name in SCALES:
        if n >= scale:
            return [*cardinal(n // scale), name, *(cardinal(n % scale) if n % scale else [])]
    raise AssertionError


def ordinal(n: int) -> list[str]:
    """The words of the n-th: 21 -> twenty first."""
    words = cardinal(n)
    last = words[-1]
    if last in ORDINALS:
        words[-1] = ORDINALS[last]
    else:
        words[-1] = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return words


def number_words(token: str) -> list[str]:
    """The words of one written number: "1,200", "3.5", "1886" (a year, read in pairs), "4th", "007" (digits)."""
    digits = token.replace(",", "")
    if digits[-2:] in ("st", "nd", "rd", "th"):
        digits = digits[:-2]
        if len(digits) <= 9 and digits.isdigit():
            return ordinal(int(digits))
    whole, _, fraction = digits.partition(".")
    if len(whole) > 12 or (len(whole) > 1 and whole[0] == "0"):
        words = [ONES[int(d)] for d in whole]
    elif len(token) == 4 and token.isdigit() and (1100 <= int(token) < 2000 or 2010 <= int(token) < 2100):
        high, low = divmod(int(token), 100)
        words = cardinal(high) + (["hundred"] if low == 0 else (["oh"] if low < 10 else []) + cardinal(low))
    else:
        words = cardinal(int(whole))
    return words + (["point", *(ONES[int(d)] for d in fraction)] if fraction else [])


def spoken_words(text: str) -> list[str]:
    """The words of `text` in the order in which they are said; letters of other alphabets stay as they are.

    Markup in <>, [] and {} is not spoken. Never raises; whatever has no letter or digit gives no word.
    """
    text = MARKUP.sub(" ", unicodedata.normalize("NFKC", text).lower().translate(FOLD))
    text = MONEY.sub(lambda m: f" {' '.join(number_words(m[2]))} {CURRENCIES[m[1]]} ", text)
    text = NUMBER.sub(lambda m: f" {' '.join(number_words(m[0]))} ", text)
    text = ABBREVIATION.sub(lambda m: ABBREVIATIONS[m[1]], text)
    return TOKEN.findall(text)

"""Text for people: numbers with units, and strings from strangers made harmless to show."""

from __future__ import annotations

import math
import re
from typing import Any

MAX_CHARACTERS = 600
_PICTURES = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"} | {0x7F: "\u2421"}
# embeddings, overrides and isolates: unbalanced ones reorder text far beyond their own line
_BIDI = {code: f"\u27e8U+{code:04X}\u27e9" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_VISIBLE = _PICTURES | _BIDI
_UNPRINTABLE = re.compile("[\x80-\x9f\ud800-\udfff\ufffe\uffff]")


def shown(text: str) -> str:
    """`text` with control characters, bidirectional overrides and lone surrogates made visible; not escaped."""
    return _UNPRINTABLE.sub("\ufffd", text.translate(_VISIBLE))


def shortened(text: str, most: int = MAX_CHARACTERS) -> str:
    """The beginning of a long text, saying how much is left out."""
    return text if len(text) <= most else f"{text[:most]} [… {count(len(text) - most)} more characters]"


def count(value: float | None) -> str:
    """1234567 as "1 234 567" with narrow no-break spaces."""
    return "" if value is None else f"{value:,.0f}".replace(",", "\u202f")


def number(value: Any, digits: int = 4) -> str:
    """A measured number with `digits` significant digits; "" for None."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not math.isfinite(value):
        return str(value)
    if value and (abs(value) >= 1e9 or abs(value) < 1e-4):
        return f"{value:.1e}".replace("-", "\u2212")
    if abs(value) >= 1000 or float(value).is_integer():
        return count(value).replace("-", "\u2212")
    return f"{value:.{digits}g}".replace("-", "\u2212")


def share(value: float | None) -> str:
    """0.1234 as "12.3 %"."""
    if value is None:
        return ""
    percent = 100 * value
    if 0 < percent < 0.1:
        return "<\u20090.1\u2009%"
    if 99.9 < percent < 100:
        return ">\u200999.9\u2009%"
    return f"{percent:.0f}\u2009%" if percent in (0, 100) else f"{percent:.1f}\u2009%"


def duration(value: float | None) -> str:
    """Seconds as "850 ms", "12.3 s", "4 min 05 s" or "3 h 07 min"."""
    if value is None:
        return ""
    if value < 1:
        return f"{1000 * value:.0f}\u00a0ms"
    if value < 60:
        return f"{value:.1f}\u00a0s"
    if value < 3600:
        return f"{int(value // 60)}\u00a0min\u00a0{int(value % 60):02d}\u00a0s"
    return f"{int(value // 3600)}\u00a0h\u00a0{int(value % 3600 // 60):02d}\u00a0min"


def hours(value: float | None) -> str:
    """Hours of audio: "14.6 s", "20.4 min", "12.3 h", "1 234 h"."""
    if value is None:
        return ""
    if value >= 100:
        return f"{count(value)}\u00a0h"
    if value >= 1:
        return f"{value:.3g}\u00a0h"
    return f"{60 * value:.3g}\u00a0min" if value >= 1 / 60 else f"{3600 * value:.3g}\u00a0s" if value else "0"


def span(values: tuple[float, float] | None, kind: str) -> str:
    """The least and the greatest of something as `number` or `share`, once where they agree."""
    if values is None:
        return ""
    low, high = (share(v) if kind == "share" else number(v, 3) for v in values)
    return low if low == high else f"{low} to {high}"


def size(value: float | None) -> str:
    """Bytes as "12.3 MB" (powers of ten)."""
    if value is None:
        return ""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g}\u00a0{unit}"
        value /= 1000
    return f"{value:.3g}\u00a0TB"

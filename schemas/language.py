"""How languages are written in tables: by their code alone."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(1 << 10)
def language_code(text: str | None) -> str | None:
    """`en` of `en`, `EN`, `en-GB` and `en_US.UTF-8`: small letters, no region; None of nothing.

    A label and a configuration that mean one language say it in one way, or the same clip would be scored twice.
    """
    code = (text or "").strip().lower().replace("_", "-").partition("-")[0].partition(".")[0]
    return code or None

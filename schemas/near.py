"""What a mistyped name was probably meant to be."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'snr_db'?` with the nearest name that is known, `.` where none is near: how a sentence ends that
    said a name is not known.

    Names count alike in small and capital letters, and with - for _.
    """
    plain = {_plain(each): each for each in known}
    near = difflib.get_close_matches(_plain(name), plain, n=1)
    return f"; did you mean {plain[near[0]]!r}?" if near else "."


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")

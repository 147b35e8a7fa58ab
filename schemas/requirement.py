"""What a source demands of a column that its labels carry, such as the licence: when a value is accepted."""

from __future__ import annotations

import re
from collections.abc import Iterable

YES = {"true": ("true", "yes"), "false": ("false", "no")}
"""YAML reads yes as true; a table has either."""
NUMBERED = re.compile(r"-v?\d+(\.\d+)*")
"""The version of a licence, after its name."""
CREATIVE_COMMONS = re.compile(
    r"(?:https?://)?(?:www\.)?creativecommons\.org/(licenses|publicdomain)/([a-z+-]+)/([\d.]+)"
)


def canonical(value: str) -> str:
    """A value as values are compared: small letters; spaces, underscores and runs of them as one hyphen; the address
    of a Creative Commons licence as its name."""
    found = value.strip().casefold()
    if address := CREATIVE_COMMONS.match(found):
        kind, name, number = address.groups()
        name = {"zero": "cc0", "mark": "pdm"}.get(name, name) if kind == "publicdomain" else f"cc-{name}"
        return f"{name}-{number}"
    return re.sub(r"[\s_-]+", "-", found)


def accepts(wanted: Iterable[str], value: str | None) -> bool:
    """Whether a value is one of those that are wanted, in any spelling (`canonical`).

    A name without a number is also that name with any: `cc-by` accepts `CC-BY-4.0` and `CC BY 3.0`, never `CC-BY-NC`
    or `CC-BY-4.0-NC`; `cc-by-4.0` accepts that version alone. A value that is absent is never accepted.
    """
    if value is None:
        return False
    found = canonical(value)
    for each in wanted:
        for name in YES.get(canonical(each), (canonical(each),)):
            if found == name:
                return True
            rest = found.removeprefix(name)
            if rest != found and not name[-1:].isdigit() and NUMBERED.fullmatch(rest):
                return True
            # cc0 ends in a number that is no version
            if name == "cc0" and rest != found and NUMBERED.fullmatch(rest):
                return True
    return False


def reason_word(column: str) -> str:
    """The reason of a clip that is dropped for want of an accepted value in this column."""
    return "requires_" + (re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_") or "column")

"""Which optional extra a command needs, for the message of a machine that lacks it."""

from __future__ import annotations

import sys

from ...schemas.errors import MissingExtraError

EXTRA_OF_VERB = {"report": "curate,dashboard", "explore": "dashboard", "export": "export"}
"""Verbs whose packages are not all in `curate`, which carries everything that computes."""


def missing_extra(error: ModuleNotFoundError, arguments: list[str]) -> MissingExtraError | None:
    """What to install for the command line `arguments`, None when the module that is absent is a part of ours or of
    Python."""
    module = (error.name or "").partition(".")[0]
    if not module or module == "auricle" or module in sys.stdlib_module_names:
        return None
    verb = arguments[0] if arguments else ""
    return MissingExtraError(f"auricle {verb}".strip(), EXTRA_OF_VERB.get(verb, "curate"), module)

"""Puts every verb on the command, in the order that a newcomer meets them."""

from __future__ import annotations

import typer

from . import verbs_build, verbs_dataset, verbs_judge, verbs_loose, verbs_models, verbs_schemas, verbs_versions


def register(app: typer.Typer) -> None:
    """Add all verbs to `app`."""
    for module in (verbs_build, verbs_dataset, verbs_judge, verbs_loose, verbs_versions, verbs_models, verbs_schemas):
        module.add(app)

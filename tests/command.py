"""Runs the `auricle` command in this process."""

from __future__ import annotations

import typer
from typer.testing import CliRunner

from auricle.jobs import commands

app = typer.Typer()
commands.register(app)


def said(*arguments: str) -> str:
    """What a command writes to standard output; what it raises is raised."""
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout

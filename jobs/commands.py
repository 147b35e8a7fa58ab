"""Registers every subcommand, under headings and in the order that a newcomer meets them."""

from __future__ import annotations

import inspect

import typer

from .cluster import cluster_commands
from .datasets import dataset_commands, delete_commands, epoch_commands, schema_commands, version_commands
from .judging import curriculum_commands, judge_commands
from .loose import file_commands
from .models import model_commands, registry_commands
from .nights import night_commands
from .runs import estimate_command, run_commands

HEADINGS = {
    "Make a dataset": ("demo", "inspect", "config", "plan", "estimate", "run", "submit", "jobs", "relabel", "schedule"),
    "Read and judge it": (
        *("status", "versions", "show", "report", "explore", "judge", "gate", "diff", "diagnose", "curriculum"),
        *("decode", "pull", "export", "plan-epoch"),
    ),
    "Care for it": ("tag", "rollback", "verify", "repair", "gc", "compact", "takedown", "abandon"),
    "Loose files, models, this machine": ("score", "doctor", "codecs", "weights", "models", "train", "schemas"),
}
"""Commands by heading; one that is not named here stands under the last, after those that are."""


def register(app: typer.Typer) -> None:
    """Add all commands to `app`."""
    for module in (
        run_commands,
        estimate_command,
        night_commands,
        cluster_commands,
        dataset_commands,
        epoch_commands,
        judge_commands,
        curriculum_commands,
        file_commands,
        version_commands,
        delete_commands,
        model_commands,
        registry_commands,
        schema_commands,
    ):
        module.add(app)
    places = [(verb, heading) for heading, verbs in HEADINGS.items() for verb in verbs]
    heading_of, rank = dict(places), {verb: i for i, (verb, _) in enumerate(places)}
    for listed in (app.registered_commands, app.registered_groups):
        for entry in listed:
            entry.rich_help_panel = heading_of.get(_name(entry), places[-1][1])
            _unwrap(entry)
        listed.sort(key=lambda entry: rank.get(_name(entry), len(rank)))


def _unwrap(entry: typer.models.CommandInfo | typer.models.TyperInfo) -> None:
    """Docstrings are wrapped for the source; typer would keep their line breaks on any terminal."""
    group = getattr(entry, "typer_instance", None)
    for command in group.registered_commands if group else (entry,):
        text = inspect.getdoc(command.callback) or ""
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _name(entry: object) -> str:
    """`run` of a function `run`; groups and renamed commands have a name of their own."""
    named = getattr(entry, "name", None)
    return str(named or getattr(getattr(entry, "callback", None), "__name__", ""))

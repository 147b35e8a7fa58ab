"""Commands about nights: files for schedulers, and whether the last night came."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from ...schemas.counted import counted
from ..terminal.options import DatasetOnly, Json

_AGE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(m|h|d)\s*$")
_SECONDS = {"m": 60.0, "h": 3600.0, "d": 86400.0}


def add(app: typer.Typer) -> None:
    """Add the commands."""
    schedule = typer.Typer(no_args_is_help=True, help="Nightly runs: files for schedulers, and whether a night came.")
    schedule.command("export")(schedule_export)
    schedule.command("status")(schedule_status)
    app.add_typer(schedule, name="schedule")


def schedule_export(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file of the nightly run")],
    format_: Annotated[
        str, typer.Option("--format", help="cron, systemd, k8s-cronjob, kuberay, airflow or argo")
    ] = "systemd",
    at: Annotated[str, typer.Option(help="Time of day, optionally with day names: 02:00, or Mon,Thu 02:00")] = "02:00",
    timezone: Annotated[str, typer.Option(help="IANA time zone")] = "UTC",
    image: Annotated[
        str | None, typer.Option(help="k8s-cronjob, kuberay, argo: image with auricle; required there")
    ] = None,
    namespace: Annotated[str, typer.Option(help="Of Kubernetes")] = "default",
    secret: Annotated[
        str | None, typer.Option(help="Kubernetes Secret whose keys become environment variables of the run")
    ] = None,
    cpus: Annotated[int, typer.Option(min=1, help="Of the run's container, or of each worker of KubeRay")] = 4,
    memory_gb: Annotated[int, typer.Option(min=1, help="The same")] = 8,
    gpus: Annotated[int, typer.Option(min=0, help="The same")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="kuberay: workers at most; they come when work waits")] = 2,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the files; default: print them")] = None,
) -> None:
    """Write what a scheduler needs for a nightly run. A run is safe to start twice: the second exits 75, and a night
    that is done is not done again.

    Example: auricle schedule export nightly.yaml --format systemd --at 02:30 --timezone Europe/Berlin
    """
    from ...schemas.errors import ConfigError
    from ..schedules.containers import Containers
    from ..schedules.export import FORMATS, export
    from ..terminal.config_file import load_config

    if format_ not in FORMATS:
        raise ConfigError(f"--format {format_!r}: one of {', '.join(FORMATS)} is required")
    if format_ in ("k8s-cronjob", "kuberay", "argo"):
        # it travels into the cluster, where nobody watches it fail
        load_config(config, [])
    around = Containers(image, namespace, secret, cpus, memory_gb, gpus, workers) if image else None
    for name, text in export(format_, config, at, timezone, containers=around).items():
        if out is None:
            typer.echo(f"# {name}\n{text}")
        else:
            out.mkdir(parents=True, exist_ok=True)
            (out / name).write_text(text)
            typer.echo(str(out / name))


def schedule_status(
    dataset: DatasetOnly,
    max_age: Annotated[str, typer.Option(help="Oldest that is fine: 26h, 90m, 8d")] = "26h",
    as_json: Json = False,
) -> None:
    """Say when the dataset was last brought up to date. Exit 22 if that is longer ago than --max-age: a night failed,
    or never ran. A night that found nothing new counts. For a monitor, on another machine than the one that runs.

    Example: auricle schedule status s3://bucket/speech --max-age 26h
    """
    import dataclasses

    from ...loaders.storage.store import Store
    from ...schemas.errors import ConfigError, StaleError
    from ..terminal import console
    from ..terminal.answer import answer
    from .records import freshness

    found = _AGE.match(max_age)
    if not found:
        raise ConfigError(f"--max-age {max_age!r}: write 26h, 90m or 8d")
    allowed = float(found[1]) * _SECONDS[found[2]]
    state = freshness(Store(dataset), allowed)
    since = "never" if state.age_s is None else f"{console.ago(state.age_s)} ago"

    def printed() -> None:
        console.say(f"up to date   {since}{f', version {state.version}' if state.version else ''}")
        if state.last is None:
            console.say("last night   no run with --scheduled-for has ended yet")
        else:
            last = state.last
            how = f"{last.error}, exit code {last.exit_code}" if last.status == "failed" else last.status
            console.say(f"last night   {last.scheduled_for}: {how}")
        if state.failed_since:
            console.say(f"failed       {counted(state.failed_since, 'attempt')} since")

    answer(as_json, dataclasses.asdict(state), printed)
    if not state.fresh:
        raise StaleError(f"{dataset} was brought up to date {since}; --max-age {max_age} allows less")

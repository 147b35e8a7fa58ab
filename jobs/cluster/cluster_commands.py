"""Commands that talk to a Ray cluster: submit, jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..terminal.options import Json, Quiet

Address = Annotated[
    str,
    typer.Option(
        "--address",
        envvar="AURICLE_CLUSTER",
        help="http://HOST:8265 (the cluster's dashboard) or ray://HOST:10001; default: AURICLE_CLUSTER",
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", help="File with the cluster's token; default: RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH"),
]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(submit)
    app.command()(jobs)


def submit(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file of the run")],
    address: Address,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key, as for `auricle run`")
    ] = None,
    token_file: TokenFile = None,
    wheel: Annotated[
        Path | None, typer.Option("--wheel", help="Ship this wheel of auricle; default: the package that runs here")
    ] = None,
    python: Annotated[str, typer.Option("--python", help="Python of the nodes")] = "python",
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="Of `auricle run`, repeatable: --option=--wait, --option=--retry-failed"),
    ] = None,
    tries: Annotated[int, typer.Option("--tries", min=1, help="Submissions at most, if the cluster loses the job")] = 3,
    detach: Annotated[bool, typer.Option("--detach", help="Do not follow: print the job's id and end")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a configuration on a Ray cluster, and follow it to its end.

    Ships this package and the configuration; paths in it must be reachable from the nodes. Ends with the run's own
    exit code. Given again while the job runs, it follows that one. A job that the cluster lost is submitted again and
    goes on where it stopped; one that ended by itself (20: the gate refused) is not.

    Example: auricle submit speech.yaml --address http://head:8265
    """
    import shlex
    import sys
    import tempfile

    from ...schemas.errors import ClusterError
    from ..terminal.answer import answer
    from ..terminal.config_file import load_config
    from ..terminal.console import notice
    from . import client
    from .shipment import CONFIG, ship

    settings = load_config(config, set_ or [])
    cluster = client.Jobs(address, token_file)
    with tempfile.TemporaryDirectory(prefix="auricle-ship-") as folder:
        runtime_env, name = ship(settings, Path(folder), wheel)
        command = [python, "-m", "auricle.jobs.cli", "run", CONFIG, *(option or []), *(["--quiet"] if quiet else [])]

        def start(id: str) -> None:
            # Ray writes into what it is given
            cluster.submit(id, shlex.join(command), dict(runtime_env), settings.dataset)

        for attempt in range(1, tries + 1):
            id = client.submit(cluster, name, start, notice)
            if detach:
                answer(as_json, {"job": id, "status": None, "exit_code": None}, lambda id=id: typer.echo(id))
                return
            job = client.follow(cluster, id, lambda text: print(text, end="", file=sys.stderr, flush=True))
            if job is not None and not job.lost:
                code = client.STOPPED if job.status == "STOPPED" else job.exit_code or 0
                answer(as_json, {"job": id, "status": job.status, "exit_code": code}, lambda: None)
                raise typer.Exit(code)
            why = job.message if job is not None else "the cluster does not know it any more"
            notice(f"{id} was lost: {why}")
            if attempt == tries:
                raise ClusterError(
                    f"{id} was lost, as were those before it ({tries} in all): {why}. What is done is kept; the same "
                    "command goes on"
                )


def jobs(address: Address, token_file: TokenFile = None, as_json: Json = False) -> None:
    """List the runs that a Ray cluster knows, newest last.

    Example: auricle jobs --address http://head:8265
    """
    import time

    from ..terminal import console
    from ..terminal.answer import answer
    from .client import Jobs

    found = Jobs(address, token_file).all()

    def printed() -> None:
        rows = [
            (
                *(job.id, job.status.lower(), job.exit_code, job.dataset),
                console.ago(time.time() - job.started_s) if job.started_s else "",
            )
            for job in found
        ]
        console.table("", ("job", "status", "exit code", "dataset", "started, ago"), rows)

    answer(as_json, {"jobs": found}, printed)

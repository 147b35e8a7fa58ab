"""Commands that judge a version: judge, gate, diagnose, report."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..terminal.options import DatasetArg, Json, Quiet

if TYPE_CHECKING:
    from ...pipelines.work.pool import Pool

Representations = Annotated[
    list[str] | None,
    typer.Option("--representation", "-r", help="A representation or the start of its name; default all"),
]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    for verb in (judge, gate, diagnose, report):
        app.command()(verb)


def judge(
    dataset: DatasetArg,
    worst: Annotated[int, typer.Option(min=1, help="How many sources, speakers and languages to show")] = 10,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Rank sources, speakers and languages by their share of bad clips. Also shows hours, medians and what is scarce.

    The whole table is kept beside the version. `drop_groups` of the configuration drops a bad one whole, `quotas`
    bounds what one contributes.

    Example: auricle judge ./speech-dataset@3
    """
    from ...loaders.reading.version import open_version
    from ...pipelines.derived.judge import judge as judge_version
    from ..terminal import console
    from ..terminal.answer import answer
    from .judgement_table import print_judgement

    version = open_version(dataset)
    with console.working("judging", quiet):
        table = judge_version(version)
    facts = {"version": version.document.number, "members": table}
    answer(as_json, facts, lambda: print_judgement(table, worst))


def gate(
    dataset: DatasetArg,
    config: Annotated[
        Path | None, typer.Option(help="Configuration whose `gate` applies; default: the one that made the version")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Judge a published version by the gate again, against the version before it. Changes nothing. Exit 20 when a
    critical expectation fails.

    Example: auricle gate ./speech-dataset@3 --config stricter.yaml
    """
    from ...loaders.reading.version import open_version
    from ...schemas.errors import GateError
    from ..terminal import console
    from ..terminal.answer import answer
    from ..terminal.dataset_argument import reading
    from .gate_again import judged_again, print_gate

    version = open_version(reading(dataset))
    with console.working("judging by the gate", quiet):
        result = judged_again(version, config)
    facts = {"version": version.document.number, "verdict": result.verdict, "checks": result.checks}
    answer(as_json, facts, lambda: print_gate(version.document.number, result))
    if result.verdict == "critical":
        raise GateError(f"version {version.document.number} of {dataset} fails a critical expectation")


def diagnose(
    dataset: DatasetArg,
    representation: Representations = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Also train a neural model of each representation for this long, for example 10m: of codes one that "
            "is mixed with the counts, of latents a mixture density beside the linear prediction"
        ),
    ] = None,
    pool: Annotated[
        bool,
        typer.Option(
            "--pool/--no-pool", help="Mix a pool of contexts with the n-grams: lower rates in thrice the time"
        ),
    ] = True,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Only these two, side by side: the paired difference B minus A, or undecided"),
    ] = None,
    reconstruct: Annotated[
        int, typer.Option(min=0, help="Clips of each codes representation to decode and compare with the recordings")
    ] = 20,
    directions: Annotated[
        bool, typer.Option("--directions", help="Also split the steps of latents into direction and length; slow")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that count and train at once; default one per core")
    ] = None,
    cluster: Annotated[
        bool,
        typer.Option(
            "--cluster",
            help="Count and train on the workers of Ray: of the cluster in RAY_ADDRESS, else of this machine. "
            "An interrupted diagnosis goes on",
        ),
    ] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure how predictable each representation is: code rate in bit/s, lagged mutual information in nat.

    Intervals are over speakers. A sample of clips is decoded to say how well codes reconstruct. Two representations of
    one kind are compared clip by clip. With --compare what is on record of the two is shown, else they are measured.

    Example: auricle diagnose ./speech-dataset@3 --compare mimi-codes encodec24-codes
    """
    from ...loaders.reading.version import open_version
    from ...pipelines.diagnosis.compare import compare as compare_two
    from ...pipelines.diagnosis.diagnose import diagnose as diagnose_version
    from ...schemas.errors import ConfigError
    from ..terminal import console
    from ..terminal.answer import answer
    from .diagnosis_table import print_comparison, print_diagnosis

    if compare and representation:
        raise ConfigError("--compare names its two representations; --representation does not go with it")
    version, budget_s = open_version(dataset), _seconds(budget) if budget is not None else None
    how: dict[str, Any] = {"budget_s": budget_s, "pool": pool, "reconstruct": reconstruct, "workers": workers}
    if compare:
        with console.working("comparing", quiet) as tell, _workers_of_ray(cluster, workers) as on:
            found = compare_two(version, *compare, **how, on=on, begin=tell)
        answer(as_json, found, lambda: print_comparison(found))
        return
    with console.working("diagnosing", quiet) as tell, _workers_of_ray(cluster, workers) as on:
        record = diagnose_version(version, representation, **how, directions=directions, on=on, begin=tell)
    answer(as_json, record, lambda: print_diagnosis(record))


@contextlib.contextmanager
def _workers_of_ray(wanted: bool, workers: int | None) -> Iterator[Pool | None]:
    if not wanted:
        yield None
        return
    from ...pipelines.work.pool import Pool
    from ...schemas.worker_config import Workers

    with Pool(Workers(num=workers)) as pool:
        yield pool


def _seconds(budget: str) -> float:
    """ "90", "90s", "10m" or "2h" in seconds."""
    from ...schemas.errors import ConfigError

    number, unit = (budget[:-1], budget[-1]) if budget[-1:] in ("s", "m", "h") else (budget, "s")
    try:
        seconds = float(number) * {"s": 1, "m": 60, "h": 3600}[unit]
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigError(f"--budget {budget!r}: a time is required, for example 90s, 10m or 2h")
    return seconds


def report(
    dataset: DatasetArg,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write; default beside the version")] = None,
    diagnostics: Annotated[bool, typer.Option(help="Run diagnose first if it was not done")] = True,
    quiet: Quiet = False,
) -> None:
    """Write one self-contained HTML page about a version, with playable examples; no network needed to read it.

    Example: auricle report ./speech-dataset@3 --out report.html
    """
    from ...loaders.reading.version import open_version
    from ..terminal import console
    from ..terminal.dataset_argument import reading
    from .report import write_report

    version = open_version(reading(dataset))
    with console.working("writing the report", quiet):
        written = write_report(version, out, diagnose_first=diagnostics)
    typer.echo(str(written))

"""Verbs over published versions: versions, show, pull."""

from __future__ import annotations

import json
from typing import Annotated

import typer

DatasetArg = Annotated[
    str, typer.Argument(metavar="DATASET[@VERSION]", help="Folder or s3:// prefix; @7 or @tag picks a version")
]


def add(app: typer.Typer) -> None:
    """Add the verbs."""
    for verb in (versions, show, pull):
        app.command()(verb)


def versions(dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Folder or s3:// prefix")]) -> None:
    """List the published versions of a dataset.

    Example: auricle versions ./speech-dataset
    """
    from ...loaders.reading.refs import readable
    from ...loaders.reading.version import open_version
    from ...loaders.storage.store import Store
    from ..terminal.console import table
    from ..terminal.dataset_argument import existing, reading

    store = Store(existing(reading(dataset)))
    rows = []
    for number in readable(store):
        d = open_version(store, number).document
        c = d.counts
        rows.append(
            (number, d.created, d.kind, c.clips, c.kept, round(d.hours.get("kept", 0.0), 3), d.gate.verdict, d.note)
        )
    table("", ("version", "created", "by", "clips", "kept", "kept h", "gate", "note"), rows)


def show(
    dataset: DatasetArg,
    files: Annotated[
        bool, typer.Option("--files", help="Print the Parquet parts, one a line, for DuckDB and others")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the version document")] = False,
    clips: Annotated[
        bool, typer.Option("--clips", help="List clips with their keys, which decode and takedown take")
    ] = False,
    where: Annotated[
        str | None, typer.Option(help="With --clips: SQL condition, for example \"status = 'dropped' and snr_db < 5\"")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="With --clips: rows at most")] = 20,
) -> None:
    """Show what a version holds.

    Example: auricle show ./speech-dataset@7 --clips --where "speaker = 's1'"

    Example: duckdb -c "SELECT status, count(*) FROM read_parquet([$(auricle show ./speech-dataset --files
    | sed "s/.*/'&'/" | paste -sd,)], union_by_name = true) GROUP BY 1"
    """
    from ...loaders.reading.version import open_version
    from ...schemas.errors import ConfigError
    from ..terminal.dataset_argument import reading
    from .show import print_clips, print_version

    if where is not None and not clips:
        raise ConfigError("--where chooses clips: give --clips too")
    version = open_version(reading(dataset))
    if clips:
        print_clips(version, where, limit)
    elif files:
        for file in version.files():
            typer.echo(str(file))
    elif as_json:
        typer.echo(json.dumps(json.loads(version.document.to_json()), indent=2))
    else:
        print_version(version)


def pull(
    dataset: DatasetArg,
    dest: Annotated[
        str, typer.Argument(metavar="DEST", help="Folder that becomes a dataset with only what was asked for")
    ],
    representation: Annotated[
        list[str], typer.Option("--representation", "-r", help="A representation or the start of its name; repeatable")
    ],
    where: Annotated[str | None, typer.Option(help="SQL condition on clips, for example \"tier = 'gold'\"")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress")] = False,
) -> None:
    """Copy the live samples of some representations to another folder; hashes checked, resumable.

    Example: auricle pull s3://corpora/speech@7 ./speech -r mimi-codes --where "language = 'en' and tier = 'gold'"
    """
    from ...loaders.copies.pull import pull as pull_version
    from ...loaders.reading.version import split_version
    from ..terminal import console
    from ..terminal.dataset_argument import working

    url, version = split_version(working(dataset))

    with console.counting("pulling", "bytes", quiet) as tell:
        result = pull_version(url, dest, representation, version=version, where=where, progress=tell)
    samples = ", ".join(f"{n:,} samples of {name}" for name, n in result.live.items())
    if result.status == "unchanged":
        console.say(f"{result.dest} held version {result.number} already: {samples}; nothing was copied")
    else:
        console.say(
            f"pulled version {result.number} into {result.dest}: {samples}; shards copied whole: {result.copied}, "
            f"packed from live samples: {result.packed}, there from before: {result.reused}; "
            f"{result.bytes_written / 1e6:,.1f} MB written, {result.clips:,} clips in the table"
        )

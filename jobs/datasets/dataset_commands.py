"""Commands that read a dataset or copy from it: status, versions, show, pull."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ...schemas.counted import counted
from ..terminal.options import DatasetArg, DatasetOnly, Json, Quiet


def add(app: typer.Typer) -> None:
    """Add the commands."""
    for verb in (status, versions, show, pull):
        app.command()(verb)


def status(dataset: DatasetOnly, as_json: Json = False) -> None:
    """Show the state of a dataset: newest version and its age, unfinished runs and takedowns, and who holds it.

    Reads small files only and changes nothing. The dataset may be in use.

    Example: auricle status ./speech-dataset
    """
    from ...loaders.storage.store import Store
    from ...pipelines.upkeep.status import dataset_status
    from ..terminal.answer import answer
    from ..terminal.dataset_argument import existing
    from .status_lines import print_status

    found = dataset_status(Store(existing(dataset)))
    answer(as_json, vars(found), lambda: print_status(found))


def versions(dataset: DatasetOnly, as_json: Json = False) -> None:
    """List the published versions of a dataset.

    Example: auricle versions ./speech-dataset
    """
    from ...loaders.reading.refs import readable
    from ...loaders.reading.version import open_version
    from ...loaders.storage.store import Store
    from ..terminal.answer import answer
    from ..terminal.console import table
    from ..terminal.dataset_argument import existing, reading

    store = Store(existing(reading(dataset)))
    found = []
    for number in readable(store):
        d = open_version(store, number).document
        hours = d.hours.get("kept", 0.0)
        found.append(
            {"version": number, "created": d.created, "kind": d.kind, "counts": d.counts, "kept_hours": hours}
            | {"gate": d.gate.verdict, "note": d.note}
        )

    def row(v: dict[str, Any]) -> tuple[Any, ...]:
        held = v["counts"].clips, v["counts"].kept, round(v["kept_hours"], 3)
        return v["version"], v["created"], v["kind"], *held, v["gate"], v["note"]

    heads = ("version", "created", "by", "clips", "kept", "kept h", "gate", "note")
    answer(as_json, {"versions": found}, lambda: table("", heads, [row(v) for v in found]))


def show(
    dataset: DatasetArg,
    files: Annotated[
        bool,
        typer.Option("--files", help="Print the Parquet files of the clip table, one a line, for DuckDB and others"),
    ] = False,
    clips: Annotated[
        bool, typer.Option("--clips", help="List clips with their keys, as decode and takedown need them")
    ] = False,
    where: Annotated[
        str | None, typer.Option(help="With --clips: SQL condition, for example \"status = 'dropped' and snr_db < 5\"")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="With --clips: further columns, comma-separated, such as scores: snr_db,transcript_trust"),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="With --clips: show at most this many")] = 20,
    as_json: Json = False,
) -> None:
    """Show what a version contains. With --json: its document, or the clips, or the files.

    Example: auricle show ./speech-dataset@7 --clips --where "speaker = 's1'" --columns snr_db,transcript_trust

    Example: duckdb -c "SELECT status, count(*) FROM read_parquet([$(auricle show ./speech-dataset --files
    | sed "s/.*/'&'/" | paste -sd,)], union_by_name = true) GROUP BY 1"
    """
    import json

    from ...loaders.reading.version import open_version
    from ...schemas.errors import ConfigError
    from ..terminal.answer import answer
    from ..terminal.dataset_argument import reading
    from .clip_table import clips_where, print_clips
    from .show import print_version

    if where is not None and not clips:
        raise ConfigError("--where chooses clips: give --clips too")
    if columns is not None and not clips:
        raise ConfigError("--columns are shown of clips: give --clips too")
    version = open_version(reading(dataset))
    if clips:
        further = [name.strip() for name in (columns or "").split(",") if name.strip()]
        found = clips_where(version, where, limit, further)
        answer(as_json, vars(found), lambda: print_clips(found, further))
    elif files:
        parts = [str(file) for file in version.files()]
        answer(as_json, {"files": parts}, lambda: typer.echo("".join(f"{part}\n" for part in parts), nl=False))
    else:
        document = json.loads(version.document.to_json())
        answer(as_json, document, lambda: print_version(version))


def pull(
    dataset: DatasetArg,
    dest: Annotated[
        str,
        typer.Argument(
            metavar="DEST", help="Folder for the copy; it becomes a dataset with only the representations asked for"
        ),
    ],
    representation: Annotated[
        list[str], typer.Option("--representation", "-r", help="A representation or the start of its name; repeatable")
    ],
    where: Annotated[str | None, typer.Option(help="SQL condition on clips, for example \"tier = 'gold'\"")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Copy a version with the chosen representations to another folder. Checks hashes; resumes when interrupted.

    Example: auricle pull s3://corpora/speech@7 ./speech -r mimi-codes --where "language = 'en' and tier = 'gold'"
    """
    from ...loaders.copies.pull import pull as pull_version
    from ...loaders.reading.version import split_version
    from ..terminal import console
    from ..terminal.answer import answer

    url, version = split_version(dataset)

    with console.counting("pulling", "bytes", quiet) as tell:
        result = pull_version(url, dest, representation, version=version, where=where, progress=tell)

    def printed() -> None:
        samples = ", ".join(f"{counted(n, 'sample')} of {name}" for name, n in result.live.items())
        if result.status == "unchanged":
            console.say(f"{result.dest} already has version {result.number}: {samples}; nothing was copied")
        else:
            console.say(
                f"pulled version {result.number} into {result.dest}: {samples}; shards copied whole: {result.copied}, "
                f"packed from live samples: {result.packed}, already there: {result.reused}; "
                f"{result.bytes_written / 1e6:,.1f} MB written, {counted(result.clips, 'clip')} in the table"
            )

    answer(as_json, {"version": result.number} | vars(result), printed)

"""Commands that need no dataset: inspect, score, doctor, codecs, schedule."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from ...schemas.errors import NothingScoredError
from ..runs.run_commands import Overrides
from ..terminal.options import Json, Quiet


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("inspect")(inspect_)
    app.command()(score)
    app.command()(doctor)
    app.command()(codecs)
    schedule = typer.Typer(no_args_is_help=True, help="Nightly runs by cron or systemd.")
    schedule.command("export")(schedule_export)
    app.add_typer(schedule, name="schedule")


def inspect_(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Folder, file, archive or s3:// prefix of audio")],
    limit: Annotated[int, typer.Option(min=1, help="List so many files, and read so many lines of labels, at most")] = (
        100_000
    ),
    as_json: Json = False,
) -> None:
    """Look at a source before any run: recordings, hours, formats, which labels fit; and print a configuration for it.

    Opens 40 recordings at most, so hours are estimated. Writes nothing.

    Examples: auricle inspect ./cv-corpus/en

    auricle inspect ./shards > speech.yaml
    """
    from ...pipelines.inspect_source import inspect_source
    from ..terminal.answer import answer
    from .inspect_source import lines, proposed

    found = inspect_source(source, limit)

    def printed() -> None:
        # comments: what is written to a file is a configuration that runs
        for line in lines(found):
            typer.echo(f"# {line}" if line else "#")
        typer.echo(f"\n{proposed(found)}", nl=False)

    answer(as_json, dataclasses.asdict(found) | {"config": proposed(found)}, printed)


def score(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Audio files or folders of them")],
    transcripts: Annotated[
        Path | None, typer.Option(help="Labels of the files: a table or manifest in any format of docs/labels.md")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Language of files for which the labels name none, e.g. en")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help="Judge by the rules of this configuration; default: those of `auricle config example`"
        ),
    ] = None,
    set_: Overrides = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write one row per clip to this Parquet file")] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Scores to show, comma-separated, or all; default: all for up to 3 clips, else the main ones"
        ),
    ] = None,
    curator: Annotated[list[str] | None, typer.Option("--curator", help="Only these curators; repeatable")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Score audio files without a dataset, and say which rules each clip breaks.

    Duplicates, bad groups and quotas need a whole corpus: a run judges those.

    Exits with 7 when not one file could be scored.

    Examples: auricle score talk.wav

    auricle score ./folder --transcripts ./folder/transcripts.tsv --config speech.yaml --out scores.parquet

    auricle score ./folder --columns snr_db,c50_db,speech_quality
    """
    from ..terminal import console
    from ..terminal.answer import answer
    from . import scores

    if out is not None:
        scores.require_place(out)
    found = scores.score(
        paths,
        transcripts=transcripts,
        language=language,
        curators=curator,
        config=config,
        overrides=set_ or (),
        quiet=quiet,
    )
    if out is not None:
        scores.write(found, out)

    def printed() -> None:
        if out is None or columns is not None:
            scores.print_scores(found, columns)
        if out is not None:
            console.say(f"{found.table.num_rows} rows in {out}")

    answer(as_json, scores.facts(found) | {"out": out}, printed)
    if found.all_failed:
        raise NothingScoredError(f"none of the {found.table.num_rows} files could be scored; each row says why")


def doctor(
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="CONFIG|DATASET",
            help="Also check what this configuration needs, or the disk of this dataset",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what this machine has (cores, GPUs, weights, disk), what is missing, and how to get it.

    Example: auricle doctor speech.yaml
    """
    from ..terminal.answer import answer
    from ..terminal.console import table
    from .doctor import examine

    found = examine(subject)
    rows = [(f.status, f.name, f.detail, f.hint) for f in found]
    answer(as_json, {"findings": found}, lambda: table("", ("", "what", "found", "what to do"), rows))


def codecs(as_json: Json = False) -> None:
    """List the codecs that representations can name: kinds, frame rates, sizes, options.

    Example: auricle codecs, then in the configuration {codec: mimi, kind: latents, rate_hz: 25}
    """
    from ..terminal import console
    from ..terminal.answer import answer
    from .codec_table import HEADS, KEYS, codec_rows, weights_notes

    rows, notes = codec_rows(), weights_notes()

    def printed() -> None:
        console.table("", HEADS, rows)
        for note in notes:
            console.say(note)

    answer(as_json, {"codecs": [dict(zip(KEYS, row, strict=True)) for row in rows], "notes": notes}, printed)


def schedule_export(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file of the nightly run")],
    format_: Annotated[str, typer.Option("--format", help="cron or systemd")] = "systemd",
    at: Annotated[str, typer.Option(help="Time of day, optionally with day names: 02:00, or Mon,Thu 02:00")] = "02:00",
    timezone: Annotated[str, typer.Option(help="IANA time zone")] = "UTC",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the files; default: print them")] = None,
) -> None:
    """Write what cron or systemd needs for a nightly run. A run is safe to start twice: the second exits 75.

    Example: auricle schedule export nightly.yaml --format systemd --at 02:30 --timezone Europe/Berlin
    """
    from ...schemas.errors import ConfigError
    from ..runs.schedule import export

    if format_ not in ("cron", "systemd"):
        raise ConfigError(f"--format {format_!r}: cron or systemd is required")
    for name, text in export(format_, config, at, timezone).items():
        if out is None:
            typer.echo(f"# {name}\n{text}")
        else:
            out.mkdir(parents=True, exist_ok=True)
            (out / name).write_text(text)
            typer.echo(str(out / name))

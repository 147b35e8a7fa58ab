"""Commands that need no dataset: inspect, score, doctor, codecs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from ...schemas.counted import counted
from ...schemas.errors import NothingScoredError
from ..runs.run_commands import Overrides
from ..terminal.options import Json, Quiet


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("inspect")(inspect_)
    app.command()(score)
    app.command()(doctor)
    app.command()(codecs)


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
    from ...pipelines.work.threads import arrow_without_pandas
    from ..terminal import console
    from ..terminal.answer import answer
    from . import scores

    arrow_without_pandas()
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
            console.say(f"{counted(found.table.num_rows, 'row')} in {out}")

    answer(as_json, scores.facts(found) | {"out": out}, printed)
    if found.all_failed:
        files = found.table.num_rows
        none = "the file could not" if files == 1 else f"none of the {files:,} files could"
        raise NothingScoredError(f"{none} be scored; each row says why")


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

"""The `auricle` command and its subcommands. `main` turns errors into messages and exit codes."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from ..pipelines.work.threads import all_cores_for_tables, one_thread_here
from ..schemas.errors import AuricleError, ConfigError, StorageError, WorkerError
from .terminal.extras import missing_extra

EXITS = (
    "Exit codes: 0 done (also: nothing new to do) · 1 unexpected error · 2 the configuration or command is invalid "
    "· 3 an optional dependency is missing · 4 the dataset is damaged or of a newer schema · 5 storage failed · "
    "6 model weights are missing · 7 no file could be scored · 8 a takedown was interrupted and is not finished · "
    "9 workers keep failing · 10 a command that deletes was not confirmed · "
    "11 the cluster cannot do the work · 20 the gate refused the candidate · 21 a source lost many of its files · "
    "22 no night came in time · "
    "75 another command holds the dataset · "
    "130 interrupted · 141 the reader of the output ended"
)

app = typer.Typer(
    name="auricle",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Curate weakly-labelled audio into versioned shards of neural-codec codes and latents.\n\n"
    "Start with [bold]auricle demo[/bold]. For your own audio: [bold]auricle inspect FOLDER > mine.yaml[/bold], "
    "[bold]auricle plan mine.yaml[/bold], [bold]auricle run mine.yaml[/bold].",
    epilog=EXITS,
)


def _print_version(asked: bool) -> None:
    if not asked:
        return
    try:
        typer.echo(f"auricle {version('auricle')}")
    except PackageNotFoundError:
        typer.echo("auricle (not installed: run from its source tree)")
    raise typer.Exit


@app.callback()
def options(
    version_: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version of auricle")
    ] = False,
) -> None:
    """Options of `auricle` itself; those of the subcommands are in `commands`."""


INTERRUPTED = 130
RESUMED = (["run"], ["pull"], ["takedown"], ["relabel"])
"""Commands that resume when they are given again."""
PIPE_CLOSED = 141
"""As a shell reports a program whose reader went away: `auricle show ... | head`."""


def main() -> None:
    """Entry point."""
    one_thread_here()
    try:
        # here, so that an interrupt while Python still imports is one too
        from . import commands

        if not app.registered_commands:
            commands.register(app)
        all_cores_for_tables()
        # without standalone mode typer returns the code of an exit, and 130 for an interrupt
        code = app(standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:
        # nobody reads on: leave nothing for the interpreter to flush into the closed pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(PIPE_CLOSED)
    except Exception as error:
        message, code = explained(error, sys.argv[1:])
        if code in (1, WorkerError.exit_code) and os.environ.get("AURICLE_DEBUG"):
            raise
        _fail(message, code)
    if code == INTERRUPTED:
        goes_on = "; the same command goes on from where this one stopped" if sys.argv[1:2] in RESUMED else ""
        _fail(f"interrupted{goes_on}", INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


def explained(error: Exception, arguments: list[str]) -> tuple[str, int]:
    """What to tell the user of an error, and the exit code."""
    if isinstance(error, AuricleError):
        return str(error), error.exit_code
    if isinstance(error, ModuleNotFoundError) and (absent := missing_extra(error, arguments)):
        return str(absent), absent.exit_code
    if isinstance(error, FileNotFoundError) and error.filename:
        return f"{error.filename}: no such file or folder", ConfigError.exit_code
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}", StorageError.exit_code
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's usage errors
        context = getattr(error, "ctx", None)
        usage = f"{context.get_usage()}\n" if context is not None else ""
        return f"{usage}{error.format_message()}", 2  # pyright: ignore[reportAttributeAccessIssue]
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
    return f"unexpected {type(error).__name__}: {first}. AURICLE_DEBUG=1 shows where it came from.", 1


def _fail(message: str, code: int) -> None:
    print(f"auricle: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()

"""The `auricle` command: one verb per intention. `main` turns errors into messages and exit codes."""

from __future__ import annotations

import os
import sys

import typer

from ..schemas.errors import AuricleError, MissingExtraError

EXITS = (
    "Exit codes: 0 done (also: nothing new to do) · 1 unexpected error · 2 the configuration or command cannot be run "
    "· 3 an optional dependency is missing · 4 the dataset is damaged or of a newer schema · 5 storage failed · "
    "6 model weights are missing · 7 not one file could be scored · 20 the gate refused the candidate · "
    "75 another run holds the dataset · 130 interrupted"
)

app = typer.Typer(
    name="auricle",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Curate weakly-labelled audio into versioned shards of neural-codec codes and latents.\n\n"
    "Start with [bold]auricle demo[/bold], then [bold]auricle config example > mine.yaml[/bold], "
    "[bold]auricle plan mine.yaml[/bold], [bold]auricle run mine.yaml[/bold].",
    epilog=EXITS,
)

EXTRA_OF = {
    "ray": "curate", "duckdb": "curate", "soundfile": "curate", "torchaudio": "curate", "encodec": "curate",
    "moshi": "curate", "scipy": "curate", "onnxruntime": "curate", "pocketsphinx": "curate", "av": "curate",
    "great_expectations": "curate", "safetensors": "curate", "pandas": "curate", "espeakng_loader": "curate",
    "torch": "train", "jinja2": "dashboard", "starlette": "dashboard", "uvicorn": "dashboard", "webdataset": "export",
    "datasets": "export", "deltalake": "export",
}  # fmt: skip
"""The extra that carries a module, for the message of a verb whose module is absent."""


INTERRUPTED = 130


def main() -> None:
    """Entry point."""
    from . import commands

    commands.register(app)
    try:
        # without standalone mode typer returns the code of an exit, and 130 for an interrupt
        code = app(standalone_mode=False)
    except AuricleError as error:
        _fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing not in EXTRA_OF:
            raise
        verb = " ".join(["auricle", *sys.argv[1:2]])
        _fail(str(MissingExtraError(verb, EXTRA_OF[missing], missing)), MissingExtraError.exit_code)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # click's usage errors
            context = getattr(error, "ctx", None)
            usage = f"{context.get_usage()}\n" if context is not None else ""
            _fail(f"{usage}{error.format_message()}", 2)  # pyright: ignore[reportAttributeAccessIssue]
        if os.environ.get("AURICLE_DEBUG"):
            raise
        _fail(f"unexpected {type(error).__name__}: {error}. AURICLE_DEBUG=1 shows where it came from.", 1)
    except (typer.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    if code == INTERRUPTED:
        _fail("interrupted; the same command goes on from where this one stopped", INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> None:
    print(f"auricle: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()

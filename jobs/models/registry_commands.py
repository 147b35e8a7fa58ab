"""Commands of the registry of models: list, compare, promote, rollback."""

from __future__ import annotations

from typing import Annotated

import typer

from ..terminal.options import DatasetOnly, Json, Quiet

Slot = Annotated[str, typer.Argument(metavar="MODEL", help="The curator or codec that configurations name")]
With = Annotated[
    str | None,
    typer.Option("--with", help="Another curator or codec to compare with it; default itself, with other options"),
]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="A curator's parameter, or a codec's weights; repeatable"),
]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    models = typer.Typer(no_args_is_help=True, help="Curators and codecs: list, compare in shadow, promote, roll back.")
    models.command("list")(models_list)
    models.command("compare")(models_compare)
    models.command("promote")(models_promote)
    models.command("rollback")(models_rollback)
    app.add_typer(models, name="models")


def models_list(
    dataset: Annotated[str | None, typer.Argument(metavar="DATASET", help="Folder or s3:// prefix")] = None,
    as_json: Json = False,
) -> None:
    """List the installed models; with a dataset, those that it promoted and those that its newest version used.

    Example: auricle models list ./speech-dataset
    """
    from .models import print_models

    print_models(dataset, as_json)


def models_compare(
    dataset: DatasetOnly,
    model: Slot,
    name: With = None,
    option: Options = None,
    clips: Annotated[int, typer.Option(help="Number of clips of the newest version to compare on")] = 200,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run a candidate (another model or other options) on a sample, and show what would change. Publishes nothing.

    Nothing is published. The sample is the same for every candidate.

    Example: auricle models compare ./speech-dataset alignment --option mode=lite
    """
    from .models import compare, parsed

    compare(dataset, model, name, parsed(option or []), clips, quiet, as_json)


def models_promote(
    dataset: DatasetOnly,
    model: Slot,
    name: With = None,
    option: Options = None,
    note: Annotated[str, typer.Option(help="A note on the reason")] = "",
    as_json: Json = False,
) -> None:
    """Let runs of this dataset use a model that was compared. The next run computes what that requires.

    Runs whose configuration does not name MODEL stay as they are. A comparison of few clips is refused.

    Example: auricle models promote ./speech-dataset alignment --option mode=lite --note "half the cost"
    """
    from .models import parsed, promote_model

    promote_model(dataset, model, name, parsed(option or []), note, as_json)


def models_rollback(
    dataset: DatasetOnly,
    to: Annotated[
        int | None,
        typer.Option(help="Promotion to go back to; 0: what the configuration says; default: the one before"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Go back to the promotion before the current one. Given again, one further. Nothing is deleted.

    Example: auricle models rollback ./speech-dataset
    """
    from .models import roll_back_models

    roll_back_models(dataset, to, as_json)

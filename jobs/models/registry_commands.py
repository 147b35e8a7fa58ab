"""Verbs of the registry of models: list, compare, promote, rollback."""

from __future__ import annotations

from typing import Annotated

import typer

from ..terminal.options import DatasetOnly, Json, Quiet

Slot = Annotated[str, typer.Argument(metavar="MODEL", help="The curator or codec that configurations name")]
With = Annotated[str | None, typer.Option("--with", help="Another curator or codec to take its place; default itself")]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="A curator's parameter, or a codec's weights; repeatable"),
]


def add(app: typer.Typer) -> None:
    """Add the verbs."""
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
    """List the models there are; with a dataset, those it has promoted and those its newest version ran.

    Example: auricle models list ./speech-dataset
    """
    from .models import print_models

    print_models(dataset, as_json)


def models_compare(
    dataset: DatasetOnly,
    model: Slot,
    name: With = None,
    option: Options = None,
    clips: Annotated[int, typer.Option(help="Clips of the newest version that are looked at")] = 200,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run another model, or the same with other options, in shadow on a sample, and say what would change.

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
    note: Annotated[str, typer.Option(help="Why, for whoever reads it later")] = "",
    as_json: Json = False,
) -> None:
    """Make a model that was compared what runs of this dataset use; the next run does what that makes necessary.

    Runs whose configuration does not name MODEL stay as they are. A comparison of few clips is refused.

    Example: auricle models promote ./speech-dataset alignment --option mode=lite --note "half the cost"
    """
    from .models import parsed, promote_model

    promote_model(dataset, model, name, parsed(option or []), note, as_json)


def models_rollback(
    dataset: DatasetOnly,
    to: Annotated[
        int | None, typer.Option(help="Promotion to go back to; 0: what configurations say; default what held before")
    ] = None,
    as_json: Json = False,
) -> None:
    """Go back to what held before the promotion that holds now, as a new one; again, one further. Nothing is deleted.

    Example: auricle models rollback ./speech-dataset
    """
    from .models import roll_back_models

    roll_back_models(dataset, to, as_json)

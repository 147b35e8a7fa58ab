"""Commands about the schemas of what is on disk: write them, check that the written ones are those of the code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add(app: typer.Typer) -> None:
    """Add the commands."""
    schemas = typer.Typer(no_args_is_help=True, help="Schemas of configs, version documents and tables, as JSON.")
    schemas.command("write")(write)
    schemas.command("check")(check)
    app.add_typer(schemas, name="schemas")


def write(
    folder: Annotated[Path | None, typer.Argument(help="Folder; default the one inside the package")] = None,
) -> None:
    """Write the schemas as files. Refuses to change a schema version that was published (exit 4).

    Example: auricle schemas write ./schemas-of-auricle
    """
    from ...schemas.json_schemas import PUBLISHED, read_published, to_write
    from ..terminal import console

    folder = folder or PUBLISHED
    folder.mkdir(parents=True, exist_ok=True)
    fresh = to_write(all_documents(), read_published(folder))
    for name, text in fresh.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
        console.say(str(folder / name))
    if not fresh:
        console.say(f"{folder}: every schema is written already")


def check() -> None:
    """Compare the schemas in the package with the code. If they differ: exit 4, and what to do.

    Example: auricle schemas check
    """
    from ...schemas.errors import SchemaVersionError
    from ...schemas.json_schemas import read_published, stale
    from ..terminal import console

    made = all_documents()
    wrong = stale(made, read_published())
    if wrong:
        raise SchemaVersionError("\n".join(wrong.values()))
    console.say(f"{', '.join(sorted(made))}: as published")


def all_documents() -> dict[str, str]:
    """The schemas of `schemas/`, and those of tables that belong to other folders."""
    from ...loaders.care.relabels import RELABELS, RELABELS_SCHEMA
    from ...loaders.reading.tombstones import TOMBSTONES, TOMBSTONES_SCHEMA
    from ...schemas.curriculum import CURRICULUM, CURRICULUM_SCHEMA, NAMED, NAMED_SCHEMA
    from ...schemas.json_schemas import documents
    from ...schemas.pass_tables import (
        ARCHIVES,
        ARCHIVES_SCHEMA,
        DIFFICULTY,
        DIFFICULTY_SCHEMA,
        GAINS,
        GAINS_SCHEMA,
        JUDGEMENT,
        JUDGEMENT_SCHEMA,
        PLAN,
        PLAN_SCHEMA,
        RECEIPT,
        RECEIPT_SCHEMA,
    )

    return documents(
        {
            PLAN_SCHEMA: {"items": PLAN},
            RECEIPT_SCHEMA: {"rows": RECEIPT},
            DIFFICULTY_SCHEMA: {"clips": DIFFICULTY},
            ARCHIVES_SCHEMA: {"archives": ARCHIVES},
            GAINS_SCHEMA: {"clips": GAINS},
            JUDGEMENT_SCHEMA: {"members": JUDGEMENT},
            TOMBSTONES_SCHEMA: {"rows": TOMBSTONES},
            CURRICULUM_SCHEMA: {"clips": CURRICULUM},
            NAMED_SCHEMA: {"clips": NAMED},
            RELABELS_SCHEMA: {"rows": RELABELS},
        }
    )

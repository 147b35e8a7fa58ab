"""`auricle curriculum`: make the stages of a training from a version, list those there are, compare two."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ..terminal.options import DatasetArg, Json, Quiet

if TYPE_CHECKING:
    from ...loaders.reading.version import Version

MAKE = "make"
"""The command that a DATASET after `auricle curriculum` means; also written out: for a folder called `diff`."""


class MakeByDefault(TyperGroup):
    """A group whose first argument may be left out: `auricle curriculum DATASET` makes one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts `make` in front, unless a command or a request for help is there."""
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = [MAKE, *args]
        return super().parse_args(ctx, args)


def add(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        cls=MakeByDefault,
        no_args_is_help=True,
        help="Stages of a training: `auricle curriculum DATASET --spec FILE` makes them, a FILE to start from is what "
        "`auricle curriculum --example` prints; list, diff. Ordering clips by difficulty is experimental: it has not "
        "been shown to beat a random order on speech.\n\n"
        "Example: auricle curriculum --example > stages.yaml; auricle curriculum ./speech-dataset --spec stages.yaml",
    )
    group.command(MAKE)(make)
    group.command("list")(list_)
    group.command("diff")(diff)
    app.add_typer(group, name="curriculum")


def make(
    dataset: Annotated[
        str | None,
        typer.Argument(metavar="DATASET[@VERSION]", help="Folder or s3:// prefix; @7 or @tag picks a version"),
    ] = None,
    spec: Annotated[
        Path | None, typer.Option(help="YAML with named stages, pacing, quotas, a budget; see --example")
    ] = None,
    example: Annotated[bool, typer.Option("--example", help="Print a spec to start from, and do nothing else")] = False,
    representation: Annotated[
        str | None, typer.Option("--representation", "-r", help="Codes whose bit rate is the difficulty of a clip")
    ] = None,
    opens: Annotated[
        str,
        typer.Option(help="Without --spec: share of the hours that each stage but the last contains, comma-separated"),
    ] = "0.5,0.8",
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Put the kept clips into stages: by a spec, or by tier and difficulty. The paced order is experimental.

    With --spec the result is an immutable file beside the version, named by its content. Several stand side by side,
    and training takes one by name: Settings(curriculum="clean_first"). Without it, one table beside the version is
    written: open_version(...).samples("builtin-codes", stage=0).

    Example: auricle curriculum ./speech-dataset@3 --spec stages.yaml (short for auricle curriculum make ...)
    """
    from ...loaders.reading.version import open_version
    from ...schemas.curriculum_spec import EXAMPLE
    from ...schemas.errors import ConfigError

    if example:
        typer.echo(EXAMPLE, nl=False)
        return
    if dataset is None:
        raise ConfigError("a DATASET is required: auricle curriculum DATASET --spec FILE; --example prints a spec")
    if spec is None:
        _by_difficulty(open_version(dataset), representation, opens, quiet, as_json)
    else:
        _by_spec(open_version(dataset), spec, representation, quiet, as_json)


def list_(dataset: DatasetArg, as_json: Json = False) -> None:
    """List the named curricula of a version.

    Example: auricle curriculum list ./speech-dataset@3
    """
    from ...loaders.reading.version import open_version
    from ..terminal import console
    from ..terminal.answer import answer
    from ..terminal.dataset_argument import reading

    version = open_version(reading(dataset))
    rows = []
    for found in version.curricula():
        document = version.named_curriculum(f"{found.name}-{found.sha256}").document
        clips, hours = sum(s.clips for s in document.stages), sum(s.hours for s in document.stages)
        rows.append((found.id, ", ".join(s.name for s in document.stages), clips, round(hours, 3), len(document.audit)))
    keys = ("id", "stages", "clips", "hours", "audit")
    facts = {"version": version.document.number, "curricula": [dict(zip(keys, row, strict=True)) for row in rows]}
    none = f"version {version.document.number} has no named curriculum; `auricle curriculum --example` shows how"
    answer(as_json, facts, lambda: console.table("", keys, rows) if rows else console.say(none))


def diff(
    dataset: DatasetArg,
    a: Annotated[str, typer.Argument(metavar="A", help="A curriculum: its name, or name-hash where several share it")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another one; name@4 is that of version 4 (A as well)")],
    as_json: Json = False,
) -> None:
    """Compare two named curricula: their specs, their inputs, and which clips are in other stages.

    Example: auricle curriculum diff ./speech-dataset@3 clean_first everything
    """
    from ...loaders.copies.curriculum_diff import curriculum_diff
    from ...loaders.reading.version import open_version
    from ..terminal.answer import answer
    from ..terminal.dataset_argument import reading
    from .curriculum_table import print_diff

    version = open_version(reading(dataset))
    found = []
    for given in (a, b):
        name, _, number = given.partition("@")
        of = open_version(version.store, number) if number else version
        found.append(of.named_curriculum(name))
    made = curriculum_diff(*found)
    facts = vars(made) | {"moves": [vars(move) for move in made.moves]}
    answer(as_json, facts, lambda: print_diff(made))


def _by_spec(version: Version, path: Path, representation: str | None, quiet: bool, as_json: bool) -> None:
    from ...pipelines.curricula.named import named_curriculum
    from ...schemas.curriculum_spec import CurriculumSpec
    from ..terminal import console
    from ..terminal.answer import answer
    from ..terminal.config_file import load_model
    from .curriculum_table import print_made

    given = [] if representation is None else [f"representation={representation}"]
    spec = load_model(CurriculumSpec, path, given, example="curriculum --example")
    with console.working("placing clips", quiet) as tell:
        made = named_curriculum(version, spec, tell)
    document = made.curriculum.document
    facts: dict[str, Any] = {
        "version": version.document.number,
        "name": document.name,
        "id": made.curriculum.id,
        "sha256": made.curriculum.sha256,
        "path": made.path,
        "new": made.new,
        "stages": [stage.model_dump() for stage in document.stages],
        "phases": [phase.model_dump() for phase in document.phases],
        "left_out": document.left_out,
        "audit": document.audit,
        "small_strata": document.small_strata,
        "difficulty_repeatability": document.inputs.difficulty_repeatability,
    }
    answer(as_json, facts, lambda: print_made(made.curriculum, made.path, made.new))


def _by_difficulty(version: Version, representation: str | None, opens: str, quiet: bool, as_json: bool) -> None:
    import pyarrow.compute as pc

    from ...pipelines.curricula.paced import codes_of, curriculum
    from ...pipelines.curricula.repeatable import repeatability
    from ...schemas.curriculum import repeatable_words
    from ...schemas.errors import ConfigError
    from ..terminal import console
    from ..terminal.answer import answer

    try:
        shares = tuple(float(x) for x in opens.split(","))
    except ValueError as error:
        raise ConfigError(f"--opens {opens!r}: numbers between 0 and 1 are required, for example 0.5,0.8") from error
    if not shares or sorted(shares) != list(shares) or not all(0 < s < 1 for s in shares):
        raise ConfigError(f"--opens {opens!r}: shares must rise and lie between 0 and 1")
    with console.working("ordering clips", quiet) as tell:
        found = curriculum(version, representation, opens=shares, begin=tell)
    rows = []
    for stage in range(len(shares) + 1):
        open_now = found.filter(pc.less_equal(found["stage"], stage))
        seconds = pc.sum(open_now["duration_s"]).as_py() or 0.0
        rows.append((stage, open_now.num_rows, round(seconds / 3600, 3), pc.mean(open_now["difficulty"]).as_py()))
    keys = ("stage", "clips", "hours", "mean_difficulty_bits_per_s")
    again = repeatability(version, codes_of(version, representation))
    facts = {
        "version": version.document.number,
        "stages": [dict(zip(keys, row, strict=True)) for row in rows],
        "difficulty_repeatability": again,
    }
    heads = ("stage", "clips open", "hours open", "mean difficulty, bit/s")

    def told() -> None:
        console.table("", heads, rows)
        console.say(repeatable_words(again))

    answer(as_json, facts, told)

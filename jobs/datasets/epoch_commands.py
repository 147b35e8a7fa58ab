"""`auricle plan-epoch`: what an epoch of training would read, counted from the clip table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...schemas.counted import counted
from ..terminal.options import DatasetArg, Json, Quiet

if TYPE_CHECKING:
    from ...loaders.plan.settings import Mixing
    from ...loaders.plan.summary import EpochSummary


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan-epoch")(plan_epoch)


def plan_epoch(
    dataset: DatasetArg,
    representation: Annotated[
        list[str],
        typer.Option(
            "--representation",
            "-r",
            help="A representation; lengths are those of the first, further ones are read with it; repeatable",
        ),
    ],
    where: Annotated[str | None, typer.Option(help="Only clips for which this SQL expression holds")] = None,
    batch_tokens: Annotated[int, typer.Option(min=1, help="Tokens of a microbatch at most, padding included")] = 16_384,
    row_tokens: Annotated[int | None, typer.Option(min=1, help="Pack clips into rows of this many tokens")] = None,
    microbatches: Annotated[int, typer.Option(min=1, help="Microbatches of one step, over all ranks")] = 8,
    world: Annotated[int, typer.Option(min=1, help="World size: number of ranks")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the order")] = 0,
    epoch: Annotated[int, typer.Option(min=0, help="Number of the epoch, from 0")] = 0,
    curriculum: Annotated[
        str | None,
        typer.Option(
            metavar="C",
            help="A stage of the curriculum (1), the epoch in which each stage begins (0,2,5), or a named curriculum",
        ),
    ] = None,
    mix: Annotated[str | None, typer.Option(help="Shares of groups, by clips: language:en=0.7,de=0.3")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Count what an epoch of training reads: steps, padding, tokens, bytes and requests per rank. Reads no shard.

    Example: auricle plan-epoch ./speech-dataset@3 -r mimi-codes --batch-tokens 16384 --microbatches 8 --world 4
    """
    from ...loaders.plan.index import read_index
    from ...loaders.plan.plan import make_plan
    from ...loaders.plan.settings import Settings
    from ...loaders.plan.summary import summarise
    from ...loaders.reading.version import open_version
    from ..terminal import console
    from ..terminal.answer import answer
    from ..terminal.dataset_argument import reading

    version = open_version(reading(dataset))
    mixing = _mixing(mix) if mix else None
    settings = Settings(
        seed=seed, microbatches=microbatches, batch_tokens=batch_tokens, row_tokens=row_tokens, mixing=mixing,
        **_stages(curriculum),
    )  # fmt: skip
    with console.working("planning", quiet):
        index = read_index(
            version,
            representation,
            where=where,
            group=mixing.column if mixing else None,
            curriculum=settings.needs_curriculum,
            columns=["source", "language"],
        )
        found = summarise(index, settings, make_plan(index, settings, epoch), world)
    answer(as_json, vars(found), lambda: _print(found))


def _print(found: EpochSummary) -> None:
    from ..terminal import console

    console.say(
        f"epoch {found.epoch}: {counted(found.steps, 'step')} of "
        f"{counted(found.microbatches, 'microbatch', 'microbatches')}"
        + (f" ({found.empty} of them empty)" if found.empty else "")
    )
    codes = "" if found.codes is None else f"; {found.codes:,} codes (frames times codebooks: tokens of a curriculum)"
    console.say(
        f"{counted(found.draws, 'draw')} of {counted(found.clips, 'clip')}, {counted(found.frames, 'frame')}, "
        f"{counted(found.tokens, 'token')} in rows "
        f"(what --batch-tokens limits: one for each frame){codes}"
    )
    console.say(f"padding efficiency {found.efficiency:.3f}")
    left = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in found.left_out.items() if count)
    if left:
        console.say(f"left out: {left}")
    ranks = zip(found.num_bytes, found.shards, found.ranges, strict=True)
    rows = [(rank, round(size / 1e6, 3), shards, ranges) for rank, (size, shards, ranges) in enumerate(ranks)]
    console.table("", ("rank", "MB", "shards", "ranges at most"), rows)
    for column, shares in found.shares.items():
        rows = [(s.value, s.clips, s.draws, round(s.frames / found.frames, 4)) for s in shares]
        console.table("", (column, "clips", "draws", "share of frames"), rows)


def _stages(text: str | None) -> dict[str, Any]:
    from ...schemas.errors import ConfigError

    if text is None:
        return {}
    if text[:1].isalpha():
        return {"curriculum": text}
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(f"--curriculum {text}: a stage (1), ascending epochs (0,2,5) or a name") from error
    return {"stage": numbers[0]} if len(numbers) == 1 else {"pacing": numbers}


def _mixing(text: str) -> Mixing:
    from ...loaders.plan.settings import Mixing
    from ...schemas.errors import ConfigError

    column, _, rest = text.partition(":")
    try:
        shares = {name: float(share) for name, _, share in (part.rpartition("=") for part in rest.split(","))}
    except ValueError as error:
        raise ConfigError(f"--mix {text}: needs column:value=share,..., such as language:en=0.7,de=0.3") from error
    return Mixing(column, shares=shares)

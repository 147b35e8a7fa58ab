"""Commands that compare, name, check and publish versions: diff, tag, rollback, verify, repair, compact, export."""

from __future__ import annotations

from typing import Annotated

import typer

from ...schemas.counted import counted
from ..terminal.dataset_argument import existing, reading
from ..terminal.options import DatasetArg, DatasetOnly, Json, Quiet, Wait


def add(app: typer.Typer) -> None:
    """Add the commands."""
    for verb in (diff, tag, rollback, verify, repair, compact, export):
        app.command()(verb)


def diff(
    dataset: DatasetOnly,
    a: Annotated[
        str | None, typer.Argument(metavar="A", help="Version or tag to compare from; default the parent of B")
    ] = None,
    b: Annotated[
        str | None, typer.Argument(metavar="B", help="Version or tag to compare with; default the newest")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show what changed between two versions: clips in and out by reason, scores, hours, settings.

    Example: auricle diff ./speech-dataset 3 4 (without versions: the newest against its parent)
    """
    from ...loaders.copies.diff import diff as compare
    from ..terminal import console
    from ..terminal.answer import answer
    from .show import print_diff

    with console.working("comparing", quiet):
        found = compare(reading(dataset), a, b)
    answer(as_json, vars(found), lambda: print_diff(found, newest=b is None))


def tag(
    dataset: DatasetArg,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The tag; without one, all tags are listed")
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove the tag; the version stays until gc deletes it")
    ] = False,
    as_json: Json = False,
) -> None:
    """Give a version a name (tag). gc keeps tagged versions, and readers open them as DATASET@NAME.

    Example: auricle tag ./speech-dataset@7 paper-2026
    """
    from ...loaders.reading.refs import tag as name_version
    from ...loaders.reading.refs import tags, untag
    from ...loaders.reading.version import split_version
    from ..terminal import console
    from ..terminal.answer import answer

    url, version = split_version(reading(dataset))
    existing(url)
    if name is None:
        listed = tags(url)
        rows = [(t.name, t.version, t.created) for t in listed]
        answer(as_json, {"tags": listed}, lambda: console.table("", ("tag", "version", "made"), rows))
    elif remove:
        gone = untag(url, name)
        answer(as_json, {"removed": gone}, lambda: console.say(f"tag {gone.name} is forgotten"))
    else:
        made = name_version(url, name, version)
        answer(as_json, {"tags": [made]}, lambda: console.say(f"{made.name} is version {made.version}"))


def rollback(
    dataset: DatasetOnly,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Version or tag to go back to")],
    wait: Wait = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Publish an older version again, as the newest one. Nothing is deleted.

    Example: auricle rollback ./speech-dataset 6
    """
    from ...loaders.reading.version import open_version
    from ...pipelines.upkeep.rollback import content_of, left_out
    from ...pipelines.upkeep.rollback import rollback as go_back
    from ..terminal import console
    from ..terminal.answer import answer

    with console.working("rolling back", quiet):
        url = existing(dataset)
        made = go_back(url, version, wait=wait, notify=console.notice)
        without = left_out(open_version(url, version).document, made)
    facts = {"version": made.number, "restored": version, "clips_left_out": without}
    said = f"version {made.number} has the content of {content_of(version, without)}"
    answer(as_json, facts, lambda: console.say(said))


def verify(
    dataset: DatasetArg,
    sample: Annotated[
        float | None, typer.Option(help="Share of the shards to read and check, 0 to 1; default all")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Check a version: every object's hash, every pointer. Exit 4 when anything is wrong.

    Example: auricle verify ./speech-dataset@7 --sample 0.1
    """
    from ...loaders.care.verify import verify as check
    from ...loaders.reading.version import split_version
    from ...schemas.errors import IntegrityError
    from ..terminal import console
    from ..terminal.answer import answer

    url, version = split_version(reading(dataset))
    with console.counting("verifying", "shards", quiet) as tell:
        findings = check(url, version, sample, progress=tell)

    def printed() -> None:
        for finding in findings:
            console.say(str(finding))
        if not findings:
            console.say("every file that the version lists is there, and its hash is right")

    answer(as_json, {"findings": findings}, printed)
    if findings:
        raise IntegrityError(f"{dataset}: {counted(len(findings), 'finding')}; each is listed with what to do")


def repair(dataset: DatasetOnly, wait: Wait = False, quiet: Quiet = False, as_json: Json = False) -> None:
    """Publish the newest version without its damaged shards. The next run extracts their samples again.

    Example: auricle repair ./speech-dataset, then auricle run speech.yaml
    """
    from ...pipelines.upkeep.repair import repair as mend
    from ..terminal import console
    from ..terminal.answer import answer

    with console.counting("verifying", "shards", quiet) as tell:
        made = mend(existing(dataset), wait=wait, notify=console.notice, progress=tell)
    number = made.document.number if made.document else None

    def printed() -> None:
        for path in made.shards:
            console.say(f"left out: {path}")
        if number is None:
            console.say("every shard of the newest version is undamaged: nothing to repair")
        else:
            console.say(
                f"version {number} leaves out {counted(len(made.shards), 'damaged shard')}; run again to extract the "
                "samples in them"
            )

    answer(as_json, {"version": number, "shards_left_out": made.shards}, printed)


def compact(dataset: DatasetOnly, wait: Wait = False, quiet: Quiet = False, as_json: Json = False) -> None:
    """Join the small shards of many runs into large ones, as a new version with the same samples.

    Example: auricle compact ./speech-dataset
    """
    from ...pipelines.upkeep.compact import compact as pack
    from ..terminal import console
    from ..terminal.answer import answer

    with console.counting("compacting", "bytes", quiet) as tell:
        made = pack(existing(dataset), wait=wait, notify=console.notice, progress=tell)
    nothing = "nothing to do: there are no small shards to join"
    said = nothing if made is None else f"version {made.number} is compact"
    answer(as_json, {"version": made.number if made else None}, lambda: console.say(said))


def export(
    dataset: DatasetArg,
    dest: Annotated[str, typer.Argument(metavar="DEST", help="Empty folder or s3:// prefix")],
    to: Annotated[str, typer.Option("--to", help="hf, shar, webdataset, delta or manifest")],
    representation: Annotated[list[str] | None, typer.Option("--representation", "-r", help="Default all")] = None,
    where: Annotated[str | None, typer.Option(help="SQL condition on clips, for example \"tier = 'gold'\"")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write a version in another format: Hugging Face, lhotse Shar, WebDataset with text, Delta, manifest.

    Example: auricle export ./speech-dataset@7 ./out --to shar -r mimi-codes
    """
    from ...loaders.copies.export import export as write
    from ...loaders.reading.version import split_version
    from ..terminal import console
    from ..terminal.answer import answer

    url, version = split_version(dataset)
    with console.counting("exporting", "clips", quiet) as tell:
        made = write(url, dest, to, version, representation or (), where, progress=tell)

    def printed() -> None:
        console.say(
            f"{counted(made.clips, 'clip')} of version {made.version} in {counted(made.files, 'file')}, "
            f"{made.num_bytes / 1e6:,.1f} MB: {made.dest}"
        )
        for note in made.notes:
            console.say(note)

    answer(as_json, vars(made), printed)

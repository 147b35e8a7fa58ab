"""Verbs that care for versions: diff, tag, rollback, verify, repair, gc, compact, export, takedown, abandon."""

from __future__ import annotations

from typing import Annotated

import typer

from ..terminal.dataset_argument import existing, reading, working
from .verbs_dataset import DatasetArg

DatasetOnly = Annotated[str, typer.Argument(metavar="DATASET", help="Folder or s3:// prefix")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress")]
Wait = Annotated[bool, typer.Option("--wait", help="Queue behind a run that holds the dataset (else exit 75)")]


def add(app: typer.Typer) -> None:
    """Add the verbs."""
    for verb in (diff, tag, rollback, verify, repair, gc, compact, export, takedown, abandon):
        app.command()(verb)


def diff(
    dataset: DatasetOnly,
    a: Annotated[str, typer.Argument(metavar="A", help="Version or tag to compare from")],
    b: Annotated[
        str | None, typer.Argument(metavar="B", help="Version or tag to compare with; default the newest")
    ] = None,
) -> None:
    """Say what changed between two versions: clips in and out by reason, scores, hours, settings.

    Example: auricle diff ./speech-dataset 3 4
    """
    from ...loaders.copies.diff import diff as compare
    from ..terminal import console

    found = compare(reading(dataset), a, b)
    console.say(f"from version {found.a} to version {found.b}")
    console.table("", ("count", str(found.a), str(found.b)), [(name, *pair) for name, pair in found.counts.items()])
    moves = [("came in", why, n) for why, n in found.came.items()] + [
        ("went out", why, n) for why, n in found.went.items()
    ]
    moves += [("status", why, n) for why, n in found.flips.items()]
    moves += [("label", why, n) for why, n in found.relabelled.items() if n]
    if moves:
        console.table("", ("clips", "why", "n"), moves)
    shifted = [
        (s.score, s.unit, *s.mean, s.changed, s.mean_change)
        for s in found.scores
        if s.changed or s.mean[0] != s.mean[1]
    ]
    if shifted:
        console.table("", ("score", "unit", "mean before", "mean after", "changed", "by"), shifted)
    hours = [(h.by, h.value or "-", round(h.a, 3), round(h.b, 3)) for h in found.hours if h.a != h.b]
    if hours:
        console.table("", ("hours kept by", "", "before", "after"), hours)
    for line in (*found.schema, *found.config):
        console.say(line)


def tag(
    dataset: DatasetArg,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The tag; without one, all tags are listed")
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Forget the tag; the version stays until it is collected")
    ] = False,
) -> None:
    """Name a version, so that garbage collection keeps it and readers find it.

    Example: auricle tag ./speech-dataset@7 paper-2026
    """
    from ...loaders.reading.refs import tag as name_version
    from ...loaders.reading.refs import tags, untag
    from ...loaders.reading.version import split_version
    from ..terminal import console

    url, version = split_version(reading(dataset))
    existing(url)
    if name is None:
        console.table("", ("tag", "version", "made"), [(t.name, t.version, t.created) for t in tags(url)])
    elif remove:
        console.say(f"tag {untag(url, name).name} is forgotten")
    else:
        made = name_version(url, name, version)
        console.say(f"{made.name} is version {made.version}")


def rollback(
    dataset: DatasetOnly,
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Version or tag to go back to")],
    wait: Wait = False,
) -> None:
    """Publish an older version's objects again as the newest version. Nothing is deleted.

    Example: auricle rollback ./speech-dataset 6
    """
    from ...pipelines.upkeep.rollback import rollback as go_back
    from ..terminal import console

    made = go_back(existing(dataset), version, wait=wait, notify=console.say)
    console.say(f"version {made.number} is version {version} again")


def verify(
    dataset: DatasetArg,
    sample: Annotated[
        float | None, typer.Option(help="Share of the shards whose bytes are read, 0 to 1; default all")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Check a version: every object's hash, every pointer. Exit 4 when anything is wrong.

    Example: auricle verify ./speech-dataset@7 --sample 0.1
    """
    from ...loaders.care.verify import verify as check
    from ...loaders.reading.version import split_version
    from ...schemas.errors import IntegrityError
    from ..terminal import console

    url, version = split_version(reading(dataset))
    with console.counting("verifying", "shards", quiet) as tell:
        findings = check(url, version, sample, progress=tell)
    for finding in findings:
        console.say(str(finding))
    if findings:
        raise IntegrityError(f"{dataset}: {len(findings)} findings")
    console.say("everything that the version lists is there and is what it says")


def repair(dataset: DatasetOnly, wait: Wait = False, quiet: Quiet = False) -> None:
    """Publish the newest version without its damaged shards, so that the next run makes their samples again.

    Example: auricle repair ./speech-dataset, then auricle run speech.yaml
    """
    from ...pipelines.upkeep.repair import repair as mend
    from ..terminal import console

    with console.counting("verifying", "shards", quiet) as tell:
        made = mend(existing(dataset), wait=wait, notify=console.say, progress=tell)
    for path in made.shards:
        console.say(f"left out: {path}")
    if made.document is None:
        console.say("every shard of the newest version is whole: nothing to repair")
    else:
        console.say(
            f"version {made.document.number} is without {len(made.shards)} damaged shards; run again to refill it"
        )


def gc(
    dataset: DatasetOnly,
    keep_last: Annotated[int, typer.Option(help="Newest versions that stay")] = 10,
    delete: Annotated[bool, typer.Option("--delete", help="Delete; without it, only say what would go")] = False,
    wait: Wait = False,
) -> None:
    """Collect garbage: versions beyond the last K, and objects that no kept version, tag or run reaches.

    Example: auricle gc ./speech-dataset --keep-last 30 --delete
    """
    from ...pipelines.upkeep.garbage import collect
    from ..terminal import console

    found = collect(existing(dataset), keep_last, not delete, wait=wait, notify=console.say)
    word = "would be deleted" if found.dry_run else "deleted"
    for path, size in found.files:
        console.say(f"{size:>12,}  {path}")
    console.say(f"{len(found.versions)} versions and {len(found.files)} files, {found.num_bytes / 1e6:,.1f} MB, {word}")


def compact(dataset: DatasetOnly, wait: Wait = False, quiet: Quiet = False) -> None:
    """Pack the small shards of many nights into large ones, as a new version with the same samples.

    Example: auricle compact ./speech-dataset
    """
    from ...pipelines.upkeep.compact import compact as pack
    from ..terminal import console

    with console.counting("compacting", "bytes", quiet) as tell:
        made = pack(existing(dataset), wait=wait, notify=console.say, progress=tell)
    nothing = "nothing to gain: there are no small shards to join"
    console.say(nothing if made is None else f"version {made.number} is compact")


def export(
    dataset: DatasetArg,
    dest: Annotated[str, typer.Argument(metavar="DEST", help="Empty folder or s3:// prefix")],
    to: Annotated[str, typer.Option("--to", help="hf, shar, webdataset, delta or manifest")],
    representation: Annotated[list[str] | None, typer.Option("--representation", "-r", help="Default all")] = None,
    where: Annotated[str | None, typer.Option(help="SQL condition on clips, for example \"tier = 'gold'\"")] = None,
    quiet: Quiet = False,
) -> None:
    """Write a version in another format: Hugging Face, lhotse Shar, WebDataset with text, Delta, manifest.

    Example: auricle export ./speech-dataset@7 ./out --to shar -r mimi-codes
    """
    from ...loaders.copies.export import export as write
    from ...loaders.reading.version import split_version
    from ..terminal import console

    url, version = split_version(working(dataset))
    with console.counting("exporting", "clips", quiet) as tell:
        made = write(url, dest, to, version, representation or (), where, progress=tell)
    console.say(
        f"{made.clips:,} clips of version {made.version} in {made.files} files, {made.num_bytes / 1e6:,.1f} MB: "
        f"{made.dest}"
    )
    for note in made.notes:
        console.say(note)


def takedown(
    dataset: DatasetOnly,
    clips: Annotated[
        list[str] | None,
        typer.Option("--clips", help="A clip's key or its beginning, of `auricle show DATASET --clips`; repeatable"),
    ] = None,
    speaker: Annotated[str | None, typer.Option(help="Everything of a speaker")] = None,
    source: Annotated[str | None, typer.Option(help="Everything of a source")] = None,
    where: Annotated[str | None, typer.Option(help="SQL condition on clips")] = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Also remove them from older versions and everything derived")
    ] = False,
    redact: Annotated[bool, typer.Option("--redact", help="Keep samples and latents, drop text and paths")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count")] = False,
    wait: Wait = False,
) -> None:
    """Take clips down for good: gone from the newest version, kept from coming back by tombstones.

    Without a selection, finish takedowns that were interrupted.

    Example: auricle takedown ./speech-dataset --speaker s1234 --purge
    """
    from ...pipelines.upkeep.takedown import takedown as take_down
    from ..terminal import console

    done = take_down(
        existing(dataset), clips=clips or (), speaker=speaker, source=source, where=where,
        purge=purge, redact=redact, dry_run=dry_run, wait=wait, notify=console.say,
    )  # fmt: skip
    word = "would be" if done.dry_run else "are"
    what = "redacted: no text and no path, samples and latents stay" if redact else "taken down"
    same = f" ({done.same_audio:,} of them for holding the same audio)" if done.same_audio else ""
    console.say(
        f"clips: {done.clips:,}, recordings: {done.recordings:,}{same} {word} {what}; newest version {done.version}"
    )
    if done.retired:
        versions = ", ".join(map(str, done.retired))
        console.say(
            f"versions that would be retired, with every file that holds the clips: {versions}"
            if done.dry_run
            else f"retired versions: {versions}; {len(done.removed)} files removed"
        )
    for place in done.out_of_reach:
        console.say(f"out of reach, may hold copies: {place}")


def abandon(
    dataset: DatasetOnly,
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The run; without one, unfinished runs are listed")
    ] = None,
    wait: Wait = False,
) -> None:
    """Give up an unfinished run. What it computed is lost and computed again by the next run.

    Example: auricle abandon ./speech-dataset 20260101T020000-a1b2c3
    """
    from ...pipelines.upkeep.garbage import abandon as give_up
    from ...pipelines.upkeep.garbage import unfinished
    from ..terminal import console

    if run is None:
        console.table(
            "",
            ("run", "files", "bytes"),
            [(r.run, r.files, r.num_bytes) for r in unfinished(existing(reading(dataset)))],
        )
        return
    gone = give_up(existing(dataset), run, wait=wait, notify=console.say)
    console.say(f"run {gone.run} is given up: {gone.files} files, {gone.num_bytes / 1e6:,.1f} MB")

"""Commands that delete: gc, takedown, abandon. Each says what would be deleted and asks; `--yes` is for scripts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from ..terminal.dataset_argument import existing, reading
from ..terminal.options import DatasetOnly, DryRun, Json, Quiet, Wait, Yes

if TYPE_CHECKING:
    from ...pipelines.upkeep.garbage import RunLeft
    from ...pipelines.upkeep.sweep import Collected
    from ...pipelines.upkeep.takedown import NamedClip, Takedown
    from ..terminal.deletion import Going

TEXT = 48
"""Letters of a transcript that are shown; `--json` has all."""


def add(app: typer.Typer) -> None:
    """Add the commands."""
    for verb in (gc, takedown, abandon):
        app.command()(verb)


def gc(
    dataset: DatasetOnly,
    keep_last: Annotated[int, typer.Option(help="Number of newest versions to keep")] = 10,
    dry_run: DryRun = False,
    yes: Yes = False,
    delete: Annotated[bool, typer.Option("--delete", hidden=True)] = False,
    wait: Wait = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Garbage collection: delete versions older than the last K, and files that no version, tag or run needs.

    Says what would go and asks. A script gives --yes; without a terminal and without --yes nothing is deleted and the
    exit code is 10. --quiet leaves out the list of files.

    Example: auricle gc ./speech-dataset --keep-last 30 --yes
    """
    from ...pipelines.upkeep.garbage import collect_garbage
    from ..terminal import console, deletion

    if delete:
        console.notice("gc --delete is called --yes now; the next release will not accept --delete")
    url = existing(dataset)

    def found(only_look: bool) -> Collected:
        with console.working("looking through the dataset", quiet):
            return collect_garbage(url, keep_last, only_look, wait=wait, notify=console.notice)

    deletion.delete(
        lambda: found(True), lambda: found(False), _garbage,
        yes=yes or delete, dry_run=dry_run, as_json=as_json, quiet=quiet,
    )  # fmt: skip


def takedown(
    dataset: DatasetOnly,
    clips: Annotated[
        list[str] | None,
        typer.Option("--clips", help="Key of a clip or its beginning, see `auricle show DATASET --clips`; repeatable"),
    ] = None,
    speaker: Annotated[str | None, typer.Option(help="All clips of this speaker")] = None,
    source: Annotated[str | None, typer.Option(help="All clips of this source")] = None,
    where: Annotated[str | None, typer.Option(help="SQL condition on clips")] = None,
    purge: Annotated[
        bool,
        typer.Option("--purge", help="Also remove them from older versions and from everything derived from these"),
    ] = False,
    redact: Annotated[bool, typer.Option("--redact", help="Keep samples and latents, drop text and paths")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    wait: Wait = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Remove clips for good: from the newest version, and (by tombstones) from every later run.

    Says what would be removed and asks, since a takedown cannot be undone. A script gives --yes; without a terminal and
    without --yes nothing is done and the exit code is 10. Without a selection, takedowns that were interrupted are
    finished.

    Example: auricle takedown ./speech-dataset --speaker s1234 --purge --yes
    """
    from ...pipelines.upkeep.takedown import takedown as take_down
    from ..terminal import console, deletion

    # what was begun had been confirmed when it was begun
    only_finish = not (clips or speaker or source or where) and not dry_run

    url = existing(dataset)

    def found(only_look: bool) -> Takedown:
        with console.working("looking through all versions" if only_look else "taking down", quiet):
            return take_down(
                url, clips=clips or (), speaker=speaker, source=source, where=where,
                purge=purge, redact=redact, dry_run=only_look, wait=wait, notify=console.notice,
            )  # fmt: skip

    deletion.delete(
        lambda: found(True), lambda: found(False), lambda told, done: _taken_down(told, done, redact),
        yes=yes or only_finish, dry_run=dry_run, as_json=as_json, quiet=True,
    )  # fmt: skip


def abandon(
    dataset: DatasetOnly,
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="The run; without it, unfinished runs are listed")
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    wait: Wait = False,
    as_json: Json = False,
) -> None:
    """Delete an unfinished run. What it computed is lost; the next run computes it again.

    Says what would go and asks. A script gives --yes; without a terminal and without --yes nothing is deleted and the
    exit code is 10.

    Example: auricle abandon ./speech-dataset 20260101T020000-a1b2c3
    """
    from ...pipelines.upkeep.garbage import abandon as give_up
    from ...pipelines.upkeep.garbage import unfinished, unfinished_run
    from ..terminal import console, deletion
    from ..terminal.answer import answer

    url = existing(dataset)
    if run is None:
        left = unfinished(reading(url))
        rows = [(r.run, r.files, r.num_bytes) for r in left]
        facts = [{"run": r.run, "num_files": r.files, "num_bytes": r.num_bytes, "published": r.published} for r in left]
        answer(as_json, {"runs": facts}, lambda: console.table("", ("run", "files", "bytes"), rows))
        return
    deletion.delete(
        lambda: unfinished_run(url, run),
        lambda: give_up(url, run, wait=wait, notify=console.notice),
        _given_up, yes=yes, dry_run=dry_run, as_json=as_json,
    )  # fmt: skip


def _garbage(found: Collected, done: bool) -> Going:
    from ..terminal.deletion import Going, megabytes

    versions = f"versions {', '.join(map(str, found.versions))}" if found.versions else "no version"
    word = "deleted" if done else "would be deleted"
    line = f"{versions} and {megabytes(found.files)} in all {word}" if found.files else "there is nothing to delete"
    facts = {"versions": found.versions, "kept_versions": found.kept}
    return Going([line], facts, found.files, nothing=not found.files)


def _taken_down(found: Takedown, done: bool, redact: bool) -> Going:
    from ..terminal.deletion import Going, megabytes

    what = "redacted: no text and no path, samples and latents stay" if redact else "taken down"
    same = f" ({found.same_audio:,} of them for holding the same audio)" if found.same_audio else ""
    # what is gone is not written into logs: its key is enough to find it in a backup
    first = [replace(named, path=None, transcript=None) if done else named for named in found.named]
    lines = [named.clip if done else _one(named) for named in first]
    if found.clips > len(first):
        lines.append(f"and {found.clips - len(first):,} more")
    lines += [
        f"clips: {found.clips:,}, recordings: {found.recordings:,}{same} {'are' if done else 'would be'} {what}; "
        f"newest version {found.version}"
    ]
    if found.retired:
        word = "retired versions" if done else "versions that would be retired"
        lines.append(f"{word}: {', '.join(map(str, found.retired))}")
    if found.removed:
        word = "removed or written anew" if done else "would be removed or written anew"
        lines.append(f"{megabytes(found.removed)}, {word}")
    if found.still_in:
        hold = "would hold" if not done else "holds" if len(found.still_in) == 1 else "hold"
        lines.append(
            f"{_versions(found.still_in)} of this dataset {hold} "
            f"{'the text and the paths' if redact else 'them'} as before: --purge removes them from there"
        )
    if found.offered_by:
        lines.append(f"curricula of {_versions(found.offered_by)} may still offer them")
    lines += [f"out of reach, may hold copies: {place}" for place in found.out_of_reach]
    facts = {
        "clips": found.clips,
        "first_clips": first,
        "recordings": found.recordings,
        "clips_with_same_audio": found.same_audio,
        "version": found.version,
        "retired_versions": found.retired,
        "still_in_versions": found.still_in,
        "offered_by_curricula_of": found.offered_by,
        "out_of_reach": found.out_of_reach,
    }
    return Going(lines, facts, found.removed)


def _one(clip: NamedClip) -> str:
    """A clip on a line: its key, where it is, and how its text begins."""
    text = " ".join((clip.transcript or "").split())
    begins = f"  {text if len(text) <= TEXT else f'{text[: TEXT - 1]}…'}" if text else ""
    where = f"{clip.source}/{clip.path}" if clip.path is not None else f"{clip.source} (its path is redacted)"
    return f"{clip.clip}  {where}  from {clip.start_s:.2f} s{begins}"


def _versions(numbers: list[int]) -> str:
    return f"version{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _given_up(left: RunLeft, done: bool) -> Going:
    from ..terminal.deletion import Going, megabytes

    held = megabytes(left.entries)
    line = f"run {left.run} is given up: {held} deleted" if done else f"run {left.run} holds {held}"
    return Going([line], {"run": left.run, "published": left.published}, left.entries)

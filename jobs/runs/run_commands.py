"""Commands that make versions: demo, run, plan, config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..terminal.options import Json, Quiet, Wait

ConfigPath = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="The YAML file; `auricle config example` prints one")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override one key, repeatable: workers.num=2, sources.0.path=./other, keep.1.min=15; KEY+=VALUE appends "
        "to a list: 'keep+={score: snr_db, min: 10, reason: noisy}'",
    ),
]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(demo)
    app.command()(run)
    app.command()(plan)
    config = typer.Typer(no_args_is_help=True, help="Configurations: print an example, check a file.")
    config.command("example")(config_example)
    config.command("check")(config_check)
    app.add_typer(config, name="config")


def demo(
    folder: Annotated[Path, typer.Argument(help="Folder for the corpus and the dataset")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of the corpus and its defects")] = 0,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Make a corpus of synthetic speech with planted defects, run the whole job on it, and count what was found.

    Example: auricle demo
    """
    from ..demo.demo import run_demo

    run_demo(folder, seed, quiet, as_json)


def run(
    config: ConfigPath,
    set_: Overrides = None,
    wait: Wait = False,
    paranoid: Annotated[
        bool, typer.Option("--paranoid", help="Hash every file again instead of trusting its time")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed before: files, clips, scores, latents")
    ] = False,
    accept_losses: Annotated[
        bool, typer.Option("--accept-losses", help="Go on although many files of a source are gone (else exit 21)")
    ] = False,
    scheduled_for: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Which night this is: 2026-03-01T02:30:00+01:00, or '02:30 Europe/Berlin' for the newest such time. A "
            "night that is done is not done again, and how it ended is kept for `schedule status`",
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Bring a dataset up to date: ingest, score, decide, extract, check by the gate, publish.

    Run the same command again after a crash to go on where it stopped, or any night to take in what is new.
    If nothing is new, no version is published. Exit code 20: the new version failed its checks. 21: a source lost many
    of its files. 75: another run holds the dataset.

    Example: auricle run speech.yaml --set workers.num=2
    """
    from ...pipelines.run import run as run_job
    from ...pipelines.work.threads import arrow_without_pandas
    from ..datasets.show import print_undecided, print_version
    from ..nights.nights import already_done, reported
    from ..nights.watch import watched
    from ..schedules.nightly_time import scheduled_time
    from ..terminal.answer import answer
    from ..terminal.config_file import load_config
    from ..terminal.console import Watcher

    # a night that finds nothing new is over before pandas would be there
    arrow_without_pandas()
    settings = load_config(config, set_ or [])
    night = scheduled_time(scheduled_for) if scheduled_for else None
    status: str
    if (version := already_done(settings.dataset, night)) is not None:
        status, undecided = "done before", ()
    else:
        with watched(settings, Watcher(quiet), night) as watch:
            watch.outcome = run_job(
                settings,
                wait=wait,
                paranoid=paranoid,
                retry_failed=retry_failed,
                accept_losses=accept_losses,
                progress=watch.progress,
            )
            reported(settings, watch)
        version, status, undecided = watch.outcome.version, watch.outcome.status, watch.outcome.undecided

    def printed() -> None:
        if status == "done before":
            typer.echo(f"the night of {scheduled_for} is done: version {version.document.number}")
        elif status == "unchanged":
            typer.echo(f"nothing new: version {version.document.number} is up to date")
        else:
            print_version(version)
        print_undecided(undecided)

    facts = {
        "status": status,
        "version": version.document.number,
        "document": version.document,
        "undecided": undecided,
    }
    answer(as_json, facts, printed)


def plan(config: ConfigPath, set_: Overrides = None, quiet: Quiet = False, as_json: Json = False) -> None:
    """Count what a run would do: new, changed and deleted files, missing scores and latents. Computes nothing.

    Example: auricle plan speech.yaml --set keep.0.min=15
    """
    from ...pipelines.plan import plan as make_plan
    from ..datasets.show import plan_facts, print_plan
    from ..terminal import console
    from ..terminal.answer import answer
    from ..terminal.config_file import load_config

    settings = load_config(config, set_ or [])
    with console.working("counting", quiet):
        found = make_plan(settings)
    answer(as_json, plan_facts(found), lambda: print_plan(found))


def config_example() -> None:
    """Print a commented configuration to start from.

    Example: auricle config example > speech.yaml
    """
    from ..terminal.config_file import EXAMPLE

    typer.echo(EXAMPLE, nl=False)


def config_check(config: ConfigPath, set_: Overrides = None) -> None:
    """Check a configuration as a run would, weights included, and print it with all defaults filled in.

    Opens no audio. Example: auricle config check speech.yaml
    """
    import yaml

    from ...extractors.coding.registry import describe_all
    from ...pipelines.policy.decide import check_rules
    from ...pipelines.publishing.gate import check
    from ...pipelines.tables.remaining import curators_of
    from ..terminal.config_file import load_config

    settings = load_config(config, set_ or [])
    check_rules(settings, curators_of(settings))
    check(settings.gate)
    describe_all(settings.representations)
    typer.echo(yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False), nl=False)

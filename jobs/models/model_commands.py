"""Commands about models and sound: relabel, weights, train, decode, explore."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ...schemas.counted import counted
from ..terminal.options import DatasetArg, DatasetOnly, DryRun, Json, Quiet, Wait, Yes


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(relabel)
    app.command()(decode)
    app.command()(explore)
    weights = typer.Typer(no_args_is_help=True, help="Weights of the codecs: what is here, fetch, check.")
    weights.command("list")(weights_list)
    weights.command("fetch")(weights_fetch)
    weights.command("check")(weights_check)
    app.add_typer(weights, name="weights")
    train = typer.Typer(no_args_is_help=True, help="Train the models that ship with the package.")
    train.command("codec")(train_codec)
    train.command("curator")(train_curator)
    train.command("units")(train_units)
    app.add_typer(train, name="train")


def relabel(
    dataset: DatasetOnly,
    recogniser: Annotated[
        str, typer.Option(help="pocketsphinx (English, offline), ctc, or one of an installed package")
    ] = "pocketsphinx",
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", metavar="KEY=VALUE", help="An option of the recogniser, e.g. model=./folder; repeatable"
        ),
    ] = None,
    below: Annotated[float, typer.Option(help="Recognise clips whose transcript_trust is below this")] = 0.5,
    margin: Annotated[
        float, typer.Option(help="By how much the trust of the new text must exceed that of the old one")
    ] = 0.3,
    min_trust: Annotated[float, typer.Option(help="Trust that a new text must reach")] = 0.5,
    min_difference: Annotated[
        float | None,
        typer.Option(help="Share of letters in which the new text must differ from the old; default by recogniser"),
    ] = None,
    untranscribed: Annotated[bool, typer.Option("--untranscribed", help="Also clips without a transcript")] = False,
    forget: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Delete the texts of this model, and recognise nothing")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes; default one per CPU that Ray sees")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    wait: Wait = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Recognise clips with a low transcript_trust. Better texts become their labels in the next run.

    Every answer stays under relabels/: old and new text, both trusts, the model. A label that the source corrects
    later wins. --forget says what would go and asks, or takes --yes, or ends with 10.

    Example: auricle relabel ./speech-dataset, then auricle run speech.yaml
    """
    import yaml

    from ...pipelines.relabel import relabel_dataset
    from ...schemas.errors import ConfigError
    from ..terminal import console
    from ..terminal.answer import answer
    from ..terminal.dataset_argument import existing
    from .forget_model import forget_model

    existing(dataset)
    if forget is not None:
        forget_model(dataset, forget, yes=yes, dry_run=dry_run, as_json=as_json)
        return
    if yes or dry_run:
        raise ConfigError(f"{'--yes' if yes else '--dry-run'} belongs to --forget MODEL: without it nothing is deleted")
    options = {}
    for text in option or []:
        key, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--option {text!r}: key=value is required, for example model=./folder")
        options[key] = yaml.safe_load(value)
    found = relabel_dataset(
        dataset,
        recogniser,
        options,
        below=below,
        margin=margin,
        min_trust=min_trust,
        min_difference=min_difference,
        untranscribed=untranscribed,
        workers=workers,
        wait=wait,
        progress=console.Watcher(quiet),
    )

    def printed() -> None:
        console.say(
            f"{found.model}: {counted(found.asked, 'clip')} recognised, {counted(found.taken, 'text')} accepted; "
            f"{found.known} were known, {found.failed} could not be read"
        )
        if found.taken:
            console.say("run the dataset's configuration again to use the texts")

    answer(as_json, vars(found), printed)


def decode(
    dataset: DatasetArg,
    clip: Annotated[
        str, typer.Argument(metavar="CLIP", help="Key of the clip, or its beginning; show DATASET --clips lists them")
    ],
    representation: Annotated[
        str, typer.Option("--representation", "-r", help="A codes representation")
    ] = "builtin-codes",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="WAV file; default CLIP.wav")] = None,
) -> None:
    """Decode the codes of a clip to a WAV file.

    Example: auricle decode ./speech-dataset@3 4f1c -r builtin-codes -o heard.wav
    """
    from ...loaders.reading.version import open_version
    from .codes_to_audio import decode_clip

    typer.echo(str(decode_clip(open_version(dataset), clip, representation, out)))


def explore(
    dataset: DatasetOnly,
    host: Annotated[
        str, typer.Option(help="Address to listen on; if it is not loopback, a token is required, which is printed")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port")] = 8765,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A host name that browsers may use; repeatable; default: any, if not on loopback"),
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="AURICLE_TOKEN", help="The token, if not on loopback; default: a new one")
    ] = None,
) -> None:
    """Browse a dataset: filter clips, listen, see spectrograms, compare versions.

    Example: auricle explore ./speech-dataset
    """
    from ...dashboards.explorer.explorer import serve
    from ..terminal.dataset_argument import reading
    from .hearing import hearing

    serve(reading(dataset), host, port, hosts=allow_host or (), token=token, hearing=hearing())


def weights_list(as_json: Json = False) -> None:
    """List the codecs with published weights, and whether this machine has them.

    Example: auricle weights list --json
    """
    from ...extractors.codecs.builtin import WEIGHTS
    from ...extractors.coding.weights import list_weights
    from ..terminal.answer import answer
    from ..terminal.console import table

    ours = {"name": "builtin", "present": True, "file": WEIGHTS.name, "licence": "the package's own"}
    known = [ours | {"path": str(WEIGHTS)}, *list_weights()]
    rows = [(w["name"], "here" if w["present"] else "absent", w["file"], w["licence"], w["path"]) for w in known]
    answer(as_json, {"weights": known}, lambda: table("", ("codec", "", "file", "licence", "path"), rows))


def weights_fetch(
    name: Annotated[str, typer.Argument(help="Codec: mimi, encodec24, ...")],
    source: Annotated[
        str | None, typer.Option("--from", help="hub id, path or s3://; default where they are published")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Download weights into the cache and record their hash.

    Example: auricle weights fetch mimi
    """
    from ...extractors.coding.weights import fetch
    from ..terminal import console

    with console.working(f"fetching {name}", quiet):
        found = fetch(name, source)
    typer.echo(f"{found.path}  sha256 {found.sha256}")


def weights_check(
    name: Annotated[str, typer.Argument(help="Codec: mimi, encodec24, ...")],
    source: Annotated[
        str | None, typer.Option("--from", help="hub id, path or s3://; default where they are published")
    ] = None,
    sha256: Annotated[str | None, typer.Option(help="The expected SHA-256")] = None,
) -> None:
    """Hash weights and load them into the codec. Exit 6 if they are absent, changed, or those of another codec.

    Example: auricle weights check mimi --from ./mimi.safetensors
    """
    from ...extractors.codecs.builtin import packaged_or_named
    from ...extractors.coding import registry
    from ...extractors.coding.weights import check
    from ...schemas.config import RepresentationConfig

    registry.family(name)
    packaged = name == "builtin" and source is None
    found = packaged_or_named(None, sha256) if packaged else check(name, source, sha256)
    registry.load_codec(RepresentationConfig(codec=name, kind="codes", weights=source, weights_sha256=sha256))
    typer.echo(f"{found.path}  sha256 {found.sha256}")


def train_codec(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML: sources, out, quantizer, steps, ...")],
    export_to: Annotated[
        Path | None, typer.Option("--export", help="Write the weights and their card here at the end")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Train the built-in codec on your speech; an existing checkpoint is resumed.

    Example: auricle train codec codec.yaml --export builtin.safetensors
    """
    import json

    from ...extractors.training.train_codec import CodecTraining, export, train
    from ..terminal.config_file import load_model

    settings = load_model(CodecTraining, config)
    report = train(settings, progress=_progress(quiet))
    if export_to is not None:
        report = export(settings.out, export_to)
    typer.echo(json.dumps(report, indent=2, default=str))


def train_curator(
    speech: Annotated[list[Path], typer.Option("--speech", help="transcripts.tsv beside clean speech; repeatable")],
    noise: Annotated[Path, typer.Option(help="Folder of noise recordings; every second one is held out")],
    music: Annotated[Path, typer.Option(help="Folder of music; every second one is held out")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Weights to write (.safetensors); the card goes beside")],
    more_noise: Annotated[list[Path] | None, typer.Option(help="Folder of noise to train on only; repeatable")] = None,
    more_music: Annotated[list[Path] | None, typer.Option(help="Folder of music to train on only; repeatable")] = None,
    recipe: Annotated[Path | None, typer.Option(help="YAML: mixtures, steps, width, seed, ...")] = None,
    owner: Annotated[str, typer.Option(help="Owner of the model, for its card")] = "",
    quiet: Quiet = False,
) -> None:
    """Train the acoustic network (SNR, reverberation, speech quality) on clean speech, noise and simulated rooms.

    The default recipe takes about an hour of one core and 10 GB of memory; half the mixtures take half of it. Score
    with the result by the option `weights` of snr, reverb, content and quality.

    Example: auricle train curator --speech clean/transcripts.tsv --noise noise --music music -o curator.safetensors
    """
    import json

    from ...curators.training.train_acoustic import Recipe, audio_files, labelled_speech, train
    from ..terminal.config_file import load_model

    def sounds(folders: list[Path] | None) -> list[Path]:
        return [path for folder in folders or () for path in audio_files(folder)]

    card = train(
        labelled_speech(speech),
        audio_files(noise),
        audio_files(music),
        out,
        load_model(Recipe, recipe) if recipe else None,
        more_noise=sounds(more_noise),
        more_music=sounds(more_music),
        owner=owner,
        progress=_progress(quiet),
    )
    typer.echo(json.dumps(card, indent=2, default=str))


def train_units(
    dataset: DatasetArg,
    out: Annotated[Path, typer.Option("--out", "-o", help="Weights to write (.safetensors); the card goes beside")],
    over: Annotated[str | None, typer.Option(help="Latents of the dataset, such as mimi-latents; default MFCC")] = None,
    size: Annotated[
        list[int] | None, typer.Option(help="Number of clusters, e.g. 500; repeatable, all sizes are fitted together")
    ] = None,
    rate_hz: Annotated[float, typer.Option(help="Frame rate of MFCC: 75, 50, 25 or 12.5")] = 75.0,
    passes: Annotated[int, typer.Option(help="Passes over the data")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of the initial centroids")] = 0,
    owner: Annotated[str, typer.Option(help="Owner of the model, for its card")] = "",
    workers: Annotated[
        int | None, typer.Option(help="Worker processes, if there is enough to do; default one per CPU that Ray sees")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Fit speech units (k-means) on the kept clips of a dataset. Resumes when interrupted.

    Example: auricle train units ./speech-dataset --over builtin-latents-75hz --size 100 --size 500 -o units.safetensors
    """
    import json

    from ...loaders.reading.version import open_version
    from ..terminal import console
    from .train_units import units_of

    version, sizes = open_version(dataset), size or [100, 500]
    with console.counting("fitting", "clips, all passes", quiet) as tell:
        card = units_of(version, sizes, out, over, rate_hz, passes, seed, owner, workers, tell)
    typer.echo(json.dumps(card, indent=2))


def _progress(quiet: bool) -> Callable[[str], None]:
    from ..terminal.console import notice

    return (lambda line: None) if quiet else notice

"""The registry of models as the command shows and changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from rich.progress import Progress

from ..curators.registry import available, build
from ..extractors.registry import codecs
from ..loaders.models import read_models
from ..loaders.store import Store
from ..loaders.version import numbers, open_version
from ..pipelines.promoted import candidate, codes_of, promote, roll_back
from ..pipelines.shadow import compare_codec, compare_curator
from ..schemas.errors import ConfigError
from . import console

SHOWN = ("all", "source", "language", "status")


def parsed(options: Sequence[str]) -> dict[str, Any]:
    """`["model=./folder", "batch_s=60"]` as a mapping, values as YAML."""
    found = {}
    for text in options:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"--option {text!r}: key=value is required, for example weights=./model.safetensors")
        found[key] = yaml.safe_load(value)
    return found


def print_models(dataset: str | None) -> None:
    """Curators and codecs that exist; with a dataset, what it has promoted and what its newest version ran."""
    if dataset is None:
        rows = [("curator", c.name, c.version, ", ".join(x.name for x in c.columns)) for c in _curators()]
        console.table("", ("", "name", "version", "scores"), rows + [("codec", name, None, "") for name in codecs()])
        return
    store = Store(dataset)
    document = read_models(store)
    rows = [
        (m.kind, m.slot, m.name, m.fingerprint[:12], ", ".join(f"{k}={v}" for k, v in m.options.items()))
        for m in document.models.values()
    ]
    if rows:
        console.say(f"promotion {document.number}" + (f": {document.note}" if document.note else ""))
        console.table("promoted", ("", "in place of", "runs", "fingerprint", "options"), rows)
    else:
        console.say("nothing is promoted: models are those of the configuration")
    if numbers(store):
        newest = open_version(store).document
        used = [("curator", n, e.version, e.fingerprint[:12]) for n, e in newest.curators.items()]
        used += [("codec", n, None, e.spec.fingerprint[:12]) for n, e in newest.representations.items()]
        console.table(f"in version {newest.number}", ("", "name", "version", "fingerprint"), used)


def _curators() -> list[Any]:
    return [build([name], {})[0] for name in available()]


def compare(dataset: str, slot: str, name: str | None, options: Mapping[str, Any], clips: int, quiet: bool) -> None:
    """Run the candidate in shadow and print what changes, slice by slice."""
    model, version = candidate(slot, name, options), open_version(dataset)
    with Progress(console=console.err, transient=True, disable=quiet or not console.err.is_terminal) as bar:
        task = bar.add_task("comparing", total=clips)
        done = lambda count: bar.update(task, completed=count)  # noqa: E731
        if model.kind == "curator":
            record = compare_curator(version, model, clips, done)
        else:
            from ..extractors.fidelity import Fidelity

            now = read_models(version.store).models.get(slot)
            current = Fidelity(codes_of(now.name, now.options) if now else codes_of(slot, {}))
            record = compare_codec(version, current, Fidelity(codes_of(model.name, model.options)), model, clips, done)
    print_comparison(record)


def print_comparison(record: Mapping[str, Any]) -> None:
    """The main slices, then the decisions that would flip."""
    console.say(
        f"{record['name']} (fingerprint {record['fingerprint'][:12]}) in place of {record['slot']}, "
        f"on {record['clips']} clips of version {record['version']}; {record['failed']} could not be read"
    )
    rows = [
        (
            s["slice"],
            s["score"],
            s["clips"],
            s.get("median_before"),
            s.get("median_after"),
            s.get("mean_change"),
            s.get("rank_correlation", s.get("agreement")),
            s["null_before"],
            s["null_after"],
        )
        for s in record["slices"]
        if s["slice"].startswith(SHOWN)
    ]
    heads = ("slice", "score", "clips", "median now", "then", "mean change", "rank corr. or agreement", "nulls", "then")
    console.table("", heads, rows)
    if record["flips"]:
        flips = [(reason, f["before"], f["after"], f["flipped"]) for reason, f in record["flips"].items()]
        console.table("decisions on the sample", ("reason", "drops now", "then", "flipped"), flips)
    if record.get("cpu_s"):
        console.say(f"{record['audio_s'] / record['cpu_s']:.0f} times real time on one core")


def promote_model(dataset: str, slot: str, name: str | None, options: Mapping[str, Any], note: str) -> None:
    """Make the candidate what runs use."""
    made = promote(Store(dataset), candidate(slot, name, options), note)
    console.say(f"promotion {made.number}: runs use {made.models[slot].name} for {slot} from now on")


def roll_back_models(dataset: str, to: int | None) -> None:
    """Publish an older promotion again."""
    made = roll_back(Store(dataset), to)
    held = ", ".join(f"{m.name} for {m.slot}" for m in made.models.values()) or "what configurations say"
    console.say(f"promotion {made.number}: runs use {held}")

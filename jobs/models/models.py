"""The registry of models as the command shows and changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from rich.progress import Progress

from ...curators.registry import available, build, curator_class
from ...extractors.coding.registry import codecs
from ...loaders.reading.models import read_models
from ...loaders.reading.version import numbers, open_version
from ...loaders.storage.store import Store
from ...pipelines.trial.promoted import candidate, codes_of, described, in_words, promote, roll_back
from ...pipelines.trial.shadow import compare_codec, compare_curator
from ...schemas.errors import AuricleError, ConfigError, MissingExtraError, WeightsError
from ...schemas.models import PromotedModel
from ..terminal import console
from ..terminal.dataset_argument import reading, working


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
        rows = [_curator_row(name) for name in available()] + [("codec", name, None, "", "") for name in codecs()]
        console.table("", ("", "name", "version", "", "scores"), rows)
        return
    store = Store(reading(dataset))
    document = read_models(store)
    rows = [(m.kind, m.slot, m.name, m.fingerprint[:12], in_words(m.options)) for m in document.models.values()]
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


def _curator_row(name: str) -> tuple[object, ...]:
    """What the table says of a curator. One that cannot be made here is listed by its class, with what is amiss."""
    known: Any = None
    try:
        known = curator_class(name)
        known, amiss = build([name], {})[0], ""
    except WeightsError:
        amiss = "weights absent"
    except MissingExtraError:
        amiss = "package absent"
    except AuricleError:
        amiss = "cannot be made"
    scores = ", ".join(column.name for column in getattr(known, "columns", ()))
    return "curator", name, getattr(known, "version", None), amiss, scores


def compare(dataset: str, slot: str, name: str | None, options: Mapping[str, Any], clips: int, quiet: bool) -> None:
    """Run the candidate in shadow and print what changes, slice by slice."""
    model, version = candidate(slot, name, options), open_version(working(dataset))
    with Progress(console=console.err, transient=True, disable=quiet or not console.err.is_terminal) as bar:
        task = bar.add_task("comparing", total=clips)
        done = lambda count: bar.update(task, completed=count)  # noqa: E731
        if model.kind == "curator":
            record = compare_curator(version, model, clips, done)
        else:
            from ...extractors.fidelity import Fidelity

            now = read_models(version.store).models.get(slot)
            current = Fidelity(codes_of(now.name, now.options) if now else codes_of(slot, {}))
            record = compare_codec(version, current, Fidelity(codes_of(model.name, model.options)), model, clips, done)
    print_comparison(record)


def print_comparison(record: Mapping[str, Any]) -> None:
    """Every slice, then the decisions that would flip, then the cost beside that of the curator in use."""
    console.say(
        f"{_candidate(record)} (fingerprint {record['fingerprint'][:12]}) in place of {record['slot']}, "
        f"on {record['clips']} clips of version {record['version']}; {record['failed']} could not be read"
    )
    if record.get("uncompared"):
        console.say(record["uncompared"])
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
    ]
    heads = ("slice", "score", "clips", "median now", "then", "mean change", "rank corr. or agreement", "nulls", "then")
    console.table("", heads, rows)
    if record["flips"]:
        flips = [(reason, f["before"], f["after"], f["flipped"]) for reason, f in record["flips"].items()]
        console.table("decisions on the sample", ("reason", "drops now", "then", "flipped"), flips)
    _print_cost(record)


def _print_cost(record: Mapping[str, Any]) -> None:
    cost, now = record.get("cpu_s"), record.get("current_cpu_s")
    if not cost:
        return
    console.say(f"{_candidate(record)}: {record['audio_s'] / cost:,.0f} times real time on one core, models loaded")
    if now:
        share = f"the candidate costs {cost / now:.2f} of that"
        console.say(f"{record['current']} as it is now: {record['audio_s'] / now:,.0f} times real time; {share}")
    elif record.get("current_not_run"):
        console.say(f"the cost of the current one is not known here: {record['current_not_run']}")


def _candidate(record: Mapping[str, Any]) -> str:
    return f"{record['name']} with {in_words(record['options'])}"


def promote_model(dataset: str, slot: str, name: str | None, options: Mapping[str, Any], note: str) -> None:
    """Make the candidate what runs use."""
    made = promote(Store(working(dataset)), candidate(slot, name, options), note)
    console.say(f"promotion {made.number}: {_used(made.models[slot])} from now on")


def roll_back_models(dataset: str, to: int | None) -> None:
    """Publish an older promotion again."""
    made = roll_back(Store(working(dataset)), to)
    held = "; ".join(_used(m) for m in made.models.values()) or "runs use what configurations say"
    console.say(f"promotion {made.number} ({made.note}): {held}")


def _used(model: PromotedModel) -> str:
    return f"runs whose configuration names {model.slot} use {described(model)}"

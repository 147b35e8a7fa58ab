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
from ...schemas.counted import counted
from ...schemas.errors import AuricleError, ConfigError, MissingExtraError, WeightsError
from ...schemas.models import ModelsDocument, PromotedModel
from ..terminal import console
from ..terminal.answer import answer
from ..terminal.dataset_argument import existing, reading


def parsed(options: Sequence[str]) -> dict[str, Any]:
    """`["model=./folder", "batch_s=60"]` as a mapping, values as YAML."""
    found = {}
    for text in options:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"--option {text!r}: key=value is required, for example weights=./model.safetensors")
        found[key] = yaml.safe_load(value)
    return found


def print_models(dataset: str | None, as_json: bool = False) -> None:
    """Curators and codecs that exist; with a dataset, what it has promoted and what its newest version ran."""
    if dataset is None:
        known = [_curator(name) for name in available()]
        known += [{"kind": "codec", "name": name, "version": None, "amiss": "", "scores": []} for name in codecs()]
        rows = [(m["kind"], m["name"], m["version"], m["amiss"], ", ".join(m["scores"])) for m in known]
        heads = ("", "name", "version", "", "scores")
        answer(as_json, {"models": known}, lambda: console.table("", heads, rows))
        return
    store = Store(existing(reading(dataset)))
    document = read_models(store)
    newest = open_version(store).document if numbers(store) else None
    used: list[dict[str, Any]] = []
    if newest is not None:
        for name, entry in newest.curators.items():
            used.append({"kind": "curator", "name": name, "version": entry.version, "fingerprint": entry.fingerprint})
        for name, made in newest.representations.items():
            used.append({"kind": "codec", "name": name, "version": None, "fingerprint": made.spec.fingerprint})

    def printed() -> None:
        rows = [(m.kind, m.slot, m.name, m.fingerprint[:12], in_words(m.options)) for m in document.models.values()]
        if rows:
            console.say(f"promotion {document.number}" + (f": {document.note}" if document.note else ""))
            console.table("promoted", ("", "in place of", "runs", "fingerprint", "options"), rows)
        else:
            console.say("nothing is promoted: models are those of the configuration")
        if newest is not None:
            shown = [(m["kind"], m["name"], m["version"], m["fingerprint"][:12]) for m in used]
            console.table(f"in version {newest.number}", ("", "name", "version", "fingerprint"), shown)

    facts = {
        "promotion": document.number,
        "note": document.note,
        "promoted": list(document.models.values()),
        "version": newest.number if newest else None,
        "used": used,
    }
    answer(as_json, facts, printed)


def _curator(name: str) -> dict[str, Any]:
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
    scores = [column.name for column in getattr(known, "columns", ())]
    return {
        "kind": "curator",
        "name": name,
        "version": getattr(known, "version", None),
        "amiss": amiss,
        "scores": scores,
    }


def compare(
    dataset: str,
    slot: str,
    name: str | None,
    options: Mapping[str, Any],
    clips: int,
    quiet: bool,
    as_json: bool = False,
) -> None:
    """Run the candidate in shadow and print what changes, slice by slice."""
    model, version = candidate(slot, name, options), open_version(dataset)
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
    answer(as_json, record, lambda: print_comparison(record))


def print_comparison(record: Mapping[str, Any]) -> None:
    """Every slice, then the decisions that would flip, then the cost beside that of the curator in use."""
    console.say(
        f"{_candidate(record)} (fingerprint {record['fingerprint'][:12]}) in place of {record['slot']}, "
        f"on {counted(record['clips'], 'clip')} of version {record['version']}; {record['failed']} could not be read"
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


def promote_model(
    dataset: str, slot: str, name: str | None, options: Mapping[str, Any], note: str, as_json: bool = False
) -> None:
    """Make the candidate what runs use."""
    made = promote(Store(existing(dataset)), candidate(slot, name, options), note)
    said = f"promotion {made.number}: {_used(made.models[slot])} from now on"
    answer(as_json, _promotion(made), lambda: console.say(said))


def roll_back_models(dataset: str, to: int | None, as_json: bool = False) -> None:
    """Publish an older promotion again."""
    made = roll_back(Store(existing(dataset)), to)
    held = "; ".join(_used(m) for m in made.models.values()) or "runs use what configurations say"
    answer(as_json, _promotion(made), lambda: console.say(f"promotion {made.number} ({made.note}): {held}"))


def _promotion(made: ModelsDocument) -> dict[str, Any]:
    return {"promotion": made.number, "note": made.note, "promoted": list(made.models.values())}


def _used(model: PromotedModel) -> str:
    return f"runs whose configuration names {model.slot} use {described(model)}"

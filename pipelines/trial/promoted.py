"""Promoted models: what takes the place of the curators and codecs that a configuration names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...curators.registry import DEFAULT, available
from ...curators.registry import build as build_curators
from ...extractors.coding.registry import codecs, describe
from ...loaders.reading.models import publish_models, read_models
from ...loaders.reading.pending import require_none
from ...loaders.storage.store import Store
from ...schemas.config import RepresentationConfig, RunConfig, Scoring
from ...schemas.counted import counted
from ...schemas.errors import ConfigError
from ...schemas.models import ModelsDocument, PromotedModel
from .shadow import find_comparison

LEAST_CLIPS = 30
"""Clips that a comparison must rest on, or all that the version has; of fewer, chance decides what is seen to flip."""


def candidate(slot: str, name: str | None = None, options: Mapping[str, Any] | None = None) -> PromotedModel:
    """A model that could take the place of `slot`, with its fingerprint.

    name: another curator or codec; default the same. options: a curator's parameters; a codec's weights and
    weights_sha256. Raises `ConfigError` for what does not exist, `WeightsError` when weights are absent.
    """
    name, options = name or slot, dict(options or {})
    if slot in available():
        fingerprint = build_curators([name], {name: options})[0].fingerprint
        return PromotedModel(kind="curator", slot=slot, name=name, options=options, fingerprint=fingerprint)
    if slot in codecs():
        return PromotedModel(
            kind="codec",
            slot=slot,
            name=name,
            options=options,
            fingerprint=describe(codes_of(name, options)).fingerprint,
        )
    raise ConfigError(f"{slot!r} is neither a curator ({', '.join(available())}) nor a codec ({', '.join(codecs())})")


def codes_of(name: str, options: Mapping[str, Any]) -> RepresentationConfig:
    """The codes of a codec with these weights. Raises `ConfigError` for another option."""
    strange = sorted(set(options) - {"weights", "weights_sha256"})
    if strange:
        raise ConfigError(f"codec {name!r}: option {strange[0]!r} is not weights or weights_sha256")
    return RepresentationConfig(codec=name, kind="codes", **options)


def promote(store: Store, model: PromotedModel, note: str = "") -> ModelsDocument:
    """Make `model` what runs use from now on.

    Raises `ConfigError` when it was never compared in shadow here, or on fewer than `LEAST_CLIPS` clips of more.
    """
    require_none(store)
    compared = find_comparison(store, model)
    if compared is None:
        raise ConfigError(
            f"{model.slot}: {model.name} with these options (fingerprint {model.fingerprint[:12]}) was not compared on "
            f"this dataset; `auricle models compare` does, with the same options"
        )
    looked_at = compared["clips"] + compared["failed"]
    if compared["clips"] < LEAST_CLIPS and looked_at < (compared.get("available") or LEAST_CLIPS):
        raise ConfigError(
            f"{described(model)} for {model.slot} was compared on {counted(compared['clips'], 'clip')}, "
            f"{LEAST_CLIPS} are required, or all that the version has. Compare it on more: "
            "`auricle models compare --clips 200`, with the same options"
        )
    summary = {key: compared[key] for key in ("version", "clips", "flips") if key in compared}

    def make(newest: ModelsDocument) -> ModelsDocument:
        return ModelsDocument(
            number=0, created="", note=note, models={**newest.models, model.slot: model}, compared=summary
        )

    return publish_models(store, make)


def roll_back(store: Store, number: int | None = None) -> ModelsDocument:
    """Publish the models of document `number` again; 0: none.

    By default what held before the promotion that holds now, so that each further call goes one promotion back.
    """
    require_none(store)

    def make(newest: ModelsDocument) -> ModelsDocument:
        holds = _original(newest)
        if number is None and holds == 0:
            nothing = "nothing was promoted here" if not newest.number else "what configurations say holds already"
            raise ConfigError(f"{store.url}: {nothing}, so there is nothing to roll back")
        old = read_models(store, holds - 1 if number is None else number)
        back = _original(old)
        return ModelsDocument(number=0, created="", note=f"promotion {back} again", again=back, models=old.models)

    return publish_models(store, make)


def _original(document: ModelsDocument) -> int:
    """The promotion whose models a document has: its own number, or that which a rollback published again."""
    return document.number if document.again is None else document.again


def with_promoted(store: Store, config: RunConfig, notify: Callable[[str], None] = lambda _: None) -> RunConfig:
    """The configuration with promoted models in place; `notify` is told of those that have no place in it.

    Raises `ConfigError` where it sets options of its own for a promoted model, and where what would run is not what
    was compared (other weights at the path, another version of the code).
    """
    for model in read_models(store).models.values():
        if not _names(config, model):
            notify(f"{described(model)} is promoted for {model.slot}, which the configuration does not name: not used")
        config = _curator(config, model) if model.kind == "curator" else _codec(config, model)
    return config


def described(model: PromotedModel) -> str:
    """A model by its name and what makes the difference: "alignment with mode=lite"."""
    return f"{model.name} with {in_words(model.options)}"


def in_words(options: Mapping[str, Any]) -> str:
    """Options on one line: "mode=lite, batch_s=60"."""
    return ", ".join(f"{key}={value}" for key, value in options.items()) or "default options"


def _names(config: RunConfig, model: PromotedModel) -> bool:
    if model.kind == "curator":
        return model.slot in (config.score.curators or DEFAULT)
    return any(r.codec == model.slot for r in config.representations)


def _curator(config: RunConfig, model: PromotedModel) -> RunConfig:
    names = list(config.score.curators or DEFAULT)
    if model.slot not in names:
        return config
    own = config.score.options.get(model.slot)
    if own and own != model.options:
        raise _clash(model, f"score.options.{model.slot}")
    names = [model.name if name == model.slot else name for name in names]
    options = {k: v for k, v in config.score.options.items() if k != model.slot}
    _same(model)
    score = Scoring(curators=names, options=options | {model.name: model.options}, early_exit=config.score.early_exit)
    return config.model_copy(update={"score": score})


def _codec(config: RunConfig, model: PromotedModel) -> RunConfig:
    made = []
    for r in config.representations:
        if r.codec == model.slot:
            own = {"weights": r.weights, "weights_sha256": r.weights_sha256}
            if any(value not in (None, model.options.get(key)) for key, value in own.items()):
                raise _clash(model, f"weights of the representation {r.codec} {r.kind}")
            _same(model)
            r = r.model_copy(update={"codec": model.name, **model.options})
        made.append(r)
    return config.model_copy(update={"representations": made})


def _same(model: PromotedModel) -> None:
    found = candidate(model.slot, model.name, model.options).fingerprint
    if found != model.fingerprint:
        raise ConfigError(
            f"{model.slot}: {model.name} was promoted with fingerprint {model.fingerprint[:12]}; the code and "
            f"weights here have {found[:12]}. Compare and promote it again, or `auricle models rollback`"
        )


def _clash(model: PromotedModel, key: str) -> ConfigError:
    return ConfigError(
        f"{key} is set, and the dataset has promoted {model.name} with {model.options or 'no options'} for it. "
        "Take the key out of the configuration, or roll the promotion back (`auricle models rollback`)"
    )

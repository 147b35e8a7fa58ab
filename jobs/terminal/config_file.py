"""The YAML file that users write: read, override, validate, explain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from ...schemas.config import RunConfig
from ...schemas.errors import ConfigError
from ...schemas.near import did_you_mean

EXAMPLE = """\
# Where recordings come from, which clips are kept, what is extracted. `auricle plan` shows what a run would do.
# Relative paths are taken from the folder in which the command runs.
dataset: ./speech-dataset             # a folder or s3://bucket/prefix; made by the first run

sources:                              # if two have the same recording, the one listed first wins
  - path: ./recordings                # every audio file below it; local or s3://
    name: recordings                  # short name in tables; default: the folder's name
    transcripts: transcripts.tsv      # .tsv/.csv with file, speaker, language, transcript; a NeMo .jsonl; or trans.txt
    language: en                      # for clips without a language in their label
    include: ["**/*"]                 # globs below path
    missing: retire                   # clips whose file is gone: retire (drop them) or keep

segment:
  method: whole                       # one clip per channel; fixed: windows of max_s; speech: cut at pauses
  min_s: 3                            # shortest clip of method speech
  max_s: 30
  truncated: fail                     # recordings with less audio than their header declares; or accept

score:
  early_exit: false                   # true: no costly scores for clips that a cheap rule drops

keep:                                 # rules; a clip that breaks one is dropped, with the reason
  - {score: speech_s, min: 0.5, reason: silent}
  - {score: snr_db, min: 10, confidence: 0.9, unsure: tier, reason: noisy}   # unsure clips: tier `undecided`;
                                      # or keep, or drop. Without confidence, the score is taken at its word
  - {score: clip_ratio, max: 0.001, reason: clipped}
  - {score: transcript_trust, min: 0.5, reason: transcript}   # more likely right than wrong, by the share of wrong
                                      # texts in the source, which is estimated; clips without a transcript are kept
# - {score: text_empty, equals: false, missing: drop, reason: no_text}   # drops clips without a transcript

# drop_groups:                        # drop all of a source, speaker or language if too many of its clips are bad
#   - {by: source, max_share: 0.3, counting: [transcript], reason: bad_source}

tiers:                                # best first; a clip gets the first tier whose conditions it satisfies
  - name: gold
    when: [{score: snr_db, min: 25}, {score: transcript_trust, min: 0.9}]
  - name: silver
    when: [{score: snr_db, min: 15}]
  - name: bronze

duplicates: {exact: true, near: true} # of equal or re-encoded clips one is kept

# quotas:                             # the most that one speaker may contribute; better tiers first
#   - {by: speaker, max_hours: 2}

representations:                      # each has shards of its own
  - {codec: builtin, kind: codes}
  - {codec: builtin, kind: latents}
  # - {codec: mimi, kind: codes, num_codebooks: 8, weights: ./mimi.safetensors}
  # - {codec: encodec24, kind: latents, weights: ./encodec_24khz.safetensors}

gate:                                 # what must hold before a version is published
  min_clips: 1
  min_kept_share: 0.1
  max_flipped_share: 0.5              # share of old clips that may change between kept and dropped

workers:
  unit_s: 300                         # audio seconds per work unit: what a crash can cost each worker
"""


Model = TypeVar("Model", bound=BaseModel)


def load_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read and validate a configuration; `overrides` are `key=value` with dots into sections and list positions, or
    `key+=value` for one more item of a list.

    Raises `ConfigError` naming the key, what was found and what is allowed.
    """
    return load_model(RunConfig, path, overrides)


def load_model(model: type[Model], path: Path, overrides: Sequence[str] = (), example: str = "config example") -> Model:
    """`load_config` for any configuration. example: the command that prints one."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}). `auricle {example}` prints one to start from."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        keys = " and ".join(f"`{name}`" for name, field in model.model_fields.items() if field.is_required())
        raise ConfigError(f"{path}: a mapping with {keys} is required, found {type(raw).__name__}")
    for override in overrides:
        _override(raw, override)
    return _validated(model, raw, " ".join([str(path), *(f"--set {override!r}" for override in overrides)]))


def validate(raw: dict[str, Any], subject: str) -> RunConfig:
    """The configuration that `raw` is. Raises `ConfigError` with every problem, one a line."""
    return _validated(RunConfig, raw, subject)


def _validated(model: type[Model], raw: dict[str, Any], subject: str) -> Model:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problems = "".join(f"\n  {_explain(model, dict(e))}" for e in error.errors())
        raise ConfigError(f"{subject}: the configuration cannot be run:{problems}") from error


def _override(raw: dict[str, Any], override: str) -> None:
    """`a.b=value` sets, `a.b+=value` appends to a list; a list as value appends each of its items."""
    key, equals, text = override.partition("=")
    append = key.endswith("+")
    steps = key.removesuffix("+").split(".")
    if not equals or not all(steps):
        raise ConfigError(
            f"--set {override!r}: key=value is required, or key+=value to append to a list, "
            "for example --set workers.unit_s=60"
        )
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override!r}: the value is not valid YAML") from error
    place: Any = raw
    for step in steps[:-1]:
        place = _descend(place, step, override)
    last = steps[-1]
    if append:
        listed = _descend(place, last, override, absent=[])
        if not isinstance(listed, list):
            raise ConfigError(
                f"--set {override!r}: {last!r} is a section with keys, not a list: use {last}.<key>=value"
            )
        listed.extend(value if isinstance(value, list) else [value])
    elif isinstance(place, list):
        place[_position(place, last, override)] = value
    else:
        place[last] = value


def _descend(place: Any, step: str, override: str, absent: Any = None) -> Any:
    """The part of `place` that `step` leads to; what is not there yet begins as `absent`, by default a section."""
    if isinstance(place, list):
        child = place[_position(place, step, override)]
    else:
        child = place.get(step)
        if child is None:
            child = place[step] = {} if absent is None else absent
    if not isinstance(child, dict | list):
        raise ConfigError(f"--set {override!r}: {step!r} is the value {child!r}, it has no parts")
    return child


def _position(place: list[Any], step: str, override: str) -> int:
    if not step.isdigit() or int(step) >= len(place):
        key = override.partition("=")[0].partition(f".{step}")[0]
        there = f"0 to {len(place) - 1} are there" if place else "it is empty"
        raise ConfigError(
            f"--set {override!r}: {step!r} is not a position in the list {key!r} ({there}); {key}+=value appends to it"
        )
    return int(step)


def _explain(model: type[BaseModel], error: dict[str, Any]) -> str:
    location = ".".join(str(part) for part in error["loc"]) or "(the whole)"
    found = error.get("input")
    if error["type"] == "extra_forbidden":
        allowed = _allowed(model, error["loc"])
        return (
            f"{location}: unknown key{did_you_mean(str(error['loc'][-1]), allowed)} Allowed here: {', '.join(allowed)}"
        )
    if error["type"] == "missing":
        return f"{location}: required and absent"
    if error["type"] == "finite_number":
        return f"{location}: a finite number is required; leave the key out where there is no bound (found {found!r})"
    message = error["msg"].removeprefix("Value error, ")
    return f"{location}: {message} (found {found!r})" if not isinstance(found, dict) else f"{location}: {message}"


def _allowed(root: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """Keys of the section that holds the last step of `location`."""
    model: Any = root
    for step in location[:-1]:
        if isinstance(step, int):
            continue
        annotation = model.model_fields[step].annotation
        inner = [a for a in (annotation, *get_args(annotation)) if isinstance(a, type) and issubclass(a, BaseModel)]
        if not inner:
            return []
        model = inner[0]
    return sorted(model.model_fields)

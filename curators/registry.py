"""Which curators exist, by name, and how to make those that a configuration asks for."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import ValidationError

from ..schemas.errors import ConfigError
from ..schemas.near import did_you_mean
from ..schemas.score import Curator

CURATORS: dict[str, str] = {
    "signal": "signal.signal:SignalCurator",
    "vad": "signal.vad:VadCurator",
    "snr": "signal.snr:SnrCurator",
    "dnsmos": "signal.dnsmos:DnsmosCurator",
    "channels": "signal.channels:ChannelsCurator",
    "reverb": "signal.reverb:ReverbCurator",
    "content": "signal.content:ContentCurator",
    "quality": "signal.quality:QualityCurator",
    "alignment": "words.transcript:TranscriptCurator",
    "text": "words.text:TextCurator",
    "voice": "voices.voice:VoiceCurator",
    "duplicates": "copies.duplicates:DuplicatesCurator",
    "transcript_ctc": "words.ctc:CtcCurator",
}
"""Name to "module:Class", the module in this folder. Imported only when built."""

ON_REQUEST = ("transcript_ctc",)
"""Built in, but for a GPU and weights that the package does not carry; its columns are those of `alignment`."""
DEFAULT: tuple[str, ...] = tuple(name for name in CURATORS if name not in ON_REQUEST)
"""What runs when the configuration names no curators: all that need nothing but the package."""

ENTRY_POINT_GROUP = "auricle.curators"
"""Another package adds a curator by an entry point in this group: its name = "package.module:Class"."""


@lru_cache(maxsize=1)
def _third_party() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP) if point.name not in CURATORS}


def available() -> tuple[str, ...]:
    """Names that `build` accepts: built-in ones in their order, then those of other packages."""
    return (*CURATORS, *sorted(_third_party()))


def curator_class(name: str) -> type:
    """The class behind a name, imported. Raises `ConfigError` for an unknown name or an entry point that fails."""
    if name in CURATORS:
        module, _, attribute = CURATORS[name].partition(":")
        return getattr(import_module(f".{module}", __package__), attribute)
    point = _third_party().get(name)
    if point is None:
        raise ConfigError(f"unknown curator '{name}'{_known(name)}")
    try:
        return point.load()
    except Exception as error:
        raise ConfigError(f"curator '{name}' ({point.value}) cannot be imported: {error}") from error


def _known(name: str) -> str:
    return f"{did_you_mean(name, available())} Curators: {', '.join(available())}"


def build(names: Sequence[str] | None = None, options: Mapping[str, Mapping[str, Any]] | None = None) -> list[Curator]:
    """One instance per name (default: `DEFAULT`), in that order, with its options. No model is loaded.

    Raises `ConfigError` for an unknown or repeated name, for options of a curator that does not run, for an option
    that the curator does not have, and for two curators with a column of one name.
    """
    chosen = list(DEFAULT if names is None else names)
    options = options or {}
    for name in chosen:
        if chosen.count(name) > 1:
            raise ConfigError(f"curator '{name}' is named twice")
    for name in options:
        if name not in available():
            raise ConfigError(f"options for an unknown curator '{name}'{_known(name)}")
        if name not in chosen:
            raise ConfigError(f"options for curator '{name}', which does not run. Running: {', '.join(chosen)}")
    curators = [_instance(name, options.get(name, {})) for name in chosen]
    owner: dict[str, str] = {}
    for curator in curators:
        for column in curator.columns:
            if column.name in owner:
                raise ConfigError(
                    f"curators '{owner[column.name]}' and '{curator.name}' both have a column '{column.name}'"
                )
            owner[column.name] = curator.name
    return curators


def _instance(name: str, options: Mapping[str, Any]) -> Curator:
    kind = curator_class(name)
    try:
        curator = kind(**options)
    except (TypeError, ValueError, ValidationError) as error:
        raise ConfigError(f"curator '{name}': {error}. Its parameters: {inspect.signature(kind)}") from error
    if not isinstance(curator, Curator):
        raise ConfigError(
            f"curator '{name}' ({kind.__module__}:{kind.__qualname__}) lacks a part of schemas.score.Curator"
        )
    if curator.name != name:
        raise ConfigError(f"curator '{name}' calls itself '{curator.name}': the entry point and `name` must agree")
    return curator

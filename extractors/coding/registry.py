"""Which codecs there are, and how a config's representations become specifications and extractors.

A codec of another package registers a `CodecFamily` under the entry-point group `auricle.codecs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from ...schemas.config import RepresentationConfig
from ...schemas.errors import ConfigError
from ...schemas.keys import canonical_json
from ...schemas.near import did_you_mean
from ...schemas.representation import RepresentationSpec
from .codec import Codec, CodecFamily, Extractor

GROUP = "auricle.codecs"
FAMILIES: dict[str, str] = {
    "builtin": "codecs.builtin:FAMILY",
    "conversation": "codecs.conversation:FAMILY",
    "encodec24": "codecs.encodec:FAMILY",
    "encodec48": "codecs.encodec48:FAMILY",
    "features": "features.features:FAMILY",
    "mimi": "codecs.mimi:FAMILY",
    "units": "features.units:FAMILY",
}
"""Codecs of this package: name to module and attribute, imported when first asked for."""


def describe(config: RepresentationConfig) -> RepresentationSpec:
    """The specification of one representation, fingerprint included; imports no torch.

    Raises `ConfigError` naming what is allowed, `WeightsError` when the weights are not on this machine.
    """
    return family(config.codec).describe(config)


def describe_all(configs: Sequence[RepresentationConfig]) -> list[RepresentationSpec]:
    """`describe` for each; raises `ConfigError` when two representations would have the same name."""
    specs = [describe(config) for config in configs]
    names = [spec.name for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"two representations are called '{name}': one dataset keeps one of each name. "
                "Leave one out, or give it its own dataset"
            )
    return specs


def build(configs: Sequence[RepresentationConfig]) -> list[Extractor]:
    """Loaded extractors that together give every representation, one per codec, inner codec, weights, mode and device.

    Views of one codec share its weights and one pass of its encoder.
    """
    describe_all(configs)
    groups: dict[bytes, list[RepresentationConfig]] = {}
    for config in configs:
        options = config.options.get("device", "cpu"), config.options.get("codec", "")
        shared = [config.codec, config.weights, config.weights_sha256, config.mode, *options]
        groups.setdefault(canonical_json(shared), []).append(config)
    return [family(group[0].codec).build(group) for group in groups.values()]


def load_codec(config: RepresentationConfig) -> Codec:
    """The bare codec with its decoder, for turning codes back into audio."""
    return family(config.codec).load(config)


def codecs() -> list[str]:
    """Names of all codecs that can be asked for, this package's first."""
    return [*sorted(FAMILIES), *sorted(set(_installed()) - set(FAMILIES))]


def family(name: str) -> CodecFamily:
    """What the codec registered. Raises `ConfigError` with the known names for any other."""
    if name in FAMILIES:
        module, _, attribute = FAMILIES[name].partition(":")
        return getattr(import_module(f"..{module}", __package__), attribute)
    installed = _installed()
    if name not in installed:
        raise ConfigError(
            f"codec '{name}' is not known{did_you_mean(name, codecs())} Allowed are {', '.join(codecs())}. "
            f"A codec of another package registers under the entry-point group '{GROUP}'"
        )
    try:
        return installed[name].load()
    except Exception as error:
        raise ConfigError(
            f"codec '{name}' of the entry point '{installed[name].value}' cannot be imported: {error}"
        ) from error


@lru_cache(maxsize=1)
def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}

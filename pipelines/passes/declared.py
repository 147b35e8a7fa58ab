"""What a worker of each pass takes of its node, by what its curators and codecs declare and the configuration says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...extractors.coding.registry import family
from ...schemas.config import RunConfig
from ...schemas.score import Curator
from ..nodes.resources import Resources, needed, on_a_card


def resources(config: RunConfig, curators: Sequence[Curator]) -> dict[str, Resources]:
    """By the name of the pass; without `extract` where nothing is extracted."""
    reading = needed((), config.workers.probe)
    found = {"list": reading, "probe": reading, "score": needed(curators, config.workers.score)}
    return found | ({"extract": extract_resources(config)} if config.representations else {})


def extract_resources(config: RunConfig) -> Resources:
    """What a worker takes that makes all representations."""
    found = needed([family(r.codec) for r in config.representations], config.workers.extract)
    if config.workers.extract.gpus is None and on_a_card(config.representations):
        found = replace(found, gpus=max(found.gpus, 1.0))
    return found


def cut_freely(config: RunConfig) -> bool:
    """Whether the arrays of a clip do not depend on which clips are in its unit."""
    return all(representation.mode == "exact" for representation in config.representations)

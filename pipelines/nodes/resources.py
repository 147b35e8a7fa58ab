"""What a worker of a pass takes of its node, and how many such workers the nodes of a cluster hold.

Three declare it: the curators and codecs of the pass (attribute `resources`, a mapping with the keys of `NAMES`), the
device of a representation, and `workers.<pass>` of the configuration, whose word is the last. Ray hands the cards out:
it sets CUDA_VISIBLE_DEVICES of each worker, and nothing here touches that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...schemas.config import RepresentationConfig
from ...schemas.errors import ClusterError
from ...schemas.worker_config import PassWorkers

NAMES = ("cpus", "gpus", "memory_gb")
"""What may be declared."""
GB = 1 << 30
EXACT = 1e-9
"""Slack of divisions: ten tenths of a card are a card."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Of one worker."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory_gb: float = 0.0
    """GiB that Ray sets aside; 0 for as it comes."""

    def options(self) -> dict[str, Any]:
        """As Ray's options of an actor or task."""
        found: dict[str, Any] = {"num_cpus": self.cpus, "num_gpus": self.gpus}
        return found | ({"memory": int(self.memory_gb * GB)} if self.memory_gb else {})

    def fitting(self, node: Mapping[str, float]) -> int:
        """How many such workers a node with these of Ray's resources holds."""
        wanted = {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory_gb * GB}
        held = [int(node.get(name, 0.0) / much + EXACT) for name, much in wanted.items() if much]
        if 0 < self.gpus < 1:
            # no worker has parts of two cards
            held.append(int(node.get("GPU", 0.0)) * int(1 / self.gpus + EXACT))
        return min(held, default=0)

    def __str__(self) -> str:
        parts = [f"{self.cpus:g} CPU{'' if self.cpus == 1 else 's'}"]
        parts += [f"{self.gpus:g} GPU{'' if self.gpus == 1 else 's'}"] if self.gpus else []
        parts += [f"{self.memory_gb:g} GiB of memory"] if self.memory_gb else []
        return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def needed(declared: Iterable[object], settings: PassWorkers) -> Resources:
    """What a worker takes that does the work of all of `declared`, unless the configuration says otherwise.

    declared: curators or families of codecs; of those with the attribute `resources` the largest of each counts.
    """
    found = Resources()
    for thing in declared:
        said: Mapping[str, float] = getattr(thing, "resources", None) or {}
        found = replace(found, **{name: max(getattr(found, name), float(said.get(name, 0.0))) for name in NAMES})
    asked = {name: value for name in NAMES if (value := getattr(settings, name)) is not None}
    return replace(found, **asked)


def on_a_card(configs: Sequence[RepresentationConfig]) -> bool:
    """Whether a representation is to be made on a GPU."""
    return any(str(config.options.get("device", "cpu")).startswith("cuda") for config in configs)


def room(nodes: Iterable[Mapping[str, float]], each: Resources) -> int:
    """Workers that fit on the nodes at once."""
    return sum(each.fitting(node) for node in nodes)


def refuse_unplaceable(nodes: Sequence[Mapping[str, float]], needs: Mapping[str, Resources]) -> None:
    """Raises `ClusterError` when a pass asks for more than any node has.

    needs: by the name of the pass.
    """
    for name, each in needs.items():
        if room(nodes, each):
            continue
        most = max((tuple(n.get(k, 0.0) for k in ("GPU", "CPU", "memory")) for n in nodes), default=(0.0, 0.0, 0.0))
        has = Resources(most[1], most[0], math.floor(most[2] / GB * 10) / 10)
        raise ClusterError(
            f"workers.{name}: a worker of the {name} pass takes {each}, and none of the {len(nodes)} nodes that Ray "
            f"sees has that (the largest has {has}). Nothing was done. Ask for less in workers.{name}, or start Ray "
            "on a node that has it; where an autoscaler adds such nodes, say how many workers with workers.max"
        )

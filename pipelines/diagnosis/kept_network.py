"""The neural model of a stream of codes, kept beside its version: trained once, used again while its input is the same.

A file `derived/<version>/neural-<stream>-<identity>.safetensors` holds the weights of every fold and the time they were
trained. The identity is a hash of all they depend on but that time: representation, clips with their groups, settings,
codebook vectors. As other derived files it follows versions of equal content, and goes when its version does: a purge
retires every version whose clips were taken down, with the networks that were trained on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from ...loaders.reading.version import Version
from ...loaders.storage.layout import derived_path
from ...schemas.keys import digest

if TYPE_CHECKING:
    from ...diagnostics.neural.language_model import LanguageModel

ALGORITHM = 2
"""Raised where training or the network changes: what was kept before is then trained anew."""
_BUDGET = "budget_s"


def identity(
    fingerprint: str,
    stream: str,
    index: Iterable[tuple[str, str, int]],
    group_kind: str,
    seed: int,
    vectors: np.ndarray | None,
) -> str:
    """A hash of what a network's weights depend on, but for the time it was trained.

    index: (clip, group, frames), in any order: they settle the folds. fingerprint: of the representation.
    """
    clips = [part for clip in sorted(index) for part in clip]
    beside = "" if vectors is None else sha256(np.ascontiguousarray(vectors, np.float32).tobytes()).hexdigest()
    return digest("neural", ALGORITHM, fingerprint, stream, group_kind, seed, beside, *clips)[:16]


class KeptNetwork:
    """Where the network of one stream is kept, and what is kept there."""

    def __init__(self, version: Version, stream: str, identity: str) -> None:
        """identity: see `identity`."""
        self._version = version
        name = f"neural-{stream.replace('/', '-')}-{identity}.safetensors"
        self._path = derived_path(version.document.number, name)

    def read(self) -> tuple[dict[str, np.ndarray], float] | None:
        """Weights by fold and name, and the seconds they were trained; None where none are kept or they are damaged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        store = self._version.store
        if not store.exists(self._path):
            return None
        try:
            weights = load(store.get(self._path))
            return weights, float(weights.pop(_BUDGET)[0])
        except (SafetensorError, KeyError, ValueError):
            # as any derived file, it is made again
            return None

    def write(self, model: LanguageModel) -> None:
        """Keep the weights of a model that was trained, in the place of any kept before."""
        from safetensors.numpy import save

        kept = {name: np.ascontiguousarray(each) for name, each in model.weights.items()}
        self._version.store.put_derived(self._path, save(kept | {_BUDGET: np.array([model.budget_s])}))

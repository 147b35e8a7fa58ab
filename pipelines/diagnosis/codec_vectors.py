"""Codebook vectors of a version's codes, from the codec that made them."""

from __future__ import annotations

import numpy as np

from ...extractors.coding.codebooks import codebook_vectors
from ...extractors.coding.registry import load_codec
from ...loaders.reading.version import Version
from ...schemas.errors import ConfigError, MissingExtraError, WeightsError
from ...schemas.representation import RepresentationSpec
from ..derived.decoder import config_of, require_same


def codebook_vectors_of(version: Version, spec: RepresentationSpec) -> np.ndarray | None:
    """`[Q, cardinality, D]` float32 of a codes representation; None where its codec has none or is not here.

    Weights other than those that made the codes count as not here: their vectors would mean something else.
    """
    if not spec.is_codes or "sizes" in spec.details or "sides" in spec.details:
        return None
    try:
        config = config_of(version, spec.name)
        require_same(version, spec, config)
        vectors = codebook_vectors(load_codec(config), spec.rows)
    except (ConfigError, WeightsError, MissingExtraError):
        return None
    return vectors if vectors is not None and vectors.shape[1] == spec.cardinality else None

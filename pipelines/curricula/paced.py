"""Curriculum: at which stage each kept clip joins the training, a small table beside the version."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...diagnostics.difficulty import quantiles, stages, strata
from ...loaders.reading.pending import require_none
from ...loaders.reading.version import Version
from ...loaders.storage.layout import derived_path
from ...loaders.storage.parts import parquet_bytes
from ...schemas.curriculum import CURRICULUM, CURRICULUM_SCHEMA
from ...schemas.errors import ConfigError
from ...schemas.pass_tables import DIFFICULTY_SCHEMA
from ...schemas.tables import Status
from ..diagnosis.diagnose import diagnose


def curriculum(
    version: Version,
    representation: str | None = None,
    *,
    opens: Sequence[float] = (0.5, 0.8),
    seed: int = 0,
    begin: Callable[[str], None] = lambda _: None,
) -> pa.Table:
    """Stages from tiers and cross-fitted difficulty, written to `derived/<version>/curriculum.parquet`.

    representation: codes whose bits per second are the difficulty; default the first codes representation.
    opens: share of each stratum's hours that is open at each stage; the last stage opens everything.
    begin: called with what takes time.
    Raises `ConfigError` when the version has no codes.
    """
    require_none(version.store)
    name = codes_of(version, representation)
    hard = _difficulties(version, name)
    if hard is None:
        begin(measuring(name))
        diagnose(version, [name], seed=seed, begin=begin)
        hard = _difficulties(version, name)
        assert hard is not None
    columns = ["clip", "tier", "duration_s", "source", "language", "status"]
    kept = version.clips(columns)
    kept = kept.filter(pc.equal(kept["status"], Status.KEPT.value)).sort_by("clip")
    place = pc.index_in(kept["clip"], value_set=hard["clip"].combine_chunks())
    values = hard["difficulty"].take(place).to_numpy(zero_copy_only=False).astype(np.float64)
    durations = kept["duration_s"].to_numpy()
    labels = [f"{s}|{l}" for s, l in zip(kept["source"].to_pylist(), kept["language"].to_pylist(), strict=True)]
    stratum = strata(durations, labels)
    tiers = kept["tier"].to_pylist()
    order = [tier["name"] for tier in version.document.config.get("tiers", [])]
    stage = stages(tiers, values, durations, tier_order=order, opens=opens, stratum=stratum)
    table = pa.table(
        {
            "clip": kept["clip"],
            "stage": pa.array(stage, pa.int32()),
            "tier": kept["tier"],
            "difficulty": pa.array(values, pa.float64(), from_pandas=True),
            "quantile": pa.array(quantiles(values, durations, stratum), pa.float64(), from_pandas=True),
            "duration_s": kept["duration_s"],
        }
    ).cast(CURRICULUM)
    data = parquet_bytes(table, CURRICULUM_SCHEMA)
    version.store.put_derived(derived_path(version.document.number, "curriculum.parquet"), data)
    return table


def _difficulties(version: Version, name: str) -> pa.Table | None:
    """The difficulty of clips, None where it was not measured or by an older definition."""
    data = version.derived(f"difficulty-{name}.parquet")
    table = pq.read_table(pa.BufferReader(data)) if data is not None else None
    tag = ((table.schema.metadata or {}) if table is not None else {}).get(b"auricle.schema")
    return table if tag == DIFFICULTY_SCHEMA.encode() else None


def measuring(name: str) -> str:
    """What is said before difficulties are measured, which may take minutes."""
    return f"measuring the difficulty of each clip in {name}, which no diagnosis of this version has yet"


def codes_of(version: Version, representation: str | None) -> str:
    """The representation of that name, or the first of codes. Raises `ConfigError` for one that is continuous."""
    if representation is not None:
        spec = version.representation(representation)
        if not spec.is_codes:
            raise ConfigError(f"{spec.name} is continuous: the curriculum needs a codes representation")
        return spec.name
    names = sorted(n for n, e in version.document.representations.items() if e.spec.is_codes)
    if not names:
        raise ConfigError(
            f"version {version.document.number} has no codes: add {{codec: builtin, kind: codes}} and run"
        )
    return names[0]

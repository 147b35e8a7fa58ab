"""What a diagnosis knows of each clip, kept as tables beside the version."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ...diagnostics.difficulty import difficulty
from ...diagnostics.summary import CodesDiagnosis, LatentsDiagnosis
from ...loaders.reading.version import Version
from ...loaders.storage.layout import derived_path
from ...loaders.storage.parts import parquet_bytes
from ...schemas.pass_tables import DIFFICULTY, DIFFICULTY_SCHEMA, GAINS, GAINS_SCHEMA


def keep_difficulty(version: Version, name: str, codes: CodesDiagnosis) -> None:
    """Write `difficulty-<name>.parquet` (`DIFFICULTY`) beside the version."""
    costs = codes.clips
    found = difficulty(costs.hard_bits, codes.seconds, codes.groups, costs.split_half, costs.split_half_seconds)
    columns = {
        "bits_per_s": codes.bits / codes.seconds,
        "hard_bits_per_s": found.bits_per_second,
        "difficulty": found.shrunk,
        "reliability": found.reliability,
        # a clip without a voiced frame has no rate per voiced second
        "bits_per_voiced_s": codes.bits / np.where(costs.voiced_seconds > 0, costs.voiced_seconds, np.nan),
        "reducible_bits_per_s": costs.reducible_bits / codes.seconds,
    }
    made = {name: pa.array(values, pa.float64(), from_pandas=True) for name, values in columns.items()}
    table = pa.table({"clip": pa.array(codes.clip_keys, pa.string()), **made}, schema=DIFFICULTY)
    path = derived_path(version.document.number, f"difficulty-{name}.parquet")
    version.store.put_derived(path, parquet_bytes(table, DIFFICULTY_SCHEMA))


def keep_gains(version: Version, name: str, latents: LatentsDiagnosis) -> None:
    """Write `gains-<name>.parquet` (`GAINS`) beside the version: what `diagnose` averages, clip by clip."""

    def per_frame(sums: np.ndarray, frames: np.ndarray) -> pa.Array:
        # a clip shorter than the past that is looked at has neither gain nor information
        return pa.array(np.where(frames > 0, sums / np.maximum(frames, 1), np.nan), pa.float64(), from_pandas=True)

    found = {f"information_{h.tau_ms:g}ms_nats": per_frame(h.nats, h.frames) for h in latents.lagged_mutual_information}
    columns = {
        "clip": pa.array(latents.clip_keys, pa.string()),
        "group": pa.array(latents.groups, pa.string()),
        "seconds": pa.array(latents.seconds, pa.float64()),
        "gain_nats": pa.array(latents.nats, pa.float64(), from_pandas=True),
    }
    absent = pa.nulls(len(latents.clip_keys), pa.float64())
    table = pa.table({field.name: (columns | found).get(field.name, absent) for field in GAINS}, schema=GAINS)
    version.store.put_derived(
        derived_path(version.document.number, f"gains-{name}.parquet"), parquet_bytes(table, GAINS_SCHEMA)
    )

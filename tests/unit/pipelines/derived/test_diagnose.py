"""What a version's representations are diagnosed as."""

from __future__ import annotations

from pathlib import Path

import dataset_factory
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_factory import CODES, Recording, write_version

from auricle.extractors.coding import registry
from auricle.loaders.reading.version import open_version
from auricle.pipelines.derived.diagnose import diagnose, streams
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.representation import RepresentationSpec

UNITS = CODES.model_copy(
    update={"name": "units-codes-50hz", "codec": "units", "rows": 2, "cardinality": 16, "details": {"sizes": [4, 16]}}
)


def units(recording: Recording, spec: RepresentationSpec) -> np.ndarray:
    """The larger size is noise; the smaller one is a coarser view of the same frames."""
    fine = np.random.default_rng(int(recording.key[:8], 16)).integers(0, 16, recording.num_samples // 320)
    return np.stack([fine // 4, fine]).astype(np.uint16)


def test_every_size_of_units_is_a_stream_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_factory, "payload", units)
    recordings = [Recording(f"v{i}", speaker=f"s{i % 10}", num_samples=16_000 * (10 + i % 3)) for i in range(40)]
    write_version(f"{tmp_path}/dataset", recordings, representations=[UNITS])
    version = open_version(f"{tmp_path}/dataset")
    found = diagnose(version)["representations"]
    assert set(found) == {"units-codes-50hz/4", "units-codes-50hz/16"}
    for size, bits in ((4, 2), (16, 4)):
        record = found[f"units-codes-50hz/{size}"]
        assert record["cardinality"] == size
        assert record["rate_raw"] == 50 * bits
        assert len(record["codebooks"]) == 1
        assert record["codebooks"][0]["use"] == 1
        # as a chain the larger size would cost 2 bits: the smaller one tells the other two
        assert record["code_rate"]["value"] == pytest.approx(50 * bits, rel=0.02)
        assert record["chain_gain"] == 0
    difficulty = version.derived("difficulty-units-codes-50hz.parquet")
    assert difficulty is not None
    rates = pq.read_table(pa.BufferReader(difficulty))["bits_per_s"].to_numpy()
    assert rates.mean() == pytest.approx(200, rel=0.03), "of the largest size"


def test_the_packaged_units_are_four_streams_and_codes_of_a_codec_one() -> None:
    packaged = registry.describe(RepresentationConfig(codec="units", kind="codes"))
    assert [(name, rows, entries) for name, rows, entries in streams(packaged)] == [
        (f"units-codes-75hz/{size}", slice(i, i + 1), size) for i, size in enumerate((50, 100, 200, 500))
    ]
    codes = registry.describe(RepresentationConfig(codec="builtin", kind="codes"))
    assert streams(codes) == [("builtin-codes-75hz", slice(None), 1024)]

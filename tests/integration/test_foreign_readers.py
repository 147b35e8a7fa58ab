"""Other people's readers open what auricle writes: shards and parts as they are, and exports."""

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")

from dataset_factory import CODES, LATENTS, payload, voices, write_version

from auricle.loaders import open_version
from auricle.loaders.copies.export import export
from auricle.pipelines.upkeep.compact import compact

CLIPS = voices(7)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two nights, compacted: its shards and parts are written by auricle's own code."""
    url = str(tmp_path_factory.mktemp("foreign") / "data")
    write_version(url, CLIPS[:4])
    write_version(url, CLIPS)
    assert compact(url) is not None
    return url


def shards(url: str, name: str) -> list[str]:
    entry = open_version(url).document.representations[name]
    return [f"{url}/shards/{name}/{s.sha256}.tar" for s in entry.shards]


@pytest.mark.parametrize("spec", [CODES, LATENTS], ids=lambda s: s.kind)
def test_plain_webdataset_reads_a_shard(dataset: str, spec) -> None:
    import webdataset

    samples = list(webdataset.WebDataset(shards(dataset, spec.name), shardshuffle=False).decode())
    assert {s["__key__"] for s in samples} == {r.key for r in CLIPS}
    by_key = {s["__key__"]: s for s in samples}
    for r in CLIPS:
        assert by_key[r.key]["npy"].dtype == np.dtype(spec.dtype)
        assert np.array_equal(by_key[r.key]["npy"], payload(r, spec))
        assert by_key[r.key]["json"]["recording"] == r.sha256


def test_hugging_face_datasets_read_a_shard(dataset: str, tmp_path: Path) -> None:
    import datasets

    found = datasets.load_dataset(
        "webdataset", data_files={"train": shards(dataset, CODES.name)}, split="train", streaming=True
    )
    rows = {row["__key__"]: row for row in found}
    assert rows.keys() == {r.key for r in CLIPS}
    assert all(np.array_equal(np.array(rows[r.key]["npy"]), payload(r, CODES)) for r in CLIPS)


def test_duckdb_reads_the_parts_of_the_clip_table(dataset: str) -> None:
    import duckdb

    files = [str(f) for f in open_version(dataset).files()]
    query = "SELECT count(*), avg(snr.snr_db) FROM read_parquet(?, union_by_name = true) WHERE status = 'kept'"
    assert duckdb.execute(query, [files]).fetchall() == [(7, 20.0)]


def test_an_exported_webdataset_has_all_representations_in_one_sample(dataset: str, tmp_path: Path) -> None:
    import datasets
    import webdataset

    export(dataset, str(tmp_path / "out"), "webdataset")
    files = [str(f) for f in sorted((tmp_path / "out").iterdir())]
    for sample in webdataset.WebDataset(files, shardshuffle=False).decode():
        r = next(r for r in CLIPS if r.key == sample["__key__"])
        assert np.array_equal(sample["codes.npy"], payload(r, CODES))
        assert np.array_equal(sample["latents.npy"], payload(r, LATENTS))
        assert sample["json"]["transcript"] == r.text
    loaded = datasets.load_dataset("webdataset", data_files={"train": files}, split="train", streaming=True)
    assert len(list(loaded)) == 7


def test_an_exported_folder_loads_with_datasets(dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    export(dataset, str(tmp_path / "out"), "hf")
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.num_rows == 7
    rows = {row["clip"]: row for row in loaded}
    assert all(np.array_equal(np.array(rows[r.key]["codes"]), payload(r, CODES)) for r in CLIPS)


def test_an_exported_delta_table_opens_with_deltalake(dataset: str, tmp_path: Path) -> None:
    from deltalake import DeltaTable

    result = export(dataset, str(tmp_path / "out"), "delta")
    table = DeltaTable(str(tmp_path / "out"))
    rows = table.to_pyarrow_table()
    version = open_version(dataset)
    assert result.clips == rows.num_rows == 7
    assert set(rows["clip"].to_pylist()) == {r.key for r in CLIPS}
    assert rows[CODES.name].to_pylist()[0]["shard"] == version.document.representations[CODES.name].shards[0].sha256
    assert table.history()[0]["auricle.version"] == 3


def test_an_exported_shar_reads_as_tars_of_webdataset(dataset: str, tmp_path: Path) -> None:
    import webdataset

    export(dataset, str(tmp_path / "out"), "shar")
    samples = list(webdataset.WebDataset(str(tmp_path / "out/codes.000000.tar"), shardshuffle=False).decode())
    assert [s["npy"].shape[1] for s in samples] == [s["json"]["array"]["shape"][1] for s in samples]

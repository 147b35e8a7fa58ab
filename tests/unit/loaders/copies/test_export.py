import gzip
import io
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from dataset_factory import CODES, LATENTS, payload, voices, write_version

from auricle.loaders import open_version
from auricle.loaders.copies import export_rows
from auricle.loaders.copies.export import export
from auricle.loaders.copies.export_rows import fields_of
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.errors import ConfigError, IntegrityError, MissingExtraError


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    url = str(tmp_path / "data")
    write_version(url, [*voices(6), *voices(2, "noisy", status="dropped", reasons=("noisy",))])
    write_version(url, [*(r.but(status="dropped", reasons=("x",)) if r.name == "v2" else r for r in voices(6))])
    return url


LIVE = [r for r in voices(6) if r.name != "v2"]


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}  # pyright: ignore[reportOptionalMemberAccess]


def test_webdataset_puts_all_representations_of_a_clip_side_by_side_with_its_text(dataset: str, tmp_path: Path) -> None:
    result = export(dataset, str(tmp_path / "out"), "webdataset")
    assert (result.clips, result.files) == (5, 1)
    found = members(tmp_path / "out/data-000000.tar")
    assert sorted(found) == sorted(f"{r.key}.{s}" for r in LIVE for s in ("codes.npy", "latents.npy", "json"))
    for r in LIVE:
        assert np.array_equal(np.load(io.BytesIO(found[f"{r.key}.codes.npy"])), payload(r, CODES))
        facts = json.loads(found[f"{r.key}.json"])
        assert (facts["transcript"], facts["snr_db"], facts["tier"]) == (r.text, 20.0, "gold")


def test_shards_of_an_export_are_cut_by_size_and_hold_each_clip_once(dataset: str, tmp_path: Path) -> None:
    result = export(dataset, str(tmp_path / "out"), "webdataset", representation=["toy-codes"], shard_bytes=2000)
    assert result.files == 3
    names = [n for f in sorted((tmp_path / "out").iterdir()) for n in members(f) if n.endswith(".json")]
    assert sorted(names) == sorted(f"{r.key}.json" for r in LIVE)


def test_shar_pairs_every_array_with_its_manifest_in_the_order_of_the_cuts(dataset: str, tmp_path: Path) -> None:
    export(dataset, str(tmp_path / "out"), "shar")
    cuts = [
        json.loads(line) for line in gzip.decompress((tmp_path / "out/cuts.000000.jsonl.gz").read_bytes()).splitlines()
    ]
    for field, spec in (("codes", CODES), ("latents", LATENTS)):
        names = list(members(tmp_path / f"out/{field}.000000.tar"))
        assert names == [f"{c['id']}.{suffix}" for c in cuts for suffix in ("npy", "json")]
        assert cuts[0]["custom"][field]["frame_shift"] == 1 / spec.frame_rate
    assert {c["supervisions"][0]["text"] for c in cuts} == {r.text for r in LIVE}


def test_hf_parquet_holds_arrays_in_their_stored_type(dataset: str, tmp_path: Path) -> None:
    export(dataset, str(tmp_path / "out"), "hf", shard_bytes=1)
    table = pq.read_table(tmp_path / "out/data")
    rows = {row["clip"]: row for row in table.to_pylist()}
    for r in LIVE:
        assert np.array_equal(np.array(rows[r.key]["codes"], np.uint16), payload(r, CODES))
        assert np.array_equal(np.array(rows[r.key]["latents"], np.float32), payload(r, LATENTS))
    assert str(table.schema.field("codes").type.value_type.value_type) == "uint16"
    assert "data/*.parquet" in (tmp_path / "out/README.md").read_text()


def test_a_manifest_points_into_the_audio_files(dataset: str, tmp_path: Path) -> None:
    result = export(dataset, str(tmp_path / "out"), "manifest", where="path <> 'v0.wav'")
    lines = [json.loads(line) for line in (tmp_path / "out/manifest.jsonl").read_text().splitlines()]
    assert {line["audio_filepath"] for line in lines} == {f"/corpus/voices/{r.file}" for r in LIVE if r.name != "v0"}
    assert (result.clips, lines[0]["offset"], lines[0]["lang"]) == (4, 0.0, "en")


def test_redacted_clips_are_left_out_of_a_manifest_and_said(dataset: str, tmp_path: Path) -> None:
    takedown(dataset, clips=[LIVE[0].key], redact=True)
    result = export(dataset, str(tmp_path / "out"), "manifest")
    assert result.clips == 4
    assert "1 clip has no path" in result.notes[0]


def test_two_exports_are_equal_byte_for_byte(dataset: str, tmp_path: Path) -> None:
    for to in ("webdataset", "shar", "hf", "manifest"):
        found = []
        for run in "ab":
            root = tmp_path / f"{to}-{run}"
            export(dataset, str(root), to)
            found.append({p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()})
        assert found[0] == found[1]


def test_two_representations_of_one_kind_go_by_their_names_without_dots() -> None:
    half = LATENTS.model_copy(update={"name": "toy-latents-6.25hz"})
    assert list(fields_of([CODES, LATENTS, half])) == ["codes", "toy_latents_12_5hz", "toy_latents_6_25hz"]


def test_only_clips_that_have_every_representation_are_exported(dataset: str, tmp_path: Path) -> None:
    write_version(dataset, [*LIVE, *voices(2, "new")], representations=[CODES])
    assert export(dataset, str(tmp_path / "a"), "webdataset").clips == 7
    assert export(dataset, str(tmp_path / "b"), "webdataset", version=2).clips == 5


def test_a_full_destination_an_unknown_format_and_a_version_without_arrays_are_refused(
    dataset: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="not empty"):
        export(dataset, dataset, "webdataset")
    with pytest.raises(ConfigError, match="unknown format"):
        export(dataset, str(tmp_path / "out"), "zip")
    write_version(str(tmp_path / "plain"), voices(1), representations=[])
    with pytest.raises(ConfigError, match="no representation"):
        export(str(tmp_path / "plain"), str(tmp_path / "out"), "shar")


def test_a_damaged_shard_stops_the_export(dataset: str, tmp_path: Path) -> None:
    for shard in Path(dataset, "shards", CODES.name).iterdir():
        data = bytearray(shard.read_bytes())
        data[1536 + 200] ^= 1
        shard.write_bytes(data)
    with pytest.raises(IntegrityError, match="checksum"):
        export(dataset, str(tmp_path / "out"), "webdataset")


def test_delta_without_its_package_names_the_extra(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(MissingExtraError, match=r"auricle\[export\]"):
        export(dataset, str(tmp_path / "out"), "delta")


def test_an_export_holds_so_many_bytes_of_arrays_at_once(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [payload(r, CODES).nbytes + payload(r, LATENTS).nbytes for r in LIVE]
    monkeypatch.setattr(export_rows, "BYTES_AT_ONCE", int(2.5 * max(sizes)))
    version = open_version(dataset)
    fields = fields_of([CODES, LATENTS])
    batches = list(export_rows.exported(version, fields, None))
    assert [s.key for batch in batches for s in batch] == [
        s.key for batch in export_rows.exported(version, fields, None) for s in batch
    ]
    assert sum(map(len, batches)) == len(LIVE)
    assert len(batches) > 1
    for batch in batches:
        held = sum(len(p) for s in batch for p in s.payloads.values())
        assert held <= export_rows.BYTES_AT_ONCE or len(batch) == 1

"""The golden dataset of each schema version stays readable: the numbers are of its files, not of a writer."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auricle.loaders import open_version
from auricle.loaders.care.verify import verify
from auricle.loaders.copies.pull import pull
from auricle.loaders.reading.refs import tags
from auricle.loaders.reading.tombstones import tombstoned, tombstones
from auricle.loaders.storage.shards import read_facts, read_index
from auricle.loaders.storage.store import Store
from auricle.pipelines.tables.state import open_state
from auricle.pipelines.upkeep.rollback import rollback
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.config import RunConfig
from auricle.schemas.errors import SchemaVersionError
from auricle.schemas.json_schemas import read_published
from auricle.schemas.keys import sha256_bytes
from auricle.schemas.tables import TABLES_SCHEMA

GOLDEN = Path(__file__).resolve().parents[3] / "golden/v1"
A, B0, B1, C = (
    "d6ba2fff71c7fa0ab973445ba60c7713",
    "a010fd1ea5a67fcd5b0836ceddae4a2e",
    "3f5e3469e08bb5f0bb33def8410adbbb",
    "b6b71c43feda3999fa6acca5030cd51f",
)
DROPPED, FAILED = "bb09aebd835078adbdc16173d436bfc7", "7f12361dfc70310166407dda49669694"
ARRAYS = {
    "tone-codes-50hz": {
        A: ((4, 38), 3160098762), B0: ((4, 30), 2734898481), B1: ((4, 30), 1904603037), C: ((4, 44), 2465978050),
    },
    "tone-latents-12.5hz": {
        A: ((8, 10), 2811337165), B0: ((8, 8), 472316579), B1: ((8, 8), 4056119028), C: ((8, 11), 4182878761),
    },
}  # fmt: skip
"""Shape, and CRC-32 of the array's bytes, by representation and clip."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "golden"))


def rewrite(dataset: Path, **changes: Any) -> dict[str, Any]:
    """Change fields of the copy's version document."""
    path = dataset / "versions/000001.json"
    raw = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(raw))
    return raw


def crc(array: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(array).tobytes())


def test_nothing_of_it_has_changed() -> None:
    sizes = [path.stat().st_size for path in GOLDEN.rglob("*") if path.is_file()]
    assert (len(sizes), sum(sizes)) == (8, 52141)
    assert open_version(str(GOLDEN)).sha256 == "b42b8943527a04f8aa1ca045ab761b36102431ba8d811626f7dce4b14794cc7f"
    assert verify(str(GOLDEN)) == []


def test_the_document_says_what_it_said() -> None:
    document = open_version(str(GOLDEN)).document
    assert document.counts.model_dump() == {
        "files": 7, "decoded": 5, "aliases": 1, "failed_files": 1, "clips": 6, "kept": 4, "dropped": 1, "failed": 1,
    }  # fmt: skip
    assert document.dropped_by_reason == {"quiet": 1, "short": 1}
    assert document.kept_by_tier == {"gold": 2, "silver": 2}
    assert [c["name"] for c in document.curators["level"].columns] == ["peak_dbfs", "clipped", "note"]
    assert document.gate.verdict == "passed"
    assert document.config["keep"][0]["reason"] == "quiet"


def test_it_fits_the_published_json_schemas_of_its_version() -> None:
    published = read_published()
    raw = json.loads((GOLDEN / "versions/000001.json").read_text())
    jsonschema.validate(raw, json.loads(published["version-1.json"]))
    jsonschema.validate(raw["config"], json.loads(published["config-1.json"]))
    RunConfig.model_validate(raw["config"])  # what later checks refuse at the start of a run, old versions may hold


def test_its_small_records_fit_theirs() -> None:
    published = read_published()
    jsonschema.validate(json.loads((GOLDEN / "refs/golden.json").read_text()), json.loads(published["ref-1.json"]))
    for path in GOLDEN.glob("shards/*/*.tar"):
        for facts in read_facts(path.read_bytes(), path.name):
            jsonschema.validate(facts, json.loads(published["sample-1.json"]))


def test_what_retires_a_version_fits_its_published_schema(copy: Path) -> None:
    takedown(str(copy), source="tones", purge=True)
    [path] = (copy / "versions").glob("*.purged")
    jsonschema.validate(json.loads(path.read_text()), json.loads(read_published()["purged-1.json"]))


def test_its_tables_have_the_published_columns_of_their_version() -> None:
    published = json.loads(read_published()["tables-1.json"])["tables"]
    version = open_version(str(GOLDEN))
    for name, table in (("clips", version.clips()), ("recordings", version.recordings())):
        assert [f["name"] for f in published[name]] == table.column_names[: len(published[name])]


def test_keys_status_and_transcripts_read_as_they_were_written() -> None:
    rows = {row["clip"]: row for row in open_version(str(GOLDEN)).clips().to_pylist()}
    assert list(rows) == [A, B0, B1, C, DROPPED, FAILED]
    assert [row["status"] for row in rows.values()] == ["kept"] * 4 + ["dropped", "failed"]
    assert rows[A]["transcript"] == "a tone at four hundred and forty"
    assert rows[B1]["transcript"] == "ein Ton, zwei Höhen – 低い音"
    assert rows[C]["transcript"] is None
    assert rows[B0]["group"] == rows[B1]["group"]
    assert (rows[B1]["channel"], rows[B1]["tier"], rows[B1]["label_conflict"]) == (1, "silver", True)
    assert rows[DROPPED]["reasons"] == ["quiet", "short"]
    assert rows[FAILED]["message"] == "no frames"
    assert rows[FAILED]["tone-codes-50hz"]["error"] == "extraction: no frames"
    assert rows[A]["level"]["peak_dbfs"] == pytest.approx(-6.0206, abs=1e-4)
    assert rows[FAILED]["level"]["peak_dbfs"] is None
    assert rows[FAILED]["level"]["reason"] == "unmeasurable: no frames"


def test_recordings_read_with_aliases_and_failures() -> None:
    rows = open_version(str(GOLDEN)).recordings().to_pylist()
    assert len(rows) == 6
    paths = sorted(alias["path"] for row in rows for alias in row["aliases"])
    assert paths == ["a440.wav", "again/a440 copy.wav", *(f"{n}.wav" for n in ("b220", "c330", "d550", "e660", "f000"))]
    assert [row["reason"] for row in rows if row["status"] == "failed"] == ["corrupt"]


@pytest.mark.parametrize("name", ARRAYS)
def test_every_array_reads_as_it_was_written(name: str) -> None:
    found = {s.key: (s.array.shape, crc(s.array)) for s in open_version(str(GOLDEN)).samples(name)}
    assert found == ARRAYS[name]


def test_a_stage_of_the_curriculum_opens_its_clips() -> None:
    version = open_version(str(GOLDEN))
    assert [s.key for s in version.samples("tone-codes", stage=0)] == [A, B0]
    assert [s.key for s in version.samples("tone-codes", stage=1)] == [A, B0, B1, C]
    table = pq.read_table(GOLDEN / "derived/000001/curriculum.parquet")
    assert table["difficulty"].to_pylist() == [100.0, 101.0, 102.0, None]


def test_the_tag_and_the_tombstone_read() -> None:
    version = open_version(f"{GOLDEN}@golden")
    assert [(t.name, t.version, t.sha256) for t in tags(str(GOLDEN))] == [("golden", 1, version.sha256)]
    recordings, samples = tombstoned(Store(str(GOLDEN)))
    assert recordings == {sha256_bytes(b"gone")}
    assert samples == {sha256_bytes(b"samples of gone")}


@pytest.mark.parametrize("name", ARRAYS)
def test_plain_python_reads_it_without_auricle(name: str) -> None:
    raw = json.loads((GOLDEN / "versions/000001.json").read_text())
    rows = [
        row
        for part in raw["clips"]
        for row in pq.read_table(f"{GOLDEN}/objects/clips/{part['sha256']}.parquet").to_pylist()
    ]
    pointers = {row["clip"]: row[name] for row in rows if row["status"] == "kept"}
    [shard] = raw["representations"][name]["shards"]
    path = GOLDEN / "shards" / name / f"{shard['sha256']}.tar"
    found = {}
    with tarfile.open(path) as tar:
        for info in tar:
            key, _, suffix = info.name.partition(".")
            data = tar.extractfile(info).read()  # pyright: ignore[reportOptionalMemberAccess]
            if suffix == "npy":
                array = np.load(io.BytesIO(data), allow_pickle=False)
                found[key] = (array.shape, crc(array))
                assert (info.offset_data, info.size) == (pointers[key]["offset"], pointers[key]["nbytes"])
            else:
                assert json.loads(data)["num_frames"] == pointers[key]["num_frames"]
        assert tar.pax_headers == {"AURICLE.schema": "auricle.shard/1", "AURICLE.representation": name}
    assert found == ARRAYS[name]


def test_it_can_be_pulled(tmp_path: Path) -> None:
    assert pull(str(GOLDEN), str(tmp_path / "there"), ["tone-latents"]).live == {"tone-latents-12.5hz": 4}
    found = {s.key: (s.array.shape, crc(s.array)) for s in open_version(str(tmp_path / "there")).samples("tone")}
    assert found == ARRAYS["tone-latents-12.5hz"]


def test_an_unknown_major_of_the_document_is_refused(copy: Path) -> None:
    rewrite(copy, schema="auricle.version/2")
    with pytest.raises(SchemaVersionError, match=r"auricle\.version/2.*Upgrade"):
        open_version(str(copy))


def test_an_unknown_major_of_a_shard_is_refused() -> None:
    [path] = (GOLDEN / "shards/tone-codes-50hz").glob("*.tar")
    data = path.read_bytes()
    assert len(read_index(data, "shard")[1]) == len(read_facts(data, "shard")) == 4
    newer = data.replace(b"AURICLE.schema=auricle.shard/1", b"AURICLE.schema=auricle.shard/2")
    assert newer != data
    with pytest.raises(SchemaVersionError, match=r"auricle\.shard/2.*Upgrade"):
        read_index(newer, "shard")


def test_an_unknown_major_of_a_tag_is_refused(copy: Path) -> None:
    path = copy / "refs/golden.json"
    path.write_text(path.read_text().replace("auricle.ref/1", "auricle.ref/2"))
    with pytest.raises(SchemaVersionError, match="Upgrade"):
        tags(str(copy))


def test_an_unknown_major_of_tombstones_is_refused(copy: Path) -> None:
    [path] = (copy / "tombstones").iterdir()
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"auricle.schema": "auricle.tombstones/2"}), path)
    with pytest.raises(SchemaVersionError, match="Upgrade"):
        tombstones(Store(str(copy)))


def test_its_tables_say_no_schema_version_and_new_ones_do(tmp_path: Path) -> None:
    for file in [*GOLDEN.glob("objects/*/*.parquet"), *GOLDEN.glob("derived/*/*.parquet")]:
        assert pq.read_schema(file).metadata is None
    pull(str(GOLDEN), str(tmp_path / "there"), ["tone-codes"], where="tier = 'gold'")
    parts = list((tmp_path / "there/objects").rglob("*.parquet"))
    assert len(parts) == 2
    assert [pq.read_schema(file).metadata for file in parts] == [{b"auricle.schema": TABLES_SCHEMA.encode()}] * 2


def retag(dataset: Path, kind: str, tag: str) -> None:
    """Give the copy's part of a table a schema version, and list it."""
    [path] = (dataset / "objects" / kind).iterdir()
    table = pq.read_table(path).replace_schema_metadata({"auricle.schema": tag})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    data = buffer.getvalue()
    path.with_name(f"{sha256_bytes(data)}.parquet").write_bytes(data)
    path.unlink()
    rewrite(dataset, **{kind: [{"sha256": sha256_bytes(data), "num_bytes": len(data), "rows": len(table)}]})


READERS: dict[str, Callable[[Path], Any]] = {
    "its table": lambda dataset: (open_version(str(dataset)).clips(), open_version(str(dataset)).recordings()),
    "verify": lambda dataset: verify(str(dataset)),
    "pull": lambda dataset: pull(str(dataset), str(dataset.with_name("pulled")), ["tone-codes"]),
    "a plan": lambda dataset: open_state(Store(str(dataset))).__enter__(),
}


@pytest.mark.parametrize("kind", ["clips", "recordings"])
@pytest.mark.parametrize("reader", READERS)
def test_an_unknown_major_of_a_table_is_refused_by_every_reader(copy: Path, kind: str, reader: str) -> None:
    retag(copy, kind, "auricle.tables/2")
    with pytest.raises(SchemaVersionError, match=r"auricle\.tables/2.*Upgrade"):
        READERS[reader](copy)


@pytest.mark.parametrize("kind", ["clips", "recordings"])
def test_a_newer_minor_of_a_table_reads(copy: Path, kind: str) -> None:
    retag(copy, kind, "auricle.tables/1.4")
    assert verify(str(copy)) == []
    assert open_version(str(copy)).clips().num_rows == 6
    assert open_version(str(copy)).recordings().num_rows == 6


def test_an_unknown_major_of_a_curriculum_is_refused_and_a_newer_minor_reads(copy: Path) -> None:
    path = copy / "derived/000001/curriculum.parquet"
    table = pq.read_table(path).append_column("mood", pa.array(["calm"] * 4))
    pq.write_table(table.replace_schema_metadata({"auricle.schema": "auricle.curriculum/1.9"}), path)
    assert len(list(open_version(str(copy)).samples("tone-codes", stage=0))) == 2
    pq.write_table(table.replace_schema_metadata({"auricle.schema": "auricle.curriculum/2"}), path)
    with pytest.raises(SchemaVersionError, match=r"auricle\.curriculum/2.*Upgrade"):
        list(open_version(str(copy)).samples("tone-codes", stage=0))


@pytest.mark.parametrize(
    ("path", "tag", "operation"),
    [
        ("versions/000001.purged", "auricle.purged/2", open_version),
        ("purging/1.json", "auricle.purge/2", lambda url: takedown(url, source="tones")),
        ("lease/00000007.json", "auricle.lease/2", lambda url: rollback(url, 1)),
    ],
)
def test_an_unknown_major_of_the_small_records_is_refused(
    copy: Path, path: str, tag: str, operation: Callable[[str], Any]
) -> None:
    (copy / path).parent.mkdir(exist_ok=True)
    (copy / path).write_text(json.dumps({"schema": tag, "host": "elsewhere", "redirect": 2}))
    with pytest.raises(SchemaVersionError, match=f"{tag}.*Upgrade"):
        operation(str(copy))


def test_unknown_fields_of_a_newer_minor_are_ignored_in_the_document(copy: Path) -> None:
    raw = rewrite(copy, schema="auricle.version/1.7", mood="calm")
    for record in (raw["counts"], raw["clips"][0], raw["gate"], raw["stages"][0], raw["curators"]["level"]):
        record["mood"] = "calm"
    for entry in raw["representations"].values():
        entry["mood"] = entry["spec"]["mood"] = entry["shards"][0]["mood"] = "calm"
    rewrite(copy, **raw)
    newer, golden = open_version(str(copy)), open_version(str(GOLDEN))
    same = {"schema_version": golden.document.schema_version}
    assert newer.document.model_copy(update=same) == golden.document
    assert [s.key for s in newer.samples("tone-codes")] == [A, B0, B1, C]


def test_unknown_columns_of_a_newer_minor_are_ignored_in_the_tables(copy: Path) -> None:
    version = open_version(str(copy))
    table = version.clips()
    name = "tone-codes-50hz"
    pointer = table[name].combine_chunks()
    longer = pa.StructArray.from_arrays(
        [*pointer.flatten(), pa.array([7] * len(table))],
        fields=[*pointer.type, pa.field("mood", pa.int64())],
        mask=pointer.is_null(),
    )
    table = table.set_column(table.schema.get_field_index(name), name, longer)
    table = table.append_column("mood", pa.array(["calm"] * len(table)))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    data = buffer.getvalue()
    (copy / f"objects/clips/{sha256_bytes(data)}.parquet").write_bytes(data)
    rewrite(copy, clips=[{"sha256": sha256_bytes(data), "num_bytes": len(data), "rows": len(table)}])
    newer = open_version(str(copy))
    found = {s.key: (s.array.shape, crc(s.array)) for s in newer.samples(name)}
    assert found == ARRAYS[name]
    assert verify(str(copy)) == []


NAMED = "loud_first-12769d4800cb"


def test_its_named_curriculum_says_what_it_said(copy: Path) -> None:
    (file,) = (GOLDEN.parent / "named_curriculum").iterdir()
    shutil.copy(file, copy / "derived/000001")
    version = open_version(str(copy))
    curriculum = version.named_curriculum(NAMED)
    assert curriculum.id == NAMED
    document = curriculum.document
    assert [(s.name, s.clips, s.tokens, s.speakers, s.quotas) for s in document.stages] == [
        ("gold", 2, 272, 2, {}), ("rest", 1, 120, 1, {"tones": 1}),
    ]  # fmt: skip
    assert [(p.epoch, p.measure, p.repeats, p.shares) for p in document.phases] == [
        (0, "clips", {"gold": 2.0}, {}), (1, "frames", {}, {"gold": 0.4, "rest": 0.6}),
    ]  # fmt: skip
    assert document.inputs.version_sha256 == version.sha256
    rows = {row["clip"]: (row["stage"], row["left_out"], row["quota"]) for row in curriculum.table.to_pylist()}
    assert rows == {A: (0, None, None), B0: (0, None, None), B1: (1, None, "tones"), C: (None, "quota", None)}
    opened = [sample.key for sample in version.samples("tone-codes-50hz", stage="gold", curriculum="loud_first")]
    assert sorted(opened) == sorted([A, B0])

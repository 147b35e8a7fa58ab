from pathlib import Path

import pytest
from dataset_factory import CODES, LATENTS, voices, write_version
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.loaders import open_version
from auricle.loaders.care.verify import verify
from auricle.loaders.copies.pull import pull
from auricle.loaders.storage.store import Store
from auricle.schemas.keys import sha256_bytes
from auricle.schemas.version import VersionDocument


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    url = str(tmp_path / "data")
    write_version(url, [*voices(8, tier=None), *voices(2, "bad", decodes=False), *voices(1, "a", aliases=2)])
    rest = [r.but(status="dropped", reasons=("x",), tier=None) if r.name == "v3" else r for r in voices(7)]
    write_version(url, [*rest, *voices(3, "w"), *voices(1, "bad", decodes=False)])
    return url


def shards(url: str, name: str = CODES.name) -> list[Path]:
    return [
        Path(url, "shards", name, f"{s.sha256}.tar") for s in open_version(url).document.representations[name].shards
    ]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_whole_dataset_has_no_findings_in_any_version(dataset: str) -> None:
    assert verify(dataset) == []
    assert verify(dataset, 1) == []


def test_what_pull_makes_is_whole(dataset: str, tmp_path: Path) -> None:
    pull(dataset, str(tmp_path / "all"), ["toy-codes", "toy-latents"])
    pull(dataset, str(tmp_path / "some"), ["toy-codes"], where="path like 'w%'")
    assert verify(str(tmp_path / "all")) == []
    assert verify(str(tmp_path / "some")) == []


def test_a_deleted_shard_is_named_with_what_to_do(dataset: str) -> None:
    gone = shards(dataset)[0]
    gone.unlink()
    (finding,) = verify(dataset)
    assert (finding.problem, Path(dataset) / finding.path) == ("missing", gone)
    assert "repair" in finding.advice


@settings(max_examples=15, deadline=None)
@given(where=st.floats(0, 1, exclude_max=True), name=st.sampled_from([CODES.name, LATENTS.name]))
def test_one_flipped_bit_anywhere_in_a_shard_is_found(
    tmp_path_factory: pytest.TempPathFactory, where: float, name: str
) -> None:
    url = str(tmp_path_factory.mktemp("flip"))
    write_version(url, voices(3))
    shard = shards(url, name)[0]
    flip(shard, int(where * shard.stat().st_size))
    assert [f.problem for f in verify(url)] == ["bytes"]


def test_one_flipped_bit_in_a_part_of_either_table_is_found(dataset: str) -> None:
    version = open_version(dataset)
    for file in (version.files()[0], version.recording_files()[0]):
        flip(file, file.stat().st_size // 2)
    assert [f.problem for f in verify(dataset) if f.problem == "bytes"] == ["bytes", "bytes"]


def test_a_truncated_shard_is_found_without_reading_it(dataset: str) -> None:
    shard = shards(dataset)[1]
    shard.write_bytes(shard.read_bytes()[:-512])
    assert [f.problem for f in verify(dataset, sample=0.0)] == ["bytes"]


def test_a_sample_reads_a_share_of_the_shards(tmp_path: Path) -> None:
    url = str(tmp_path)
    write_version(url, voices(60), per_shard=1, representations=[CODES])
    for shard in shards(url):
        flip(shard, 2000)
    found = len(verify(url, sample=0.5))
    assert 15 < found < 45
    assert len(verify(url, sample=1.0)) == 60
    assert verify(url, sample=0.0) == []


def test_pointers_that_lie_are_found_although_every_hash_is_right(dataset: str) -> None:
    table = open_version(dataset).clips()
    rows = table.to_pylist()
    lies = [("offset", 512), ("nbytes", 8), ("crc32", 1), ("num_frames", 3)]
    kept = [r for r in rows if r["status"] == "kept"]
    for row, (field, change) in zip(kept, lies, strict=False):
        row[CODES.name][field] += change
    kept[5][CODES.name], kept[6][CODES.name] = kept[6][CODES.name], kept[5][CODES.name]
    rewritten = type(table).from_pylist(rows, schema=table.schema)
    replaced(dataset, rewritten)
    found = [f for f in verify(dataset) if f.problem == "pointer"]
    assert sum("clip " in f.detail for f in found) == 6
    assert any("checksum" in f.detail for f in found)
    assert any("[4, " in f.detail for f in found)


def test_counts_that_do_not_add_up_are_found(dataset: str) -> None:
    table = open_version(dataset).clips()
    replaced(dataset, table.slice(1))
    problems = {f.problem for f in verify(dataset)}
    assert problems == {"count"}
    replaced(dataset, type(table).from_batches([*table.to_batches(), *table.slice(0, 2).to_batches()]))
    assert any("2 clips have more than one row" in f.detail for f in verify(dataset))
    replaced(dataset, type(table).from_batches([*table.to_batches(), *table.slice(0, 1).to_batches()]))
    assert any("1 clip has more than one row" in f.detail for f in verify(dataset))


def test_a_parent_document_that_changed_is_found(dataset: str) -> None:
    first = Path(dataset) / "versions/000001.json"
    first.write_bytes(first.read_bytes().replace(b'"note": ""', b'"note": "x"'))
    assert [f.problem for f in verify(dataset)] == ["history"]


def replaced(url: str, table: object) -> None:
    """The newest version with this clip table and a document that lists it."""
    from auricle.loaders.storage.parts import parquet_bytes
    from auricle.schemas.tables import TABLES_SCHEMA
    from auricle.schemas.version import Object

    path = Path(url) / "versions/000002.json"
    document = VersionDocument.from_json(path.read_bytes())
    data = parquet_bytes(table, TABLES_SCHEMA)  # pyright: ignore[reportArgumentType]
    Store(url).put_new(f"objects/clips/{sha256_bytes(data)}.parquet", data)
    part = Object(sha256=sha256_bytes(data), num_bytes=len(data), rows=table.num_rows)  # pyright: ignore
    path.write_bytes(document.model_copy(update={"clips": [part]}).to_json())

from pathlib import Path

import pytest
from dataset_factory import CODES, LATENTS, voices, write_version

from auricle.loaders import open_version
from auricle.loaders.care.verify import verify
from auricle.pipelines.upkeep.repair import repair
from auricle.schemas.errors import IntegrityError


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    write_version(str(tmp_path), voices(9))
    return str(tmp_path)


def shard(url: str, i: int) -> Path:
    return Path(
        url, "shards", CODES.name, f"{open_version(url).document.representations[CODES.name].shards[i].sha256}.tar"
    )


def test_a_whole_dataset_needs_no_repair(dataset: str) -> None:
    assert repair(dataset).document is None


def test_damaged_shards_are_left_out_and_all_else_stays(dataset: str) -> None:
    gone, flipped = shard(dataset, 0), shard(dataset, 1)
    gone.unlink()
    data = bytearray(flipped.read_bytes())
    data[700] ^= 8
    flipped.write_bytes(data)
    result = repair(dataset)
    assert result.document is not None
    assert len(result.shards) == 2
    assert not flipped.exists()
    version = open_version(dataset)
    assert len(list(version.samples(CODES.name))) == 1
    assert len(list(version.samples(LATENTS.name))) == 9
    assert version.document.counts.kept == 9
    assert version.document.inputs == ""
    assert verify(dataset) == []


def test_a_damaged_table_is_beyond_repair_and_says_what_to_do(dataset: str) -> None:
    part = open_version(dataset).files()[0]
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match="roll back"):
        repair(dataset)
    assert open_version(dataset).document.number == 1

from pathlib import Path

import pytest
from dataset_factory import voices, write_version

from auricle.loaders import open_version
from auricle.loaders.reading.refs import tag, tags, untag
from auricle.loaders.storage.store import Store
from auricle.schemas.errors import ConfigError, SchemaVersionError


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    url = str(tmp_path / "data")
    write_version(url, voices(2))
    write_version(url, voices(3))
    return url


def test_a_tag_opens_its_version_also_after_newer_ones(dataset: str) -> None:
    made = tag(dataset, "paper-v1")
    write_version(dataset, voices(4))
    assert open_version(f"{dataset}@paper-v1").document.number == made.version == 2
    assert [t.name for t in tags(dataset)] == ["paper-v1"]


def test_a_tag_never_moves_and_tagging_again_is_harmless(dataset: str) -> None:
    first = tag(dataset, "a", 1)
    assert tag(dataset, "a", 1) == first
    with pytest.raises(ConfigError, match="is version 1 already"):
        tag(dataset, "a", 2)
    untag(dataset, "a")
    assert tag(dataset, "a", 2).version == 2


@pytest.mark.parametrize("name", ["7", "", "a/b", "../x", "a b", "-x", "x" * 101, "a\n"])
def test_a_name_that_reads_as_a_number_or_a_path_is_refused(dataset: str, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a tag"):
        tag(dataset, name)


def test_an_unknown_tag_or_version_is_refused(dataset: str) -> None:
    with pytest.raises(ConfigError, match="no tag"):
        untag(dataset, "b")
    with pytest.raises(ConfigError, match="no version 9"):
        tag(dataset, "b", 9)


def test_a_tag_of_a_newer_schema_is_refused_with_what_to_upgrade(dataset: str) -> None:
    Store(dataset).put_new("refs/x.json", b'{"schema": "auricle.ref/2"}')
    with pytest.raises(SchemaVersionError, match="Upgrade"):
        tags(dataset)

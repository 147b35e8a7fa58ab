"""What opening versions lists: a dataset of many nights is read in one go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dataset_factory import voices, write_version

from auricle.dashboards.explorer.catalog import Catalog, StoredDataset
from auricle.loaders import open_version
from auricle.loaders.reading.version import numbers, split_version
from auricle.loaders.storage.store import Entry, Store
from auricle.schemas.errors import ConfigError

NIGHTS = 12


@pytest.fixture
def url(tmp_path: Path) -> str:
    for _ in range(NIGHTS):
        write_version(str(tmp_path / "data"), voices(1))
    return str(tmp_path / "data")


@pytest.fixture
def listed(url: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every entry that a listing gave."""
    found: list[str] = []
    listing = Store.list

    def counted(self: Store, prefix: str = "") -> Iterator[Entry]:
        for entry in listing(self, prefix):
            found.append(entry.path)
            yield entry

    monkeypatch.setattr(Store, "list", counted)
    return found


def test_opening_every_version_lists_the_dataset_once(url: str, listed: list[str]) -> None:
    store = Store(url)
    assert [open_version(store, n).document.number for n in numbers(store)] == list(range(1, NIGHTS + 1))
    assert len(listed) == NIGHTS


def test_the_explorers_first_page_lists_the_dataset_once(url: str, listed: list[str]) -> None:
    catalog = Catalog(StoredDataset(url))
    assert [d.number for d in catalog.documents()] == list(range(1, NIGHTS + 1))
    assert len(listed) == NIGHTS


def test_a_version_that_is_not_there_is_named_beside_those_that_are(url: str) -> None:
    with pytest.raises(ConfigError, match="no version 99; published: 1 to 12"):
        open_version(url, 99)


def test_a_dataset_whose_folder_has_an_at_sign_in_its_name_opens(tmp_path: Path) -> None:
    url = str(tmp_path / "corpus@2026")
    write_version(url, voices(1))
    write_version(url, voices(2))
    assert open_version(url).document.number == 2
    assert open_version(f"{url}@1").document.number == 1
    assert split_version("s3://bucket/corpus@2026/") == ("s3://bucket/corpus@2026/", None)

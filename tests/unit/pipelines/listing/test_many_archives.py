"""Many archives are listed by other processes; what is found is the same."""

from __future__ import annotations

import io
import tarfile
from functools import partial
from pathlib import Path

import pytest

from auricle.pipelines.listing import contents
from auricle.pipelines.listing.archived import Archives, Found
from auricle.pipelines.listing.contents import Lister, by_processes, ended, here, here_first
from auricle.pipelines.listing.files import list_sources
from auricle.pipelines.work import own_process
from auricle.schemas.source_config import Source

COUNT = own_process.MANY + 6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(COUNT):
        path = tmp_path / f"{number:03d}.tar"
        with tarfile.open(path, "w") as tar:
            for name in (f"{number}-a.wav", f"{number}-b.wav", "../out.wav"):
                item = tarfile.TarInfo(name)
                item.size, item.mtime = 600, 1_700_000_000
                tar.addfile(item, io.BytesIO(bytes(600)))
        if number % 20 == 3:
            path.write_bytes(path.read_bytes()[:1500])
    (tmp_path / "loose.wav").write_bytes(b"RIFF")
    return tmp_path


def listed(folder: Path, lister: Lister) -> tuple[list[dict[str, object]], list[str]]:
    notices: list[str] = []
    rows = [row for batch in list_sources([Source(path=str(folder))], notices, lister) for row in batch.to_pylist()]
    return rows, notices


def test_the_processes_find_what_one_finds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "AT_ONCE", 50)
    monkeypatch.setattr(own_process, "HERE_S", 0.0)
    alone = listed(folder, here)
    assert listed(folder, partial(here_first, others=by_processes)) == alone
    rows, notices = alone
    broken = len(range(3, COUNT, 20))
    # the first member of one that is cut off, and itself
    assert len(rows) == 1 + 2 * (COUNT - broken) + 2 * broken
    assert any(f"{broken} archives cannot be read to their end" in line for line in notices)
    assert any(f"{COUNT - broken} members of archives are left out" in line for line in notices)


def test_an_archive_whose_listing_ends_its_process_is_a_file_that_fails() -> None:
    archives, found = Archives(Source(path="/nowhere"), 0), Found("a.tar", "/nowhere/a.tar", 5, 6, None)
    ((_, _, path, uri, *_),) = archives.rows(found, ended(found.wanted(), -9))
    assert (path, uri) == ("a.tar", "/nowhere/a.tar")
    assert any("code -9" in line for line in archives.notices())

"""Archives as they should not be: each broken one fails as itself, each odd member is counted with an example."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus import config, write_clip
from hypothesis import given, settings
from hypothesis import strategies as st
from inprocess import without_ray

from auricle.loaders import Version
from auricle.pipelines.archives import zips
from auricle.pipelines.archives.member import ArchiveError, Located, located, safe_name
from auricle.pipelines.archives.packed import members, read
from auricle.pipelines.listing.files import list_sources
from auricle.pipelines.run import run
from auricle.schemas.source_config import Source


@pytest.fixture
def clip(tmp_path: Path) -> bytes:
    made = write_clip(tmp_path / "loose.wav", 1)
    data = made.read_bytes()
    made.unlink()
    return data


def tar_of(path: Path, items: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for item, data in items:
            item.size = len(data)
            archive.addfile(item, io.BytesIO(data))
    return path


def item(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type = kind
    if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        found.linkname = "/etc/passwd"
    return found


def listed(folder: Path) -> tuple[list[str], list[str]]:
    """Paths of a source, and what was said."""
    notices: list[str] = []
    batches = list(list_sources([Source(path=str(folder), name="s")], notices))
    return [path for batch in batches for path in batch["path"].to_pylist()], notices


def test_members_that_lead_out_are_links_or_devices_are_left_out_and_said(tmp_path: Path, clip: bytes) -> None:
    odd = [
        *(item("../up.wav"), item("/etc/a.wav"), item("a/../../b.wav")),
        *(item("link.wav", tarfile.SYMTYPE), item("hard.wav", tarfile.LNKTYPE), item("dev.wav", tarfile.CHRTYPE)),
        item("pipe.wav", tarfile.FIFOTYPE),
    ]
    plain = [(item("./good.wav"), clip), (item("notes.txt"), b"x")]
    tar_of(tmp_path / "in/a.tar", [*((one, b"") for one in odd), *plain])
    paths, notices = listed(tmp_path / "in")
    assert paths == ["a.tar/good.wav"]
    assert [line.split(": ", 1)[1] for line in notices] == [
        "3 members of archives are left out. Each has a name that leads out of the archive or is not UTF-8, "
        "for example a.tar/../up.wav",
        "4 members of archives are left out. Each is a link, a device or sparse, for example a.tar/link.wav",
    ]


def test_an_archive_that_is_cut_off_gives_what_is_whole_and_fails_itself(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_ray(monkeypatch)
    whole = tar_of(tmp_path / "in/a.tar", [(item("one.wav"), clip), (item("two.wav"), clip[:-2] + b"ab")])
    data = whole.read_bytes()
    whole.write_bytes(data[: 512 + len(clip) + 2000])
    paths, notices = listed(tmp_path / "in")
    assert paths == ["a.tar/one.wav", "a.tar"]
    assert "cannot be read to their end" in notices[0]
    assert "cut off in its member 2, 'two.wav'" in notices[0]
    assert statuses(run_over(tmp_path)) == {"a.tar/one.wav": "decoded", "a.tar": "not_audio"}


@pytest.mark.parametrize("name", ["a.tar", "a.zip", "a.parquet", "a.arrow"])
@pytest.mark.parametrize("data", [b"", b"hello", b"\0" * 600, b"PK\3\4" + b"x" * 600, b"PAR1" + b"y" * 600 + b"PAR1"])
def test_what_only_is_called_an_archive_is_a_failed_file(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    paths, notices = listed(tmp_path)
    if name == "a.tar" and data in (b"", b"\0" * 600):
        # an empty tar is zeros, or nothing
        assert paths in ([], [name])
        return
    assert paths == [name]
    assert any(name in line for line in notices)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "LARGEST_BYTES", 1 << 20)
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.wav", b"\0" * (3 << 20))
        archive.writestr("a.wav", b"RIFF")
    paths, notices = listed(tmp_path)
    assert paths == ["b.zip/a.wav"]
    assert "would unpack to more than" in notices[0]


def test_an_entry_that_lies_about_its_size_is_a_failed_recording(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What unpacks to more than the directory says is never written further than it says."""
    without_ray(monkeypatch)
    (tmp_path / "in").mkdir()
    path = tmp_path / "in/l.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", clip)
    data = path.read_bytes()
    true, lie = len(clip).to_bytes(4, "little"), (100).to_bytes(4, "little")
    assert data.count(true) == 2
    path.write_bytes(data.replace(true, lie))
    [(_, reason)] = statuses(run_over(tmp_path)).items()
    assert reason == "unreadable"


def test_a_compressed_tar_is_named_with_what_to_do(tmp_path: Path, clip: bytes) -> None:
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as archive:
        archive.addfile(item("x.wav"), io.BytesIO(b""))
    paths, notices = listed(tmp_path)
    assert paths == []
    assert "1 compressed tar is not read, for example c.tar.gz" in notices[0]


def test_a_folder_called_like_an_archive_is_a_folder(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_ray(monkeypatch)
    (tmp_path / "in/old.tar").mkdir(parents=True)
    (tmp_path / "in/old.tar/x.wav").write_bytes(clip)
    (tmp_path / "in/y.tar#@1+2").write_bytes(clip)
    assert statuses(run_over(tmp_path)) == {"old.tar/x.wav": "decoded"}


def test_rows_without_audio_fail_by_themselves_and_equal_names_are_told_apart(
    tmp_path: Path, clip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_ray(monkeypatch)
    (tmp_path / "in").mkdir()
    other = write_clip(tmp_path / "other.wav", 2).read_bytes()
    audio = [{"bytes": clip, "path": "x.wav"}, {"bytes": None, "path": "y.wav"}, {"bytes": other, "path": "x.wav"}]
    audio += [{"bytes": b"text", "path": None}, {"bytes": other[:-2] + b"zz", "path": "/abs/../z.wav"}]
    pq.write_table(pa.table({"audio": audio}), tmp_path / "in/t.parquet")
    pq.write_table(pa.table({"name": ["a"]}), tmp_path / "in/labels.parquet")
    assert statuses(run_over(tmp_path)) == {
        "t.parquet/x.wav": "decoded",
        "t.parquet/y.wav": "unreadable",
        "t.parquet/00000002-x.wav": "decoded",
        "t.parquet/00000003": "not_audio",
        "t.parquet/z.wav": "decoded",
    }


def test_a_member_that_changed_since_it_was_listed_is_no_other_recording(tmp_path: Path, clip: bytes) -> None:
    path = tar_of(tmp_path / "in/a.tar", [(item("x.wav"), clip)])
    place = next(m.place for m in members(str(path)))
    assert b"".join(read(Located(str(path), "x.wav", place))) == clip
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ArchiveError, match="ends before"):
        b"".join(read(Located(str(path), "x.wav", place)))
    with pytest.raises(ArchiveError, match="cut off"):
        list(members(str(path)))
    path.unlink()
    with pytest.raises(ArchiveError, match="No such file"):
        b"".join(read(Located(str(path), "x.wav", place)))


@given(st.binary(max_size=3000), st.sampled_from(["tar", "zip", "parquet", "arrow"]), st.integers(0, 2**32))
@settings(max_examples=80)
def test_no_bytes_make_an_archive_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, kind: str, seed: int
) -> None:
    """Also those of a good archive with some bytes changed."""
    folder = tmp_path_factory.mktemp("fuzz")
    path = folder / f"a.{kind}"
    rng = np.random.default_rng(seed)
    data = bytearray(GOOD[kind](folder)) if len(noise) % 2 else bytearray(noise)
    for at in rng.integers(0, max(1, len(data)), 5 if len(noise) % 2 else 0):
        data[at : at + 1] = bytes([rng.integers(256)])
    path.write_bytes(data[: None if seed % 3 else int(rng.integers(len(data) + 1))])
    try:
        found = list(members(str(path)))
    except ArchiveError:
        return
    for member in found:
        assert safe_name(member.name) == member.name
        try:
            assert sum(map(len, read(Located(str(path), member.name, member.place)))) >= 0
        except ArchiveError:
            continue


def _good_tar(folder: Path) -> bytes:
    return tar_of(folder / "g.tar", [(item("x.wav"), b"abc" * 50), (item("y/z.wav"), b"d" * 700)]).read_bytes()


def _good_zip(folder: Path) -> bytes:
    with zipfile.ZipFile(folder / "g.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.wav", b"abc" * 50)
        archive.writestr("y/z.wav", b"d" * 700)
    return (folder / "g.zip").read_bytes()


def _table() -> pa.Table:
    return pa.table({"audio": [{"bytes": b"abc", "path": "x.wav"}, {"bytes": b"d" * 90, "path": None}]})


def _good_parquet(folder: Path) -> bytes:
    pq.write_table(_table(), folder / "g.parquet")
    return (folder / "g.parquet").read_bytes()


def _good_arrow(folder: Path) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, _table().schema) as stream:
        stream.write_table(_table())
    return sink.getvalue()


GOOD: dict[str, Callable[[Path], bytes]] = {
    "tar": _good_tar,
    "zip": _good_zip,
    "parquet": _good_parquet,
    "arrow": _good_arrow,
}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/d/a.tar/x.wav", Located("/d/a.tar", "x.wav", None)),
        ("s3://b/a.TAR/y/x.wav#@512+20", Located("s3://b/a.TAR", "y/x.wav", "512+20")),
        ("/d/a.zip/b.tar/x.wav", Located("/d/a.zip", "b.tar/x.wav", None)),
        ("/d/a.tar", None),
        ("/d/x.wav#@1+2", None),
        ("/d/a.tar/", None),
    ],
)
def test_a_uri_says_which_member_of_which_archive_it_is_of(uri: str, expected: Located | None) -> None:
    assert located(uri) == expected


def run_over(root: Path) -> Version:
    source = {"path": str(root / "in"), "name": "corpus"}
    return run(config(root / "in", root / "data", sources=[source])).version


def statuses(version: Version) -> dict[str, str]:
    """Path of each recording -> decoded, or why it failed."""
    rows = version.recordings().to_pylist()
    return {row["aliases"][0]["path"]: row["reason"] or row["status"] for row in rows}

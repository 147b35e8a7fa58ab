"""The path of a source joined with that of a file, in one way wherever a recording is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from auricle.schemas.sources import file_uri, is_list, listed_path, source_paths, uri_prefix


def test_a_folder_a_file_and_a_bucket_are_joined_to_what_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.wav").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    inside = str(tmp_path / "corpus" / "a.wav")
    for source in ("corpus", "corpus/", "./corpus", "~/corpus", str(tmp_path / "corpus")):
        assert file_uri(source, "a.wav") == inside
    assert file_uri("corpus/a.wav", "a.wav") == inside, "a source that is one file holds that file"
    assert file_uri("s3://bucket/corpus/", "b/a.wav") == file_uri("s3://bucket/corpus", "b/a.wav")
    assert file_uri("s3://bucket/corpus", "b/a.wav") == "s3://bucket/corpus/b/a.wav"
    assert uri_prefix("/") == "/"


def test_the_sources_of_a_recorded_configuration_go_by_name() -> None:
    config = {"sources": [{"name": "en", "path": "./a"}, {"path": "/data/far"}, "?"]}
    assert source_paths(config) == {"en": "./a", "far": "/data/far"}
    assert source_paths({}) == {}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("a.wav", "a.wav"),
        ("./sub//a.wav", "sub/a.wav"),
        ("/corpus/sub/../a.wav", "a.wav"),
        ("../other/a.wav", "/other/a.wav"),
        ("/far/a.wav", "/far/a.wav"),
        ("s3://bucket/x/a.wav", "s3://bucket/x/a.wav"),
        ("HTTPS://host/x/./a%20b.wav", "https://host/x/a%20b.wav"),
        ("file:///corpus/a%20b.wav", "a b.wav"),
    ],
)
def test_an_address_in_a_list_has_one_path(given: str, path: str) -> None:
    assert listed_path(given, "/corpus/list.txt") == path
    assert file_uri("/corpus/list.txt", path) in (path, f"/corpus/{path}")


@pytest.mark.parametrize(
    "given", ["", "  ", "ftp://h/a.wav", "https://h/a?b", "https://h/a#b", "https://h", "s3://bucket"]
)
def test_what_is_no_address_is_refused_with_the_reason(given: str) -> None:
    with pytest.raises(ValueError, match=r"named|begins|query|no path"):
        listed_path(given, "/corpus/list.txt")


def test_a_list_far_away_is_joined_with_what_lies_beside_it(tmp_path: Path) -> None:
    assert listed_path("a.wav", "https://host/x/l.txt") == "a.wav"
    assert file_uri("https://host/x/l.txt", "a.wav") == "https://host/x/a.wav"
    assert listed_path("../y/a.wav", "s3://bucket/x/l.txt") == "s3://bucket/y/a.wav"
    assert listed_path("s3://bucket/x/a.wav", "s3://bucket/x/l.txt") == "a.wav"
    (tmp_path / "folder.txt").mkdir()
    assert not is_list(str(tmp_path / "folder.txt"))
    assert is_list(str(tmp_path / "list.txt"))

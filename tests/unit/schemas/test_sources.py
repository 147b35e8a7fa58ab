"""The path of a source joined with that of a file, in one way wherever a recording is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from auricle.schemas.sources import file_uri, source_paths, uri_prefix


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

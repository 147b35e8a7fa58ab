"""What a store says when it cannot be used."""

from __future__ import annotations

import os
import time

import pytest

from auricle.loaders.storage.store import Store
from auricle.schemas.errors import StorageError


def test_an_object_store_without_credentials_says_soon_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    # nothing listens there
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    started = time.monotonic()
    with pytest.raises(StorageError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        list(Store("s3://bucket/dataset").list())
    # two pauses of 0.6 and 1.2 s at most; asked eight times it takes a minute
    assert time.monotonic() - started < 10

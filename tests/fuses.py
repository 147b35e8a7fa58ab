"""Faults at a moment of one's choice: a crash after so many writes, a file that is away during a pass."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auricle.loaders.storage.store import Store
from auricle.pipelines.work.progress import Silent


class Crash(BaseException):
    """Ends the process as far as the code under test can tell."""


class Away(Silent):
    """A file is away during one pass."""

    def __init__(self, file: Path, stage: str) -> None:
        self.file, self.stage = file, stage

    def begin(self, stage: str, items: int, audio_s: float, units: int) -> None:
        if stage == self.stage:
            self.file.rename(f"{self.file}.away")

    def end(self, stage: str) -> None:
        if stage == self.stage:
            Path(f"{self.file}.away").rename(self.file)


@contextlib.contextmanager
def burning(fuse: int | None) -> Iterator[None]:
    """After `fuse` writes or deletions (the lease apart) the next one crashes instead."""
    left = fuse
    patch = pytest.MonkeyPatch()

    def guarded(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(store: Store, path: Any, *rest: Any, **how: Any) -> Any:
            nonlocal left
            if left is not None and not str(path).startswith(("lease", "['lease")):
                if left == 0:
                    raise Crash
                left -= 1
            return real(store, path, *rest, **how)

        return call

    with patch.context() as patched:
        patched.setattr(Store, "put_new", guarded(Store.put_new))
        patched.setattr(Store, "delete", guarded(Store.delete))
        yield

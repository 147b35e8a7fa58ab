"""The DATASET of a command: refuse a path that holds none before anything is made there."""

from __future__ import annotations

from ...loaders.reading.version import numbers
from ...loaders.storage.store import Store
from ...schemas.errors import NoDatasetError


def existing(dataset: str) -> str:
    """`dataset` itself, when it has a published version or an unfinished run.

    Raises `NoDatasetError` for a folder that is absent or something else.
    """
    store = Store(dataset)
    if not numbers(store) and next(iter(store.list("runs")), None) is None:
        raise NoDatasetError(
            f"no dataset at {store.root or store.url}: it holds neither versions nor runs. Check the path, or make "
            "the dataset with `auricle run`"
        )
    return dataset

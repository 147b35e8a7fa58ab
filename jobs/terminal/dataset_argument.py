"""The DATASET of a command: refuse a path that holds none, and say what is pending there, before anything is done.

Loads what reads datasets when it is called: every command registers with these names, `--help` too.
"""

from __future__ import annotations

from ...schemas.errors import NoDatasetError


def existing(dataset: str) -> str:
    """`dataset` itself, when it has a published version or an unfinished run. For commands that hold the lease, which
    finish what is pending themselves (`pipelines/upkeep/pending.py`).

    Raises `NoDatasetError` for a folder that is absent or something else.
    """
    from ...loaders.reading.version import numbers
    from ...loaders.storage.store import Store

    store = Store(dataset)
    if not numbers(store) and next(iter(store.list("runs")), None) is None:
        raise NoDatasetError(
            f"no dataset at {store.root or store.url}: it holds neither versions nor runs. Check the path, or make "
            "the dataset with `auricle run`"
        )
    return dataset


def reading(dataset: str) -> str:
    """`dataset` itself, for commands that read; takedowns that are not finished are named on standard error. Commands
    that copy or derive need nothing here: what they call refuses by itself (`loaders/reading/pending.require_none`).

    Raises as `Store` does.
    """
    from ...loaders.reading.pending import pending
    from ...loaders.reading.version import split_version
    from ...loaders.storage.store import Store
    from . import console

    for begun in pending(Store(split_version(dataset)[0])):
        console.err.print(f"note: {begun}", markup=False)
    return dataset

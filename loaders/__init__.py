"""The training side: open versions of a dataset, read them, copy them, check them.

    from auricle.loaders import open_version, tags, diff, verify, pull, export, crop, cropped

| to                              | call                                                                       |
|---------------------------------|----------------------------------------------------------------------------|
| open a version                  | `open_version("./speech-dataset@7")`                                       |
| read clips and samples of it    | `version.clips(...)`, `version.samples("builtin-codes")`                   |
| read a part of one clip         | `crop(version, "builtin-codes", clip, start, end)`; of a sample: `cropped` |
| name versions                   | `tag`, `untag`, `tags`                                                     |
| compare two versions            | `diff("./speech-dataset", 6, 7)`                                           |
| re-hash every byte              | `verify("./speech-dataset")`                                               |
| copy the live samples           | `pull("s3://corpora/speech", "./speech", ["builtin-codes"])`               |
| train on it                     | `Loader(TrainingData("./speech-dataset@7", "builtin-codes", Settings(...)))` |
| write another format            | `export("./speech-dataset", "./out", "webdataset")`                        |

Each name is imported when it is first used, so that importing this package loads nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .care.verify import Finding, verify
    from .copies.diff import Diff, diff
    from .copies.export import ExportResult, export
    from .copies.pull import PullResult, pull
    from .plan.settings import Mixing, Settings
    from .reading.crop import crop, cropped
    from .reading.refs import Tag, tag, tags, untag
    from .reading.samples import Sample
    from .reading.version import Version, open_version
    from .storage.store import Store
    from .training.data import TrainingData
    from .training.datasets import BatchStream, Clips
    from .training.layout import Layout
    from .training.loader import Loader

_HOME = {
    "BatchStream": "training.datasets",
    "Clips": "training.datasets",
    "Diff": "copies.diff",
    "ExportResult": "copies.export",
    "Finding": "care.verify",
    "Layout": "training.layout",
    "Loader": "training.loader",
    "Mixing": "plan.settings",
    "PullResult": "copies.pull",
    "Sample": "reading.samples",
    "Settings": "plan.settings",
    "Store": "storage.store",
    "Tag": "reading.refs",
    "TrainingData": "training.data",
    "Version": "reading.version",
    "crop": "reading.crop",
    "cropped": "reading.crop",
    "diff": "copies.diff",
    "export": "copies.export",
    "open_version": "reading.version",
    "pull": "copies.pull",
    "tag": "reading.refs",
    "tags": "reading.refs",
    "untag": "reading.refs",
    "verify": "care.verify",
}
"""Public name -> the module in this folder that has it."""

__all__ = [
    "BatchStream",
    "Clips",
    "Diff",
    "ExportResult",
    "Finding",
    "Layout",
    "Loader",
    "Mixing",
    "PullResult",
    "Sample",
    "Settings",
    "Store",
    "Tag",
    "TrainingData",
    "Version",
    "crop",
    "cropped",
    "diff",
    "export",
    "open_version",
    "pull",
    "tag",
    "tags",
    "untag",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; public: {', '.join(__all__)}")
    found = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

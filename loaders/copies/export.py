"""Export: live clips of a version in a form that other tools read.

hf          Parquet with arrays as lists, for `datasets.load_dataset(folder)`
shar        lhotse Shar, for `CutSet.from_shar(in_dir=folder)`
webdataset  tars with all representations of a clip side by side, text and scores in the json
delta       the clip table as a Delta table
manifest    NeMo-style JSON lines that point into the audio files
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...schemas.counted import counted
from ...schemas.errors import ConfigError
from ..reading.pending import open_to_copy
from ..reading.version import Version
from ..storage.store import Store
from . import export_tables, export_tars
from .export_rows import Exported, exported, fields_of

FORMATS = ("hf", "shar", "webdataset", "delta", "manifest")
WITH_ARRAYS = ("hf", "shar", "webdataset")
SHARD_BYTES = 64 << 20


@dataclass(frozen=True)
class ExportResult:
    """What an export wrote."""

    to: str
    dest: str
    version: int
    clips: int
    files: int
    num_bytes: int
    notes: tuple[str, ...] = ()


def export(
    dataset: str | Store,
    dest: str,
    to: str,
    version: int | str | None = None,
    representation: Sequence[str] = (),
    where: str | None = None,
    *,
    shard_bytes: int = SHARD_BYTES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ExportResult:
    """Write a version into the empty folder or s3:// prefix `dest`, in the format `to`.

    representation: names or beginnings of names; default all, and only clips that have all of them are exported.
    where: only clips for which this SQL expression over clip columns holds.
    progress: told clips done and kept clips in all.
    Raises `ConfigError` for an unknown format or a destination that holds something, `MissingExtraError` where the
    format needs a package, `IntegrityError` for a damaged object, `PendingError` while a takedown is not done.
    """
    if to not in FORMATS:
        raise ConfigError(f"--to {to}: unknown format; there are {', '.join(FORMATS)}")
    source = open_to_copy(dataset, version)
    names = representation or (tuple(source.document.representations) if to in (*WITH_ARRAYS, "delta") else ())
    specs = list({s.name: s for s in map(source.representation, names)}.values())
    if to in WITH_ARRAYS and not specs:
        raise ConfigError(f"version {source.document.number} has no representation: nothing to export to {to}")
    target = Store(dest, create=True)
    if next(iter(target.list()), None) is not None:
        raise ConfigError(f"{dest} is not empty: an export goes into a folder of its own")
    fields = fields_of(specs)
    notes: list[str] = []
    batches = _counted(source, exported(source, fields, where), progress)
    if to == "webdataset":
        clips = export_tars.webdataset(target, batches, fields, shard_bytes)
    elif to == "shar":
        clips = export_tars.shar(target, batches, fields, shard_bytes)
    elif to == "hf":
        clips = export_tables.hf(target, source, batches, fields, shard_bytes)
    elif to == "delta":
        clips = export_tables.delta(target, source, where, tuple(s.name for s in specs))
    else:
        clips, hidden = export_tables.manifest(target, source, batches)
        if hidden:
            notes.append(f"{counted(hidden, 'clip has', 'clips have')} no path (redacted), left out")
    untrained = [s.name for s in specs if not s.trained]
    if untrained and to in WITH_ARRAYS:
        notes.append(f"untrained weights made {', '.join(untrained)}: shapes are real, values mean nothing")
    written = list(target.list())
    return ExportResult(
        to, dest, source.document.number, clips, len(written), sum(e.size for e in written), tuple(notes)
    )


def _counted(
    source: Version, batches: Iterator[list[Exported]], progress: Callable[[int, int], None]
) -> Iterator[list[Exported]]:
    done = 0
    for batch in batches:
        yield batch
        done += len(batch)
        progress(done, source.document.counts.kept)

"""A version made ready for training: its index, its plans, its tasks, and batches of numpy arrays. No torch."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...schemas.errors import ConfigError
from ..plan.index import read_index
from ..plan.plan import Plan, make_plan
from ..plan.settings import Settings, fingerprint, read_state
from ..reading.retired_copies import drop_retired
from ..reading.version import Version, open_version
from ..storage.payloads import Payloads
from ..storage.shard_cache import LIMIT_BYTES, ShardCache
from .batch import Tokenizer, batch_names, collate
from .layout import Layout
from .reader import Source, Task, read

if TYPE_CHECKING:
    import pyarrow.compute as pc

WHOLE_SHARE = 0.3
"""Part of a shard that must be wanted for all of it to be fetched from an object store."""


class BatchReader:
    """Task to batch: the part of `TrainingData` that goes to a worker. Small, and pickles for any start method."""

    def __init__(
        self,
        payloads: Payloads,
        sources: Sequence[Source],
        layout: Layout,
        row_tokens: int | None,
        tokenizer: Tokenizer | None,
        text: str,
    ) -> None:
        self.payloads, self.sources, self.layout = payloads, tuple(sources), layout
        self.row_tokens, self.tokenizer, self.text = row_tokens, tokenizer, text
        self.specs = [source.spec for source in self.sources]

    def __call__(self, task: Task) -> dict[str, Any]:
        """The batch of a task, see `loaders.training.batch`."""
        arrays, damaged = read(task, self.sources, self.payloads)
        specs = self.specs
        return collate(task, arrays, damaged, specs, self.layout, self.row_tokens, self.tokenizer, self.text)


class TrainingData:
    """The clips of a version for training, in the order of its plans.

    dataset: a folder or s3:// prefix, with `@7` or `@tag` for one version, or an open version.
    representations: names or beginnings; the first one's frames are what lengths count, the others come along.
    settings: of the plan; `token_scale` and `token_extra` are set by the layout.
    where: only clips for which this holds: SQL as `auricle pull` takes it (needs DuckDB), or an Arrow expression.
    columns: of the clip table, that come with each batch as lists.
    layout: what becomes of codes. tokenizer: text to token ids, of column `text`; picklable where workers are spawned.
    cache: folder for shards of an object store, at most `cache_bytes`; by default in the user's cache.
    Raises `ConfigError` for what does not fit together, before anything is read.
    """

    def __init__(
        self,
        dataset: str | Version,
        representations: str | Sequence[str],
        settings: Settings,
        *,
        where: str | pc.Expression | None = None,
        columns: Sequence[str] = (),
        layout: Layout | None = None,
        tokenizer: Tokenizer | None = None,
        text: str = "transcript",
        cache: Path | str | None = None,
        cache_bytes: int = LIMIT_BYTES,
    ) -> None:
        self.version = open_version(dataset) if isinstance(dataset, str) else dataset
        names = [representations] if isinstance(representations, str) else list(representations)
        self.specs = [self.version.representation(name) for name in names]
        self.layout = layout or Layout()
        for spec in self.specs:
            if spec.is_codes:
                self.layout.check(spec)
        scale, extra = self.layout.size(self.specs[0])
        self.settings = replace(settings, token_scale=scale, token_extra=extra)
        wanted = [*columns, text] if tokenizer else list(columns)
        self.columns = tuple(dict.fromkeys(wanted))
        group = settings.mixing.column if settings.mixing else None
        self.index = read_index(
            self.version, names, where=where, group=group, curriculum=settings.needs_curriculum, columns=self.columns
        )
        self.fingerprint = fingerprint(
            self.settings,
            {
                "version": self.version.sha256,
                "representations": [spec.name for spec in self.specs],
                "where": str(where) if where is not None else None,
                "curriculum": self.index.curriculum,
            },
        )
        shards = ShardCache(Path(cache) if cache is not None else None, cache_bytes)
        drop_retired(self.version.store, shards)
        payloads = Payloads(self.version.store, shards)
        self.reader = BatchReader(payloads, self._sources(), self.layout, settings.row_tokens, tokenizer, text)
        self._plan: Plan | None = None

    @property
    def names(self) -> list[str]:
        """What each representation is called in a batch."""
        return batch_names(self.specs)

    def plan(self, epoch: int) -> Plan:
        """The plan of an epoch; the last one made is kept."""
        if self._plan is None or self._plan.epoch != epoch:
            self._plan = make_plan(self.index, self.settings, epoch)
        return self._plan

    def task(self, plan: Plan, step: int, slot: int) -> Task:
        """What a worker needs for one microbatch."""
        rows = plan.rows_of(step, slot)
        starts = plan.draw_starts[rows.start : rows.stop + 1]
        part = slice(int(starts[0]), int(starts[-1]))
        draws = plan.draws[part]
        columns = self.index.columns.take(draws).to_pydict() if self.columns else {}
        return Task(
            epoch=plan.epoch,
            step=step,
            slot=slot,
            keys=self.index.keys(draws),
            counts=np.diff(starts),
            crop_starts=plan.crop_starts[part] if plan.crop_starts is not None else None,
            frames=plan.frames[part],
            sample_rate=self.index.sample_rate[draws],
            pointers=tuple(
                (p.shard[draws], p.offset[draws], p.nbytes[draws], p.crc32[draws], p.frames[draws])
                for p in self.index.pointers
            ),
            columns=columns,
        )

    def tasks(self, epoch: int, rank: int = 0, world: int = 1, step: int = 0) -> Iterator[Task]:
        """Tasks of one rank from a step of an epoch on, in order."""
        plan = self.plan(epoch)
        for at, slot in plan.slots(rank, world, step):
            yield self.task(plan, at, slot)

    def clip_task(self, row: int) -> Task:
        """A task of one whole clip of the index."""
        draws = np.array([row])
        pointers = tuple(
            (p.shard[draws], p.offset[draws], p.nbytes[draws], p.crc32[draws], p.frames[draws])
            for p in self.index.pointers
        )
        columns = self.index.columns.take(draws).to_pydict() if self.columns else {}
        rate, frames = self.index.sample_rate[draws], self.index.pointers[0].frames[draws]
        return Task(0, 0, 0, self.index.keys(draws), np.ones(1, np.int64), None, frames, rate, pointers, columns)

    def state(self, epoch: int, step: int) -> dict[str, Any]:
        """What a checkpoint keeps: the same on all ranks."""
        return {"fingerprint": self.fingerprint, "epoch": epoch, "step": step}

    def position(self, state: Mapping[str, Any]) -> tuple[int, int]:
        """Epoch and step of a saved state. Raises `ConfigError` that says what differs when it is of another order."""
        epoch, step = read_state(state, self.fingerprint)
        steps = self.plan(epoch).steps
        if step > steps:
            raise ConfigError(f"the state says step {step} of epoch {epoch}, which has {steps}")
        return (epoch, step) if step < steps else (epoch + 1, 0)

    def _sources(self) -> list[Source]:
        found = []
        for pointers in self.index.pointers:
            listed = self.version.document.representations[pointers.spec.name].shards
            wanted = np.bincount(pointers.shard, weights=pointers.nbytes, minlength=len(listed))
            whole = [
                s.num_bytes if w >= WHOLE_SHARE * s.num_bytes else None for s, w in zip(listed, wanted, strict=True)
            ]
            found.append(Source(pointers.spec, pointers.shards, tuple(whole)))
        return found

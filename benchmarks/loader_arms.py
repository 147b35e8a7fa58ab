"""The arms of `loader.py`: each a process that reads jobs from its input, one line of JSON each, and answers so.

    python benchmarks/loader_arms.py ARM < jobs

Each rival reads its own format, written from the same samples in the same number of files, as its documentation says
that it is fast; batches of all rivals go through one `collate`, which makes what our loader makes.
"""

# the rivals are installed where the benchmark runs, and untyped
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from auricle.loaders import Loader, Settings, TrainingData, open_version

PER_SECOND = 75
Item = tuple[str, np.ndarray]
SHUFFLED = 1000
"""Samples in the shuffle buffers of those that shuffle in one."""


def collate(items: list[Item]) -> dict[str, Any]:
    """`[B, K, T]` int64 codes or float32 values, padded, with lengths, mask and keys."""
    lengths = np.array([array.shape[1] for _, array in items])
    first = items[0][1]
    dtype = np.int64 if first.dtype.kind == "u" else first.dtype
    made = np.zeros((len(items), first.shape[0], int(lengths.max())), dtype)
    for row, (_, array) in enumerate(items):
        made[row, :, : array.shape[1]] = array
    mask = np.arange(made.shape[2]) < lengths[:, None]
    tensors = {"array": torch.from_numpy(made), "lengths": torch.from_numpy(lengths), "mask": torch.from_numpy(mask)}
    return tensors | {"keys": [key for key, _ in items]}


def pairs(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Collates samples that are dictionaries of `key` and `array`."""
    return collate([(s["key"], s["array"]) for s in samples])


class Arm(ABC):
    """One loader. job: folder (its files), url (the same on an object store, or null), kind, workers, rows (clips in a
    batch), tokens (of a padded batch), scratch (an empty folder for copies)."""

    @abstractmethod
    def batches(self, job: dict[str, Any]) -> Callable[[], Iterable[dict[str, Any]]]:
        """What gives the batches of one epoch each time it is called."""

    @abstractmethod
    def samples(self, job: dict[str, Any]) -> Callable[[], Iterable[Item]]:
        """The same for single arrays, in this process."""


class Rival(Arm):
    """A loader with a format of its own."""

    @abstractmethod
    def write(self, items: Iterator[Item], folder: Path, per_shard: int) -> None:
        """Write the samples in it."""


class Ours(Arm):
    start: str | None = None
    """What workers are; None: the default."""

    def batches(self, job: dict[str, Any]) -> Callable[[], Iterable[dict[str, Any]]]:
        data = TrainingData(
            job["url"] or job["folder"], f"bench-{job['kind']}", Settings(batch_tokens=job["tokens"]),
            cache=job["scratch"],
        )  # fmt: skip
        loader = Loader(data, workers=job["workers"], start=self.start)
        return lambda: (dict(b, array=b[job["kind"]]) for b in loader)

    def samples(self, job: dict[str, Any]) -> Callable[[], Iterable[Item]]:
        version = open_version(job["url"] or job["folder"])
        return lambda: ((s.key, s.array) for s in version.samples(f"bench-{job['kind']}"))


class OursForked(Ours):
    """Workers as the others have them, processes: what threads spare."""

    start = "fork"


class WebDataset(Rival):
    def write(self, items: Iterator[Item], folder: Path, per_shard: int) -> None:
        import webdataset

        with webdataset.ShardWriter(f"{folder}/%06d.tar", maxcount=per_shard, verbose=0) as sink:
            for key, array in items:
                sink.write({"__key__": key, "npy": array})

    def _open(self, job: dict[str, Any]) -> Any:
        import webdataset

        names = sorted(file.name for file in Path(job["folder"]).glob("*.tar"))
        urls = [f"pipe:curl -s {job['http']}/{n}" if job["url"] else f"{job['folder']}/{n}" for n in names]
        found = webdataset.WebDataset(urls, shardshuffle=100).shuffle(SHUFFLED).decode()
        return found.to_tuple("__key__", "npy")

    def batches(self, job: dict[str, Any]) -> Callable[[], Iterable[dict[str, Any]]]:
        import webdataset

        found = self._open(job).batched(job["rows"], collation_fn=collate, partial=True)
        workers = job["workers"]
        loader = webdataset.WebLoader(found, batch_size=None, num_workers=workers, persistent_workers=workers > 0)
        return lambda: loader

    def samples(self, job: dict[str, Any]) -> Callable[[], Iterable[Item]]:
        found = self._open(job)
        return lambda: found


class Mosaic(Rival):
    def write(self, items: Iterator[Item], folder: Path, per_shard: int) -> None:
        from streaming import MDSWriter

        held = list(items)
        # shards are cut by size
        size = sum(a.nbytes for _, a in held) * per_shard // len(held)
        columns = {"key": "str", "array": f"ndarray:{held[0][1].dtype}"}
        with MDSWriter(out=str(folder), columns=columns, size_limit=size) as sink:
            for key, array in held:
                sink.write({"key": key, "array": array})

    def _open(self, job: dict[str, Any]) -> Any:
        from streaming import StreamingDataset
        from streaming.base.util import clean_stale_shared_memory

        if os.environ.get("WORLD_SIZE", "1") == "1":
            clean_stale_shared_memory()
        where = {"remote": job["url"], "local": job["scratch"]} if job["url"] else {"local": job["folder"]}
        return StreamingDataset(**where, shuffle=True, batch_size=job["rows"])

    def batches(self, job: dict[str, Any]) -> Callable[[], Iterable[dict[str, Any]]]:
        from streaming import StreamingDataLoader

        workers = job["workers"]
        loader = StreamingDataLoader(
            self._open(job), batch_size=job["rows"], num_workers=workers, collate_fn=pairs,
            persistent_workers=workers > 0,
        )  # fmt: skip
        return lambda: loader

    def samples(self, job: dict[str, Any]) -> Callable[[], Iterable[Item]]:
        found = self._open(job)
        return lambda: ((s["key"], s["array"]) for s in found)


class LitData(Rival):
    def write(self, items: Iterator[Item], folder: Path, per_shard: int) -> None:
        from litdata.streaming import Cache

        cache = Cache(str(folder), chunk_size=per_shard)
        for number, (key, array) in enumerate(items):
            cache[number] = {"key": key, "array": array}
        cache.done()
        cache.merge()

    def _open(self, job: dict[str, Any]) -> Any:
        from litdata import StreamingDataset
        from litdata.streaming import downloader

        # it has no setting for a server without TLS
        downloader._OBSTORE_CLIENT_OPTIONS["allow_http"] = True
        remote = {"cache_dir": job["scratch"], "storage_options": {"endpoint_url": os.environ.get("AWS_ENDPOINT_URL")}}
        return StreamingDataset(job["url"] or job["folder"], shuffle=True, **(remote if job["url"] else {}))

    def batches(self, job: dict[str, Any]) -> Callable[[], Iterable[dict[str, Any]]]:
        from litdata import StreamingDataLoader

        workers = job["workers"]
        loader = StreamingDataLoader(
            self._open(job), batch_size=job["rows"], num_workers=workers, collate_fn=pairs,
            persistent_workers=workers > 0,
        )  # fmt: skip
        return lambda: loader

    def samples(self, job: dict[str, Any]) -> Callable[[], Iterable[Item]]:
        found = self._open(job)
        return lambda: ((s["key"], s["array"]) for s in found)


class _Cuts(torch.utils.data.Dataset):
    """What lhotse calls a dataset: a batch of cuts to a batch of tensors."""

    def __getitem__(self, cuts: Any) -> dict[str, Any]:
        return collate([(cut.id, cut.load_custom("array")) for cut in cuts])


class Lhotse(Rival):
    def write(self, items: Iterator[Item], folder: Path, per_shard: int) -> None:
        from lhotse import MonoCut
        from lhotse.shar import SharWriter

        with SharWriter(str(folder), fields={"array": "numpy"}, shard_size=per_shard) as sink:
            for key, array in items:
                cut = MonoCut(key, start=0, duration=array.shape[1] / PER_SECOND, channel=0)
                sink.write(cut.attach_tensor("array", array))

    def _open(self, job: dict[str, Any], workers: int) -> Any:
        from lhotse import CutSet

        def named(pattern: str, then: str = "") -> list[str]:
            names = sorted(file.name for file in Path(job["folder"]).glob(pattern))
            return [f"pipe:curl -s {job['http']}/{n}{then}" if job["url"] else f"{job['folder']}/{n}" for n in names]

        fields = {"cuts": named("cuts.*", " | gzip -dc"), "array": named("array.*")}
        return CutSet.from_shar(fields, shuffle_shards=True, split_for_dataloading=workers > 0)

    def batches(self, job: dict[str, Any]) -> Callable[[], Iterable[dict[str, Any]]]:
        from lhotse.dataset import DynamicBucketingSampler
        from lhotse.dataset.iterable_dataset import IterableDatasetWrapper

        workers = job["workers"]
        sampler = DynamicBucketingSampler(
            self._open(job, workers), max_duration=job["tokens"] / PER_SECOND, num_buckets=30, shuffle=True
        )
        found = IterableDatasetWrapper(_Cuts(), sampler, auto_increment_epoch=True)
        loader = DataLoader(found, batch_size=None, num_workers=workers, persistent_workers=workers > 0)
        return lambda: loader

    def samples(self, job: dict[str, Any]) -> Callable[[], Iterable[Item]]:
        found = self._open(job, 0)
        return lambda: ((cut.id, cut.load_custom("array")) for cut in found)


ARMS: dict[str, tuple[str, type[Arm]]] = {
    "auricle": ("auricle", Ours),
    "auricle, forked": ("auricle", OursForked),
    "webdataset": ("webdataset", WebDataset),
    "mosaicml-streaming": ("streaming", Mosaic),
    "litdata": ("litdata", LitData),
    "lhotse": ("lhotse", Lhotse),
}
"""Name of the package that is installed, of the one that is imported, and the arm."""


def measured(arm: Arm, job: dict[str, Any]) -> dict[str, Any]:
    """Seconds to the first batch, of the first epoch with its start, of each later epoch; and what was read."""
    shutil.rmtree(job["scratch"], ignore_errors=True)
    Path(job["scratch"]).mkdir()
    started = time.perf_counter()
    epoch = (arm.batches if job["workers"] is not None else arm.samples)(job)
    seconds, cpu, first, keys, padded, frames = [], [], 0.0, [], 0, 0
    for number in range(job["epochs"]):
        before = time.process_time()
        for found in epoch():
            first = first or time.perf_counter() - started
            if number:
                continue
            if isinstance(found, dict):
                keys += found["keys"]
                padded += found["array"].shape[0] * found["array"].shape[2]
                frames += int(found["lengths"].sum())
            else:
                keys.append(found[0])
        seconds.append(time.perf_counter() - started)
        cpu.append(time.process_time() - before)
        started = time.perf_counter()
    del epoch
    shutil.rmtree(job["scratch"], ignore_errors=True)
    efficiency = frames / padded if padded else None
    return {
        "first": first, "cold": seconds[0], "warm": seconds[1:], "cpu": cpu[1:], "clips": len(keys),
        "distinct": len({*keys}), "efficiency": efficiency,
    }  # fmt: skip


def main() -> None:
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    answers, sys.stdout = sys.stdout, sys.stderr
    name, arm = sys.argv[1], ARMS[sys.argv[1]][1]()
    __import__(ARMS[name][0])
    for line in sys.stdin:
        job = json.loads(line)
        if job["do"] == "write":
            samples = Ours().samples({"url": None, "folder": job["from"], "kind": job["kind"]})()
            Path(job["folder"]).mkdir(parents=True)
            assert isinstance(arm, Rival), f"{name} has no format of its own"
            arm.write(iter(samples), Path(job["folder"]), job["per_shard"])
            found: dict[str, Any] = {"bytes": sum(f.stat().st_size for f in Path(job["folder"]).rglob("*"))}
        else:
            os.environ |= job["env"]
            try:
                found = measured(arm, job)
            except Exception as error:
                # a rival that fails is a finding, not the end of the run
                found = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(found), file=answers, flush=True)


if __name__ == "__main__":
    main()

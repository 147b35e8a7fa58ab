"""Batches for the fast modes: clips of like length together, cut in half when the accelerator's memory runs out.

Only the modes `batched` and `bf16` come here. What else is in a batch can change last bits, and with them codes; the
exact mode encodes clip by clip.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from queue import Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ...schemas.errors import ClipError
from .codec import Extractor
from .extraction import CodecExtractor

if TYPE_CHECKING:
    import torch

T = TypeVar("T")
Arrays = dict[str, np.ndarray]

BUDGET_S = {"cuda": 240.0, "cpu": 16.0}
"""Padded audio seconds per batch at first. Mimi's widest activation is 6 MB per second: 1.5 GB of an accelerator's
memory; a processor only loses its cache with larger batches."""
POOL_S = 960.0
"""Audio seconds that are sorted by length together before they are packed."""


def pack(lengths: Sequence[int], budget: int, pads: bool = True) -> list[list[int]]:
    """Indices of `lengths` in batches, longest first, whose padded size (clips * longest) is at most `budget`.

    A clip longer than the budget is a batch of its own. Unless `pads`, only equal lengths share a batch.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batches: list[list[int]] = []
    for index in order:
        last = batches[-1] if batches else None
        if last and (len(last) + 1) * lengths[last[0]] <= budget and (pads or lengths[last[0]] == lengths[index]):
            last.append(index)
        else:
            batches.append([index])
    return batches


class Packer:
    """Runs batches, remembering how much fitted: after an out-of-memory the budget halves for good.

    budget: padded samples per batch.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.halved = 0

    def run(
        self,
        lengths: Sequence[int],
        encode: Callable[[list[int]], list[T]],
        alone: Callable[[int], T],
        pads: bool = True,
    ) -> list[T]:
        """One result per item, in order.

        encode: results of a batch of indices; alone: the result of one item in as little memory as can be, when even
        a batch of one does not fit.
        """
        import torch

        results: dict[int, T] = {}
        waiting = pack(lengths, self.budget, pads)[::-1]
        while waiting:
            batch = waiting.pop()
            if len(batch) > 1 and len(batch) * lengths[batch[0]] > self.budget:
                middle = len(batch) // 2
                waiting += [batch[middle:], batch[:middle]]
                continue
            try:
                results.update(zip(batch, encode(batch), strict=True))
                continue
            except torch.cuda.OutOfMemoryError:
                self.halved += 1
            # outside the handler: its traceback keeps the tensors that did not fit
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            if len(batch) == 1:
                results[batch[0]] = alone(batch[0])
                continue
            self.budget = max(len(batch) * lengths[batch[0]] // 2, 1)
            middle = len(batch) // 2
            waiting += [batch[middle:], batch[:middle]]
        return [results[i] for i in range(len(lengths))]


def packer_of(extractor: CodecExtractor) -> Packer:
    """A packer with the first budget of the extractor's device."""
    return Packer(int(BUDGET_S[extractor.device.partition(":")[0]] * extractor.codec.sample_rate))


def extract_many(
    extractor: Extractor,
    clips: Iterable[tuple[np.ndarray, int]],
    packer: Packer | None = None,
    pool_s: float = POOL_S,
) -> Iterator[tuple[int, Arrays | ClipError]]:
    """(index, arrays or the reason why not) of every clip, `([C, T] float32, sample_rate)`, in order.

    In the fast modes clips are read and resampled by a thread ahead of the encoder, and packed; everything else, and
    recordings beyond a minute in every mode, is `extractor.extract` clip by clip.
    """
    if not isinstance(extractor, CodecExtractor) or extractor.mode == "exact":
        for index, (waveform, sample_rate) in enumerate(clips):
            yield index, _alone(extractor, waveform, sample_rate)
        return
    packer = packer or packer_of(extractor)
    pool: list[tuple[int, np.ndarray, int, torch.Tensor | ClipError]] = []
    seconds = 0.0
    for index, (waveform, sample_rate, audio) in enumerate(ahead(_prepared(extractor, clips))):
        pool.append((index, waveform, sample_rate, audio))
        seconds += waveform.shape[-1] / sample_rate
        if seconds >= pool_s:
            yield from _pooled(extractor, pool, packer)
            pool, seconds = [], 0.0
    yield from _pooled(extractor, pool, packer)


def ahead(items: Iterable[T], depth: int = 64) -> Generator[T, None, None]:
    """`items` in order, produced by a thread up to `depth` ahead; its exception is raised here."""
    queue: Queue[tuple[str, T | BaseException | None]] = Queue(depth)
    stopped = Event()

    def produce() -> None:
        try:
            for item in items:
                queue.put(("item", item))
                if stopped.is_set():
                    return
            queue.put(("end", None))
        except BaseException as error:
            queue.put(("error", error))

    thread = Thread(target=produce, daemon=True, name="read-ahead")
    thread.start()
    try:
        while True:
            what, item = queue.get()
            if what == "end":
                return
            if isinstance(item, BaseException) and what == "error":
                raise item
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        while thread.is_alive():
            if not queue.empty():
                queue.get_nowait()
            thread.join(0.01)


def _prepared(
    extractor: CodecExtractor, clips: Iterable[tuple[np.ndarray, int]]
) -> Iterator[tuple[np.ndarray, int, torch.Tensor | ClipError]]:
    for waveform, sample_rate in clips:
        try:
            yield waveform, sample_rate, extractor.prepared(waveform, sample_rate)
        except ClipError as error:
            yield waveform, sample_rate, error


def _pooled(
    extractor: CodecExtractor,
    pool: Sequence[tuple[int, np.ndarray, int, torch.Tensor | ClipError]],
    packer: Packer,
) -> Iterator[tuple[int, Arrays | ClipError]]:
    """Pack the units of all good clips of the pool, encode, put the units of each clip together again."""
    import torch

    limit = extractor.batch_limit_s * extractor.codec.sample_rate
    units: list[torch.Tensor] = []
    owned: dict[int, range] = {}
    for position, (_, _, _, audio) in enumerate(pool):
        if isinstance(audio, torch.Tensor) and audio.shape[-1] <= limit:
            cut = extractor.cut(audio)
            owned[position] = range(len(units), len(units) + len(cut))
            units += cut

    def encode(batch: list[int]) -> list[Arrays | ClipError]:
        return extractor.encode_batch([units[i] for i in batch])

    def alone(index: int) -> Arrays | ClipError:
        return extractor.encode_piecewise(units[index])

    encoded = packer.run([unit.shape[-1] for unit in units], encode, alone, extractor.pads)
    for position, (index, waveform, sample_rate, audio) in enumerate(pool):
        if isinstance(audio, ClipError):
            yield index, audio
        elif position not in owned:
            yield index, _alone(extractor, waveform, sample_rate)
        else:
            parts = [encoded[i] for i in owned[position]]
            failed = next((part for part in parts if isinstance(part, ClipError)), None)
            yield index, failed or extractor.join([part for part in parts if not isinstance(part, ClipError)])


def _alone(extractor: Extractor, waveform: np.ndarray, sample_rate: int) -> Arrays | ClipError:
    try:
        return dict(extractor.extract(waveform, sample_rate))
    except ClipError as error:
        return error

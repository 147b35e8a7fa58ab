"""Clips of a unit in batches, for extractors in a fast mode: read ahead by a thread, packed by length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ...extractors.coding.codec import Extractor
from ...extractors.coding.extraction import CodecExtractor
from ...extractors.coding.packing import Arrays, Packer, extract_many, packer_of
from ...schemas.clip import Clip
from ...schemas.errors import ClipError
from ..audio.clip_reader import Decoded
from ..work.hang import bounded

Batch = dict[int, Arrays | ClipError]
"""Place of a clip in its unit to its arrays, or why it has none; without those that have to be tried alone."""


def audio_of(extractor: Extractor, clip: Clip) -> np.ndarray:
    """What the extractor takes of a clip: `[1, T]`, or all channels of its group for one that is not mono."""
    if extractor.specs[0].channels > 1 and clip.siblings:
        return np.stack(clip.siblings)
    return clip.waveform[None]


class Packers:
    """Batches per extractor; how much fits its memory is remembered from unit to unit."""

    def __init__(self) -> None:
        self._packers: dict[int, Packer] = {}

    def packs(self, extractor: Extractor) -> bool:
        """Whether the extractor's mode allows clips to share a batch."""
        return isinstance(extractor, CodecExtractor) and extractor.mode != "exact"

    def run(
        self, extractors: Sequence[Extractor], decoded: Iterable[Decoded], limit_s: float
    ) -> tuple[list[Decoded], dict[int, Batch]]:
        """The clips, in order, and what each extractor (by `id`) made of those that it could encode in batches.

        While the first extractor encodes, a thread decodes; the others take the clips that it read. In a worker, an
        extractor that takes longer than `limit_s` ends the process.
        """
        held: list[Decoded] = []

        def reading() -> Iterator[Decoded]:
            for pair in decoded:
                held.append(pair)
                yield pair

        batches: dict[int, Batch] = {}
        source: Iterable[Decoded] = reading()
        for extractor in extractors:
            with bounded(extractor.specs[0].name, limit_s):
                batches[id(extractor)] = self._batch(extractor, source)
            for _ in source if source is not held else ():
                pass
            source = held
        return held, batches

    def _batch(self, extractor: Extractor, decoded: Iterable[Decoded]) -> Batch:
        places: list[int] = []

        def clips() -> Iterator[tuple[np.ndarray, int]]:
            for place, (_, clip) in enumerate(decoded):
                if not isinstance(clip, ClipError):
                    places.append(place)
                    yield audio_of(extractor, clip), clip.sample_rate

        assert isinstance(extractor, CodecExtractor)
        packer = self._packers.setdefault(id(extractor), packer_of(extractor))
        made: Batch = {}
        try:
            for index, arrays in extract_many(extractor, clips(), packer):
                made[places[index]] = arrays
        except (MemoryError, RuntimeError):
            # one clip of a batch may have spoiled it for the others: those without a result are tried alone
            pass
        return made

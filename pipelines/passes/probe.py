"""The probe pass: hash, decode and cut new files into clips. Models run only where recordings are cut at pauses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ...schemas.config import Segmentation
from ...schemas.errors import ClipError
from ...schemas.keys import PcmHash, clip_key, digest, group_key
from ...schemas.pass_tables import ERROR_FIELDS
from ...schemas.sources import without_place
from ...schemas.tables import ALIGNED, ALIGNED_COLUMN, CUTTING, CUTTING_COLUMN, FailureReason
from ...schemas.time import PAST_END_S, samples
from ..audio.damage import damage
from ..audio.declared import check_whole, why_empty
from ..audio.decode import local_sound, open_audio
from ..audio.held import Held, Sound, sha256_of
from ..cutting.recording import cut_recording, cutting_fingerprint
from ..work.contract import Result

SPAN = pa.struct([pa.field("start_s", pa.float64()), pa.field("duration_s", pa.float64())])
"""A clip that a manifest asks for; a null duration reaches to the end of the recording."""

PROBED_CLIP = pa.struct(
    [
        pa.field("clip", pa.string()),
        pa.field("group", pa.string()),
        pa.field("channel", pa.int16()),
        pa.field("start", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("pcm_sha256", pa.string()),
    ]
)

PROBE_SCHEMA = pa.schema(
    [
        pa.field("key", pa.string()),
        *ERROR_FIELDS,
        pa.field("recording", pa.string()),
        pa.field("format", pa.string()),
        pa.field("sample_rate", pa.int32()),
        pa.field("num_channels", pa.int16()),
        pa.field("num_samples", pa.int64()),
        pa.field("note", pa.string()),  # what a decoded recording lacks (`audio.damage`)
        pa.field("clips", pa.list_(PROBED_CLIP)),
    ]
)

SPEECH_SCHEMA = pa.schema(
    [
        *(field for field in PROBE_SCHEMA if field.name != "clips"),
        pa.field("clips", pa.list_(pa.struct([*PROBED_CLIP, pa.field(ALIGNED_COLUMN, ALIGNED)]))),
        pa.field(CUTTING_COLUMN, CUTTING),
    ]
)
"""Of receipts where recordings are cut at pauses."""


@dataclass(frozen=True)
class ProbeRecipe:
    """Items: key, uri, size, mtime_ns, spans (list of `SPAN` or null; of `CUE` where recordings are cut at pauses)."""

    segment: Segmentation
    name: str = "probe"

    @property
    def loads(self) -> bool:
        """Cutting at pauses loads the detector and the aligner."""
        return self.segment.method == "speech"

    @property
    def schema(self) -> pa.Schema:
        return SPEECH_SCHEMA if self.segment.method == "speech" else PROBE_SCHEMA

    @property
    def fingerprint(self) -> str:
        return segmentation_fingerprint(self.segment)

    def build(self) -> _Probe:
        return _Probe(self.segment)


def segmentation_fingerprint(segment: Segmentation) -> str:
    """Names how recordings are cut, spans of manifests apart."""
    if segment.method == "speech":
        return digest("segmentation/2", segment.method, cutting_fingerprint(segment), segment.truncated)
    return digest(
        "segmentation/2", segment.method, str(segment.max_s) if segment.method == "fixed" else "", segment.truncated
    )


class _Probe:
    def __init__(self, segment: Segmentation) -> None:
        self._segment = segment

    def __call__(self, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
        for item in items:
            row: dict[str, Any] = {"key": item["key"]}
            audio_s = 0.0
            try:
                with local_sound(item["uri"]) as path:
                    row["recording"] = _identity(path, item)
                    row |= probe_file(path, row["recording"], self._segment, item["spans"])
                    _unchanged(path, item)
                audio_s = row["num_samples"] / row["sample_rate"]
            except ClipError as error:
                row |= {"error_reason": str(error.reason), "error_message": error.message, "clips": None}
                # a file without readable bytes still needs a name in the ledger
                row.setdefault("recording", unread_name(item["uri"]))
            yield Result(row, audio_s=audio_s)


def unread_name(uri: str) -> str:
    """What a file is called in place of its hash when it cannot be read: the hash of where it is."""
    return "unreadable-" + digest(without_place(uri))


def unread_names(uri: str) -> set[str]:
    """`unread_name`, and the name of a file that ended its worker and of which the worker could not say anything."""
    return {unread_name(uri), "unreadable-" + hashlib.md5(without_place(uri).encode()).hexdigest()}


def probe_file(
    path: Sound, recording: str, segment: Segmentation, spans: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Facts of a decodable file and its clips, in one pass of bounded memory.

    Raises `ClipError` for files that cannot be decoded, hold no samples, or were cut off unless that is accepted.
    """
    cut = None
    if segment.method == "speech":
        if segment.truncated == "fail":
            check_whole(path)
        cut = cut_recording(path, segment, spans or ())
    with open_audio(path) as reader:
        info = reader.info
        if segment.truncated == "fail":
            check_whole(path)
        cutter = _Cutter(segment, spans, info.sample_rate, info.num_channels, cut.spans if cut else None)
        position = 0
        for first, block in reader.blocks():
            cutter.feed(first, block)
            position = first + block.shape[1]
    if position == 0:
        raise ClipError(FailureReason.NO_SAMPLES, f"{path.name}: {why_empty(path)}")
    clips = [
        {
            "clip": clip_key(recording, channel, start, end),
            "group": group_key(recording, start, end),
            "channel": channel,
            "start": start,
            "end": end,
            "pcm_sha256": pcm,
            **({ALIGNED_COLUMN: cut.aligned.get((start, end, channel))} if cut else {}),
        }
        for (start, end), hashes in cutter.finish(position)
        for channel, pcm in enumerate(hashes)
    ]
    return {
        **({CUTTING_COLUMN: cut.facts} if cut else {}),
        "format": info.format,
        "sample_rate": info.sample_rate,
        "num_channels": info.num_channels,
        "num_samples": position,
        "note": damage(path, info, position),
        "clips": clips,
    }


class _Cutter:
    """Feeds decoded blocks to the hashes of the spans that they overlap; `exact` ones are in samples."""

    def __init__(
        self,
        segment: Segmentation,
        spans: Sequence[Mapping[str, Any]] | None,
        sample_rate: int,
        num_channels: int,
        exact: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        self._rate, self._channels = sample_rate, num_channels
        self._most_past = samples(PAST_END_S, sample_rate) if spans and segment.truncated != "accept" else None
        self._window = samples(segment.max_s, sample_rate) if segment.method == "fixed" and not spans else None
        self._hashes: dict[tuple[int, int | None], list[PcmHash]] = {}
        self._waiting: list[tuple[int, int | None]] = []
        self._running: list[tuple[int, int | None]] = []
        if exact is not None:
            for span in exact:
                self._open(span)
            self._waiting.sort(key=lambda span: span[0], reverse=True)
        elif spans:
            for span in spans:
                start = samples(span["start_s"], sample_rate)
                end = None if span["duration_s"] is None else start + samples(span["duration_s"], sample_rate)
                self._open((start, end))
            self._waiting.sort(key=lambda span: span[0], reverse=True)
        elif self._window is None:
            self._open((0, None))

    def feed(self, first: int, block: np.ndarray) -> None:
        last = first + block.shape[1]
        if self._window:
            for i in range(first // self._window, -(-last // self._window)):
                self._open((i * self._window, (i + 1) * self._window))
        while self._waiting and self._waiting[-1][0] < last:
            self._running.append(self._waiting.pop())
        for start, end in self._running:
            cut = block[:, max(start - first, 0) : None if end is None else end - first]
            for channel, h in enumerate(self._hashes[start, end]):
                h.update(cut[channel])
        # each span meets the blocks that it overlaps and no others: a recording may have thousands of both
        self._running = [span for span in self._running if span[1] is None or span[1] > last]

    def finish(self, num_samples: int) -> Iterator[tuple[tuple[int, int], list[str]]]:
        """Spans clipped to the recording's length, ascending; those that lie beyond its end or reach too far past it
        are left out (`tables.label_lines` fails their labels)."""
        closed: dict[tuple[int, int], list[str]] = {}
        for (start, end), hashes in self._hashes.items():
            stop = num_samples if end is None else min(end, num_samples)
            far = end is not None and self._most_past is not None and end > num_samples + self._most_past
            if stop > start and not far:
                closed[start, stop] = [h.hexdigest() for h in hashes]
        yield from sorted(closed.items())

    def _open(self, span: tuple[int, int | None]) -> None:
        if span not in self._hashes:
            self._hashes[span] = [PcmHash(self._rate) for _ in range(self._channels)]
            self._waiting.append(span)


def _identity(path: Sound, item: Mapping[str, Any]) -> str:
    try:
        if path.is_file():
            return sha256_of(path)
    except PermissionError as error:
        raise ClipError(FailureReason.UNREADABLE, f"{path.name}: {error.strerror}") from error
    except FileNotFoundError as error:
        raise ClipError(FailureReason.MISSING, f"{path.name}: gone since it was listed") from error
    except OSError as error:
        raise ClipError(FailureReason.STORAGE, f"{path.name}: {error.strerror}") from error
    raise ClipError(FailureReason.MISSING, f"{path.name}: gone since it was listed")


def _unchanged(path: Sound, item: Mapping[str, Any]) -> None:
    if isinstance(path, Held) or str(path) != item["uri"]:
        # a copy out of an object store or an archive
        return
    stat = path.stat()
    if (stat.st_size, stat.st_mtime_ns) != (item["size"], item["mtime_ns"]):
        raise ClipError(
            FailureReason.CHANGED_WHILE_READ, f"{path.name}: changed while it was read; it is read again next time"
        )

"""What is left of recordings in codes: a bounded sample of clips is decoded and compared with what was recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...curators.training.estoi import estoi
from ...curators.waveform import resample
from ...diagnostics.estimates.estimate import Estimate
from ...diagnostics.estimates.folds import hash_unit
from ...diagnostics.estimates.interval import ratio
from ...extractors.features.mfcc import FFT, MELS, TOP_HZ, WINDOW, mel_bank
from ...extractors.features.mfcc import SAMPLE_RATE as MEL_RATE
from ...loaders.reading.version import Sample, Version
from ...schemas.counted import counted
from ...schemas.errors import AuricleError, ClipError
from ...schemas.representation import RepresentationSpec
from ..audio.listen import clip_audio
from ..derived.decoder import Decoder

NUM_CLIPS = 20
LONGEST_S = 30.0
"""Longer clips are not decoded: what a sample of clips costs stays bounded."""
MIN_GROUPS = 5
FLOOR_DB = 60.0
"""Below the loudest mel band of a recording: quieter bands do not count."""
HOP = MEL_RATE // 100
UNITS = {"estoi": "", "mel_db": "dB"}


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """ESTOI and mel distance of a sample of clips, and of each clip."""

    values: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Measure -> clip -> value. ESTOI is absent where a clip has less than 0.4 s of speech."""
    groups: Mapping[str, str] = field(default_factory=dict)
    group_kind: str = "clip"
    seconds: float = 0.0
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Reason -> clips of the sample that could not be compared."""
    reason: str = ""
    """Why there are no values at all."""

    def estimate(self, measure: str) -> Estimate:
        """Mean over clips, 95 % interval over groups, over clips where there are fewer than 5 groups."""
        unit, values = UNITS[measure], self.values.get(measure, {})
        if not values:
            reason = self.reason or "no clip of the sample could be compared"
            return Estimate.unresolved(reason, "a decoder and the recordings", unit)
        keys = sorted(values)
        names = [self.groups[k] for k in keys] if self.has_groups(measure) else keys
        interval = ratio(np.array([values[k] for k in keys]), np.ones(len(keys)), names)
        if interval.num_groups < MIN_GROUPS:
            return Estimate.unresolved(
                f"{counted(interval.num_groups, 'clip')} where an interval needs {MIN_GROUPS}",
                f"at least {MIN_GROUPS} clips of at most {LONGEST_S:g} s",
                unit,
                interval.value,
            )
        return Estimate.resolved(interval.value, interval.low, interval.high, unit)

    def has_groups(self, measure: str) -> bool:
        """Whether there are groups enough for an interval over them."""
        return len({self.groups[k] for k in self.values.get(measure, {})}) >= MIN_GROUPS

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, without the clips."""
        return {
            **{measure: self.estimate(measure).to_dict() for measure in UNITS},
            "num_clips": len(self.values.get("mel_db", {})),
            "num_groups": len({self.groups[k] for k in self.values.get("mel_db", {})}),
            "interval_over": self.group_kind if self.has_groups("mel_db") else "clip",
            "seconds": self.seconds,
            "skipped": dict(self.skipped),
        }


def reconstruction(
    version: Version, spec: RepresentationSpec, groups: Mapping[str, str], group_kind: str, num_clips: int = NUM_CLIPS
) -> Reconstruction:
    """Decode up to `num_clips` kept clips of a representation and compare each with its recording.

    groups: clip -> speaker. The clips are the first by a hash of their keys, so that representations of one version
    are measured on the same ones. Nothing is raised for what cannot be decoded: the result has the reason.
    """
    if num_clips < 1:
        return Reconstruction(reason="not asked for")
    if not spec.is_codes:
        return Reconstruction(reason=f"{spec.kind} are not decoded: only codes have a decoder")
    try:
        decoder = Decoder(version, spec)
    except (AuricleError, ImportError) as error:
        return Reconstruction(reason=str(error))
    skipped: Counter[str] = Counter()
    values: dict[str, dict[str, float]] = {measure: {} for measure in UNITS}
    seconds = 0.0
    for sample in _sample(version, spec, num_clips):
        try:
            recorded, rate = clip_audio(version, sample.clip)
            decoded, codec_rate = decoder.audio(sample)
        except ClipError as error:
            skipped[str(error.reason)] += 1
            continue
        # a codec of two channels gives the clip's own; one of a single channel gives what it has
        side = decoded[min(sample.clip["channel"] or 0, decoded.shape[0] - 1)]
        for measure, value in distances(recorded, rate, side, codec_rate).items():
            values[measure][sample.key] = value
        seconds += recorded.shape[0] / rate
    return Reconstruction(values, groups, group_kind, seconds, dict(skipped))


def distances(recorded: np.ndarray, rate: int, decoded: np.ndarray, codec_rate: int) -> dict[str, float]:
    """`estoi` (1 is perfect) and `mel_db` (0 is perfect) of `[T]` arrays; absent where they are not defined.

    ESTOI is undefined under 0.4 s of speech, both are without sound. `mel_db` is the mean absolute difference of the
    levels of 40 mel bands up to 7.6 kHz in frames of 25 ms, floored 60 dB below the loudest of the recording.
    """
    length = min(recorded.shape[0] / rate, decoded.shape[0] / codec_rate)
    x, y = (v[: int(length * r)] for v, r in ((recorded, rate), (decoded, codec_rate)))
    if not x.size or not np.any(x) or not np.isfinite(y).all():
        return {}
    x, y = resample(x, rate, MEL_RATE), resample(y, codec_rate, MEL_RATE)
    frames = min(x.shape[0], y.shape[0])
    x, y = x[:frames], y[:frames]
    found: dict[str, float] = {}
    intelligible = estoi(x, y, MEL_RATE) if frames else None
    if intelligible is not None and np.isfinite(intelligible):
        found["estoi"] = intelligible
    if frames >= WINDOW:
        levels = [_mel_levels(v) for v in (x, y)]
        floor = levels[0].max() - FLOOR_DB
        found["mel_db"] = float(np.abs(np.maximum(levels[0], floor) - np.maximum(levels[1], floor)).mean())
    return found


def _mel_levels(x: np.ndarray) -> np.ndarray:
    """`[frames, bands]` in dB."""
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), WINDOW)[::HOP]
    power = np.square(np.abs(np.fft.rfft(windows * np.hanning(WINDOW), FFT, axis=1)))
    return 10 * np.log10(power @ mel_bank(MELS, FFT // 2 + 1, MEL_RATE, TOP_HZ) + 1e-20)


def _sample(version: Version, spec: RepresentationSpec, num_clips: int) -> Iterator[Sample]:
    import pyarrow.compute as pc

    live = version.live(spec.name, columns=["clip", "start", "end", "sample_rate"]).select(
        ["clip", "start", "end", "sample_rate"]
    )
    short = [r["clip"] for r in live.to_pylist() if r["end"] - r["start"] <= LONGEST_S * r["sample_rate"]]
    wanted = sorted(short, key=hash_unit)[:num_clips]
    if wanted:
        yield from version.samples(spec.name, where=pc.field("clip").isin(wanted))

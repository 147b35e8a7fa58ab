"""What a representation is: the declared name, shape, rate and dtype of one family of shards."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["codes", "latents", "quantized", "features", "audio"]


class RepresentationSpec(BaseModel):
    """One representation, fully named. Arrays are `[K, T]` codes or `[D, T]` values, time last."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(description="<codec>-<kind>-<rate>hz, for example mimi-codes-12.5hz")
    codec: str = Field(description="Name of the codec in the registry")
    kind: str = Field(description="codes, latents, or another view that the codec declares")
    frame_rate: float = Field(description="Frames per second of audio, Hz")
    sample_rate: int = Field(description="Rate that the audio is brought to before encoding, Hz")
    frame_size: int = Field(description="Samples at sample_rate per frame; frame i covers [i, i+1) * frame_size")
    rows: int = Field(description="Length of axis 0: number of codebooks, or dimension of the latent")
    cardinality: int | None = Field(default=None, description="Entries per codebook; null for continuous values")
    dtype: Literal["uint16", "int32", "float16", "float32", "uint8"] = Field(description="Stored dtype")
    channels: int = Field(default=1, description="Audio channels that one sample is made of")
    fingerprint: str = Field(description="32 hex digits: codec, weights, view, rate, dtype, mode, code version")
    trained: bool = Field(
        default=True, description="False where the weights are seeded noise: shapes are real, codes mean nothing"
    )
    details: dict[str, Any] = Field(
        default_factory=dict, description="Weights SHA-256, bandwidth, mode, resampler: what the fingerprint is made of"
    )

    @property
    def is_codes(self) -> bool:
        """Whether the array holds integers that index codebooks."""
        return self.cardinality is not None

    @property
    def takes_mono(self) -> bool:
        """Whether one channel is enough for a sample: stereo codecs double it, a conversation has two `sides`."""
        return self.channels == 1 or "sides" not in self.details


def representation_name(codec: str, kind: str, frame_rate: float) -> str:
    """`mimi-codes-12.5hz`: the rate without trailing zeros."""
    return f"{codec}-{kind}-{frame_rate:g}hz"


def frame_range(spec: RepresentationSpec, start: int, end: int, sample_rate: int) -> tuple[int, int]:
    """Frames [first, last) of a clip that belong to its samples [start, end), counted at `sample_rate` Hz.

    A frame belongs when its own samples meet the interval; times are compared exactly. For a codec of overlapping
    segments, frames of one segment that the next one repeats belong to the earlier segment's place in the array, so
    the range may hold the overlap twice, as the whole array does.
    """
    ratio = Fraction(spec.sample_rate, sample_rate)
    first, last = start * ratio, end * ratio
    segment, stride = spec.details.get("segment_samples"), spec.details.get("segment_stride")
    if not segment or not stride or spec.frame_size == stride:
        return int(first // spec.frame_size), -int(-last // spec.frame_size)
    per_segment = segment // spec.frame_size

    def position(sample: Fraction, up: bool) -> int:
        index = int(sample // stride)
        within = (sample - index * stride) / spec.frame_size
        return index * per_segment + min(-int(-within // 1) if up else int(within // 1), per_segment)

    return position(first, False), position(last, True)

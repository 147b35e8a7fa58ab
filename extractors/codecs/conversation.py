"""Two-sided conversations: both channels as aligned streams of one sample (Moshi's training layout).

A conversation is a recording with one speaker per channel. Its audio becomes one representation `[2K, frames]`: rows 0
to K-1 are channel 0's codebooks, rows K to 2K-1 are channel 1's; column t of all rows is the same moment. `seen_by`
orders the rows for one side: that side first, the other second (Défossez et al. 2024, Moshi, section 3.4.4).
The text of each side is a stream on the 12.5 Hz grid, see `text_stream`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...schemas.config import RepresentationConfig
from ...schemas.errors import ClipError, ConfigError
from ...schemas.keys import fingerprint
from ...schemas.representation import RepresentationSpec
from ...schemas.tables import FailureReason
from ..coding.codec import Codec, Extractor
from ..coding.resample import Reader

VERSION = 1
SIDES = 2
DEFAULT_CODEC = "builtin"
ONE_SIDED = ("conversation", "encodec48")
"""Codecs that take both channels themselves."""


def inner_config(config: RepresentationConfig) -> RepresentationConfig:
    """The per-channel representation that a conversation view is made of.

    Raises `ConfigError` for a codec that is not mono.
    """
    options = dict(config.options)
    codec = options.pop("codec", DEFAULT_CODEC)
    if codec in ONE_SIDED or not isinstance(codec, str):
        raise ConfigError(f"conversation: option codec is {codec!r}; required is a codec of one channel, such as mimi")
    return config.model_copy(update={"codec": codec, "options": options})


class ConversationExtractor:
    """Each channel through the same one-channel extractor, rows stacked."""

    def __init__(self, specs: Sequence[RepresentationSpec], inner: Extractor) -> None:
        self.specs = tuple(specs)
        self.inner = inner

    def extract(self, waveform: np.ndarray, sample_rate: int) -> dict[str, np.ndarray]:
        """`[2, T]` float32 at `sample_rate` to `[2 * rows, frames]` per representation name.

        Raises `ClipError` for any other number of channels, and as the inner codec does.
        """
        waveform = np.asarray(waveform)
        if waveform.ndim != 2 or waveform.shape[0] != SIDES:
            raise _not_two(list(waveform.shape))
        sides = [self.inner.extract(channel[None], sample_rate) for channel in waveform]
        names = [spec.name for spec in self.inner.specs]
        return {
            spec.name: np.concatenate([side[name] for side in sides])
            for spec, name in zip(self.specs, names, strict=True)
        }

    def stream(self, read: Reader, num_samples: int, sample_rate: int) -> Iterator[dict[str, np.ndarray]]:
        """Blocks of frames that `extract` is the sum of, both sides a piece each; see `CodecExtractor.stream`.

        read: both channels of samples [start, end), `[2, n]` float32. An inner extractor that cannot stream gets all
        samples at once.
        """
        inner = getattr(self.inner, "stream", None)
        if inner is None:
            yield self.extract(read(0, num_samples), sample_rate)
            return
        if (found := read(0, 1).shape[0]) != SIDES:
            raise _not_two(found)
        names = [spec.name for spec in self.inner.specs]
        for blocks in zip(*(inner(_side(read, side), num_samples, sample_rate) for side in range(SIDES)), strict=True):
            yield {
                spec.name: np.concatenate([block[name] for block in blocks])
                for spec, name in zip(self.specs, names, strict=True)
            }


class ConversationFamily:
    """Conversations' entry in the registry: the views of a one-channel codec, with twice the rows and 2 channels."""

    name = "conversation"

    def describe(self, config: RepresentationConfig) -> RepresentationSpec:
        """The declared view; imports no torch unless the inner codec does."""
        from ..coding import registry

        inner = registry.describe(inner_config(config))
        details = {**inner.details, "inner": inner.name, "inner_fingerprint": inner.fingerprint, "sides": SIDES}
        return inner.model_copy(
            update={
                "name": f"{self.name}-{inner.name}",
                "codec": self.name,
                "rows": SIDES * inner.rows,
                "channels": SIDES,
                "details": details,
                "fingerprint": fingerprint(self.name, VERSION, {"inner": inner.fingerprint}),
            }
        )

    def build(self, configs: Sequence[RepresentationConfig]) -> ConversationExtractor:
        """The loaded extractor; all `configs` share one inner codec and its weights."""
        from ..coding import registry

        built = registry.build([inner_config(config) for config in configs])
        if len(built) != 1:
            raise ConfigError("conversation: views of one run share one inner codec and its weights")
        return ConversationExtractor([self.describe(config) for config in configs], built[0])

    def load(self, config: RepresentationConfig) -> Codec:
        """The inner codec: decode each side's rows on their own, see `sides`."""
        from ..coding import registry

        return registry.load_codec(inner_config(config))


def _side(read: Reader, side: int) -> Reader:
    return lambda start, end: read(start, end)[side : side + 1]


def _not_two(found: object) -> ClipError:
    return ClipError(FailureReason.EXTRACTION, f"a conversation has one speaker on each of 2 channels, found {found}")


def sides(streams: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`[2K, T]` to each side's `[K, T]`."""
    half = streams.shape[0] // SIDES
    return streams[:half], streams[half:]


def seen_by(side: int, streams: np.ndarray) -> np.ndarray:
    """`[2K, T]` with the rows of `side` first: what a model that plays this side predicts, then what it hears."""
    mine, theirs = sides(streams)
    return np.concatenate([mine, theirs] if side == 0 else [theirs, mine])


FAMILY = ConversationFamily()

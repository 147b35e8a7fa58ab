"""What is heard of a whole recording, a couple of minutes at a time: where there is speech, how loud each moment is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...curators.signal.learned import AcousticOptions, acoustics
from ...curators.signal.signal import mean_spectrum
from ...curators.signal.vad import FRAME_S, FRAME_SIZE, SAMPLE_RATE, SPEECH_THRESHOLD, speech_probabilities
from ...curators.waveform import frame_power, resampled
from ...schemas.clip import Clip

CHUNK_FRAMES = 4000
"""Frames per chunk: 128 s, a whole number of samples at every rate."""
CONTEXT_FRAMES = 125
"""Frames (4 s) that the detector hears before and after a chunk, so that no edge is cold."""

LEAST_ROOM_S = 5.0
"""Speech in a chunk from which the room is heard in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A recording in frames of 32 ms.

    speech: `[C, F]` float32 probability of speech. power: `[C, F]` float32 mean square at 16 kHz, offset removed.
    spectrum: `[C, K]` mean power in bins of `bin_hz`. c50_db: per channel, clarity of the room in every chunk with
    speech enough to hear it.
    """

    speech: np.ndarray
    power: np.ndarray
    spectrum: np.ndarray
    bin_hz: float
    c50_db: list[list[float]]


def frame_edge(frame: int, sample_rate: int) -> int:
    """Sample at which a 32 ms frame begins, rounded down."""
    return frame * FRAME_SIZE * sample_rate // SAMPLE_RATE


def frame_at(sample: int, sample_rate: int) -> int:
    """Frame that a sample lies in."""
    return sample * SAMPLE_RATE // (FRAME_SIZE * sample_rate)


class Listener:
    """Takes a recording block by block and holds five minutes of it at most."""

    def __init__(self, sample_rate: int, num_channels: int) -> None:
        self._rate = sample_rate
        self._core, self._context = (frame_edge(n, sample_rate) for n in (CHUNK_FRAMES, CONTEXT_FRAMES))
        self._held = np.zeros((num_channels, 0), np.float32)
        self._lead = 0
        self._speech: list[np.ndarray] = []
        self._power: list[np.ndarray] = []
        self._spectrum, self._bin_hz = np.zeros((num_channels, 1)), 1.0
        self._c50_db: list[list[float]] = [[] for _ in range(num_channels)]

    def feed(self, block: np.ndarray) -> None:
        """Add `[C, T]` float32, contiguous with what came before."""
        self._held = np.concatenate([self._held, block], axis=1)
        while self._held.shape[1] >= self._lead + self._core + self._context:
            self._listen(self._lead + self._core + self._context, self._core)
            keep = self._lead + self._core - self._context
            self._held, self._lead = self._held[:, keep:].copy(), self._context

    def finish(self) -> Heard:
        """All that was heard, after the last block."""
        rest = self._held.shape[1] - self._lead
        if rest > 0:
            self._listen(self._held.shape[1], rest)
        speech, power = (
            np.concatenate(parts, axis=1) if parts else np.zeros((self._held.shape[0], 0), np.float32)
            for parts in (self._speech, self._power)
        )
        return Heard(speech, power, self._spectrum, self._bin_hz, self._c50_db)

    def _listen(self, until: int, core: int) -> None:
        first = CONTEXT_FRAMES if self._lead else 0
        count = -(-core * SAMPLE_RATE // (FRAME_SIZE * self._rate))
        rows = [self._channel(number, channel[:until]) for number, channel in enumerate(self._held)]
        self._speech.append(np.stack([_fitted(speech, first, count) for speech, _ in rows]))
        self._power.append(np.stack([_fitted(power, first, count) for _, power in rows]))

    def _channel(self, number: int, waveform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        clip = Clip("", np.ascontiguousarray(waveform), self._rate)
        x = resampled(clip, SAMPLE_RATE)
        speech = speech_probabilities(clip)
        power = frame_power(x, FRAME_SIZE, float(x.mean(dtype=np.float64)))
        if power.any():
            spectrum, self._bin_hz = mean_spectrum(clip.waveform - clip.waveform.mean(), self._rate)
            if self._spectrum.shape[1] != len(spectrum):
                self._spectrum = np.zeros((self._spectrum.shape[0], len(spectrum)))
            self._spectrum[number] += spectrum * len(waveform)
        if float((speech >= SPEECH_THRESHOLD).sum()) * FRAME_S >= LEAST_ROOM_S:
            self._c50_db[number].append(acoustics(clip, AcousticOptions().network).c50_db)
        return speech, power


def _fitted(values: np.ndarray, first: int, count: int) -> np.ndarray:
    found = values[first : first + count].astype(np.float32)
    return np.pad(found, (0, count - found.shape[0]), mode="edge" if found.size else "constant")


def runs(mask: np.ndarray) -> Iterator[tuple[int, int]]:
    """[start, end) of each run of True in `[F]` bool."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)

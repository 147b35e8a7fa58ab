"""The acoustic fingerprint of a clip: what stays when a copy is re-encoded, resampled, shifted or made noisy."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

import numpy as np

SAMPLE_RATE = 4000
"""Hz; everything used lies between 250 and 1600 Hz, which a telephone and every codec let through."""
WINDOW = 1024
"""Samples: 256 ms, long enough to resolve the harmonics of a voice, which tell one take from another."""
HOP = 32
"""Samples: 8 ms, the resolution of anchors."""
STRIDE = 4
"""Hops per word: one word per 32 ms."""
LAG = 4
"""Words between the two spectra that a word compares: 128 ms."""
BANDS = 33
LOW_HZ, HIGH_HZ = 250.0, 1600.0
FLOOR = 0.003
"""Share of the loudest band's power added to all: keeps bits of near-silence from being decided by noise."""
SILENT_DB = 25.0
"""A word this far below the 95th percentile of power says nothing and is 0."""

SKETCH_BITS = 64
SKETCH_SPANS = ((6, 0), (0, -6), (12, 6), (-6, -12))
"""Pairs of words around an anchor (its own is 0) whose band differences are compared."""
ANCHOR_HOPS = 24
"""An anchor is the loudest hop within this many on either side: one or two per second of speech."""
ANCHOR_DB = 15.0
"""Quieter peaks than this below the 95th percentile of power are no anchors: noise makes them."""

HEADER = struct.Struct("<BxHI")
FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """words: `[W]` uint32, one per 32 ms, 0 where silent. anchors: `[A]` uint32, in hops of 8 ms.
    sketches: `[A]` uint64, what the sound around each anchor is like."""

    words: np.ndarray
    anchors: np.ndarray
    sketches: np.ndarray

    def to_bytes(self) -> bytes:
        """Header (format, number of anchors, number of words), anchors, sketches, words; little-endian."""
        return b"".join(
            [
                HEADER.pack(FORMAT, len(self.anchors), len(self.words)),
                self.anchors.astype("<u4").tobytes(),
                self.sketches.astype("<u8").tobytes(),
                self.words.astype("<u4").tobytes(),
            ]
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Fingerprint:
        """The opposite of `to_bytes`; raises ValueError for anything else."""
        anchors, words = sizes(data)
        at = HEADER.size
        return cls(
            anchors=np.frombuffer(data, "<u4", anchors, at),
            sketches=np.frombuffer(data, "<u8", anchors, at + 4 * anchors),
            words=np.frombuffer(data, "<u4", words, at + 12 * anchors),
        )


def sizes(data: bytes) -> tuple[int, int]:
    """How many anchors and words a written fingerprint has; ValueError for what is none."""
    if len(data) < HEADER.size:
        raise ValueError(f"fingerprint of {len(data)} bytes, at least {HEADER.size} are required")
    version, anchors, words = HEADER.unpack_from(data)
    expected = HEADER.size + 12 * anchors + 4 * words
    if version != FORMAT or len(data) != expected:
        raise ValueError(
            f"fingerprint of format {version} and {len(data)} bytes, required: format {FORMAT} and {expected} bytes"
        )
    return anchors, words


def band_weights() -> np.ndarray:
    """`[WINDOW // 2 + 1, BANDS]` float32: share of each bin in each of the logarithmic bands, columns sum to 1."""
    edges = np.geomspace(LOW_HZ, HIGH_HZ, BANDS + 1)
    centre = np.fft.rfftfreq(WINDOW, 1 / SAMPLE_RATE)
    half = centre[1] / 2
    upper = np.minimum(centre[:, None] + half, edges[1:])
    lower = np.maximum(centre[:, None] - half, edges[:-1])
    shared = np.clip(upper - lower, 0, None)
    return (shared / shared.sum(0)).astype(np.float32)


def random_signs(rows: int, columns: int) -> np.ndarray:
    """`[rows, columns]` float32 of -1 and 1, from a hash: no generator's stream changes it with a release."""
    octets = hashlib.shake_256(b"auricle sketch").digest(rows * columns // 8)
    return (np.unpackbits(np.frombuffer(octets, np.uint8)).reshape(rows, columns) * 2.0 - 1.0).astype(np.float32)


WEIGHTS = band_weights()
TAPER = np.hanning(WINDOW).astype(np.float32)
PROJECTION = random_signs(len(SKETCH_SPANS) * (BANDS - 1), SKETCH_BITS)
WORD_BITS = (1 << np.arange(BANDS - 1, dtype=np.uint64)).astype(np.uint64)
SKETCH_VALUES = np.uint64(1) << np.arange(SKETCH_BITS, dtype=np.uint64)
BLOCK_HOPS = 4096


def band_powers(waveform: np.ndarray) -> np.ndarray:
    """`[H, BANDS]` float32 mean power of each band in windows centred on every hop."""
    hops = 1 + len(waveform) // HOP
    padded = np.zeros((hops - 1) * HOP + WINDOW, dtype=np.float32)
    padded[WINDOW // 2 : WINDOW // 2 + len(waveform)] = waveform
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    powers = np.empty((hops, BANDS), dtype=np.float32)
    for first in range(0, hops, BLOCK_HOPS):
        spectrum = np.fft.rfft(windows[first : first + BLOCK_HOPS] * TAPER)
        powers[first : first + BLOCK_HOPS] = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) @ WEIGHTS
    return powers


def loudest_hops(power: np.ndarray) -> np.ndarray:
    """Indices of the hops of `power` `[H]` that are the first maximum within `ANCHOR_HOPS` on either side."""
    padded = np.pad(power, ANCHOR_HOPS, constant_values=-1.0)
    nearby = np.lib.stride_tricks.sliding_window_view(padded, 2 * ANCHOR_HOPS + 1)
    # argmax copies what it is given: by blocks a recording of hours stays small
    blocks = [nearby[first : first + BLOCK_HOPS].argmax(1) for first in range(0, len(nearby), BLOCK_HOPS)]
    return np.flatnonzero(np.concatenate(blocks) == ANCHOR_HOPS)


def fingerprint(waveform: np.ndarray) -> Fingerprint:
    """The fingerprint of `[T]` float32 at `SAMPLE_RATE`, of any length and level."""
    powers = band_powers(waveform)
    total = powers.sum(1)
    loud = float(np.percentile(total, 95))
    powers += np.float32(1e-30 + FLOOR * float(powers.max()))
    slope = -np.diff(np.log(powers, out=powers), axis=1)
    lag = LAG * STRIDE
    places = np.arange(0, len(slope), STRIDE)
    bits = slope[np.minimum(places + lag, len(slope) - 1)] - slope[places] > 0
    words = (bits @ WORD_BITS.astype(np.float64)).astype(np.uint64).astype(np.uint32)
    peak = np.maximum(total, total[np.minimum(np.arange(len(total)) + lag, len(total) - 1)])[::STRIDE]
    audible = peak > loud * 10 ** (-SILENT_DB / 10)
    words = np.where(audible, np.maximum(words, 1), 0).astype(np.uint32)
    anchors = loudest_hops(total)
    anchors = anchors[total[anchors] > loud * 10 ** (-ANCHOR_DB / 10)][: 2**16 - 1]
    around = [
        slope[np.clip(anchors + a * STRIDE, 0, len(slope) - 1)]
        - slope[np.clip(anchors + b * STRIDE, 0, len(slope) - 1)]
        for a, b in SKETCH_SPANS
    ]
    signs = np.concatenate(around, axis=1) @ PROJECTION > 0
    sketches = np.where(signs, SKETCH_VALUES, np.uint64(0)).sum(axis=1, dtype=np.uint64)
    return Fingerprint(words, anchors.astype(np.uint32), sketches)

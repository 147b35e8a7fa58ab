"""Fundamental frequency and voicing at frame centres: normalised autocorrelation, then the best path over frames.

Per frame the normalised cross-correlation of the two ends of a centred window, in the manner of Talkin's RAPT (1995):
every pair of samples lies symmetrically around the frame's centre, so a glide is measured at its middle. A Viterbi
path picks among the highest peaks and "unvoiced", with Praat's costs for octaves and for jumps (Boersma 1993).
"""

from __future__ import annotations

import numpy as np

from ..coding.framing import centred

SAMPLE_RATE = 24_000
LOWEST_HZ = 60.0
HIGHEST_HZ = 500.0
WINDOW = 1440
"""60 ms: three and a half periods of the lowest pitch."""
CANDIDATES = 6
VOICED_AT = 0.50
"""Correlation above which a frame is rather voiced than not."""
OCTAVE_COST = 0.02
"""Per octave below the highest pitch: between a period and its double, the period wins."""
JUMP_COST = 0.25
"""Per octave between neighbouring frames 10 ms apart."""
SWITCH_COST = 0.10
"""Of a change between voiced and unvoiced."""
SILENCE_DB = -60.0
"""Frames whose window is quieter than this, re full scale, are unvoiced."""

_SHORTEST = int(SAMPLE_RATE / HIGHEST_HZ) - 1
_LONGEST = int(SAMPLE_RATE / LOWEST_HZ) + 1


def pitch(audio: np.ndarray, frame_size: int) -> tuple[np.ndarray, np.ndarray]:
    """`[T]` at 24 kHz to F0 in Hz (0 where unvoiced) and voicing in [0, 1], each `[ceil(T / frame_size)]` float64.

    Voicing is the correlation of one period with the next at the chosen pitch, or the best there is where the frame
    is unvoiced.
    """
    hz, strength = [], []
    for windows in centred(audio, frame_size, WINDOW):
        block = candidates(windows)
        hz.append(block[0])
        strength.append(block[1])
    pitches, strengths = np.concatenate(hz), np.concatenate(strength)
    chosen = best_path(pitches, strengths, frame_size / SAMPLE_RATE)
    frames = np.arange(len(pitches))
    voiced = chosen < CANDIDATES
    index = np.where(voiced, chosen, 0)
    f0 = np.where(voiced, pitches[frames, index], 0.0)
    voicing = np.where(voiced, strengths[frames, index], strengths.max(1))
    return f0, np.clip(voicing, 0.0, 1.0)


def candidates(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Windows `[n, WINDOW]` to the frequencies (Hz) and correlations of the highest peaks, `[n, CANDIDATES]`.

    Zero where there are fewer. Correlation at a lag is over all pairs of samples that far apart inside the window,
    divided by the energies of both ends.
    """
    centredness = windows - windows.mean(1, keepdims=True)
    size = 1 << (2 * WINDOW - 1).bit_length()
    spectrum = np.fft.rfft(centredness, size, axis=1)
    lags = np.arange(_SHORTEST - 1, _LONGEST + 2)
    product = np.fft.irfft(np.square(np.abs(spectrum)), size, axis=1)[:, lags]
    energy = np.concatenate([np.zeros((len(windows), 1)), np.cumsum(np.square(centredness), axis=1)], axis=1)
    head = energy[:, WINDOW - lags]
    tail = energy[:, -1:] - energy[:, lags]
    quiet = energy[:, -1] < WINDOW * 10 ** (SILENCE_DB / 10)
    correlation = product / np.sqrt(np.maximum(head * tail, 1e-12))
    correlation[quiet] = 0.0
    middle, before, after = correlation[:, 1:-1], correlation[:, :-2], correlation[:, 2:]
    is_peak = (middle > before) & (middle >= after) & (middle > 0)
    # a parabola through three points finds the peak between samples
    curve = before - 2 * middle + after
    offset = np.where(is_peak, 0.5 * (before - after) / np.where(np.abs(curve) > 1e-12, curve, 1.0), 0.0)
    height = np.where(is_peak, middle - 0.25 * (before - after) * offset, 0.0)
    frequency = SAMPLE_RATE / (lags[1:-1] + offset)
    rank = np.argsort(-(height - OCTAVE_COST * np.log2(HIGHEST_HZ / frequency)), axis=1)[:, :CANDIDATES]
    chosen = np.take_along_axis(height, rank, 1)
    return np.where(chosen > 0, np.take_along_axis(frequency, rank, 1), 0.0), np.minimum(chosen, 1.0)


def best_path(pitches: np.ndarray, strengths: np.ndarray, frame_s: float) -> np.ndarray:
    """Index per frame `[n]` of the candidate on the best path through `[n, CANDIDATES]`; CANDIDATES is unvoiced."""
    n = len(pitches)
    octaves = np.log2(np.maximum(pitches, 1.0) / HIGHEST_HZ)
    local = np.where(pitches > 0, strengths + OCTAVE_COST * octaves, -1.0)
    local = np.concatenate([local, np.full((n, 1), VOICED_AT)], axis=1)
    # silence and other frames without any candidate
    local[pitches.max(1) == 0, CANDIDATES] = 1.0
    per_frame = 0.010 / frame_s
    score = local[0]
    back = np.zeros((n, CANDIDATES + 1), dtype=np.int64)
    cost = np.zeros((CANDIDATES + 1, CANDIDATES + 1))
    cost[CANDIDATES, :CANDIDATES] = cost[:CANDIDATES, CANDIDATES] = SWITCH_COST * per_frame
    for i in range(1, n):
        cost[:CANDIDATES, :CANDIDATES] = JUMP_COST * per_frame * np.abs(octaves[i - 1][:, None] - octaves[i])
        through = score[:, None] - cost
        back[i] = through.argmax(0)
        score = through.max(0) + local[i]
    path = np.empty(n, dtype=np.int64)
    path[-1] = score.argmax()
    for i in range(n - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    return path

"""By how much the times of a recording's labels are off: an offset and a linear drift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...curators.signal.vad import FRAME_S, SPEECH_THRESHOLD

MOST_OFFSET_S = 60.0
MOST_DRIFT = 0.05
"""Film played as television is 4.2 % faster."""
STEP_S = 0.4
"""Two drifts that are tried differ by this much at the last cue."""
BIN_S, MOST_BINS = 0.1, 150_000
EDGE_S = 0.15
"""Taken off a cue at both ends, so that cues without a pause between them still show where they meet."""
LEAST_Z = 6.0
"""How far, in standard deviations of all offsets and drifts tried, the best must stand out. The best of a million
that are all noise stands out by five."""
LEAST_SPAN_S = 120.0
"""Of the cues, below which no drift is looked for: it could not be told from an offset."""
SURE = 3.0
"""Standard errors that a drift must be away from none."""
MOST_PAIRED = 400
"""Cues that are compared each with each; of more, so many spread evenly."""
PRIOR = 0.03
"""Share of the peak that the largest offset, or drift, costs: what says nothing stays where it is."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What a label says happens at t is at `offset_s + (1 + drift) * t`."""

    offset_s: float = 0.0
    drift: float = 0.0

    def __call__(self, t: float) -> float:
        """Where the recording has what a label has at `t` seconds."""
        return self.offset_s + (1 + self.drift) * t


def by_speech(speech: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> Timing | None:
    """The offset and drift with which cues lie best over speech; None where none of them stands out.

    speech: `[F]` probability per 32 ms. starts, ends: `[N]` seconds.
    """
    total_s = len(speech) * FRAME_S
    if not len(starts) or total_s <= 0:
        return None
    bin_s = max(BIN_S, total_s / MOST_BINS)
    bins = int(total_s / bin_s) + 1
    place = np.minimum((np.arange(len(speech)) * FRAME_S / bin_s).astype(int), bins - 1)
    heard = np.bincount(place, speech >= SPEECH_THRESHOLD, bins) / np.maximum(np.bincount(place, minlength=bins), 1)
    if heard.std() == 0:
        return None
    size = 1 << int(2 * bins - 1).bit_length()
    spectrum = np.fft.rfft(heard - heard.mean(), size)
    reach = int(MOST_OFFSET_S / bin_s)
    last = float(ends.max())
    drifts = np.zeros(1)
    if last - starts.min() >= LEAST_SPAN_S:
        steps = int(MOST_DRIFT * last / STEP_S)
        drifts = np.arange(-steps, steps + 1) * STEP_S / last
    offsets = np.arange(-reach, reach + 1) * bin_s
    cost = 1 - PRIOR * np.abs(offsets) / MOST_OFFSET_S
    best, where, total, squares = -np.inf, (0.0, 0.0), 0.0, 0.0
    for drift in drifts:
        found = _over(spectrum, starts * (1 + drift), ends * (1 + drift), bin_s, bins, size)
        found = np.concatenate([found[size - reach :], found[: reach + 1]])
        total, squares = total + found.sum(), squares + np.square(found).sum()
        priced = found * cost * (1 - PRIOR * abs(drift) / MOST_DRIFT)
        k = int(priced.argmax())
        if priced[k] > best:
            best, where = float(priced[k]), (float(offsets[k]), float(drift))
    count = len(drifts) * (2 * reach + 1)
    spread = float(np.sqrt(max(squares / count - (total / count) ** 2, 0)))
    if spread == 0 or (best - total / count) / spread < LEAST_Z:
        return None
    return Timing(*where)


def _over(spectrum: np.ndarray, starts: np.ndarray, ends: np.ndarray, bin_s: float, bins: int, size: int) -> np.ndarray:
    """How much of the cues lies over speech, for every shift in bins, `[size]` circular."""
    inner = np.minimum(EDGE_S, (ends - starts) / 4)
    first = np.clip(((starts + inner) / bin_s).astype(int), 0, bins)
    stop = np.clip(((ends - inner) / bin_s).astype(int) + 1, 0, bins)
    steps = np.bincount(first, minlength=bins + 1)[: bins + 1] - np.bincount(stop, minlength=bins + 1)[: bins + 1]
    covered = (np.cumsum(steps)[:bins] > 0).astype(np.float64)
    covered -= covered.mean()
    return np.fft.irfft(spectrum * np.conj(np.fft.rfft(covered, size)), size)


def by_pairs(own: np.ndarray, found: np.ndarray) -> Timing | None:
    """The line through cues' own times and where they were found, `[N]` seconds each, outliers left out; None where
    there are none. An offset only of less than three, of few seconds, and where the drift may as well be none."""
    if not len(own):
        return None
    shift = found - own
    if len(own) < 3 or float(np.ptp(own)) < LEAST_SPAN_S / 4:
        return Timing(float(np.median(shift)), 0.0)
    slope, offset = _median_line(own, shift)
    stays = _near(own, shift, slope, offset, np.ones(len(own), bool))
    for _ in range(8):
        if stays.sum() < 3:
            break
        slope, offset = (float(v) for v in np.polyfit(own[stays], shift[stays], 1))
        kept = _near(own, shift, slope, offset, stays)
        if (kept == stays).all():
            break
        stays = kept
    rest = (shift - offset - slope * own)[stays]
    error = float(rest.std() / (np.std(own[stays]) * np.sqrt(len(rest)) or 1.0))
    if abs(slope) < SURE * error:
        return Timing(float(np.median(shift[stays])), 0.0)
    return Timing(offset, slope)


def _median_line(own: np.ndarray, shift: np.ndarray) -> tuple[float, float]:
    """Slope and offset of the line of median slopes (Theil 1950, Sen 1968), which up to 29 % of outliers do not bend: a
    fit by least squares follows one cue whose beginning was cut off at 0."""
    few = np.linspace(0, len(own) - 1, min(len(own), MOST_PAIRED)).astype(int)
    run, rise = (each[few][:, None] - each[few][None, :] for each in (own, shift))
    slope = float(np.median(rise[run > 0] / run[run > 0]))
    return slope, float(np.median(shift - slope * own))


def _near(own: np.ndarray, shift: np.ndarray, slope: float, offset: float, of: np.ndarray) -> np.ndarray:
    """Which cues, `[N]` bool, are as near to the line as most of those in `of`."""
    rest = np.abs(shift - offset - slope * own)
    return rest <= max(3 * 1.4826 * float(np.median(rest[of])), 0.1)

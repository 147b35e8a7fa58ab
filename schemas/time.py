"""Integer samples are the truth; seconds are derived here and nowhere else."""

from __future__ import annotations

from fractions import Fraction

PAST_END_S = 0.5
"""How far a label may reach past the end of its recording: rounded times and the padding of MP3 do."""


def seconds(num_samples: int, sample_rate: int) -> float:
    """Duration in seconds of `num_samples` at `sample_rate` (Hz)."""
    return num_samples / sample_rate


def samples(duration_s: float, sample_rate: int) -> int:
    """Nearest sample to `duration_s`, halves away from zero, exact for any float and rate."""
    scaled = Fraction(duration_s) * sample_rate
    nearest = int(abs(scaled) + Fraction(1, 2))
    return nearest if scaled >= 0 else -nearest


def resampled_length(num_samples: int, source_rate: int, target_rate: int) -> int:
    """Samples that `num_samples` at `source_rate` become at `target_rate`: ceil(n * target / source)."""
    return -(-num_samples * target_rate // source_rate)


def num_frames(num_samples: int, frame_size: int) -> int:
    """Frames of `frame_size` samples that cover `num_samples`, the last one padded."""
    return -(-num_samples // frame_size)

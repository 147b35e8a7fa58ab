"""Rooms with known reverberation: shoebox impulse responses by the image method, and clarity C50."""

from __future__ import annotations

import numpy as np

SAMPLE_RATE = 16_000
SOUND_SPEED = 343.0
C50_BAND_HZ = (125.0, 4000.0)
"""C50 is taken in the band of speech, so that 8 kHz and 16 kHz audio of one room agree."""
LONGEST_S = 1.0


def c50_db(response: np.ndarray, sample_rate: int) -> float:
    """Clarity of an impulse response `[T]`: energy within 50 ms of the direct sound over the energy after, dB.

    ISO 3382-1, broadband over 125 Hz to 4 kHz; the direct sound is the first sample within 20 dB of the peak.
    Capped to -20..40 dB (a response that ends before 50 ms has no late energy).
    """
    h = np.asarray(response, dtype=np.float64)
    size = 1 << (2 * h.shape[0] - 1).bit_length()
    hz = np.fft.rfftfreq(size, 1 / sample_rate)
    spectrum = np.fft.rfft(h, size) * ((hz >= C50_BAND_HZ[0]) & (hz <= C50_BAND_HZ[1]))
    energy = np.fft.irfft(spectrum, size)[: h.shape[0]] ** 2
    onset = int(np.flatnonzero(np.abs(h) >= 0.1 * np.abs(h).max())[0])
    split = onset + round(0.05 * sample_rate)
    early, late = float(energy[:split].sum()), float(energy[split:].sum())
    if early <= 0:
        return -20.0
    return float(np.clip(10 * np.log10(early / max(late, early * 1e-4)), -20.0, 40.0))


def image_source_response(
    room_m: np.ndarray, source_m: np.ndarray, microphone_m: np.ndarray, t60_s: float, rng: np.random.Generator
) -> np.ndarray:
    """Impulse response `[T]` float32 at 16 kHz of a shoebox room, starting at the direct sound, peak 1.

    Image method of Allen and Berkley (1979), all images within the response's length, absorption from Eyring's
    formula in two bands (the upper one decays 1.0 to 1.6 times faster), image positions jittered by up to 8 cm
    against sweeping echoes (De Sena et al., 2015). room_m, source_m, microphone_m: `[3]` in metres.
    """
    length_s = min(max(0.1, 0.9 * t60_s), LONGEST_S)
    reach = SOUND_SPEED * length_s
    volume = float(np.prod(room_m))
    surface = 2 * float(room_m[0] * room_m[1] + room_m[0] * room_m[2] + room_m[1] * room_m[2])
    axes = [_images(length, s, m, reach) for length, s, m in zip(room_m, source_m, microphone_m, strict=True)]
    (dx, cx), (dy, cy), (dz, cz) = axes
    plane = dx[:, None] ** 2 + dy[None, :] ** 2
    keep = plane <= reach**2
    flat, bounces_xy = plane[keep], (cx[:, None] + cy[None, :])[keep]
    out = np.zeros((2, int(length_s * SAMPLE_RATE) + 1))
    direct = float(np.linalg.norm(source_m - microphone_m))
    reflection = []
    for faster in (1.0, rng.uniform(1.0, 1.6)):
        absorption = 1 - np.exp(-0.161 * volume * faster / (surface * t60_s))
        reflection.append(np.sqrt(1 - absorption))
    for offset, bounces_z in zip(dz, cz, strict=True):
        inside = flat + offset**2 <= reach**2
        distance = np.sqrt(flat[inside] + offset**2)
        bounces = bounces_xy[inside] + bounces_z
        distance = distance + np.where(bounces > 0, rng.uniform(-0.08, 0.08, distance.shape[0]), 0.0)
        index = np.round((np.maximum(distance, direct) - direct) / SOUND_SPEED * SAMPLE_RATE).astype(np.int64)
        fits = index < out.shape[1]
        for band, beta in enumerate(reflection):
            weight = beta ** bounces[fits] / np.maximum(distance[fits], 0.1)
            out[band] += np.bincount(index[fits], weight, out.shape[1])
    return _join_bands(out)


def random_response(rng: np.random.Generator) -> np.ndarray:
    """Response of a random room: 2.5 to 12 m wide, T60 0.1 to 1.3 s, source 0.3 to 5 m from the microphone."""
    room = rng.uniform([2.5, 2.5, 2.2], [12.0, 9.0, 4.5])
    microphone = rng.uniform(0.15, 0.85, 3) * room
    for _ in range(100):
        direction = rng.normal(size=3)
        distance = np.exp(rng.uniform(np.log(0.3), np.log(5.0)))
        source = microphone + distance * direction / np.linalg.norm(direction)
        if np.all(source > 0.1) and np.all(source < room - 0.1):
            break
    else:
        source = rng.uniform(0.15, 0.85, 3) * room
    return image_source_response(room, source, microphone, float(np.exp(rng.uniform(np.log(0.1), np.log(1.3)))), rng)


def reverberate(x: np.ndarray, response: np.ndarray) -> np.ndarray:
    """`[T]` through an impulse response, cut to `[T]`, float32."""
    from scipy.signal import oaconvolve

    return oaconvolve(x, response)[: x.shape[0]].astype(np.float32)


def _images(length: float, source: float, microphone: float, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Offsets (m) of all images along one axis within reach, and how many walls each has met."""
    order = np.arange(-int(reach / (2 * length)) - 1, int(reach / (2 * length)) + 2)
    offset = np.concatenate([2 * order * length + source, 2 * order * length - source]) - microphone
    bounces = np.concatenate([2 * np.abs(order), np.abs(order) + np.abs(order - 1)])
    near = np.abs(offset) <= reach
    return offset[near], bounces[near]


def _join_bands(bands: np.ndarray) -> np.ndarray:
    """Low band below 1 kHz and high band above, crossed over smoothly; rumble below 60 Hz removed."""
    size = 1 << (bands.shape[1] + 1024).bit_length()
    hz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    high = 1 / (1 + (1000 / np.maximum(hz, 1)) ** 4)
    rumble = 1 / (1 + (60 / np.maximum(hz, 1)) ** 4)
    low_spectrum, high_spectrum = np.fft.rfft(bands, size)
    joined = np.fft.irfft((low_spectrum * (1 - high) + high_spectrum * high) * rumble, size)[: bands.shape[1]]
    return (joined / np.abs(joined).max()).astype(np.float32)

"""How much speech: silero VAD in one pass per clip, shared by every curator that asks."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import Field

from ...schemas.clip import Clip
from ...schemas.config import Strict
from ...schemas.score import Row, ScoreColumn
from ..models import package_file, session, weights_sha256
from ..perclip import PerClip
from ..waveform import RESAMPLER, frame_power, peak, quantiser_step, resampled
from .subtraction import less_noise

SAMPLE_RATE = 16_000
FRAME_SIZE = 512
"""Samples at 16 kHz per decision: 32 ms."""
FRAME_S = FRAME_SIZE / SAMPLE_RATE
CONTEXT = 64
"""Samples of the frame before that the model sees again."""
BLOCK_FRAMES = 512
"""Frames per model call (16 s): bounds memory on long clips, changes no probability."""
SPEECH_THRESHOLD = 0.5
"""Probability from which a frame counts as speech; silero's own default."""
REFERENCE_LEVEL_DB = -20.0
"""Level (dBFS, RMS) that the clip's loudest 256 ms are brought to, so that gain does not change decisions:
without it, agreement with the original falls to .32 at -60 dB."""


INNER = ("/Transpose_output_0", "/recurrent/Squeeze_output_0")
"""Tensors of the detector's graph: what its convolutions make of a frame, what its memory holds after it; 128 each."""
NUM_FEATURES = 256

PREFIX_FRAMES = 32
"""Frames (1.02 s) of faint noise that the model hears before the clip; their outputs are dropped."""
PREFIX_LEVEL = 1e-5
COARSE_STEP = 1e-3
"""Steps of the quantiser over this share of the peak leave holes of digital zero in speech; dither fills them.
At -60 dB in 16 bits agreement with the original rises from .81 to .96 (training speakers)."""
DITHER_BLOCK = 1 << 20
"""Samples of dither at a time."""


def vad_weights() -> str:
    """Names what speech probabilities rest on: the model's SHA-256, the resampler, what is done before it."""
    return (
        f"{weights_sha256(_model())}+{RESAMPLER}+level{REFERENCE_LEVEL_DB:g}+prefix{PREFIX_FRAMES}+subtraction1+dither1"
    )


def speech_probabilities(clip: Clip) -> np.ndarray:
    """Probability of speech per 32 ms frame of the clip at 16 kHz, `[ceil(T16k / 512)]` float32; memoised.

    Zeros for digital silence, without running the model.
    """
    if "speech_probabilities" not in clip.memo:
        _listen(clip)
    return clip.memo["speech_probabilities"]


def speech_features(clip: Clip) -> np.ndarray:
    """What the detector holds of each 32 ms frame, `[ceil(T16k / 512), 256]` float16: its convolutions' output as
    log(1 + x), then its memory; memoised. It has heard thousands of hours of noise, which nobody else here has."""
    if "speech_features" not in clip.memo:
        _listen(clip)
    return clip.memo["speech_features"]


def _listen(clip: Clip) -> None:
    probabilities, features = _run(conditioned(clip))
    clip.memo.setdefault("speech_probabilities", probabilities)
    clip.memo["speech_features"] = features


def speech_mask(clip: Clip, threshold: float = SPEECH_THRESHOLD) -> np.ndarray:
    """Which 32 ms frames are speech, `[ceil(T16k / 512)]` bool."""
    return speech_probabilities(clip) >= threshold


def pauses(probabilities: np.ndarray, threshold: float, guard: int = 2) -> np.ndarray:
    """Frames that are pause, `[F]` bool: speech below `threshold` there and in `guard` frames on each side.

    Without the guard, onsets, decays and reverberation that the detector leaves out pass for noise: the floor of
    clean read speech then measures 5 to 15 dB too high.
    """
    near = np.convolve(probabilities >= threshold, np.ones(2 * guard + 1), "full")
    return near[guard : guard + probabilities.shape[0]] < 0.5


def speech_seconds(clip: Clip, threshold: float = SPEECH_THRESHOLD) -> float:
    """Seconds of the clip in speech frames; a short last frame counts its own length."""
    mask = speech_mask(clip, threshold)
    if not mask.size:
        return 0.0
    samples = int(mask.sum()) * FRAME_SIZE
    if mask[-1]:
        samples -= mask.shape[0] * FRAME_SIZE - resampled(clip, SAMPLE_RATE).shape[0]
    return min(samples / SAMPLE_RATE, clip.duration_s)


def conditioned(clip: Clip) -> np.ndarray:
    """What the detector hears, `[T16k]` float32: no offset, coarse steps dithered, steady noise lower."""
    x = resampled(clip, SAMPLE_RATE)
    if not x.size or peak(clip) == 0:
        return x
    x = x - np.float32(x.mean(dtype=np.float64))  # an offset would count as level
    step = quantiser_step(clip.waveform)
    if step > COARSE_STEP * peak(clip):
        dither = np.random.default_rng(0)
        for block in np.array_split(x, -(-x.shape[0] // DITHER_BLOCK)):  # views: adding changes x
            block += np.float32(step) * (dither.random(block.shape[0], dtype=np.float32) - np.float32(0.5))
    return less_noise(x, out=x)


def _model() -> Path:
    return package_file("silero_vad", "data", "silero_vad_16k_sequence.onnx")


def _gain(x: np.ndarray) -> float:
    """Factor that brings the loudest 256 ms of `[T]` to the reference level; 0.0 for silence."""
    power = frame_power(x, FRAME_SIZE)
    window = min(8, power.shape[0])
    summed = np.concatenate([[0.0], np.cumsum(power)])
    loudest = float(np.max(summed[window:] - summed[:-window])) / window
    return 10.0 ** (REFERENCE_LEVEL_DB / 20) / loudest**0.5 if loudest > 0 else 0.0


def _run(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count = -(-x.shape[0] // FRAME_SIZE)
    gain = _gain(x) if count else 0.0
    if gain == 0.0:
        return np.zeros(count, dtype=np.float32), np.zeros((count, NUM_FEATURES), dtype=np.float16)
    model = session(_model(), INNER)
    hidden = np.zeros((1, 1, 128), dtype=np.float32)
    cell = np.zeros((1, 1, 128), dtype=np.float32)
    context = np.zeros(CONTEXT, dtype=np.float32)
    # started cold the model takes a word at once for something else: it first hears a room in which nobody speaks
    room = _quiet_room() / np.float32(gain)
    count += PREFIX_FRAMES
    out, features = [], np.empty((count, NUM_FEATURES), dtype=np.float16)
    for first in range(0, count, BLOCK_FRAMES):
        start, stop = first * FRAME_SIZE, (first + BLOCK_FRAMES) * FRAME_SIZE
        after = slice(max(0, start - room.shape[0]), max(0, stop - room.shape[0]))
        block = np.concatenate([room[start:stop], x[after]]) * np.float32(gain)
        rows = -(-block.shape[0] // FRAME_SIZE)
        padded = np.zeros(CONTEXT + rows * FRAME_SIZE, dtype=np.float32)
        padded[:CONTEXT] = context
        padded[CONTEXT : CONTEXT + block.shape[0]] = block
        context = padded[-CONTEXT:].copy()
        windows = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + FRAME_SIZE)[::FRAME_SIZE]
        found = model.run(
            ["speech_probs", "hn", "cn", *INNER], {"input": np.ascontiguousarray(windows), "h": hidden, "c": cell}
        )
        values, hidden, cell, convolved, remembered = (np.asarray(value, dtype=np.float32) for value in found)
        out.append(values.reshape(-1))
        features[first : first + rows, :128] = np.log1p(convolved).reshape(rows, 128)
        features[first : first + rows, 128:] = remembered.reshape(rows, 128)
    return np.concatenate(out)[PREFIX_FRAMES:], features[PREFIX_FRAMES:]


@lru_cache(maxsize=1)
def _quiet_room() -> np.ndarray:
    """Faint white noise, `[PREFIX_FRAMES * FRAME_SIZE]` float32 at the model's level, always the same."""
    noise = np.random.default_rng(0).standard_normal(PREFIX_FRAMES * FRAME_SIZE)
    return (PREFIX_LEVEL * noise).astype(np.float32)


class VadOptions(Strict):
    """Parameters of `vad`."""

    threshold: float = Field(
        default=SPEECH_THRESHOLD, gt=0, lt=1, description="Probability from which a 32 ms frame counts as speech"
    )


class VadCurator(PerClip):
    """Speech and non-speech time. Silence has a score here: 0 s of speech."""

    name = "vad"
    version = 2
    columns = (
        ScoreColumn("speech_s", "float32", "s", "Total duration of the 32 ms frames that silero VAD calls speech"),
        ScoreColumn("speech_ratio", "float32", "1", "speech_s over the clip's duration"),
        ScoreColumn(
            "nonspeech_s", "float32", "s", "Duration less speech_s: the pauses, in which noise can be measured"
        ),
    )
    Options = VadOptions
    needs_signal = False

    def weights(self) -> str:
        """The model's hash and what is done to the audio before it."""
        return vad_weights()

    def measure(self, clip: Clip) -> Row:
        """The three times of one clip."""
        speech_s = speech_seconds(clip, self.options.threshold)
        duration_s = clip.duration_s
        return {"speech_s": speech_s, "speech_ratio": speech_s / duration_s, "nonspeech_s": duration_s - speech_s}

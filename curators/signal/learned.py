"""The learned curator's network: one pass gives SNR, reverberation, speech quality and who is heard when.

Convolutions over time and frequency of band powers, run with numpy so that score workers need no torch. Trained by
`train_acoustic`; the weights and their card lie in `weights/`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import Field

from ...schemas.clip import Clip
from ...schemas.config import Strict
from ...schemas.errors import WeightsError
from ..models import weights_sha256
from ..waveform import resampled
from .bands import HOP, band_powers
from .level import active_frame_power
from .vad import NUM_FEATURES, SAMPLE_RATE, pauses, speech_features, speech_probabilities

WEIGHTS = Path(__file__).parents[1] / "weights" / "acoustic.safetensors"
WINDOW_FRAMES = 625
"""Frames per pass (20 s): bounds memory on long clips; longer ones are cut into equal windows."""
NUM_CHANNELS = 4
COARSE = 4
"""Bands per cell of the network's inner layers."""
RANGE_DB = 80.0
"""Bands are floored this far below the clip's mean power."""
LOOSE, STRICT = 0.5, 0.1
"""Probabilities of speech below which a frame may be pause. Strict pauses hold no speech, which steady noise wants;
loose ones also hold the noise that resembles speech, which babble wants. The network sees both."""
MIN_PAUSE_FRAMES = 5
FLOOR_SMOOTHING, FLOOR_PERCENTILE, FLOOR_FACTOR = 3, 10, 1.5
"""Without pauses the first guess of the noise is this percentile of each band's moving average, raised by the bias of
such a minimum for steady noise."""
C50_SCALE_DB, C50_CENTRE_DB = 10.0, 15.0
"""The network's C50 output is (C50 - 15) / 10."""
SNR_SCALE_DB = 10.0
"""The network's third output, in these, is added to the SNR that its mask says."""
PIECES, PIECE_SPEECH_FRAMES = 4, 8
"""A window is also judged in so many pieces on their own, of those with a quarter of a second of speech."""
Weights = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Acoustics:
    """What the network says of one clip."""

    snr_db: float | None
    """Active speech power over mean noise power; None where it hears no speech or no noise."""
    c50_db: float
    estoi: float
    present: np.ndarray
    """Probability that speech, music, noise is heard, `[F, 3]` float32, per 32 ms frame."""
    doubt: float
    """How undecided the mask is between speech and noise, 0 to 1: 4 p (1 - p) over the clip's power."""
    pieces: np.ndarray
    """C50 (dB) and ESTOI of pieces of the clip on their own, `[P, 2]`: how far they differ says how far to trust them.
    Pieces without speech are left out."""
    hidden: np.ndarray
    """What the outputs for the whole clip are made of, `[64]`: far from that of training, they mean less."""


def first_guess(bands: np.ndarray, pause: np.ndarray) -> np.ndarray:
    """Noise power per band `[64]`: the mean over pauses where there are enough, else a low percentile over time."""
    mean = float(bands.sum(axis=1).mean())
    if pause.sum() >= MIN_PAUSE_FRAMES:
        guess = bands[pause].mean(axis=0)
    else:
        width = min(FLOOR_SMOOTHING, bands.shape[0])
        summed = np.concatenate([np.zeros((1, bands.shape[1])), np.cumsum(bands, axis=0, dtype=np.float64)])
        guess = FLOOR_FACTOR * np.percentile((summed[width:] - summed[:-width]) / width, FLOOR_PERCENTILE, axis=0)
    return np.maximum(guess, (mean or 1.0) * 10 ** (-RANGE_DB / 10))


def features(bands: np.ndarray, speech: np.ndarray) -> np.ndarray:
    """`[F, 64]` band powers and `[F]` speech probability to `[F, 64, 4]` float32, independent of gain.

    Channels, in units of 20 dB: each cell about the clip's mean power, over the first guess of its noise from loose
    pauses, and from strict ones; then the frame's speech probability.
    """
    reference = float(bands.sum(axis=1).mean()) or 1.0
    cells = np.maximum(bands, reference * 10 ** (-RANGE_DB / 10))
    out = np.empty((*bands.shape, NUM_CHANNELS), dtype=np.float32)
    out[..., 0] = 10 * np.log10(cells / reference) / 20 + 1
    for channel, probability in ((1, LOOSE), (2, STRICT)):
        guess = first_guess(bands, pauses(speech, probability))
        out[..., channel] = np.clip(10 * np.log10(cells / guess) / 20, -1.5, 3)
    out[..., 3] = speech[:, None]
    return out


def prior_logit(x: np.ndarray) -> np.ndarray:
    """Log of speech over noise power per cell if the loose first guess were right, `[F, 64]` from the features."""
    return np.log(np.maximum(10.0 ** (2 * x[..., 1]) - 1, 0.05))


def forward(w: Weights, x: np.ndarray, heard: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`[F, 64, 4]` features and `[F, 256]` of the detector's to speech-share logits `[F, 64]`, presence logits
    `[F, 3]` and clip outputs `[3]`: C50, ESTOI, correction of the SNR.

    The network corrects `prior_logit`: with no correction the noise is steady at the first guess.
    """
    mask, present, frame = _frames(w, x, heard)
    return mask, present, _of_clip(w, frame, x[:, 0, 3])[0]


def _frames(w: Weights, x: np.ndarray, heard: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mask logits `[F, 64]`, presence logits `[F, 3]` and what the clip's outputs are pooled from, `[F, 64]`."""
    fine = np.maximum(_convolve(w, "fine", x, stride=2), 0)
    known = np.maximum(heard.astype(np.float32) @ w["heard.weight"].T + w["heard.bias"], 0)
    h = np.maximum(_convolve(w, "coarse", fine, stride=2), 0) + known[:, None]
    for i, dilation in enumerate(w["dilations"]):
        pooled = h.mean(axis=(0, 1)) @ w[f"residual.{i}.context.weight"].T + w[f"residual.{i}.context.bias"]
        h = h + np.maximum(_convolve(w, f"residual.{i}.conv", h, dilation=int(dilation)) + pooled, 0)
    count, cells = h.shape[:2]
    joined = np.concatenate([h, fine.reshape(count, cells, -1), x.reshape(count, cells, -1)], axis=2)
    mask = np.maximum(joined @ w["join.weight"].T + w["join.bias"], 0) @ w["mask.weight"].T + w["mask.bias"]
    frame = np.concatenate([h.reshape(count, -1), known], axis=1)
    frame = np.maximum(frame @ w["frame.weight"].T + w["frame.bias"], 0)
    present = frame @ w["present.weight"].T + w["present.bias"]
    return prior_logit(x) + mask.reshape(count, -1), present, frame


def _of_clip(w: Weights, frame: np.ndarray, speech: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Clip outputs `[3]` and hidden values `[64]` of some of its frames `[F, 64]`; speech: their probability, `[F]`."""
    weighted = (frame * speech[:, None]).sum(axis=0) / (speech.sum() + 1e-3)
    hidden = np.concatenate([frame.mean(axis=0), weighted]) @ w["clip_hidden.weight"].T + w["clip_hidden.bias"]
    hidden = np.maximum(hidden, 0)
    return w["clip_output.weight"] @ hidden + w["clip_output.bias"], hidden


def _convolve(w: Weights, name: str, x: np.ndarray, stride: int = 1, dilation: int = 1) -> np.ndarray:
    """`[F, K, C]` by a kernel `[D, C, taps, width]`, zero-padded; dilated in time, strided in frequency."""
    kernel, bias = w[f"{name}.weight"], w[f"{name}.bias"]
    _, channels, taps, width = kernel.shape
    reach, side = dilation * (taps // 2), width // 2
    padded = np.zeros((x.shape[0] + 2 * reach, x.shape[1] + 2 * side, channels), dtype=np.float32)
    padded[reach : reach + x.shape[0], side : side + x.shape[1]] = x
    step_t, step_f, step_c = padded.strides
    shape = (x.shape[0], x.shape[1] // stride, taps, width, channels)
    strides = (step_t, stride * step_f, dilation * step_t, step_f, step_c)
    columns = np.lib.stride_tricks.as_strided(padded, shape, strides).reshape(shape[0] * shape[1], -1)
    flat = kernel.transpose(2, 3, 1, 0).reshape(-1, kernel.shape[0])
    return (columns @ flat + bias).reshape(shape[0], shape[1], -1)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Logistic function without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


@cache
def load_weights(path: Path = WEIGHTS) -> Weights:
    """Arrays by name, float32, read once per process. Raises `WeightsError` for an absent or foreign file."""
    from safetensors.numpy import load_file

    try:
        weights = {name: np.asarray(value, dtype=np.float32) for name, value in load_file(str(path)).items()}
    except Exception as error:
        raise WeightsError(f"acoustic network {path.name}: cannot be read as safetensors: {error}") from error
    wanted = {"fine.weight": NUM_CHANNELS, "heard.weight": NUM_FEATURES}
    for name, channels in wanted.items():
        if weights.get(name, np.zeros((0, 0))).shape[1] != channels:
            raise WeightsError(f"acoustic network {path.name}: '{name}' is not made for {channels} features")
    return weights


class AcousticOptions(Strict):
    """Which network a curator listens with."""

    weights: str | None = Field(
        default=None,
        description="Acoustic network that `auricle train curator` wrote (.safetensors); by default the packaged one",
    )

    @property
    def network(self) -> Path:
        """The file of weights."""
        return WEIGHTS if self.weights is None else Path(self.weights).expanduser()


def acoustic_weights(path: Path = WEIGHTS) -> str:
    """SHA-256 of the weights, for fingerprints. Raises `WeightsError` where there is no such file."""
    if not path.is_file():
        raise WeightsError(f"acoustic network {path}: no such file")
    return weights_sha256(path)


def card(path: Path = WEIGHTS) -> dict:
    """The model card beside the weights."""
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def acoustics(clip: Clip, path: Path = WEIGHTS) -> Acoustics:
    """The network's view of the clip; memoised."""
    known = clip.memo.setdefault("acoustics", {})
    if path not in known:
        x, speech, heard = resampled(clip, SAMPLE_RATE), speech_probabilities(clip), speech_features(clip)
        known[path] = estimate(load_weights(path), x, speech, heard)
    return known[path]


def estimate(w: Weights, x: np.ndarray, speech: np.ndarray, heard: np.ndarray) -> Acoustics:
    """`[T]` at 16 kHz, its speech probabilities `[F]` and the detector's features `[F, 256]`, through the network."""
    bands = band_powers(x, float(x.mean(dtype=np.float64)))
    parts = np.array_split(np.arange(bands.shape[0]), -(-bands.shape[0] // WINDOW_FRAMES))
    clean, noise, present, clips, hidden, pieces, weight = [], [], [], [], [], [], []
    undecided = 0.0
    for rows in parts:
        mask, presence, frame = _frames(w, features(bands[rows], speech[rows]), heard[rows])
        out, values = _of_clip(w, frame, speech[rows].astype(np.float32))
        hidden.append(values)
        pieces += _pieces(w, frame, speech[rows].astype(np.float32))
        share = sigmoid(mask)
        clean.append((share * bands[rows]).sum(axis=1))
        noise.append((sigmoid(-mask) * bands[rows]).sum(axis=1))
        undecided += float((4 * share * (1 - share) * bands[rows]).sum(dtype=np.float64))
        present.append(sigmoid(presence))
        clips.append(out)
        weight.append(float(speech[rows].sum()) + 1e-3)
    out = np.average(clips, axis=0, weights=weight)
    noise_power = float(np.concatenate(noise).mean(dtype=np.float64))
    active = active_frame_power(np.concatenate(clean), HOP / SAMPLE_RATE)
    return Acoustics(
        float(10 * np.log10(active / noise_power) + SNR_SCALE_DB * out[2]) if active > 0 and noise_power > 0 else None,
        float(out[0] * C50_SCALE_DB + C50_CENTRE_DB),
        float(np.clip(out[1], 0, 1)),
        np.concatenate(present).astype(np.float32),
        undecided / max(float(bands.sum(dtype=np.float64)), 1e-30),
        np.array(pieces).reshape(-1, 2),
        np.average(hidden, axis=0, weights=weight),
    )


def _pieces(w: Weights, frame: np.ndarray, speech: np.ndarray) -> list[tuple[float, float]]:
    """C50 (dB) and ESTOI of each of `PIECES` equal pieces of a window that has speech, of its frames `[F, 64]`."""
    found = []
    for rows in np.array_split(np.arange(speech.shape[0]), PIECES):
        if speech[rows].sum() >= PIECE_SPEECH_FRAMES:
            out, _ = _of_clip(w, frame[rows], speech[rows])
            found.append((float(out[0] * C50_SCALE_DB + C50_CENTRE_DB), float(np.clip(out[1], 0, 1))))
    return found

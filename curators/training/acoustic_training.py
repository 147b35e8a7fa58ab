"""The learned curator's network in torch: batches with known truth, the loss, the loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import nn

from ...schemas.clip import Clip
from ..signal.bands import NUM_BANDS, band_powers
from ..signal.learned import C50_CENTRE_DB, C50_SCALE_DB, COARSE, NUM_CHANNELS, SNR_SCALE_DB, features
from ..signal.vad import NUM_FEATURES, SAMPLE_RATE, speech_features, speech_probabilities
from .mixtures import Mixture

C50_RANGE_DB = (-10.0, 35.0)
"""Beyond these, more or less reverberation is not heard: labels are cut to the range."""


@dataclass(slots=True)
class Batch:
    """Mixtures as tensors; labels that do not apply are NaN."""

    features: torch.Tensor
    """`[N, F, 64, 4]`."""
    heard: torch.Tensor
    """`[N, F, 256]`, the detector's."""
    power: torch.Tensor
    """Band powers about each clip's mean, `[N, F, 64]`."""
    speech_share: torch.Tensor
    """`[N, F, 64]`."""
    present: torch.Tensor
    """`[N, F, 3]` bool."""
    labels: torch.Tensor
    """`[N, 3]`: SNR dB, C50 dB, ESTOI."""

    def take(self, index: torch.Tensor) -> Batch:
        """The chosen mixtures, as float32."""
        return Batch(
            self.features[index].float(),
            self.heard[index].float(),
            self.power[index].float(),
            self.speech_share[index].float(),
            self.present[index].float(),
            self.labels[index],
        )


def batch_of(mixtures: Iterable[Mixture]) -> Batch:
    """Every mixture through the detector and the band powers; silent ones are left out. 170 kB per 4 s mixture."""
    columns: list[list[np.ndarray]] = [[] for _ in fields(Batch)]
    for m in mixtures:
        bands = band_powers(m.waveform)
        mean = float(bands.sum(axis=1).mean())
        if mean <= 0:
            continue
        clip = Clip("", m.waveform, SAMPLE_RATE)
        x = features(bands, speech_probabilities(clip)).astype(np.float16)
        labels = np.array([m.snr_db, m.c50_db, m.estoi], dtype=np.float32)
        row = (x, speech_features(clip), bands / np.float32(mean), m.speech_share, m.present, labels)
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    tensors = []
    for column in columns:
        tensors.append(torch.from_numpy(np.stack(column)))
        column.clear()
    return Batch(*tensors)


class Residual(nn.Module):
    """Convolution dilated in time, biased by the clip's mean activity."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=(dilation, 1), dilation=(dilation, 1))
        self.norm = nn.BatchNorm2d(width)
        self.context = nn.Linear(width, width)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """`[B, width, F, 16]` to the same."""
        return torch.relu(self.norm(self.conv(h)) + self.context(h.mean((2, 3)))[:, :, None, None])


class AcousticNet(nn.Module):
    """What `learned.forward` computes with numpy; batch norms are folded into their convolutions by `arrays`."""

    def __init__(self, width: int, dilations: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.dilations = dilations
        fine, cells = 3 * width // 4, NUM_BANDS // COARSE
        self.fine = nn.Conv2d(NUM_CHANNELS, fine, (3, 5), stride=(1, 2), padding=(1, 2))
        self.fine_norm = nn.BatchNorm2d(fine)
        self.coarse = nn.Conv2d(fine, width, 3, stride=(1, 2), padding=1)
        self.coarse_norm = nn.BatchNorm2d(width)
        self.heard_dropout = nn.Dropout(dropout)
        self.heard = nn.Linear(NUM_FEATURES, width)
        self.residual = nn.ModuleList(Residual(width, d) for d in dilations)
        self.join = nn.Linear(width + 2 * fine + COARSE * NUM_CHANNELS, width)
        self.mask = nn.Linear(width, COARSE)
        self.frame = nn.Linear(width * (cells + 1), 64)
        self.present = nn.Linear(64, 3)
        self.clip_hidden = nn.Linear(128, 64)
        self.clip_output = nn.Linear(64, 3)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.mask.weight)
        nn.init.zeros_(self.mask.bias)
        with torch.no_grad():
            self.clip_output.weight[2].zero_()
            self.clip_output.bias[2].zero_()

    def forward(self, x: torch.Tensor, heard: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """`[B, F, 64, 4]` and `[B, F, 256]` to logits of the speech share `[B, F, 64]` and of presence `[B, F, 3]`,
        clip outputs `[B, 3]`."""
        batch, count = x.shape[:2]
        fine = torch.relu(self.fine_norm(self.fine(x.permute(0, 3, 1, 2))))
        known = torch.relu(self.heard(self.heard_dropout(heard)))
        h = torch.relu(self.coarse_norm(self.coarse(fine))) + known.transpose(1, 2)[..., None]
        for layer in self.residual:
            h = h + layer(h)
        cells = h.shape[3]
        h, fine = h.permute(0, 2, 3, 1), fine.permute(0, 2, 3, 1)
        joined = torch.cat([h, fine.reshape(batch, count, cells, -1), x.reshape(batch, count, cells, -1)], -1)
        mask = self.mask(torch.relu(self.join(joined))).reshape(batch, count, -1)
        frame = torch.relu(self.frame(self.dropout(torch.cat([h.reshape(batch, count, -1), known], -1))))
        speech = x[:, :, 0, 3, None]
        weighted = (frame * speech).sum(1) / (speech.sum(1) + 1e-3)
        clip = self.clip_output(torch.relu(self.clip_hidden(self.dropout(torch.cat([frame.mean(1), weighted], -1)))))
        prior = torch.log((10.0 ** (2 * x[..., 1]) - 1).clamp_min(0.05))
        return prior + mask, self.present(frame), clip

    def arrays(self) -> dict[str, np.ndarray]:
        """Parameters as numpy arrays under `learned.forward`'s names, with the dilations."""
        state = {name: value.detach().numpy().copy() for name, value in self.state_dict().items()}
        pairs = [("fine", "fine_norm"), ("coarse", "coarse_norm")]
        pairs += [(f"residual.{i}.conv", f"residual.{i}.norm") for i in range(len(self.dilations))]
        for conv, norm in pairs:
            scale = state[f"{norm}.weight"] / np.sqrt(state[f"{norm}.running_var"] + 1e-5)
            state[f"{conv}.weight"] *= scale[:, None, None, None]
            state[f"{conv}.bias"] = (state[f"{conv}.bias"] - state[f"{norm}.running_mean"]) * scale + state[
                f"{norm}.bias"
            ]
        kept = {name: value for name, value in state.items() if "norm." not in name}
        return {**kept, "dilations": np.array(self.dilations, dtype=np.float32)}


def loss(net: AcousticNet, batch: Batch) -> dict[str, torch.Tensor]:
    """Terms of the loss, weighted, by name.

    mask: cross entropy of the speech share, louder cells a little more. snr: Huber distance in dB of speech over
    noise energy through the mask. present, c50, estoi: cross entropy, Huber, squared error.
    """
    mask, present, clip = net(batch.features, batch.heard)
    weight = (batch.power + 1e-6) ** 0.25
    weight = weight / weight.mean((1, 2), keepdim=True)
    cell = nn.functional.binary_cross_entropy_with_logits(mask, batch.speech_share, reduction="none")
    snr, c50, estoi = batch.labels.T
    has_snr, has_c50, has_estoi = torch.isfinite(snr), torch.isfinite(c50), torch.isfinite(estoi)
    guessed = _ratio_db(torch.sigmoid(mask), torch.sigmoid(-mask), batch.power)
    true = _ratio_db(batch.speech_share, 1 - batch.speech_share, batch.power)
    error = (guessed + SNR_SCALE_DB * clip[:, 2] - true)[has_snr]
    target_c50 = (c50[has_c50].clamp(*C50_RANGE_DB) - C50_CENTRE_DB) / C50_SCALE_DB
    return {
        "mask": (cell * weight).mean(),
        "snr": 0.15 * nn.functional.huber_loss(error, torch.zeros_like(error), delta=3.0),
        "present": 0.5 * nn.functional.binary_cross_entropy_with_logits(present, batch.present),
        "c50": 0.5 * nn.functional.huber_loss(clip[has_c50, 0], target_c50, delta=0.5),
        "estoi": 2.0 * nn.functional.mse_loss(clip[has_estoi, 1], estoi[has_estoi]),
    }


def _ratio_db(share: torch.Tensor, rest: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
    speech, noise = (share * power).sum((1, 2)), (rest * power).sum((1, 2))
    return 10 * torch.log10(speech / noise.clamp_min(1e-6) + 1e-6)


def fit(
    net: AcousticNet,
    data: Batch,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    progress: Callable[[int, float], None] | None = None,
) -> float:
    """Train in place; CPU seconds that it took. `progress` gets the step and the mean loss every 100 steps."""
    order = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(net.parameters(), lr=learning_rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=steps, pct_start=0.1)
    count, used, started, recent = data.labels.shape[0], 0, time.process_time(), 0.0
    permutation = torch.randperm(count, generator=order)
    net.train()
    for step in range(1, steps + 1):
        if used + batch_size > count:
            permutation, used = torch.randperm(count, generator=order), 0
        total = torch.stack(list(loss(net, data.take(permutation[used : used + batch_size])).values())).sum()
        used += batch_size
        optimiser.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        recent += float(total.detach())
        if progress and step % 100 == 0:
            progress(step, recent / 100)
            recent = 0.0
    net.eval()
    return time.process_time() - started

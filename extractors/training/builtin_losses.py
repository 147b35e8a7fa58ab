"""What the built-in codec is trained towards: the waveform, log-mel spectra at several resolutions."""

from __future__ import annotations

import torch
from torch import nn
from torchaudio.functional import melscale_fbanks

FLOOR = 1e-5
"""Magnitude below which a mel band counts as silent (-100 dB re full scale), as in DAC (Kumar et al. 2023)."""
QUIET = 1e-4
"""Magnitude (-80 dB re full scale) below which a band's envelope error stops being relative."""
SCALES: tuple[tuple[int, int], ...] = ((2048, 128), (1024, 80), (512, 40), (256, 20), (128, 10))
"""(window in samples, mel bands): long windows hold the pitch, short ones the onsets."""


class MultiScaleMel(nn.Module):
    """L1 between log10 mel magnitudes, averaged over bands and frames, summed over window lengths."""

    def __init__(self, sample_rate: int, scales: tuple[tuple[int, int], ...] = SCALES) -> None:
        super().__init__()
        self.scales = scales
        for size, bands in scales:
            bank = melscale_fbanks(size // 2 + 1, 0.0, sample_rate / 2, bands, sample_rate, mel_scale="slaney")
            self.register_buffer(f"bank_{size}", bank, persistent=False)
            self.register_buffer(f"window_{size}", torch.hann_window(size), persistent=False)

    def mel(self, waveform: torch.Tensor, size: int) -> torch.Tensor:
        """`[B, T]` to log10 mel magnitudes `[B, frames, bands]`."""
        window = self.get_buffer(f"window_{size}")
        spectrum = torch.stft(waveform, size, size // 4, window=window, return_complex=True)
        # |.| has no gradient at 0
        magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-12).sqrt() * (2 / size)
        return torch.log10((magnitude.transpose(1, 2) @ self.get_buffer(f"bank_{size}")).clamp(min=FLOOR))

    def terms(
        self, reconstruction: torch.Tensor, target: torch.Tensor, scales: list[int] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Two scalars over `[B, T]` twice: the L1 of log magnitudes, and the relative L1 of each band's envelope.

        The first weighs quiet and loud frames alike, the second is the error over the magnitude of its band, so that
        loud frames count and every band counts the same. `scales` takes only these positions; both are scaled to the
        size of the sum over all.
        """
        logs, envelopes = [], []
        for size, _ in self.scales if scales is None else [self.scales[i] for i in scales]:
            with torch.no_grad():
                wanted = self.mel(target, size)
                loud = 10**wanted
            got = self.mel(reconstruction, size)
            logs.append((got - wanted).abs().mean())
            envelopes.append(((10**got - loud).abs().mean(1) / (loud.mean(1) + QUIET)).mean())
        return torch.stack(logs).mean() * len(self.scales), torch.stack(envelopes).mean() * len(self.scales)

    def forward(self, reconstruction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The first of `terms`, over all scales: the mel distance that reports give."""
        return self.terms(reconstruction, target)[0]


class LowWave(nn.Module):
    """Mean over clips of |error| / |target| below `cutoff_hz`: quiet clips weigh as much as loud ones.

    Above the cut-off no codec of a few kbit/s can follow the waveform, and a loss that asks for it is best answered
    with silence: measured, bands above 2 kHz came out 12 dB too quiet when the whole waveform was compared.
    """

    TAPS = 97

    def __init__(self, sample_rate: int, cutoff_hz: float) -> None:
        super().__init__()
        n = torch.arange(self.TAPS) - self.TAPS // 2
        kernel = torch.sinc(2 * cutoff_hz / sample_rate * n) * torch.hann_window(self.TAPS, periodic=False)
        self.register_buffer("kernel", (kernel / kernel.sum())[None, None], persistent=False)

    def forward(self, reconstruction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """`[B, T]` twice to a scalar."""
        kernel = self.get_buffer("kernel")
        error, wanted = (nn.functional.conv1d(x[:, None], kernel)[:, 0] for x in (reconstruction - target, target))
        return (error.abs().mean(1) / (wanted.abs().mean(1) + 1e-3)).mean()

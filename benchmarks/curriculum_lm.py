"""A small language model of codes, trained on a given sequence of clips up to a budget of frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

WINDOW, ROWS = 100, 16
"""Frames of one row, and rows of one batch."""


class Model(nn.Module):
    """A GRU over frames; the head of codebook k also sees the codebooks above it in the frame, so that the
    probabilities of a frame multiply to one of the whole frame."""

    def __init__(self, codebooks: int, entries: int, width: int) -> None:
        super().__init__()
        self.past = nn.ModuleList(nn.Embedding(entries + 1, width) for _ in range(codebooks))
        self.above = nn.ModuleList(nn.Embedding(entries, width) for _ in range(codebooks - 1))
        self.gru = nn.GRU(width, width, batch_first=True)
        self.heads = nn.ModuleList(nn.Linear(width, entries) for _ in range(codebooks))
        self.start = entries

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """`[B, K, T]` codes to `[B, T]` nats of each frame given those before it in its row."""
        shifted = torch.cat((torch.full_like(codes[:, :, :1], self.start), codes[:, :, :-1]), dim=2)
        hidden, _ = self.gru(sum(embed(shifted[:, k]) for k, embed in enumerate(self.past)))
        cost = torch.zeros(codes.shape[0], codes.shape[2])
        for k, head in enumerate(self.heads):
            logits = head(torch.tanh(hidden))
            cost = cost + nn.functional.cross_entropy(logits.transpose(1, 2), codes[:, k], reduction="none")
            if k < len(self.above):
                hidden = hidden + self.above[k](codes[:, k])
        return cost


def rows_of(clip: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Rows of `WINDOW` frames of a clip `[K, T]`, the last one padded, and how many frames of each are the clip's."""
    for start in range(0, clip.shape[1], WINDOW):
        part = clip[:, start : start + WINDOW]
        yield np.pad(part, ((0, 0), (0, WINDOW - part.shape[1]))), part.shape[1]


def batch(rows: Sequence[tuple[np.ndarray, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """`[B, K, WINDOW]` codes and their `[B, WINDOW]` mask."""
    codes = torch.from_numpy(np.stack([row for row, _ in rows]).astype(np.int64))
    length = torch.tensor([count for _, count in rows])
    return codes, (torch.arange(WINDOW)[None] < length[:, None]).float()


def train(clips: Iterator[np.ndarray], frames: int, codebooks: int, entries: int, seed: int, width: int = 96) -> Model:
    """A model after `frames` frames of the sequence; equal seeds begin with equal weights."""
    torch.manual_seed(seed)
    model = Model(codebooks, entries, width)
    optimiser = torch.optim.Adam(model.parameters(), lr=4e-3)
    seen, rows = 0, []
    for clip in clips:
        for row in rows_of(clip):
            rows.append((row[0], min(row[1], frames - seen)))
            seen += rows[-1][1]
            if len(rows) == ROWS or seen == frames:
                codes, mask = batch(rows)
                # warm-up over a twentieth, then down to nothing, by frames seen: the same for every arm
                rate = min(seen / (0.05 * frames), 1.0) * 0.5 * (1 + np.cos(np.pi * seen / frames))
                for group in optimiser.param_groups:
                    group["lr"] = 4e-3 * float(rate)
                optimiser.zero_grad()
                loss = (model(codes) * mask).sum() / mask.sum()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimiser.step()
                rows = []
            if seen == frames:
                return model
    raise ValueError(f"the sequence ended after {seen} of {frames} frames")


def bits_of(model: Model, clips: Sequence[np.ndarray]) -> np.ndarray:
    """`[N]` bits of each clip."""
    rows = [(row, i) for i, clip in enumerate(clips) for row in rows_of(clip)]
    total = np.zeros(len(clips))
    with torch.no_grad():
        for start in range(0, len(rows), 4 * ROWS):
            part = rows[start : start + 4 * ROWS]
            codes, mask = batch([row for row, _ in part])
            cost = (model(codes) * mask).sum(1).numpy() / np.log(2)
            np.add.at(total, [i for _, i in part], cost)
    return total

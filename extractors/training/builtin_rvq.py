"""Training of residual codebooks: k-means start, moving averages, revival of dead entries.

The codebooks themselves are encodec's (`encodec.quantization.core_vq`). Its own training step is not used: it expires
an entry and then overwrites the replacement by the old moving average, counts "dead" in absolute hits, which at small
batches is every entry, and starts k-means from one batch.
"""

from __future__ import annotations

from typing import Any

import torch
from encodec.quantization.core_vq import ResidualVectorQuantization
from torch.nn import functional as F

DECAY = 0.99
DEAD_SHARE = 0.1
"""An entry used less than this share of the uniform rate is dead."""


def nearest(vectors: torch.Tensor, centroids: torch.Tensor) -> torch.Tensor:
    """Index `[N]` of the centroid `[K, D]` nearest to each of `[N, D]`, in Euclidean distance."""
    return (vectors @ centroids.T - 0.5 * centroids.square().sum(1)).argmax(1)


def lloyd(vectors: torch.Tensor, centroids: torch.Tensor, passes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """K-means from `centroids` `[K, D]` over `[N, D]`: centroids and their counts `[K]`; empty ones are re-drawn."""
    counts = torch.zeros(len(centroids))
    for _ in range(passes):
        index = nearest(vectors, centroids)
        counts = torch.bincount(index, minlength=len(centroids)).to(vectors.dtype)
        means = torch.zeros_like(centroids).index_add_(0, index, vectors) / counts.clamp(min=1)[:, None]
        drawn = vectors[torch.randint(len(vectors), (len(centroids),))]
        centroids = torch.where((counts > 0)[:, None], means, drawn)
    return centroids, counts


def _set(book: Any, entries: torch.Tensor, rate: torch.Tensor) -> None:
    book.embed.copy_(entries)
    book.cluster_size.copy_(rate)
    book.embed_avg.copy_(entries * rate[:, None])


@torch.no_grad()
def fit_codebooks(
    quantizer: ResidualVectorQuantization, latents: torch.Tensor, batch_frames: int, passes: int, fresh: bool = True
) -> None:
    """K-means of each codebook on what the earlier ones leave of `latents` `[N, D]`.

    `batch_frames`: frames per training step, to which hit counts are scaled; `fresh` starts from random latents,
    otherwise from the present entries.
    """
    residual = latents
    for layer in quantizer.layers:
        book: Any = layer._codebook
        start = residual[torch.randperm(len(residual))[: book.codebook_size]] if fresh else book.embed
        entries, counts = lloyd(residual, start.clone(), passes)
        _set(book, entries, counts * (batch_frames / len(residual)))
        residual = residual - entries[nearest(residual, entries)]


def quantize_for_training(
    quantizer: ResidualVectorQuantization, latent: torch.Tensor, num_codebooks: int, revive: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Straight-through quantised `[B, D, T]` and the commitment loss; moves the codebooks by moving averages."""
    residual = latent.detach().transpose(1, 2).flatten(0, 1)
    total = torch.zeros_like(residual)
    for layer in quantizer.layers[:num_codebooks]:
        book: Any = layer._codebook
        index = nearest(residual, book.embed)
        step = book.embed[index]
        _move(book, residual, index, revive)
        total = total + step
        residual = residual - step
    quantized = total.view(latent.shape[0], -1, latent.shape[1]).transpose(1, 2)
    return latent + (quantized - latent).detach(), F.mse_loss(latent, quantized)


@torch.no_grad()
def _move(book: Any, vectors: torch.Tensor, index: torch.Tensor, revive: bool) -> None:
    hits = torch.bincount(index, minlength=book.codebook_size).to(vectors.dtype)
    book.cluster_size.mul_(DECAY).add_(hits, alpha=1 - DECAY)
    book.embed_avg.mul_(DECAY).add_(torch.zeros_like(book.embed).index_add_(0, index, vectors), alpha=1 - DECAY)
    entries = book.embed_avg / (book.cluster_size[:, None] + book.epsilon)
    rate = book.cluster_size.clone()
    if revive:
        uniform = len(vectors) / book.codebook_size
        dead = rate < DEAD_SHARE * uniform
        entries[dead] = vectors[torch.randint(len(vectors), (int(dead.sum()),))]
        rate[dead] = uniform
    _set(book, entries, rate)

"""A small causal language model over the codes of a dataset: the whole way from a version to a falling loss.

    python examples/token_lm.py demo/dataset -r builtin-codes --epochs 6 --checkpoint lm.pt

Codes take the delay pattern, so that codebook k of a frame is predicted from codebooks below it. Interrupt it and start
it again: it goes on behind the last step that was saved. Started by torchrun it trains on all ranks (gloo).
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import torch
from torch import nn

from auricle.loaders import Layout, Loader, Settings, TrainingData


class TokenLM(nn.Module):
    """Sum of one embedding per codebook, a causal transformer, one head per codebook."""

    def __init__(self, codebooks: int, vocabulary: int, width: int = 96, layers: int = 2, longest: int = 4096) -> None:
        super().__init__()
        self.embed = nn.ModuleList(nn.Embedding(vocabulary, width) for _ in range(codebooks))
        self.place = nn.Embedding(longest, width)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.heads = nn.ModuleList(nn.Linear(width, vocabulary) for _ in range(codebooks))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """`[B, K, T]` tokens to `[B, K, T, V]` logits of the token that follows each."""
        length = tokens.shape[2]
        x = self.place(torch.arange(length, device=tokens.device)) + sum(
            embed(tokens[:, k]) for k, embed in enumerate(self.embed)
        )
        mask = nn.Transformer.generate_square_subsequent_mask(length, device=tokens.device)
        x = self.body(x, mask=mask, is_causal=True)
        return torch.stack([head(x) for head in self.heads], dim=1)


def loss_of(model: nn.Module, batch: dict) -> tuple[torch.Tensor, int]:
    """Summed cross-entropy in nats of every token that has one before it, and how many those are."""
    codes, mask = batch["codes"], batch["mask"][:, 1:]
    if not mask.any():
        return torch.zeros((), requires_grad=True), 0
    logits = model(codes[:, :, :-1]).permute(0, 1, 3, 2).flatten(0, 1)
    each = nn.functional.cross_entropy(logits, codes[:, :, 1:].flatten(0, 1), reduction="none")
    counted = mask[:, None].expand(-1, codes.shape[1], -1).flatten(0, 1)
    return each[counted].sum(), int(counted.sum())


def main(arguments: list[str] | None = None) -> list[float]:
    """Train; returns the mean loss of each epoch in nats per token."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("-r", "--representation", default="builtin-codes")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--microbatches", type=int, default=2, help="of one step, over all ranks")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--checkpoint", type=Path)
    given = parser.parse_args(arguments)
    torch.manual_seed(0)
    if "RANK" in os.environ and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo")

    layout = Layout(delay=True)
    settings = Settings(batch_tokens=given.batch_tokens, microbatches=given.microbatches, crop_frames=256)
    data = TrainingData(given.dataset, given.representation, settings, layout=layout)
    spec = data.specs[0]
    loader = Loader(data, workers=given.workers)
    model = TokenLM(spec.rows, layout.vocabulary(spec))
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    if given.checkpoint and given.checkpoint.exists():
        saved = torch.load(given.checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        loader.load_state_dict(saved["loader"])

    losses = []
    while loader.epoch < given.epochs:
        epoch, began, totals = loader.epoch, time.monotonic(), torch.zeros(2, dtype=torch.float64)
        for batch in loader:
            total, count = loss_of(model, batch)
            (total / (given.batch_tokens * spec.rows)).backward()
            totals += torch.tensor([float(total.detach()), count], dtype=torch.float64)
            if loader.step > batch["step"] or loader.epoch > epoch:
                # the last batch of this rank in the step
                for parameter in model.parameters():
                    if loader.world > 1:
                        # a rank whose microbatches were empty has no gradient of its own
                        parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                        torch.distributed.all_reduce(parameter.grad)
                optimiser.step()
                optimiser.zero_grad()
                if given.checkpoint and loader.rank == 0:
                    state = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
                    part = given.checkpoint.with_suffix(".part")
                    torch.save(state | {"loader": loader.state_dict()}, part)
                    part.replace(given.checkpoint)
        if loader.world > 1:
            torch.distributed.all_reduce(totals)
        losses.append(float(totals[0] / totals[1].clamp(min=1)))
        if loader.rank == 0:
            print(f"epoch {epoch}: {losses[-1]:.4f} nats per token, {time.monotonic() - began:.1f} s", flush=True)
    return losses


if __name__ == "__main__":
    main()

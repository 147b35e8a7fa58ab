"""A causal model of frames of codes: a recurrent network over frames, and a head per codebook within the frame.

While it trains (`train()`), a share of the past codes is hidden from it and units of all layers are dropped (Srivastava
et al. 2014): half an hour of speech is soon learnt by heart otherwise. `eval()` before anything is scored.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

DROPPED = 0.3
MASKED = 0.15
"""Share of past codes that are replaced by the code before a clip's first."""


class FrameModel(nn.Module):
    """log p(c_1..c_Q of frame t | frames before t), by the chain rule over codebooks.

    Codebook q is predicted from the recurrent state and the sum of the embeddings of the codebooks above it.
    """

    def __init__(
        self, num_codebooks: int, cardinality: int, *, hidden: int, embedding: int, vectors: torch.Tensor | None = None
    ) -> None:
        """vectors: `[Q, cardinality, D]`, what the codec adds up for each code; embeddings and heads start from them:
        what is learnt of one code is learnt of its neighbours."""
        super().__init__()
        embeddings = [nn.Embedding(cardinality + 1, embedding) for _ in range(num_codebooks)]
        self.embeddings, self.cardinality = nn.ModuleList(embeddings), cardinality
        self.frames = nn.GRU(embedding, hidden, batch_first=True)
        self.state = nn.ModuleList(nn.Linear(hidden, embedding) for _ in range(num_codebooks))
        self.depth = nn.ModuleList(nn.Linear(embedding, embedding, bias=False) for _ in range(num_codebooks))
        heads = [nn.Linear(embedding, cardinality) for _ in range(num_codebooks)]
        self.heads = nn.ModuleList(heads)
        for each in embeddings:
            nn.init.normal_(each.weight, std=embedding**-0.5)
        if vectors is not None:
            self._start_from(embeddings, heads, vectors)

    def _start_from(self, embeddings: list[nn.Embedding], heads: list[nn.Linear], vectors: torch.Tensor) -> None:
        flat = vectors.reshape(-1, vectors.shape[2])
        scale = flat.std().clamp_min(1e-9)
        width = embeddings[0].embedding_dim
        mix = torch.randn(vectors.shape[2], width) / vectors.shape[2] ** 0.5
        with torch.no_grad():
            for each, head, table in zip(embeddings, heads, vectors, strict=True):
                placed = (table / scale) @ mix * width**-0.5
                each.weight[:-1] = placed
                head.weight.copy_(placed - placed.mean(0))

    def nats(self, codes: torch.Tensor) -> torch.Tensor:
        """Code length `[B, T, Q]` of every code of clips `[B, T, Q]`, int64, that begin with their first frame."""
        before = torch.cat((torch.full_like(codes[:, :1], self.cardinality), codes[:, :-1]), 1)
        if self.training:
            before = before.masked_fill(torch.rand(before.shape) < MASKED, self.cardinality)
        heard = torch.stack([e(before[..., q]) for q, e in enumerate(self.embeddings)]).sum(0)
        state = self._thinned(self.frames(self._thinned(heard))[0])
        above = torch.zeros_like(heard)
        each = []
        for q, head in enumerate(self.heads):
            hint = torch.relu(self.state[q](state) + self.depth[q](self._thinned(above)))
            logits = head(self._thinned(hint))
            each.append(functional.cross_entropy(logits.transpose(1, 2), codes[..., q], reduction="none"))
            above = above + self.embeddings[q](codes[..., q])
        return torch.stack(each, -1)

    def _thinned(self, units: torch.Tensor) -> torch.Tensor:
        return functional.dropout(units, DROPPED, self.training)

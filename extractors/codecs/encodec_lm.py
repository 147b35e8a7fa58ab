"""The language model that was published with EnCodec 24 kHz, for the code rate of its codes.

Défossez et al. 2022, section 3.3: a small transformer over frames that predicts all codebooks in parallel, trained on
audio of all kinds. Its weights are non-commercial (CC-BY-NC 4.0) and are never downloaded here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...schemas.errors import WeightsError
from ..coding.inference import inference
from ..coding.weights import Weights, cache_folder, load_state, resolve

FILE = "encodec_lm_24khz-1608e3c0.th"
"""As `encodec.EncodecModel.get_lm_model` names it."""
LAYERS, DIMENSION, PAST_FRAMES = 5, 200, 262
"""As `get_lm_model` builds it: 3.5 s at 75 Hz."""


class EncodecLanguageModel:
    """A `diagnostics.outside.language_model.CodeLanguageModel` of `encodec24` codes."""

    name = "encodec-lm"

    def __init__(self, model: Any) -> None:
        """model: `encodec.model.LMModel` in eval mode."""
        self._model = model

    def knows(self, codec: str, num_codebooks: int, cardinality: int, frame_rate: float) -> bool:
        """Codes of EnCodec 24 kHz, up to the codebooks that the model has."""
        return codec == "encodec24" and num_codebooks <= self._model.n_q and cardinality == self._model.card

    def probabilities(self, codes: np.ndarray) -> np.ndarray:
        """`[T, Q, cardinality]` for codes `[T, Q]`, each frame given those before it."""
        import torch

        # 0 stands for "no frame before", entries count from 1
        before = np.concatenate((np.zeros_like(codes[:1]), codes[:-1] + 1))
        with inference():
            found, _, _ = self._model(torch.from_numpy(before.T.astype(np.int64))[None])
        return found[0].permute(2, 1, 0).numpy()


def weights_path() -> Path:
    """Where the weights are looked for: the folder of downloaded weights (`AURICLE_WEIGHTS`)."""
    return cache_folder() / FILE


def load(path: Path | None = None) -> EncodecLanguageModel:
    """The model with the weights of a file (default: `weights_path()`), which are read without unpickling code.

    Raises `WeightsError` where they are absent or do not fit.
    """
    path = path or weights_path()
    if not path.is_file():
        raise WeightsError(
            f"encodec-lm: its weights are absent. Put {FILE}, which `encodec.EncodecModel.get_lm_model` downloads, at "
            f"{path}"
        )
    return build(resolve(EncodecLanguageModel.name, str(path)))


def build(weights: Weights, num_codebooks: int = 32, cardinality: int = 1024) -> EncodecLanguageModel:
    """The published architecture with these weights. Raises `WeightsError` where they do not fit."""
    import torch
    from encodec.model import LMModel

    with torch.random.fork_rng(devices=[]):
        model = LMModel(num_codebooks, cardinality, num_layers=LAYERS, dim=DIMENSION, past_context=PAST_FRAMES)
    try:
        model.load_state_dict(load_state(weights))
    except RuntimeError as error:
        raise WeightsError(f"encodec-lm: weights {weights.path} are not those of the model: {error}") from error
    return EncodecLanguageModel(model.eval().requires_grad_(False))

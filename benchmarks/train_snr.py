"""Refines the part of the acoustic network that says the SNR, on clips as the world has them (`snr_scenes`).

    python benchmarks/train_snr.py BASE.safetensors OUT.safetensors --sounds SOUNDS [--recipe '{"scenes": 100}']

BASE is what `train_acoustic.py` made. Its inner layers stay as they are, and with them C50, speech quality and what is
heard when, to the bit. Anew: two residual layers that only the mask sees, the mask, and the correction of the SNR.
SOUNDS is what `sound_packages.py` made of `sound_packages.tsv` and, with `--table`, of `sound_packages_further.tsv`,
together in one folder. Twenty minutes of one core, 5 GB of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from curator_data import DATA, labelled_files, recordings, utterances
from pydantic import Field
from safetensors.numpy import save_file
from snr_scenes import FAR_C50_DB, RATE, World, make_scene
from train_acoustic import talkers

from auricle.curators.signal import learned
from auricle.curators.signal.bands import band_powers
from auricle.curators.signal.vad import speech_features, speech_probabilities
from auricle.curators.training import rooms
from auricle.curators.training.acoustic_training import Residual
from auricle.curators.training.mixtures import Mixture, read_mono
from auricle.curators.training.train_acoustic import audio_files, snapshot
from auricle.schemas.clip import Clip
from auricle.schemas.config import Strict
from auricle.schemas.keys import sha256_file

LENGTHS_S = (4.0, 10.0)


class Recipe(Strict):
    """Everything about a refinement that is not data."""

    scenes: tuple[int, int] = Field(default=(3000, 500), description="Scenes of 4 s and of 10 s")
    batch_sizes: tuple[int, int] = Field(default=(16, 7), description="Of each length, per step")
    steps: int = Field(default=3000, gt=0, description="Optimiser steps")
    learning_rate: float = Field(default=1.5e-3, gt=0, description="Peak of the one-cycle schedule, AdamW")
    mask_weight: float = Field(default=1.0, ge=0, description="Of the cross entropy of the mask")
    snr_weight: float = Field(default=0.15, ge=0, description="Of the Huber distance of the SNR in dB")
    dilations: tuple[int, ...] = Field(default=(1, 4), description="Of the mask's own residual layers, frames of 32 ms")
    responses: int = Field(default=150, gt=0, description="Image-method rooms")
    talkers: int = Field(default=80, ge=0, description="Synthetic voices")
    seed: int = 1


class Head(torch.nn.Module):
    """What of the network is refined."""

    def __init__(self, w: learned.Weights, dilations: tuple[int, ...]) -> None:
        super().__init__()
        width = w["join.bias"].shape[0]
        self.dilations = dilations
        self.mask_residual = torch.nn.ModuleList(Residual(width, d) for d in dilations)
        for layer in self.mask_residual:  # nearly nothing is added at the start
            torch.nn.init.constant_(layer.norm.weight, 0.1)
            torch.nn.init.zeros_(layer.context.weight)
            torch.nn.init.zeros_(layer.context.bias)
        self.join, self.mask = _linear(w, "join"), _linear(w, "mask")
        self.correction = torch.nn.Linear(w["clip_output.weight"].shape[1], 1)
        with torch.no_grad():
            self.correction.weight.copy_(torch.from_numpy(w["clip_output.weight"][2:]))
            self.correction.bias.copy_(torch.from_numpy(w["clip_output.bias"][2:]))

    def forward(self, h, fine, x, hidden) -> tuple[torch.Tensor, torch.Tensor]:
        """`[B, F, 16, W]`, `[B, F, 16, A]`, `[B, F, 64, 4]`, `[B, 64]` to mask logits `[B, F, 64]` and dB `[B]`."""
        batch, frames, cells = h.shape[:3]
        g = h.permute(0, 3, 1, 2)
        for layer in self.mask_residual:
            g = g + layer(g)
        joined = torch.cat([g.permute(0, 2, 3, 1), fine, x.reshape(batch, frames, cells, -1)], -1)
        mask = self.mask(torch.relu(self.join(joined))).reshape(batch, frames, -1)
        prior = torch.log((10.0 ** (2 * x[..., 1]) - 1).clamp_min(0.05))
        return prior + mask, learned.SNR_SCALE_DB * self.correction(hidden)[:, 0]

    def arrays(self, base: learned.Weights) -> dict[str, np.ndarray]:
        """The whole network under `learned.forward`'s names."""
        state = {name: value.detach().numpy().copy() for name, value in self.state_dict().items()}
        out = dict(base)
        for i in range(len(self.dilations)):
            name = f"mask_residual.{i}"
            scale = state[f"{name}.norm.weight"] / np.sqrt(state[f"{name}.norm.running_var"] + 1e-5)
            out[f"{name}.conv.weight"] = state[f"{name}.conv.weight"] * scale[:, None, None, None]
            out[f"{name}.conv.bias"] = (
                state[f"{name}.conv.bias"] - state[f"{name}.norm.running_mean"]
            ) * scale + state[f"{name}.norm.bias"]
            for part in ("weight", "bias"):
                out[f"{name}.context.{part}"] = state[f"{name}.context.{part}"]
        for part in ("weight", "bias"):
            out[f"join.{part}"], out[f"mask.{part}"] = state[f"join.{part}"], state[f"mask.{part}"]
            out[f"clip_output.{part}"] = np.concatenate([base[f"clip_output.{part}"][:2], state[f"correction.{part}"]])
        out["mask_dilations"] = np.array(self.dilations, dtype=np.float32)
        return {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in out.items()}


def _linear(w: learned.Weights, name: str) -> torch.nn.Linear:
    layer = torch.nn.Linear(*w[f"{name}.weight"].shape[::-1])
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(w[f"{name}.weight"]))
        layer.bias.copy_(torch.from_numpy(w[f"{name}.bias"]))
    return layer


def rows_of(w: learned.Weights, scene: Mixture) -> tuple[np.ndarray, ...] | None:
    """What the head sees of a scene and what it shall say: h, fine, x, hidden, power, speech share."""
    bands = band_powers(scene.waveform)
    mean = float(bands.sum(axis=1).mean())
    if mean <= 0 or not np.isfinite(scene.snr_db):
        return None
    clip = Clip("", scene.waveform, RATE)
    speech = speech_probabilities(clip)
    x = learned.features(bands, speech)
    fine, h, known = learned.trunk(w, x, speech_features(clip))
    frame = np.concatenate([h.reshape(h.shape[0], -1), known], axis=1)
    frame = np.maximum(frame @ w["frame.weight"].T + w["frame.bias"], 0)
    hidden = learned.of_clip(w, frame, speech.astype(np.float32))[1]
    cells = (h, fine.reshape(*h.shape[:2], -1), x)
    return (*(c.astype(np.float16) for c in cells), hidden, bands / np.float32(mean), scene.speech_share)


_WORLD: World | None = None
_BASE: learned.Weights | None = None


def _some(job: tuple[int, float, int]) -> list[tuple[np.ndarray, ...]]:
    seed, seconds, count = job
    rng = np.random.default_rng(seed)
    made = (rows_of(_BASE, make_scene(rng, _WORLD, seconds)) for _ in range(count))
    return [row for row in made if row is not None]


def data_of(recipe: Recipe, processes: int) -> list[list[torch.Tensor]]:
    """Tensors of the scenes of each length."""
    out = []
    with get_context("fork").Pool(processes) as pool:
        for length, (seconds, count) in enumerate(zip(LENGTHS_S, recipe.scenes, strict=True)):
            jobs = [(1000 * recipe.seed + 10**6 * length + k, seconds, 25) for k in range(-(-count // 25))]
            columns, used = [], 0
            for rows in pool.imap(_some, jobs):
                columns = columns or [np.zeros((len(jobs) * 25, *v.shape), v.dtype) for v in rows[0]]
                for row in rows:
                    for column, value in zip(columns, row, strict=True):
                        column[used] = value
                    used += 1
                if used % 500 < 25:
                    print(f"{used} scenes of {seconds:g} s", flush=True)
            out.append([torch.from_numpy(column[:used]) for column in columns])
    return out


def fit(head: Head, data: list[list[torch.Tensor]], recipe: Recipe) -> float:
    """Train in place; CPU seconds."""
    optimiser = torch.optim.AdamW(head.parameters(), lr=recipe.learning_rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.1
    )
    started, recent = time.process_time(), np.zeros(3)
    rng = np.random.default_rng(recipe.seed)
    head.train()
    for step in range(1, recipe.steps + 1):
        length = int(rng.random() < 0.3)
        columns = data[length]
        chosen = torch.from_numpy(rng.integers(columns[0].shape[0], size=recipe.batch_sizes[length]))
        h, fine, x, hidden, power, share = (column[chosen].float() for column in columns)
        mask, correction = head(h, fine, x, hidden)
        weight = (power + 1e-6) ** 0.25
        cell = torch.nn.functional.binary_cross_entropy_with_logits(mask, share, reduction="none")
        entropy = (cell * weight / weight.mean((1, 2), keepdim=True)).mean()
        error = _ratio_db(torch.sigmoid(mask), torch.sigmoid(-mask), power) + correction
        error = error - _ratio_db(share, 1 - share, power)
        distance = torch.nn.functional.huber_loss(error, torch.zeros_like(error), delta=3.0)
        optimiser.zero_grad()
        (recipe.mask_weight * entropy + recipe.snr_weight * distance).backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        recent += [float(entropy.detach()), float(distance.detach()), float(error.detach().abs().mean())]
        if step % 100 == 0:
            said = "mask {:.4f}, SNR {:.3f}, off by {:.2f} dB".format(*(recent / 100))
            print(f"step {step} of {recipe.steps}: {said}, {time.process_time() - started:.0f} CPU s", flush=True)
            recent[:] = 0
    head.eval()
    return time.process_time() - started


def _ratio_db(share: torch.Tensor, rest: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
    speech, noise = (share * power).sum((1, 2)), (rest * power).sum((1, 2))
    return 10 * torch.log10(speech / noise.clamp_min(1e-7) + 1e-6)


def world(sounds: Path, recipe: Recipe) -> tuple[World, list[Path]]:
    """The training half of the recordings, and the tracks of `sounds` by package; the files of the latter."""
    rng = np.random.default_rng(recipe.seed)
    responses = [rooms.random_response(rng) for _ in range(recipe.responses)]
    by_kind: dict[str, dict[str, list[np.ndarray]]] = {}
    for kind in ("noise", "music", "voices"):
        packages: dict[str, list[np.ndarray]] = {}
        for path in audio_files(sounds / kind):
            packages.setdefault(path.name.split("__")[0], []).append(read_mono(path)[0])
        by_kind[kind] = packages
    for kind in ("noise", "music"):
        by_kind[kind] |= {name: [x] for name, x in recordings(kind, False)}
    far = [h for h in responses if rooms.c50_db(h, RATE) <= FAR_C50_DB]
    files = [path for kind in by_kind for path in audio_files(sounds / kind)]
    return World([*utterances(False), *talkers(recipe.talkers)], by_kind, responses, far), files


def main() -> None:
    """Make scenes, refine, write the weights and their card."""
    global _WORLD, _BASE  # what the processes that make scenes inherit
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sounds", type=Path, required=True)
    parser.add_argument("--recipe", type=json.loads, default={}, help="fields of Recipe as JSON")
    parser.add_argument("--processes", type=int, default=1, help="that make scenes")
    a = parser.parse_args()
    recipe = Recipe(**a.recipe)
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(1)
    _BASE = learned.load_weights(a.base)
    _WORLD, files = world(a.sounds, recipe)
    data = data_of(recipe, a.processes)
    head = Head(_BASE, recipe.dilations)
    cpu_s = fit(head, data, recipe)
    save_file(head.arrays(_BASE), str(a.out))
    card = learned.card(a.base)
    card["refined"] = {
        "part": "the mask with two residual layers of its own, and the correction of the SNR",
        "base_sha256": card["weights_sha256"],
        "snapshot_sha256": snapshot([p for p, _ in labelled_files()], files, sorted((DATA / "noise").iterdir())),
        "files": len(files),
        "packages": len({p.name.split("__")[0] for p in files}),
        "scenes": [int(columns[0].shape[0]) for columns in data],
        "training_cpu_s": round(cpu_s),
        "recipe": recipe.model_dump(),
    }
    card |= {"weights_sha256": sha256_file(a.out), "num_bytes": a.out.stat().st_size}
    a.out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

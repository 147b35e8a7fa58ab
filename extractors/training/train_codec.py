"""Training of the built-in codec on the CPU: `train(config)` runs or resumes, `export` writes what ships."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import load_file, save_file

from ...schemas.config import Strict
from ...schemas.keys import sha256_file
from ..codecs.builtin import NOT_SHIPPED
from ..codecs.builtin_model import NOISE_FRAMES, BuiltinCodec, BuiltinConfig
from .builtin_data import Crops, Speech, SpeechSource, load_speech
from .builtin_evaluation import evaluate
from .builtin_losses import LowWave, MultiScaleMel
from .builtin_rvq import fit_codebooks, quantize_for_training


class CodecTraining(Strict):
    """How the built-in codec is trained; the defaults are those of the weights that ship."""

    sources: list[SpeechSource] = Field(description="Where speech comes from; only what the licence allows")
    out: Path = Field(description="Folder of checkpoints and the log; an existing one is resumed")
    quantizer: Literal["rvq", "fsq"] = Field("rvq", description="Residual vector or residual finite scalar quantiser")
    steps: int = Field(10_000, gt=0, description="Optimiser steps in all")
    cooldown: float = Field(0.3, ge=0, le=1, description="Share of the steps over which the learning rate falls to 0")
    warmup: int = Field(100, ge=0, description="Steps over which the learning rate rises")
    batch: int = Field(10, gt=0, description="Crops per step")
    crop_s: float = Field(0.8, gt=0, description="Length of a crop in seconds")
    peak_lr: float = Field(1.5e-3, gt=0, description="AdamW's learning rate between warm-up and cool-down")
    mel_weight: float = Field(1.0, description="Weight of the multi-scale log-mel L1")
    envelope_weight: float = Field(1.5, description="Weight of the relative L1 of each mel band's envelope")
    mel_scales: int = Field(2, gt=0, description="Window lengths drawn per step: all of them would cost most of it")
    wave_weight: float = Field(1.5, description="Weight of the relative L1 of the waveform")
    wave_hz: float = Field(1500.0, gt=0, description="Only this low part of the waveform is compared, Hz")
    commit_weight: float = Field(1.0, description="Weight of the commitment loss; FSQ has none")
    full_share: float = Field(0.75, description="Share of steps with all codebooks; the others use a half or a quarter")
    ema: float = Field(0.999, description="Decay of the averaged weights, which are the ones evaluated and shipped")
    clip_norm: float = Field(20.0, description="Largest gradient norm")
    held_out_share: float = Field(0.2, gt=0, lt=1, description="Share of speakers never trained on")
    checkpoint_s: float = Field(180.0, description="Seconds between checkpoints, each with a short evaluation")
    seed: int = 0
    threads: int = Field(1, gt=0, description="Torch's threads")


def learning_rate(config: CodecTraining, step: int) -> float:
    """Linear warm-up, constant, linear cool-down to zero."""
    rise = min(1.0, (step + 1) / max(1, config.warmup))
    fall = min(1.0, (config.steps - step) / max(1.0, config.cooldown * config.steps))
    return config.peak_lr * rise * max(fall, 0.0)


class Run:
    """One training run: the model, its averaged copy, the optimiser and where it stands."""

    def __init__(self, config: CodecTraining, speech: Speech) -> None:
        self.config, self.speech = config, speech
        torch.manual_seed(config.seed)
        self.model = BuiltinCodec(BuiltinConfig(quantizer=config.quantizer, noise=True))
        frame = self.model.frame_size
        length = max(frame, round(config.crop_s * self.model.sample_rate / frame) * frame)
        self.crops = Crops(speech.train, config.batch, length, config.seed)
        self.batch_frames = config.batch * length // frame
        self.mel = MultiScaleMel(self.model.sample_rate)
        self.wave = LowWave(self.model.sample_rate, config.wave_hz)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), betas=(0.8, 0.99), weight_decay=0.0)
        self.step, self.elapsed_s = 0, 0.0
        self.log: list[dict[str, Any]] = []
        self.stages: list[dict[str, Any]] = [{"from_step": 0, **self._settings()}]
        if (config.out / "state.json").exists():
            self.resume()
        else:
            self.start()
        self.averaged = getattr(self, "averaged", {k: v.detach().clone() for k, v in self.model.state_dict().items()})

    def _settings(self) -> dict[str, Any]:
        return self.config.model_dump(mode="json", exclude={"sources", "out", "checkpoint_s", "threads"})

    def start(self) -> None:
        """Principal components for the linear shortcut and for FSQ's grids, k-means for RVQ's codebooks."""
        # a codebook needs as many frames as it has entries
        batches = max(24, -(-2 * self.model.config.cardinality // self.batch_frames))
        many = torch.from_numpy(np.concatenate([self.crops(10**9 + i) for i in range(batches)]))
        with torch.no_grad():
            self.model.start_linear(self.model.analysis(many))
            latents = self.model.latent(many).transpose(1, 2).flatten(0, 1)
            if self.config.quantizer == "rvq":
                fit_codebooks(self.model.quantizer, latents, self.batch_frames, passes=5)
            else:
                self.model.quantizer.start(latents)

    def train_step(self) -> dict[str, float]:
        """One optimiser step; the losses as plain numbers."""
        config, model = self.config, self.model
        rng = np.random.default_rng([config.seed, 1, self.step])
        torch.manual_seed(config.seed + self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(config, self.step)
        audio = torch.from_numpy(self.crops(self.step))
        latent = model.latent(audio)
        full = model.num_codebooks
        used = full if rng.random() < config.full_share else int(rng.choice([full // 2, full // 4]))
        if config.quantizer == "rvq":
            quantized, commit = quantize_for_training(model.quantizer, latent, used, revive=self.step % 20 == 0)
        else:
            # gradients pass through the grids; with a commitment the encoder shrinks into their middle
            quantized, _, stages = model.quantizer(latent, n_q=used)
            commit = torch.zeros_like(stages[-1])
        reconstruction = model.synthesize(quantized, noise_start=int(rng.integers(NOISE_FRAMES)))
        scales = rng.choice(len(self.mel.scales), size=config.mel_scales, replace=False)
        mel, envelope = self.mel.terms(reconstruction[:, 0], audio[:, 0], [int(i) for i in scales])
        wave = self.wave(reconstruction[:, 0], audio[:, 0])
        loss = config.mel_weight * mel + config.envelope_weight * envelope
        loss = loss + config.wave_weight * wave + config.commit_weight * commit
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        if torch.isfinite(norm):
            self.optimizer.step()
        decay = min(config.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for key, value in model.state_dict().items():
                self.averaged[key].lerp_(value, 1 - decay)
        self.step += 1
        return {
            "mel": mel.item(),
            "envelope": envelope.item(),
            "wave": wave.item(),
            "commit": commit.item(),
            "norm": norm.item(),
        }

    def averaged_model(self) -> BuiltinCodec:
        """The codec with averaged weights."""
        codec = BuiltinCodec(self.model.config)
        codec.load_state_dict(self.averaged)
        return codec.eval().requires_grad_(False)

    def save(self) -> None:
        """Write tensors, then the state that names them; a crash in between leaves the older pair."""
        out = self.config.out
        out.mkdir(parents=True, exist_ok=True)
        tensors = {f"model.{k}": v.detach() for k, v in self.model.state_dict().items()}
        tensors |= {f"averaged.{k}": v for k, v in self.averaged.items()}
        for name, parameter in self.model.named_parameters():
            for key, value in self.optimizer.state.get(parameter, {}).items():
                tensors[f"optimizer.{key}.{name}"] = torch.as_tensor(value)
        name = f"step-{self.step:07d}.safetensors"
        save_file({k: v.contiguous().clone() for k, v in tensors.items()}, out / name)
        state = {
            "step": self.step,
            "elapsed_s": self.elapsed_s,
            "tensors": name,
            "model": self.model.config.to_card(),
            "training": self.config.model_dump(mode="json"),
            "data_digest": self.speech.digest,
            "stages": self.stages,
            "log": self.log,
        }
        (out / "state.json.part").write_text(json.dumps(state, indent=1))
        (out / "state.json.part").replace(out / "state.json")
        for old in out.glob("step-*.safetensors"):
            if old.name != name:
                old.unlink()

    def resume(self) -> None:
        """Continue from the folder's last checkpoint: weights, averages, moments, step."""
        state = json.loads((self.config.out / "state.json").read_text())
        tensors = load_file(self.config.out / state["tensors"])
        self.model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
        self.averaged = {k[9:]: v for k, v in tensors.items() if k.startswith("averaged.")}
        for name, parameter in self.model.named_parameters():
            moments = {k: tensors.get(f"optimizer.{k}.{name}") for k in ("step", "exp_avg", "exp_avg_sq")}
            if all(v is not None for v in moments.values()):
                self.optimizer.state[parameter] = moments
        self.step, self.elapsed_s, self.log = state["step"], state["elapsed_s"], state["log"]
        # settings may change from one stage to the next; the card tells all of them
        self.stages = state["stages"]
        changed = {k: v for k, v in self._settings().items() if self._before(k) != v}
        if changed:
            self.stages.append({"from_step": self.step, **changed})

    def _before(self, setting: str) -> Any:
        return next((stage[setting] for stage in reversed(self.stages) if setting in stage), None)


def train(config: CodecTraining, progress: Callable[[str], None] = print) -> dict[str, Any]:
    """Train to `config.steps`, or on from the checkpoint in `config.out`; the report of the averaged weights.

    progress: gets a line of JSON at every checkpoint.
    """
    torch.set_num_threads(config.threads)
    run = Run(config, load_speech(config.sources, BuiltinConfig().sample_rate, config.held_out_share))
    began, saved, before = time.monotonic(), time.monotonic(), run.elapsed_s
    sums: dict[str, float] = {}
    count = 0
    first = not run.log
    while run.step < config.steps:
        for key, value in run.train_step().items():
            sums[key] = sums.get(key, 0.0) + value
        count += 1
        now = time.monotonic()
        if now - saved > config.checkpoint_s or run.step == config.steps or (first and run.step == 50):
            saved, run.elapsed_s = now, before + now - began
            report = evaluate(run.averaged_model(), run.speech.held_out[::5], limit_s=4.0)
            line = {"step": run.step, "elapsed_s": round(run.elapsed_s, 1), "lr": learning_rate(config, run.step)}
            line |= {key: round(value / count, 4) for key, value in sums.items()} | report
            run.log.append(line)
            sums, count = {}, 0
            run.save()
            progress(json.dumps(line))
    return {"step": run.step, "elapsed_s": run.elapsed_s, "log": run.log}


def export(out: Path, weights: Path, averaged: bool | None = None, refit_frames: int = 60_000) -> dict[str, Any]:
    """Write the weights of the checkpoint in `out` as float16 safetensors with their card; the card.

    averaged: the moving average, whose codebooks then get two more k-means passes on its own encoder's latents, since
    both were averaged while moving; or the last weights as they are. None takes the last ones once the learning rate
    has reached zero: they were the better ones there (held-out STOI 0.813 against 0.807).
    """
    state = json.loads((out / "state.json").read_text())
    config = CodecTraining.model_validate(state["training"])
    speech = load_speech(config.sources, BuiltinConfig().sample_rate, config.held_out_share)
    codec = BuiltinCodec(BuiltinConfig.from_card(state["model"]))
    tensors = load_file(out / state["tensors"])
    if averaged is None:
        averaged = learning_rate(config, state["step"]) > 0
    prefix = "averaged." if averaged else "model."
    codec.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    codec.eval()
    if averaged and config.quantizer == "rvq" and refit_frames:
        torch.manual_seed(config.seed)
        crops = Crops(speech.train, refit_frames // 75, codec.frame_size * 75, config.seed)
        latents = codec.encode_to_latent(torch.from_numpy(crops(2 * 10**9))).transpose(1, 2).flatten(0, 1)
        fit_codebooks(codec.quantizer, latents.clone(), 1, passes=2, fresh=False)
    shipped = {k: v.half().contiguous() for k, v in codec.state_dict().items() if not k.endswith(NOT_SHIPPED)}
    weights.parent.mkdir(parents=True, exist_ok=True)
    save_file(shipped, weights)
    codec.load_state_dict({k: v.float() for k, v in shipped.items()}, strict=False)
    card = {
        "name": "builtin",
        "owner": "auricle maintainers",
        "licence": "Apache-2.0",
        "trained": True,
        "weights_sha256": sha256_file(weights),
        "num_bytes": weights.stat().st_size,
        "num_values": sum(v.numel() for v in shipped.values()),
        "config": state["model"],
        "bitrate_bps": codec.config.bitrate_bps,
        "frame_rate_hz": codec.frame_rate,
        "training": {
            "steps": state["step"],
            "elapsed_s": round(state["elapsed_s"]),
            "speakers": len({u.speaker for u in speech.train}),
            "minutes": round(sum(len(u.waveform) for u in speech.train) / codec.sample_rate / 60, 1),
            "data": [{"name": s.path.name, "licence": s.licence, "exclude": s.exclude} for s in config.sources],
            "data_digest": speech.digest,
            "stages": state["stages"],
        },
        "held_out": {
            "speakers": len({u.speaker for u in speech.held_out}),
            "minutes": round(sum(len(u.waveform) for u in speech.held_out) / codec.sample_rate / 60, 1),
            **evaluate(codec, speech.held_out),
        },
    }
    weights.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
    return card

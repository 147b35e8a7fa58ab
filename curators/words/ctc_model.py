"""CTC acoustic models for alignment: torchaudio's bundles by name, or a folder with a config and safetensors."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ...schemas.errors import ConfigError, MissingExtraError, WeightsError
from ...schemas.keys import sha256_file

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
CONFIG, WEIGHTS = "config.json", "model.safetensors"
BLANK_LABEL = "-"
WORD_BOUNDARY = "|"


@dataclass(frozen=True, slots=True)
class CtcSpec:
    """What is known of a model before it is loaded.

    labels: one character per output, the CTC blank among them at `blank`; "|" separates words where there is one.
    """

    name: str
    weights: Path
    labels: tuple[str, ...]
    blank: int
    sample_rate: int

    @property
    def upper(self) -> bool:
        """Whether its letters are capitals."""
        return any("A" <= label <= "Z" for label in self.labels)


def resolve(model: str, weights: str | None) -> CtcSpec:
    """The model behind an option: the name of a torchaudio bundle, or a folder.

    Raises `ConfigError` for an unknown name, `WeightsError` when the weights are not on this machine: nothing is
    ever downloaded here.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        config = read_config(folder)
        path = Path(weights).expanduser() if weights else folder / WEIGHTS
        if not path.is_file():
            raise WeightsError(f"alignment model {folder}: no file {path.name}")
        labels = tuple(config["labels"])
        return CtcSpec(str(folder), path, labels, int(config["blank"]), int(config["sample_rate"]))
    bundle = find_bundle(model)
    path = Path(weights).expanduser() if weights else cached(model, bundle)
    if not path.is_file():
        raise WeightsError(f"alignment model {model}: no file {path}")
    labels = tuple(bundle.get_labels())
    return CtcSpec(model, path, labels, labels.index(BLANK_LABEL), int(bundle.sample_rate))


def read_config(folder: Path) -> dict[str, Any]:
    """`folder`'s config: "wav2vec2" (arguments of torchaudio.models.wav2vec2_model), "labels", "blank",
    "sample_rate", "normalise"."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"alignment model {folder}: {CONFIG} cannot be read: {error}") from None
    missing = {"wav2vec2", "labels", "blank", "sample_rate"} - set(config)
    if missing:
        raise WeightsError(f"alignment model {folder}: {CONFIG} lacks {', '.join(sorted(missing))}")
    return config


def find_bundle(name: str) -> Any:
    """The bundle of torchaudio.pipelines that can align; `ConfigError` with the names that exist otherwise."""
    try:
        from torchaudio import pipelines
    except ImportError:
        raise MissingExtraError("score", "curate", "torchaudio") from None
    bundle = getattr(pipelines, name, None)
    if bundle is None or not hasattr(bundle, "get_labels") or not hasattr(bundle, "get_model"):
        names = [n for n in dir(pipelines) if n == "MMS_FA" or "_ASR_" in n]
        raise ConfigError(f"alignment model '{name}' is neither a folder nor one of {', '.join(names)}")
    return bundle


def cached(name: str, bundle: Any) -> Path:
    """Where a bundle's weights lie when someone has fetched them: `AURICLE_WEIGHTS`, else torch's own cache."""
    import torch

    file = str(bundle._path).rsplit("/", 1)[-1]
    folders = [Path(torch.hub.get_dir()) / "checkpoints"]
    if own := os.environ.get("AURICLE_WEIGHTS"):
        folders.insert(0, Path(own).expanduser())
    for folder in folders:
        # MMS_FA's file is called model.pt; under its bundle's name it cannot be mistaken for another
        for candidate in (folder / f"{name}.pt", folder / file):
            if candidate.is_file():
                return candidate
    raise WeightsError(
        f"alignment model {name}: its weights ({file}, as torchaudio publishes them for this bundle) are not on this "
        f"machine. Fetch them where there is a network and put them at {folders[0] / f'{name}.pt'}, "
        "or name the file in the option `weights`"
    )


@lru_cache(maxsize=2)
def load(spec: CtcSpec, device: str) -> torch.nn.Module:
    """The model in evaluation mode: `[B, T]` waveform and lengths to `[B, F, labels]` scores and lengths.

    Its buffer `normalise` says whether it wants every waveform at zero mean and unit variance.
    """
    import torch
    import torchaudio

    unused: tuple[int, ...] = ()
    if Path(spec.name).is_dir():
        config = read_config(Path(spec.name))
        normalise = bool(config.get("normalise", False))
        model = torchaudio.models.wav2vec2_model(**config["wav2vec2"])
    else:
        bundle = find_bundle(spec.name)
        normalise = bool(getattr(bundle, "_normalize_waveform", False))
        unused = tuple(getattr(bundle, "_remove_aux_axis", ()))
        model = torchaudio.models.wav2vec2_model(**bundle._params)
    try:
        wanted = len(model.state_dict()["aux.weight"])
        model.load_state_dict(without_outputs(read_state(spec.weights), unused, wanted))
    except (RuntimeError, ValueError, OSError) as error:
        raise WeightsError(f"alignment model {spec.name}: {spec.weights.name} does not fit: {error}"[:500]) from None
    model.register_buffer("normalise", torch.tensor(normalise), persistent=False)
    return model.eval().requires_grad_(False).to(torch.device(device))


def emissions(spec: CtcSpec, device: str, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
    """`[F, labels]` float32 log probabilities of each waveform `[T]` at the model's rate, in one call of the model."""
    import torch

    model = load(spec, device)
    # a group norm over time sees the padding: such models give the same result only one clip at a time
    alone = any(isinstance(module, torch.nn.GroupNorm) for module in model.modules())
    out = []
    for part in [[w] for w in waveforms] if alone else [list(waveforms)]:
        lengths = torch.tensor([len(w) for w in part])
        padded = torch.zeros(len(part), int(lengths.max()))
        for k, waveform in enumerate(part):
            x = torch.from_numpy(np.ascontiguousarray(waveform, dtype=np.float32))
            padded[k, : len(x)] = torch.nn.functional.layer_norm(x, x.shape) if model.normalise else x
        place = torch.device(device)
        with torch.inference_mode():
            scores, frames = model(padded.to(place), lengths.to(place))
            logs = torch.log_softmax(scores.float(), dim=-1).cpu().numpy()
        out += [logs[k, : int(frames[k])] for k in range(len(part))]
    return out


def in_batches(items: Iterable[Item], duration_s: Callable[[Item], float], batch_s: float) -> Iterator[list[Item]]:
    """The items, longest first, in groups whose padded duration is at most `batch_s`, or of one item."""
    waiting = sorted(items, key=duration_s)
    while waiting:
        group = [waiting.pop()]
        longest = duration_s(group[0])
        while waiting and longest * (len(group) + 1) <= batch_s:
            group.append(waiting.pop())
        yield group


def without_outputs(state: dict[str, Any], unused: tuple[int, ...], wanted: int) -> dict[str, Any]:
    """The state dict without the outputs `unused`, where it has them beside the `wanted` ones.

    The published files of torchaudio's bundles hold rows of fairseq's dictionary that no label stands for.
    """
    aux = ("aux.weight", "aux.bias")
    if any(name not in state or len(state[name]) != wanted + len(unused) for name in aux):
        return state
    kept = [row for row in range(wanted + len(unused)) if row not in unused]
    return {**state, **{name: state[name][kept] for name in aux}}


def read_state(path: Path) -> dict[str, Any]:
    """A state dict from safetensors, or from a torch file, of which only tensors are read."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)


@lru_cache(maxsize=4)
def sha256(path: Path) -> str:
    """Hash of the weights, read once per process."""
    return sha256_file(path)

"""Where model weights come from: a hub, a local file, an object store, or a seed; pinned by SHA-256, never unpickled.

`resolve` finds a file that is already on this machine and names it by hash; it downloads from object storage, which
is the user's own, and never from a hub: that is what `fetch` (`auricle weights fetch`) is for, once, before a run.
A hash is recorded beside the cached file on first use, and a file that later differs is refused.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...schemas.errors import ConfigError, WeightsError
from ...schemas.keys import digest, sha256_file

if TYPE_CHECKING:
    import torch

SEED = re.compile(r"seed:(\d+)\Z")
HUB = re.compile(r"(?:hf://)?([\w.-]+/[\w.-]+)(?:/(.+))?\Z")
SUFFIXES = (".safetensors", ".th", ".pt", ".pth", ".ckpt", ".bin")


@dataclass(frozen=True, slots=True)
class Published:
    """The weights that a codec uses when the config names none."""

    codec: str
    file: str
    """Name of the file, in the hub repository and in the cache."""
    repository: str = ""
    """Hub repository; "" for a file that the codec's own package knows how to download."""
    licence: str = ""


PUBLISHED: dict[str, Published] = {
    p.codec: p
    for p in (
        Published("mimi", "tokenizer-e351c8d8-checkpoint125.safetensors", "kyutai/moshiko-pytorch-bf16", "CC-BY 4.0"),
        Published("encodec24", "encodec_24khz-d7cc33bc.th", licence="CC-BY-NC 4.0"),
        Published("encodec48", "encodec_48khz-7e698e3e.th", licence="CC-BY-NC 4.0"),
    )
}


@dataclass(frozen=True, slots=True)
class Weights:
    """Resolved weights: a file with its hash, a seed, or `none` for a codec without any."""

    source: str
    """What the config said, or the published name."""
    path: Path | None = None
    sha256: str = ""
    """64 hex digits of the file; "" for seeded weights."""
    seed: int | None = None

    @property
    def trained(self) -> bool:
        """False for seeded noise."""
        return self.seed is None

    @property
    def identity(self) -> str:
        """What enters a fingerprint: the hash of the bytes, or the seed."""
        return self.sha256 or (self.source if self.seed is None else f"seed:{self.seed}")


def cache_folder() -> Path:
    """Folder of downloaded weights: `AURICLE_WEIGHTS`, else the platform's cache folder."""
    if chosen := os.environ.get("AURICLE_WEIGHTS"):
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/auricle/weights"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "auricle/weights"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "auricle/weights"


def resolve(codec: str, weights: str | None = None, sha256: str | None = None) -> Weights:
    """The weights of `codec` on this machine, their hash checked against the pin `sha256` or the one recorded.

    weights: None for the published ones, `seed:<n>`, a local path, `s3://bucket/key`, or a hub id
    `owner/repository[/file]`. Imports no torch. Raises `WeightsError` when the file is absent or another one.
    """
    if weights and (match := SEED.match(weights)):
        if sha256:
            raise ConfigError(f"{codec}: weights '{weights}' are made from a seed and have no file to pin by SHA-256")
        return Weights(weights, seed=int(match[1]))
    source, path = locate(codec, weights)
    if path is None or not path.is_file():
        raise WeightsError(_absent(codec, source, cached_path(codec, weights), sha256))
    return Weights(source, path, _checked(codec, path, sha256, weights))


def locate(codec: str, weights: str | None) -> tuple[str, Path | None]:
    """What the weights are called, and the file they are in on this machine (None when they are not here)."""
    if weights is None:
        if codec not in PUBLISHED:
            raise ConfigError(
                f"{codec} has no published weights: name them, as a local path, s3://, a hub id or seed:<n>"
            )
        published = PUBLISHED[codec]
        source = f"{published.repository}/{published.file}" if published.repository else published.file
    else:
        source = weights
    cached = cached_path(codec, weights)
    if cached.is_file():
        return source, cached
    if weights and "://" in weights and not weights.startswith("hf://"):
        return source, _from_store(weights, cached)
    if weights and _is_path(weights):
        return source, None
    return source, _from_hub_cache(source)


def cached_path(codec: str, weights: str | None) -> Path:
    """Where the file belongs: a local path as it is, everything else in the cache folder."""
    if weights is None:
        if codec not in PUBLISHED:
            return cache_folder() / f"{codec}.safetensors"
        return cache_folder() / PUBLISHED[codec].file
    if "://" in weights and not weights.startswith("hf://"):
        return cache_folder() / digest(weights)[:8] / weights.rsplit("/", 1)[-1]
    if _is_path(weights):
        return Path(weights).expanduser()
    match = HUB.match(weights)
    if match is None:
        raise ConfigError(
            f"{codec}: weights '{weights}' are neither a file here nor a hub id (owner/repository[/file]), "
            "an s3:// address, or seed:<n>"
        )
    repository, file = match[1], match[2]
    if file is None:
        file = PUBLISHED[codec].file if codec in PUBLISHED else "model.safetensors"
    return cache_folder() / digest(repository)[:8] / file


def load_state(weights: Weights) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint, in memory that torch allocated (a mapped file's alignment changes last bits).

    Reads safetensors, or a torch archive with `weights_only`; a pickle with anything but tensors is refused. A
    checkpoint that nests its tensors under `model` or `state_dict` is unwrapped.
    """
    import torch

    assert weights.path is not None
    try:
        if weights.path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(weights.path)
        else:
            with warnings.catch_warnings(action="ignore"):  # about pickles, which are refused below
                state = torch.load(weights.path, map_location="cpu", weights_only=True)
            for key in ("model", "best_state", "state_dict"):
                if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
                    state = state[key]
    except Exception as error:
        # torch's own words advise to unpickle it after all
        why = (
            f"{type(error).__name__}: {_first_line(error)}"
            if weights.path.suffix == ".safetensors"
            else "no torch archive, or one with Python objects in it, which are never unpickled: they could run code"
        )
        raise WeightsError(
            f"{weights.path} cannot be read as weights ({why}). "
            "Required: safetensors, or a torch archive of tensors only"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise WeightsError(f"{weights.path} holds other things than named tensors: not a checkpoint of this codec")
    return {name: tensor.clone() for name, tensor in state.items()}


def load_into(module: torch.nn.Module, weights: Weights) -> None:
    """Copy a checkpoint into `module`; every tensor must be there with its shape, nothing left over."""
    try:
        module.load_state_dict(load_state(weights))
    except RuntimeError as error:
        raise WeightsError(f"{weights.path} is not a checkpoint of this codec: {_first_line(error, 4)}") from error


def list_weights() -> list[dict[str, Any]]:
    """One row per codec with published weights: name, file, repository, licence, present, path, bytes, sha256."""
    rows = []
    for name, published in PUBLISHED.items():
        _, path = locate(name, None)
        rows.append(
            {
                "name": name,
                "file": published.file,
                "repository": published.repository,
                "licence": published.licence,
                "present": path is not None,
                "path": str(path or cached_path(name, None)),
                "bytes": path.stat().st_size if path else None,
                "sha256": _recorded(path) if path else None,
            }
        )
    return rows


def fetch(name: str, weights: str | None = None) -> Weights:
    """Download the weights of codec `name` into the cache folder, record their hash, and give them back.

    Raises `WeightsError` that says what to copy by hand when the network refuses.
    """
    source, target = locate(name, weights)[0], cached_path(name, weights)
    if target.is_file():
        return Weights(source, target, _checked(name, target, None, weights))
    if weights and _is_path(weights):
        raise WeightsError(_absent(name, source, target, None))
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        if weights and "://" in weights and not weights.startswith("hf://"):
            _from_store(weights, target)
        elif match := HUB.match(source):
            from huggingface_hub import hf_hub_download

            repository, file = match[1], match[2] or target.name
            _copy(Path(hf_hub_download(repository, file)), partial)
            partial.replace(target)
        else:
            import torch
            from encodec.model import ROOT_URL

            # the package's file names end in the first digits of their SHA-256
            prefix = target.stem.rpartition("-")[2]
            torch.hub.download_url_to_file(ROOT_URL + target.name, str(partial), prefix, progress=False)
            partial.replace(target)
    except WeightsError:
        raise
    except Exception as error:
        partial.unlink(missing_ok=True)
        raise WeightsError(f"{_absent(name, source, target, None)} (download failed: {_first_line(error)})") from error
    return Weights(source, target, _checked(name, target, None, weights))


def check(name: str, weights: str | None = None, sha256: str | None = None) -> Weights:
    """Hash the file anew and load it as tensors; raises `WeightsError` when it is absent, changed or unreadable."""
    source, path = locate(name, weights)
    if path is None:
        raise WeightsError(_absent(name, source, cached_path(name, weights), sha256))
    _hash.cache_clear()
    found = Weights(source, path, _checked(name, path, sha256, weights))
    load_state(found)
    return found


def _is_path(weights: str) -> bool:
    local = weights.startswith(("/", "./", "../", "~")) or Path(weights).expanduser().exists()
    return local or (weights.count("/") != 2 and weights.endswith(SUFFIXES) and not weights.startswith("hf://"))


def _from_hub_cache(source: str) -> Path | None:
    """The file in the caches of the hub library or of torch, where other programs may have put it."""
    match = HUB.match(source)
    if match is None:
        home = (
            os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "torch"
        )
        path = Path(home).expanduser() / "hub/checkpoints" / source
        return path if path.is_file() else None
    if match[2] is None:
        return None
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = try_to_load_from_cache(match[1], match[2])
    return Path(found) if isinstance(found, str) else None


def _from_store(url: str, target: Path) -> Path:
    """Copy one object to `target`, whole or not at all."""
    from obstore.store import from_url

    folder, _, name = url.rpartition("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            for chunk in from_url(folder).get(name):
                file.write(chunk)
    except Exception as error:
        partial.unlink(missing_ok=True)
        raise WeightsError(f"weights {url} cannot be read: {_first_line(error)}") from error
    partial.replace(target)
    return target


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("wb") as writer:
        while block := reader.read(1 << 24):
            writer.write(block)


def _record(path: Path) -> Path:
    return cache_folder() / "sha256" / f"{digest(str(path.absolute()))}.txt"


def _recorded(path: Path) -> str | None:
    """The hash noted when this file was first used, None before that."""
    record = _record(path)
    return record.read_text().split()[0] if record.is_file() else None


def _checked(codec: str, path: Path, pin: str | None, weights: str | None) -> str:
    """SHA-256 of the file, equal to the pin; without a pin, equal to what the first use recorded.

    A local path is what the user points at and may change; its hash is in the fingerprint all the same.
    """
    stat = path.stat()
    found = _hash(path, stat.st_size, stat.st_mtime_ns)
    records = weights is None or not _is_path(weights)
    expected = pin or (_recorded(path) if records else None)
    if expected and found != expected:
        said = "the config pins" if pin else "its first use recorded"
        raise WeightsError(
            f"{codec}: {path} has SHA-256 {found}, {said} {expected}. Put the right file there, or change the pin"
        )
    if expected is None and records:
        record = _record(path)
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(f"{found}  {path.name}\n")
    return found


@lru_cache(maxsize=32)
def _hash(path: Path, size: int, mtime_ns: int) -> str:
    return sha256_file(path)


def _absent(codec: str, source: str, where: Path, sha256: str | None) -> str:
    hashed = f" with SHA-256 {sha256}" if sha256 else ""
    published = PUBLISHED.get(codec)
    is_published = published is not None and source.endswith(published.file) and where == cached_path(codec, None)
    fetchable = f", or run `auricle weights fetch {codec}` where there is a network" if is_published else ""
    return (
        f"{codec}: the weights {source}{hashed} are not on this machine. Put the file at {where}{fetchable}. "
        "Weights that need no file: `weights: seed:0` (untrained, for trying things out)"
    )


def _first_line(error: BaseException, lines: int = 1) -> str:
    text = [line.strip() for line in str(error).splitlines() if line.strip()]
    return "; ".join(text[:lines]) or type(error).__name__

"""What a codec declares about itself, and how a configured view of it becomes a fully named representation.

Nothing here imports torch: `plan` and the driver describe representations without loading a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from ...schemas.config import RepresentationConfig
from ...schemas.errors import ConfigError
from ...schemas.keys import fingerprint
from ...schemas.representation import RepresentationSpec, representation_name
from ...schemas.time import num_frames
from .resample import KERNEL
from .weights import Weights, resolve

if TYPE_CHECKING:
    import torch

POOLS = ("mean", "max", "first", "last")


@dataclass(frozen=True)
class View:
    """One thing that a codec can give per frame."""

    kind: str
    """codes, latents, quantized, or a word of the codec's own."""
    rate_hz: float
    frame_size: int
    """Samples at the codec's sample rate per frame; frame i belongs to [i, i+1) * frame_size."""
    rows: int = 0
    """Dimension; 0 where it is the number of codebooks."""
    codebooks: bool = False
    """Whether `num_codebooks` applies: codes, and latents summed from codebooks."""
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Parameters that the view takes, each with its allowed values, the default first."""
    rows_by: tuple[str, Mapping[Any, int]] | None = None
    """An option that decides the dimension, and how."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Facts that go into the specification as they are (pseudo, segment lengths, ...)."""


@dataclass(frozen=True)
class Architecture:
    """A codec without its weights: what it takes, what it gives, which numbers of codebooks it has."""

    name: str
    version: int
    """Of our code for it: raised when the same config would give other arrays."""
    package: str
    """Distribution that implements it; its installed version is recorded."""
    sample_rate: int
    channels: int
    cardinality: int
    codebooks: tuple[int, ...]
    """Allowed numbers of codebooks, ascending."""
    default_codebooks: int
    views: tuple[View, ...]
    modes: tuple[str, ...] = ("exact",)
    policy: Mapping[str, Any] = field(default_factory=dict)
    """How long audio is windowed: part of every fingerprint."""
    has_weights: bool = True
    """False for a codec that is only code."""

    def weights(self, config: RepresentationConfig) -> Weights:
        """The weights that `config` asks for, on this machine; see `weights.resolve`."""
        if self.has_weights:
            return resolve(config.codec, config.weights, config.weights_sha256)
        if config.weights or config.weights_sha256:
            raise ConfigError(f"{config.codec} has no weights: leave out `weights` and `weights_sha256`")
        return Weights("none")


def describe(architecture: Architecture, config: RepresentationConfig) -> RepresentationSpec:
    """The specification of one configured view, fingerprint included.

    Raises `ConfigError` naming what was found and what is allowed, `WeightsError` for absent weights.
    """
    return describe_with(architecture, config, architecture.weights(config))


def describe_with(architecture: Architecture, config: RepresentationConfig, weights: Weights) -> RepresentationSpec:
    """`describe` for weights that are resolved already."""
    view = choose_view(architecture, config)
    options = choose_options(architecture, view, config)
    mode = choose_mode(architecture, config)
    rows = view.rows
    if view.rows_by:
        option, by = view.rows_by
        rows = by[options[option]]
    codebooks = choose_codebooks(architecture, view, config)
    is_codes = view.codebooks and not view.rows
    parameters: dict[str, Any] = {
        "kind": view.kind,
        "rate_hz": view.rate_hz,
        "codebooks": codebooks,
        "dtype": "uint16" if is_codes else config.dtype,
        "mode": mode,
        "options": options,
        "resample": KERNEL,
        "threads": 1,
        **architecture.policy,
    }
    return RepresentationSpec(
        name=representation_name(config.codec, view.kind, view.rate_hz),
        codec=config.codec,
        kind=view.kind,
        frame_rate=view.rate_hz,
        sample_rate=architecture.sample_rate,
        frame_size=view.frame_size,
        rows=rows or codebooks or 1,
        cardinality=architecture.cardinality if is_codes else None,
        dtype="uint16" if is_codes else config.dtype,
        channels=architecture.channels,
        fingerprint=fingerprint(config.codec, architecture.version, parameters, weights.identity),
        trained=weights.trained,
        details={
            **parameters,
            **view.details,
            "weights": weights.source,
            "weights_sha256": weights.sha256 or None,
            "package": f"{architecture.package} {_installed(architecture.package)}",
        },
    )


def choose_view(architecture: Architecture, config: RepresentationConfig) -> View:
    """The view that `kind` and `rate_hz` name; without a rate, the first of that kind."""
    of_kind = [view for view in architecture.views if view.kind == config.kind]
    if not of_kind:
        kinds = ", ".join(dict.fromkeys(view.kind for view in architecture.views))
        raise ConfigError(f"{config.codec} has no kind '{config.kind}': allowed are {kinds}")
    if config.rate_hz is None:
        return of_kind[0]
    for view in of_kind:
        if abs(view.rate_hz - config.rate_hz) < 1e-3:
            return view
    rates = ", ".join(f"{view.rate_hz:g}" for view in of_kind)
    raise ConfigError(f"{config.codec} has no {config.kind} at {config.rate_hz:g} Hz: rate_hz may be {rates}")


def choose_codebooks(architecture: Architecture, view: View, config: RepresentationConfig) -> int | None:
    """How many codebooks the view uses; None where it uses none."""
    chosen = config.num_codebooks
    if not view.codebooks:
        if chosen is not None:
            raise ConfigError(f"{config.codec} {view.kind} have no codebooks: leave out num_codebooks: {chosen}")
        return None
    if chosen is None:
        return architecture.default_codebooks
    if chosen not in architecture.codebooks:
        low, high = architecture.codebooks[0], architecture.codebooks[-1]
        contiguous = len(architecture.codebooks) == high - low + 1
        allowed = f"{low} to {high}" if contiguous else ", ".join(map(str, architecture.codebooks))
        raise ConfigError(f"{config.codec}: num_codebooks is {chosen}, allowed are {allowed}")
    return chosen


def choose_options(architecture: Architecture, view: View, config: RepresentationConfig) -> dict[str, Any]:
    """The view's own parameters with defaults filled in."""
    known = dict(view.options)
    if config.mode != "exact" and len(architecture.modes) > 1:
        known["device"] = ("cpu", "cuda")
    if unknown := sorted(set(config.options) - set(known)):
        allowed = ", ".join(known) or "none"
        raise ConfigError(
            f"{config.codec} {view.kind} at {view.rate_hz:g} Hz has no option '{unknown[0]}': allowed are {allowed}"
            + (" (device needs mode batched or bf16)" if unknown[0] == "device" else "")
        )
    chosen = {}
    for name, values in known.items():
        chosen[name] = config.options.get(name, values[0])
        if chosen[name] not in values:
            raise ConfigError(
                f"{config.codec} {view.kind}: option {name} is {chosen[name]!r}, allowed are "
                + ", ".join(map(str, values))
            )
    return chosen


def choose_mode(architecture: Architecture, config: RepresentationConfig) -> str:
    """exact, or a faster mode that the codec offers."""
    if config.mode not in architecture.modes:
        raise ConfigError(
            f"{config.codec}: mode is '{config.mode}', allowed are " + ", ".join(map(repr, architecture.modes))
        )
    return config.mode


def expected_frames(spec: RepresentationSpec, num_samples: int) -> int:
    """Frames that audio of `num_samples` at `spec.sample_rate` has.

    ceil(num_samples / frame_size), or the sum over segments where the codec encodes overlapping segments.
    """
    segment, stride = spec.details.get("segment_samples"), spec.details.get("segment_stride")
    if not segment or not stride:
        return num_frames(num_samples, spec.frame_size)
    per_segment = spec.details.get("frames_per_segment")
    if per_segment == 1:
        return -(-num_samples // stride)
    return sum(num_frames(min(segment, num_samples - s), spec.frame_size) for s in range(0, num_samples, stride))


def pooled(latents: torch.Tensor, factor: int, pool: str) -> torch.Tensor:
    """`[B, D, T]` to `[B, D, ceil(T / factor)]`; the last group holds what is left, and is pooled over that only."""
    import torch

    if pool == "first":
        return latents[..., ::factor]
    length = latents.shape[-1]
    groups = -(-length // factor)
    if pool == "last":
        index = torch.arange(1, groups + 1) * factor - 1
        return latents[..., index.clamp(max=length - 1)]
    whole = length // factor * factor
    body = latents[..., :whole].unflatten(-1, (whole // factor, factor))
    tail = latents[..., whole:]
    if pool == "mean":
        parts = [body.mean(-1)] + ([tail.mean(-1, keepdim=True)] if tail.shape[-1] else [])
    else:
        parts = [body.amax(-1)] + ([tail.amax(-1, keepdim=True)] if tail.shape[-1] else [])
    return torch.cat(parts, -1)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"

"""Discrete units: k-means codes of MFCC (HuBERT's first iteration, Hsu et al. 2021) or of any codec's latents.

One representation holds several sizes, one row each, at the source's own frame times: frame i of the units and frame
i of the codec describe the same samples. Weights are a safetensors file with a card beside it that names the source;
units over MFCC ship in the package, units over latents are fitted (`fit_units`) and named as `weights`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...schemas.config import RepresentationConfig
from ...schemas.errors import ConfigError, WeightsError
from ...schemas.keys import fingerprint, sha256_file
from ...schemas.representation import RepresentationSpec, representation_name
from ..coding.codec import Codec, Extractor
from ..coding.framing import mono_at, read_mono_at
from ..coding.resample import KERNEL, Reader
from .kmeans import Fit, assign, fit
from .mfcc import SAMPLE_RATE, mfcc

WEIGHTS = Path(__file__).parents[1] / "weights" / "units-mfcc.safetensors"
VERSION = 1
RATES_HZ = {75.0: 320, 50.0: 480, 25.0: 960, 12.5: 1920}
"""Frame rates of MFCC units and their frame sizes at 24 kHz: those of the codecs."""
RATE_HZ = 75.0
ASSIGNED_AT_ONCE = 8192
"""Frames whose distances to all centroids are held at once."""
Clips = Callable[[], Iterable[tuple[str, np.ndarray, int]]]
"""Starts a pass over clips: (key, waveform `[C, T]`, sample rate)."""


class Source:
    """Vectors to cluster, `[D, frames]` per clip: MFCC at a frame size, or one latent view of a codec."""

    def __init__(self, card: dict[str, Any]) -> None:
        self.card = card
        self.extractor: Extractor | None = None
        if card["source"] != "mfcc":
            from ..coding import registry

            (self.extractor,) = registry.build([source_config(card)])

    def vectors(self, waveform: np.ndarray, sample_rate: int) -> np.ndarray:
        """`[C, T]` at `sample_rate` to `[D, frames]` float32; raises `ClipError` as extractors do."""
        if self.extractor is None:
            return mfcc(mono_at(waveform, sample_rate, SAMPLE_RATE), int(self.card["frame_size"]))
        (array,) = self.extractor.extract(waveform, sample_rate).values()
        return np.asarray(array, dtype=np.float32)

    def blocks(self, read: Reader, num_samples: int, sample_rate: int) -> Iterator[np.ndarray]:
        """`vectors` of a recording that is read piece by piece, block by block.

        MFCC come in one block, whose audio at 24 kHz is held: 0.35 GB per hour.
        """
        if self.extractor is None:
            yield mfcc(read_mono_at(read, num_samples, sample_rate, SAMPLE_RATE), int(self.card["frame_size"]))
            return
        stream = getattr(self.extractor, "stream", None)
        if stream is None:
            yield self.vectors(read(0, num_samples), sample_rate)
            return
        for block in stream(read, num_samples, sample_rate):
            (array,) = block.values()
            yield np.asarray(array, dtype=np.float32)


def source_config(card: dict[str, Any]) -> RepresentationConfig:
    """The latent view that units over a codec are made of."""
    return RepresentationConfig.model_validate(card["source"])


def fit_units(
    clips: Clips,
    sizes: Sequence[int],
    out: Path,
    source: RepresentationConfig | None = None,
    rate_hz: float = RATE_HZ,
    passes: int = 20,
    seed: int = 0,
    notes: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Fit all `sizes` on one machine and write `out` (.safetensors) and its card; the card.

    source: a latent view of a codec; None for MFCC at `rate_hz`. `pipelines.fit_units` is the same over workers.
    """
    card = source_card(source, rate_hz)
    vectors = Source(card)
    batches = lambda: ((key, vectors.vectors(audio, rate).T) for key, audio, rate in clips())  # noqa: E731
    return write_units(fit(batches, sorted(set(sizes)), passes, seed), card, out, seed, notes)


def source_card(source: RepresentationConfig | None, rate_hz: float = RATE_HZ) -> dict[str, Any]:
    """What the card of units says of the vectors that they cluster; arguments as for `fit_units`."""
    if source is None:
        if rate_hz not in RATES_HZ:
            raise ConfigError(f"units over mfcc at {rate_hz:g} Hz: allowed are {', '.join(f'{r:g}' for r in RATES_HZ)}")
        fingerprint = f"mfcc/{VERSION}"
        rates = {"sample_rate": SAMPLE_RATE, "frame_rate": rate_hz, "frame_size": RATES_HZ[rate_hz]}
        return {"source": "mfcc", **rates, "source_fingerprint": fingerprint}
    from ..coding import registry

    spec = registry.describe(source)
    if spec.is_codes or spec.channels > 1:
        raise ConfigError(f"units are fitted on values of one channel, such as latents; {spec.name} is neither")
    return {
        "source": source.model_dump(),
        "sample_rate": spec.sample_rate,
        "frame_rate": spec.frame_rate,
        "frame_size": spec.frame_size,
        "source_fingerprint": spec.fingerprint,
    }


def write_units(
    fitted: Fit, card: dict[str, Any], out: Path, seed: int = 0, notes: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Write `out` (.safetensors) and its card; the card. card: of `source_card`."""
    from safetensors.numpy import save_file

    tensors = {"mean": fitted.mean.astype(np.float32), "deviation": fitted.deviation.astype(np.float32)}
    tensors |= {f"centroids.{size}": c.astype(np.float32) for size, c in fitted.centroids.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out)
    card = {
        **card,
        "sizes": sorted(fitted.centroids),
        "name": "units",
        "owner": "auricle maintainers",
        "licence": "Apache-2.0",
        "trained": True,
        "weights_sha256": sha256_file(out),
        "frames": fitted.frames,
        "passes": fitted.passes,
        "seed": seed,
        "inertia": {str(size): round(values[-1], 4) for size, values in fitted.inertia.items()},
        **(notes or {}),
    }
    out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n")
    return card


class UnitsExtractor:
    """Codes of every size from one pass over the source."""

    def __init__(self, specs: Sequence[RepresentationSpec], card: dict[str, Any], weights: Path) -> None:
        from safetensors.numpy import load_file

        self.specs = tuple(specs)
        self.source = Source(card)
        tensors = load_file(weights)
        try:
            self.mean, self.deviation = tensors["mean"][:, None], tensors["deviation"][:, None]
            self.centroids = [tensors[f"centroids.{size}"].astype(np.float64) for size in card["sizes"]]
        except KeyError as error:
            raise WeightsError(f"units: weights {weights} do not fit their card: {error} is missing") from error

    def extract(self, waveform: np.ndarray, sample_rate: int) -> dict[str, np.ndarray]:
        """`[C, T]` at `sample_rate` to codes `[sizes, frames]` uint16, under the representation's name."""
        return self._codes(self.source.vectors(waveform, sample_rate))

    def stream(self, read: Reader, num_samples: int, sample_rate: int) -> Iterator[dict[str, np.ndarray]]:
        """Blocks of frames that `extract` is the sum of; see `CodecExtractor.stream`."""
        yield from map(self._codes, self.source.blocks(read, num_samples, sample_rate))

    def _codes(self, vectors: np.ndarray) -> dict[str, np.ndarray]:
        parts = []
        for start in range(0, vectors.shape[1], ASSIGNED_AT_ONCE):
            scaled = (vectors[:, start : start + ASSIGNED_AT_ONCE] - self.mean) / self.deviation
            wide = scaled.T.astype(np.float64)
            parts.append(np.stack([assign(wide, centroids) for centroids in self.centroids]).astype(np.uint16))
        codes = np.concatenate(parts, axis=1)
        return {spec.name: codes for spec in self.specs}


class UnitsFamily:
    """Units' entry in the registry. Name: units-codes-75hz; another fit at the same rate needs its own dataset."""

    name = "units"

    def describe(self, config: RepresentationConfig) -> RepresentationSpec:
        """The declared view; imports no torch."""
        if config.kind != "codes":
            raise ConfigError(f"units has no kind '{config.kind}': allowed are codes")
        if config.options:
            raise ConfigError(f"units has no option '{min(config.options)}': its weights say what it is made of")
        if config.mode != "exact":
            raise ConfigError(f"units: mode is '{config.mode}', allowed are 'exact'")
        path, card = self._weights(config)
        sha256 = sha256_file(path)
        if config.weights_sha256 and config.weights_sha256 != sha256:
            raise WeightsError(f"units: weights {path} hash to {sha256}, pinned are {config.weights_sha256}")
        rate = float(card["frame_rate"])
        if config.rate_hz is not None and abs(config.rate_hz - rate) > 1e-3:
            raise ConfigError(f"units: weights {path.name} are at {rate:g} Hz, rate_hz asks for {config.rate_hz:g}")
        if config.num_codebooks not in (None, len(card["sizes"])):
            raise ConfigError(f"units: weights {path.name} have {len(card['sizes'])} sizes: leave num_codebooks out")
        trained = bool(card.get("trained", True))
        if card["source"] != "mfcc":
            from ..coding import registry

            now = registry.describe(source_config(card))
            trained = trained and now.trained
            if now.fingerprint != card["source_fingerprint"]:
                raise WeightsError(
                    f"units: weights {path.name} were fitted on {now.name} with fingerprint "
                    f"{card['source_fingerprint']}, which is now {now.fingerprint}: fit them again"
                )
        details = {
            "sizes": card["sizes"],
            "source": card["source"],
            "source_fingerprint": card["source_fingerprint"],
            "resample": KERNEL,
            "weights": path.name,
            "weights_sha256": sha256,
            "mode": "exact",
        }
        parameters = {k: v for k, v in details.items() if k != "weights"}
        return RepresentationSpec(
            name=representation_name(self.name, "codes", rate),
            codec=self.name,
            kind="codes",
            frame_rate=rate,
            sample_rate=int(card["sample_rate"]),
            frame_size=int(card["frame_size"]),
            rows=len(card["sizes"]),
            cardinality=max(card["sizes"]),
            dtype="uint16",
            channels=1,
            fingerprint=fingerprint(self.name, VERSION, parameters, sha256),
            trained=trained,
            details=details,
        )

    def build(self, configs: Sequence[RepresentationConfig]) -> UnitsExtractor:
        """The loaded extractor."""
        path, card = self._weights(configs[0])
        return UnitsExtractor([self.describe(config) for config in configs], card, path)

    def load(self, config: RepresentationConfig) -> Codec:
        """Units cannot be decoded."""
        raise ConfigError("units are one-way: there is no audio to decode from them")

    def _weights(self, config: RepresentationConfig) -> tuple[Path, dict[str, Any]]:
        path = Path(config.weights).expanduser() if config.weights else WEIGHTS
        card = path.with_suffix(".json")
        if not path.is_file() or not card.is_file():
            raise WeightsError(
                f"units: {path} and its card {card.name} are required. Fit units with `auricle train units`, or leave "
                "`weights` out for the packaged ones over MFCC"
            )
        return path, json.loads(card.read_text(encoding="utf-8"))


FAMILY = UnitsFamily()

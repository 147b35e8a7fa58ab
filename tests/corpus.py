"""Small corpora of noise bursts, written in a moment, each file with samples of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from auricle.schemas.config import RunConfig

POISON = 12345
"""First sample (16 bit) of a clip that kills the worker of the `poison` curator."""


def write_clip(
    path: Path, seed: int, *, seconds: float = 0.5, rate: int = 16000, channels: int = 1, poison: bool = False
) -> Path:
    """A 16-bit file of seeded noise; different seeds, different samples and levels."""
    rng = np.random.default_rng(seed)
    level = 0.02 + 0.2 * rng.random()
    samples = (rng.normal(0, level, (int(seconds * rate), channels)).clip(-1, 1) * 32000).astype(np.int16)
    if poison:
        samples[0] = POISON
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


def write_corpus(root: Path, count: int, *, first: int = 0, poison: Sequence[int] = (), seconds: float = 0.5) -> None:
    """`count` clips named by their seed, and a transcripts.tsv over all clips in the folder."""
    for seed in range(first, first + count):
        write_clip(root / f"clip_{seed:04d}.wav", seed, seconds=seconds, poison=seed in poison)
    write_labels(root)


def write_labels(root: Path, **changed: str) -> None:
    """transcripts.tsv for every clip: three words, four speakers; `clip_0001="other words"` changes one."""
    lines = ["file\tspeaker\tlanguage\ttranscript"]
    for path in sorted(root.glob("*.wav")):
        text = changed.get(path.stem, f"words of {path.stem}")
        lines.append(f"{path.name}\tspeaker{int(path.stem[-4:]) % 4}\ten\t{text}")
    (root / "transcripts.tsv").write_text("\n".join(lines) + "\n")


def config(root: Path, dataset: Path | str, **changes: Any) -> RunConfig:
    """A configuration over the test plugins' curators and codec: no model, fast."""
    raw: dict[str, Any] = {
        "dataset": str(dataset),
        "sources": [{"path": str(root), "name": "corpus", "transcripts": "transcripts.tsv"}],
        "score": {"curators": ["loudness", "words"]},
        "keep": [{"score": "loudness_db", "min": -60, "reason": "quiet"}],
        "duplicates": {"near": False},
        "representations": [{"codec": "cheap", "kind": "codes"}],
        "gate": {"enabled": False},
        "workers": {"num": 2, "unit_clips": 4},
    }
    return RunConfig.model_validate(raw | changes)

"""Networks that people trust, beside our scores on the same clips: SQUIM, NISQA, Brouhaha.

    python benchmarks/references.py [--squim FILE] [--every 20]

The clips are those of `benchmarks/curators.py --only snr`: held-out speakers with noise at a known SNR. Printed is how
each orders them by the truth (Spearman, two-way interval over speakers and noises), and how many seconds of audio it
judges in a CPU second.

SQUIM (Kumar et al., ICASSP 2023) is in torchaudio, which fetches its weights from a server; give the file. Without it,
and for packages that are not installed, the line says so and has no figure.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

RATE = 16_000
MODULES = {"NISQA": "nisqa", "Brouhaha (SNR, C50)": "brouhaha"}
"""Name to the module that its package installs."""


@dataclass(frozen=True)
class Reference:
    """What somebody else's network says of a clip."""

    name: str
    measures: tuple[str, ...] = ()
    judge: Callable[[np.ndarray], Mapping[str, float]] | None = None
    """`[T]` float32 at 16 kHz to a value of each measure; None where it cannot be had."""
    why: str = ""


def squim(weights: Path | None) -> Reference:
    """SQUIM's objective network: estimates of STOI, PESQ and SI-SDR (dB) without the clean clip.

    weights: its state, a .pth that holds tensors only, or safetensors.
    """
    name = "SQUIM objective (torchaudio)"
    if weights is None:
        return Reference(name, why="weights absent: give --squim FILE")
    import torch
    from torchaudio.models import squim_objective_base

    if weights.suffix == ".safetensors":
        from safetensors.torch import load_file

        state: dict[str, Any] = load_file(weights)
    else:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    model = squim_objective_base()
    model.load_state_dict(state)
    model.eval()

    def judge(waveform: np.ndarray) -> dict[str, float]:
        with torch.inference_mode():
            stoi, pesq, si_sdr = model(torch.from_numpy(np.ascontiguousarray(waveform))[None])
        return {"stoi": float(stoi), "pesq": float(pesq), "si_sdr_db": float(si_sdr)}

    return Reference(name, ("stoi", "pesq", "si_sdr_db"), judge)


def references(squim_weights: Path | None) -> Iterator[Reference]:
    """All of them, those that cannot run as well."""
    yield squim(squim_weights)
    for name, module in MODULES.items():
        installed = find_spec(module) is not None
        yield Reference(name, why="installed, and its weights absent" if installed else "not installed")


def main() -> None:
    """Print a row per reference and measure, ours first."""
    from curator_data import snr_cases
    from curator_line import clip_of
    from curator_stats import figure, spearman

    from auricle.curators.registry import build

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--squim", type=Path, help="weights of torchaudio's SQUIM_OBJECTIVE")
    parser.add_argument("--every", type=int, default=20, help="one in so many clips")
    args = parser.parse_args()
    cases = list(snr_cases())[:: args.every]
    seconds = sum(c.waveform.size for c in cases) / RATE
    sources = {"speakers": [c.speaker for c in cases], "noises": [c.disturbance for c in cases]}
    truth = np.array([c.truth for c in cases])
    (ours,) = build(["snr"])
    known = [
        Reference("ours", ("snr_db",), lambda x: {"snr_db": ours.score([clip_of(x)])[0]["snr_db"]}),
        *references(args.squim),
    ]
    print(f"{len(cases)} clips, {seconds:.0f} s\n| reference | measure | order by the SNR, Spearman | real time |")
    print("|---|---|---|---|")
    for reference in known:
        if reference.judge is None:
            print(f"| {reference.name} | – | {reference.why} | – |")
            continue
        reference.judge(cases[0].waveform)
        began = time.process_time()
        found = [reference.judge(case.waveform) for case in cases]
        speed = seconds / (time.process_time() - began)
        for measure in reference.measures:
            values = np.array([(f[measure], t) for f, t in zip(found, truth, strict=True)])
            line = figure(lambda r: spearman(r[:, 0], r[:, 1]), values, sources)
            print(
                f"| {reference.name} | {measure} | {line.value:.3f} [{line.low:.3f}, {line.high:.3f}] | {speed:.0f}x |"
            )


if __name__ == "__main__":
    main()

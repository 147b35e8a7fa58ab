"""Networks that people trust, beside our scores on the same clips: SQUIM, NISQA, Brouhaha.

    python benchmarks/references.py [--squim FILE] [--brouhaha FILE] [--every 20]

The clips are those of `benchmarks/curators.py --only snr`: held-out speakers with noise at a known SNR. Printed is how
each orders them by the truth (Spearman, two-way interval over speakers and noises), and how many seconds of audio it
judges in a CPU second.

No weights are fetched. SQUIM (Kumar et al., ICASSP 2023) is in torchaudio: give its file. NISQA (Mittag et al.,
Interspeech 2021) is in torchmetrics, which keeps its file in a folder of its own. Brouhaha (Lavechin et al., ASRU 2023)
is a package for pyannote: give its checkpoint. That is a pickle, which may run code: take it from its authors only.
Without weights, or where packages are not installed, the line says so and has no figure.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

RATE = 16_000
NISQA = ("mos", "noisiness", "discontinuity", "coloration", "loudness")
"""In the order in which the network says them."""
SPEECH = 0.5
"""Probability from which Brouhaha calls a frame speech."""


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


def nisqa() -> Reference:
    """NISQA 2.0: predicted quality of the clip and of four sides of it, 1 to 5."""
    name = "NISQA 2.0 (torchmetrics)"
    if lacking := [module for module in ("torchmetrics", "librosa", "requests") if find_spec(module) is None]:
        return Reference(name, why=f"not installed: {', '.join(lacking)}")
    import torch

    package = import_module("torchmetrics.functional.audio.nisqa")
    # without this file it would be fetched
    weights = Path(package.NISQA_DIR, "nisqa.tar").expanduser()
    if not weights.is_file():
        return Reference(name, why=f"weights absent: {weights}")

    def judge(waveform: np.ndarray) -> dict[str, float]:
        found = package.non_intrusive_speech_quality_assessment(torch.from_numpy(waveform), RATE)
        return dict(zip(NISQA, found.tolist(), strict=True))

    return Reference(name, NISQA, judge)


def brouhaha(weights: Path | None) -> Reference:
    """Brouhaha: SNR where there is speech, or anywhere where there is none, and C50; both in dB."""
    name = "Brouhaha (pyannote)"
    if lacking := [module for module in ("pyannote", "brouhaha") if find_spec(module) is None]:
        return Reference(name, why=f"not installed: {', '.join(lacking)}")
    if weights is None:
        return Reference(name, why="weights absent: give --brouhaha FILE")
    import torch

    pyannote = import_module("pyannote.audio")
    inference = pyannote.Inference(pyannote.Model.from_pretrained(weights, strict=False))

    def judge(waveform: np.ndarray) -> dict[str, float]:
        heard = inference({"waveform": torch.from_numpy(waveform)[None], "sample_rate": RATE})
        speech, snr_db, c50_db = np.asarray(heard.data, dtype=np.float64).reshape(-1, 3).T
        spoken = speech >= SPEECH
        return {"snr_db": float(snr_db[spoken if spoken.any() else ...].mean()), "c50_db": float(c50_db.mean())}

    return Reference(name, ("snr_db", "c50_db"), judge)


def references(squim_weights: Path | None, brouhaha_weights: Path | None) -> Iterator[Reference]:
    """All of them, those that cannot run as well."""
    yield squim(squim_weights)
    yield nisqa()
    yield brouhaha(brouhaha_weights)


def main() -> None:
    """Print a row per reference and measure, ours first."""
    from curator_data import snr_cases
    from curator_line import clip_of
    from curator_stats import figure, spearman

    from auricle.curators.registry import build

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--squim", type=Path, help="weights of torchaudio's SQUIM_OBJECTIVE")
    parser.add_argument("--brouhaha", type=Path, help="checkpoint of Brouhaha, a pickle")
    parser.add_argument("--every", type=int, default=20, help="one in so many clips")
    args = parser.parse_args()
    cases = list(snr_cases())[:: args.every]
    seconds = sum(c.waveform.size for c in cases) / RATE
    sources = {"speakers": [c.speaker for c in cases], "noises": [c.disturbance for c in cases]}
    truth = np.array([c.truth for c in cases])
    (ours,) = build(["snr"])
    known = [
        Reference("ours", ("snr_db",), lambda x: {"snr_db": ours.score([clip_of(x)])[0]["snr_db"]}),
        *references(args.squim, args.brouhaha),
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

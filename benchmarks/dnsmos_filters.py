"""Whether the filters that DNSMOS runs without are silent, and what leaving them out changes and saves.

    python benchmarks/dnsmos_filters.py [--windows 120]

Two ways to look for a sound that makes one of `SILENT_FILTERS` answer: windows of all recordings of the development set
(speech, noise, music, rooms' responses) and of made-up extremes; and, without any sound, the 5 x 5 patch of log powers
that a filter likes best, by ascent from random patches. Then scores and times of whole and shortened network, in turns.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from curator_data import DATA, RATE

from auricle.curators.models import session
from auricle.curators.networks.silent_filters import SECOND, SILENT_FILTERS, answering
from auricle.curators.onnx_bytes import weights
from auricle.curators.signal.dnsmos import INPUT_SIZE, POLYNOMIALS, _model, looped
from auricle.curators.training.mixtures import read_mono
from auricle.curators.waveform import resample

BEFORE_RELU = "convolution_output5"
"""The second convolution's output in the package's graph."""
LOWEST, HIGHEST = -12.0, 5.0
"""Log powers (base 10) that the network can see: its own floor, and a full-scale tone."""
STARTS, STEPS = 600, 200


def extremes() -> dict[str, np.ndarray]:
    """Made-up windows, `[INPUT_SIZE]` float32 each."""
    rng, t = np.random.default_rng(0), np.arange(INPUT_SIZE) / RATE
    clicks = np.zeros(INPUT_SIZE)
    clicks[:: RATE // 7] = 1
    return {
        "white": rng.normal(0, 0.1, INPUT_SIZE),
        "faint": rng.normal(0, 1e-5, INPUT_SIZE),
        "square": np.sign(rng.normal(size=INPUT_SIZE)),
        "sweep": np.sin(2 * np.pi * 20 * t * (200 ** (t / t[-1]))),
        "clicks": clicks,
        "gated": rng.normal(0, 0.3, INPUT_SIZE) * (np.sin(2 * np.pi * 3 * t) > 0),
        "silence": np.zeros(INPUT_SIZE),
        "offset": np.full(INPUT_SIZE, 0.5),
    }


def recorded(count: int) -> dict[str, np.ndarray]:
    """Windows of recordings, evenly over the development set."""
    paths = sorted(p for p in DATA.rglob("*") if p.suffix in (".flac", ".wav", ".ogg"))
    found: dict[str, np.ndarray] = {}
    for i in np.linspace(0, len(paths) - 1, count).astype(int):
        try:
            x = resample(*read_mono(paths[i]), RATE)
        except Exception as error:  # the set holds broken files on purpose
            print(f"left out: {paths[i].name}: {type(error).__name__}")
            continue
        if x.size >= RATE // 4 and np.isfinite(x).all():
            found[paths[i].name] = looped(x)[:INPUT_SIZE]
    return found


def best_patches() -> np.ndarray:
    """Largest answer before the ReLU that ascent finds for each filter of the second convolution, `[64]`."""
    import torch

    own = {name: torch.from_numpy(values.copy()) for name, values in weights(_model().read_bytes()).items()}
    first, second = ("conv2d/kernel:0", "conv2d/bias:0"), (f"{SECOND}/kernel:0", f"{SECOND}/bias:0")
    torch.manual_seed(0)
    found = []
    for k in range(own[second[1]].shape[0]):
        patch = torch.rand(STARTS, 1, 5, 5) * (HIGHEST - LOWEST) + LOWEST
        patch[: STARTS // 3] = patch[: STARTS // 3, :, :1, :1]  # the same everywhere
        patch.requires_grad_(True)
        for step in range(STEPS):
            hidden = torch.relu(torch.conv2d(patch, own[first[0]], own[first[1]]))
            answer = torch.conv2d(hidden, own[second[0]][k : k + 1], own[second[1]][k : k + 1])
            (slope,) = torch.autograd.grad(answer.sum(), patch)
            with torch.no_grad():
                patch += 0.985**step * slope / (slope.abs().amax((1, 2, 3), keepdim=True) + 1e-9)
                patch.clamp_(LOWEST, HIGHEST)
        found.append(float(answer.detach().max()))
    return np.array(found)


def main() -> None:
    """Prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=120)
    count = parser.parse_args().windows
    silent = np.array(SILENT_FILTERS)
    windows = {k: np.asarray(x, dtype=np.float32) for k, x in (recorded(count) | extremes()).items()}
    looking, whole, shortened = session(_model(), (BEFORE_RELU,)), session(_model()), session(_model(), edit=answering)
    loudest, spent = np.full(64, -np.inf), {"whole": [], "shortened": []}
    scores: dict[str, list[np.ndarray]] = {"whole": [], "shortened": []}
    for x in windows.values():
        (answers,) = looking.run([BEFORE_RELU], {"input_1": x[None]})
        loudest = np.maximum(loudest, answers[0].max(axis=(1, 2)))
        for name, model in (("whole", whole), ("shortened", shortened)):
            started = time.process_time()
            raw = model.run(None, {"input_1": x[None]})[0][0]
            spent[name].append(time.process_time() - started)
            scores[name].append([np.polyval(p, value) for p, value in zip(POLYNOMIALS.values(), raw, strict=True)])
    patches = best_patches()
    others = np.delete(np.arange(64), silent)
    used = others[loudest[others] > 0]
    print(f"{len(windows)} windows; answers before the ReLU, which lets through what is above 0:")
    most, least = (loudest[silent].max(), patches[silent].max()), (loudest[used].min(), patches[used].min())
    print(f"the {len(silent)} that are left out: {most[0]:.3f} at most on windows, {most[1]:.3f} on a patch")
    print(f"the {len(used)} that answer: {least[0]:.3f} at least on windows, {least[1]:.3f} on a patch")
    apart = np.abs(np.array(scores["whole"]) - np.array(scores["shortened"])).max()
    print(f"largest difference of a score: {apart:.1e} MOS")
    times = {name: float(np.median(values)) for name, values in spent.items()}
    print(f"CPU s per window: {times['whole']:.3f} whole, {times['shortened']:.3f} shortened")


if __name__ == "__main__":
    main()

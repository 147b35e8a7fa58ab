"""Would DNSMOS say the same if a clip shorter than its window were heard once, instead of repeated to fill it?

    python benchmarks/dnsmos_once.py [--clips 26]

The network in torch, for any length: a short clip and so many seconds of its repetition, which is the seam, against the
mean of the reference hops over the repeated clip. Prints the worst of the three scores, on average and at most, for
training speakers, with the share of the time in fast mode.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from curator_data import RATE, utterances
from torch.nn import functional

from auricle.curators.models import session
from auricle.curators.networks.silent_filters import answering
from auricle.curators.onnx_bytes import weights
from auricle.curators.signal import dnsmos

LAYERS = ("conv2d", "conv2d_1", "conv2d_2", "conv2d_3", "conv2d_4", "conv2d_5", "conv2d_6")
POOLED = ("conv2d_3", "conv2d_4", "conv2d_5")
HOP, SEAMS_S = 160, (0.0, 0.4, 1.0)
TOLERANCE = 1e-4
Arrays = dict[str, torch.Tensor]


def outputs(w: Arrays, x: np.ndarray) -> np.ndarray:
    """`[3]` of the network for `[T]` at 16 kHz, before the maps to MOS."""
    parts = [
        functional.conv1d(
            torch.from_numpy(x)[None, None], w[f"time2freq/stft-{part}/kernel:0"].permute(0, 2, 1), stride=HOP
        )
        for part in ("real", "imag")
    ]
    power = (parts[0] ** 2 + parts[1] ** 2).clamp_min(float(w["mos_estimator_logpow/Maximum/x:0"]))
    h = (torch.log(power) / float(w["mos_estimator_logpow/truediv/y:0"])).permute(0, 2, 1)[None]
    for name in LAYERS:
        h = torch.relu(functional.conv2d(h, w[f"{name}/kernel:0"], w[f"{name}/bias:0"], padding=1))
        h = functional.max_pool2d(h, 2) if name in POOLED else h
    h = h.amax((2, 3))
    for name in ("dense", "dense_1", "dense_3"):
        own = f"mos_estimator_logpow/{name}"
        h = h @ w[f"{own}/MatMul/ReadVariableOp/resource:0"] + w[f"{own}/BiasAdd/ReadVariableOp/resource:0"]
        h = h if name == "dense_3" else torch.relu(h)
    return h[0].numpy()


def mos(raw: np.ndarray) -> np.ndarray:
    """The three scores of the network's outputs."""
    return np.array([np.polyval(p, v) for p, v in zip(dnsmos.POLYNOMIALS.values(), raw, strict=True)])


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=26)
    count = parser.parse_args().clips
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    model = session(dnsmos._model(), edit=answering)
    w = {name: torch.tensor(v) for name, v in weights(answering(dnsmos._model().read_bytes())).items()}
    pool = utterances(False)
    chosen = [pool[i].waveform for i in np.random.default_rng(0).permutation(len(pool))[:60]]
    short = [x for x in chosen if x.size < dnsmos.INPUT_SIZE][:count]
    off: dict[str, list[float]] = {}
    share = []
    for x in short:
        y = dnsmos.looped(x)

        def heard(mode: str, y: np.ndarray = y) -> tuple[np.ndarray, list[int]]:
            starts = dnsmos.segment_starts(y.size, mode, 24)
            raw = [np.asarray(model.run(None, {"input_1": y[None, s : s + dnsmos.INPUT_SIZE]})[0])[0] for s in starts]
            same = outputs(w, y[starts[0] : starts[0] + dnsmos.INPUT_SIZE])
            if np.abs(same - raw[0]).max() > TOLERANCE:
                raise SystemExit("the network in torch is not that of the package")
            return np.mean([mos(r) for r in raw], axis=0), starts

        truth, _ = heard("reference")
        fast, starts = heard("fast")
        off.setdefault("fast mode", []).append(float(np.abs(fast - truth).max()))
        for seam_s in SEAMS_S:
            size = min(dnsmos.INPUT_SIZE, x.size + int(seam_s * RATE))
            once = mos(outputs(w, np.take(y, np.arange(starts[0], starts[0] + size), mode="wrap")))
            off.setdefault(f"once, and {seam_s:g} s", []).append(float(np.abs(once - truth).max()))
        share.append((x.size + int(SEAMS_S[1] * RATE)) / dnsmos.INPUT_SIZE / len(starts))
    for name, values in off.items():
        print(f"{name}: {np.mean(values):.3f} on average, {max(values):.3f} at most, {len(values)} clips")
    print(f"once, and {SEAMS_S[1]:g} s: {np.mean(share):.2f} of the samples")


if __name__ == "__main__":
    main()

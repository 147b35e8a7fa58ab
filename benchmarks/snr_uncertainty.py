"""Fits and judges how far an SNR may be off: intervals, and what a gate decides.

    python benchmarks/snr_uncertainty.py collect SOUNDS     evidence and error of clips in unheard noise (10 minutes)
    python benchmarks/snr_uncertainty.py fit                writes curators/weights/snr_sigma.json; prints coverage
    python benchmarks/snr_uncertainty.py widen              sets the scale by made-up noises of other kinds (minutes)
    python benchmarks/snr_uncertainty.py judge              the held-out half, with the shipped weights
    python benchmarks/snr_uncertainty.py judge SOUNDS       packages that nothing was fitted or chosen on

SOUNDS is what `sound_packages.py` made of `sound_packages_unheard.tsv`: noise that trained nothing; for `judge`, of
`sound_packages_test.tsv`. `fit` leaves whole packages out, a part of them at a time; what it prints is of packages that
the fit had not seen. `collect SOUNDS --weights NET.safetensors --out FILE.npz` is for another network, and `compare` of
two such files says which network is closer on these clips: by this is chosen what ships.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from curator_data import Case, crop, mix, no_pause_cases, snr_cases, utterances
from curator_line import clip_of
from other_noises import OTHER_NOISES
from snr_unheard import TIGHT, cases, tight

from auricle.curators.perclip import Unmeasurable
from auricle.curators.registry import build
from auricle.curators.signal.learned import acoustics
from auricle.curators.signal.sigma import FEATURES, LEAST_DB, MOST_DB, WEIGHTS, evidence
from auricle.curators.signal.snr import SnrCurator
from auricle.curators.signal.vad import speech_probabilities

EVIDENCE = Path("build/curators/snr_evidence.npz")
Z90 = 1.6449
"""Standard deviations that hold 90 % of a normal error."""
HIDDEN, STEPS, DECAY = 12, 600, 3e-3
GROUP_FOLDS = 8
OTHERS, OTHER_CLIPS = Path("build/curators/snr_other_evidence.npz"), 60


def collect(pairs: Iterable[Case], out: Path, weights: Path | None = None) -> None:
    """Evidence `[N, 16]`, score and truth of every clip, with its source; weights: of another network."""
    curator = SnrCurator(weights=None if weights is None else str(weights))
    rows, names = [], []
    for case in pairs:
        clip = clip_of(case.waveform)
        try:
            found = curator.found(clip)
        except Unmeasurable:
            continue
        x = evidence(found, acoustics(clip, curator.options.network), speech_probabilities(clip))
        rows.append([*x, found.snr_db, case.truth])
        names.append((case.disturbance, case.speaker))
        if len(rows) % 200 == 0:
            print(len(rows), flush=True)
    table = np.array(rows)
    np.savez(out, x=table[:, :-2], snr=table[:, -2], truth=table[:, -1], names=np.array(names))


def fitted(x: np.ndarray, error: np.ndarray, weight: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Scale of a Laplace error from the evidence, `scale` not set yet."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    mean, spread = np.average(x, axis=0, weights=weight), x.std(axis=0) + 1e-6
    inputs = torch.tensor((x - mean) / spread, dtype=torch.float32)
    size, share = torch.tensor(np.abs(error), dtype=torch.float32), torch.tensor(weight / weight.sum())
    hidden, out = torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.Linear(HIDDEN, 1)
    optimiser = torch.optim.AdamW([*hidden.parameters(), *out.parameters()], lr=0.02, weight_decay=DECAY)
    for step in range(STEPS):
        log_b = out(torch.tanh(hidden(inputs)))[:, 0]
        loss = (share * (log_b + (size + 0.1) / torch.exp(log_b))).sum() + DECAY * hidden.weight.square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        for group in optimiser.param_groups:
            group["lr"] = 0.02 * (1 - step / STEPS)
    return {
        "mean": mean,
        "spread": spread,
        "hidden": hidden.weight.detach().numpy(),
        "hidden_bias": hidden.bias.detach().numpy(),
        "out": out.weight.detach().numpy()[0],
        "out_bias": out.bias.detach().numpy()[0],
    }


def scales(w: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """`[N]` scale of the error, dB, before it is set."""
    hidden = np.tanh((x - w["mean"]) / w["spread"] @ w["hidden"].T + w["hidden_bias"])
    return np.exp(hidden @ w["out"] + w["out_bias"])


def evenly(groups: np.ndarray) -> np.ndarray:
    """`[N]` weights by which every group counts as the square root of its clips."""
    _, index, count = np.unique(groups, return_inverse=True, return_counts=True)
    return (1 / np.sqrt(count))[index]


def weighted_quantile(values: np.ndarray, weight: np.ndarray, q: float) -> float:
    """Quantile of weighted values."""
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weight[order]) / weight.sum(), q)])


def cross_fitted(x: np.ndarray, error: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """`[N]` scale of every clip by a fit that saw nothing of its group, dB, before it is set."""
    names = np.unique(groups)
    fold = np.random.default_rng(0).permutation(names.size) % GROUP_FOLDS
    out, at = np.zeros(error.size), fold[np.searchsorted(names, groups)]
    for k in range(GROUP_FOLDS):
        rest = at != k
        out[~rest] = scales(fitted(x[rest], error[rest], evenly(groups[rest])), x[~rest])
    return out


def fit() -> None:
    """Fit on all, set the scale on groups left out, print what it is worth there."""
    found = np.load(EVIDENCE)
    x, snr, truth, groups = found["x"], found["snr"], found["truth"], found["names"][:, 0]
    error = snr - truth
    left = cross_fitted(x, error, groups)
    scale = weighted_quantile(np.abs(error) / left, evenly(groups), 0.9) / Z90
    weights = fitted(x, error, evenly(groups)) | {"scale": np.float64(scale)}
    card = {
        "made_by": "python benchmarks/snr_uncertainty.py fit",
        "features": FEATURES,
        "clips": int(error.size),
        "groups": int(np.unique(groups).size),
        "weights": {name: np.round(value, 5).tolist() for name, value in weights.items()},
    }
    WEIGHTS.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(f"{error.size} clips of {np.unique(groups).size} groups, MAE {np.abs(error).mean():.2f} dB")
    report(snr, np.clip(left * scale, LEAST_DB, MOST_DB), truth, groups)


def report(snr: np.ndarray, sigma: np.ndarray, truth: np.ndarray, sources: np.ndarray) -> None:
    """Coverage over all and by source, and the 15 dB gate by how much is left undecided."""
    covered = np.abs(snr - truth) <= Z90 * sigma
    said = resampled_mean(covered.astype(float), sources, 3)
    print(f"90 % intervals cover {said} of the clips; median sigma {np.median(sigma):.2f} dB")
    by = {name: float(covered[sources == name].mean()) for name in np.unique(sources)}
    well = np.mean([share >= 0.85 for share in by.values()])
    print(f"of {len(by)} sources, {well:.2f} are covered in at least 0.85 of their clips; the worst:")
    for name in sorted(by, key=lambda n: by[n])[:8]:
        mine = sources == name
        mae, width = np.abs(snr - truth)[mine].mean(), np.median(sigma[mine])
        print(f"  {name}: {by[name]:.2f} of {mine.sum()}, MAE {mae:.2f}, sigma {width:.2f}")
    certain, right = np.abs(snr - 15) / sigma, (snr >= 15) == (truth >= 15)
    print("| undecided | right of the decided | wrongly kept | confidence |\n|---|---|---|---|")
    for share in (0, 0.05, 0.1, 0.15, 0.2, 0.3):
        least = np.quantile(certain, share)
        decided = certain >= least
        kept = decided & (snr >= 15)
        wrong = (kept & (truth < 15)).sum() / max(1, (truth < 15).sum())
        said = resampled_mean(right[decided].astype(float), sources[decided], 3)
        print(f"| {share:.2f} | {said} | {wrong:.3f} | {least:.2f} sigma |")


def other_cases(seed: int = 31) -> Iterator[Case]:
    """Training voices in the families of `other_noises`, which neither the network nor the fit has heard."""
    rng = np.random.default_rng(seed)
    voices = [u for u in utterances(False) if u.floor_db >= 30]
    for _ in range(OTHER_CLIPS):
        for name, family in OTHER_NOISES.items():
            u = voices[int(rng.integers(len(voices)))]
            x = tight(rng, u) if rng.random() < TIGHT else crop(rng, u)
            mixed, truth = mix(x, family(rng, x.shape[0]), float(rng.uniform(-5, 40)), u.floor_db)
            yield Case(mixed, truth, "other", u.speaker, name)


def widen() -> None:
    """Raise the scale, where these noises need it, so that 90 % intervals cover 0.9 of their clips, families alike."""
    if not OTHERS.is_file():
        collect(other_cases(), OTHERS)
    found, card = np.load(OTHERS), json.loads(WEIGHTS.read_text(encoding="utf-8"))
    weights = {name: np.asarray(value) for name, value in card["weights"].items()}
    names, error = found["names"][:, 0], found["snr"] - found["truth"]
    wide = scales(weights, found["x"])
    print("as it was:")
    report(found["snr"], np.clip(wide * float(weights["scale"]), LEAST_DB, MOST_DB), found["truth"], names)
    needed = weighted_quantile(np.abs(error) / wide, evenly(names) ** 2, 0.9) / Z90
    card["weights"]["scale"] = round(max(float(weights["scale"]), needed), 5)
    card["widened_by"] = "python benchmarks/snr_uncertainty.py widen"
    WEIGHTS.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(f"scale {float(weights['scale']):.3f} -> {card['weights']['scale']:.3f}:")
    report(found["snr"], np.clip(wide * card["weights"]["scale"], LEAST_DB, MOST_DB), found["truth"], names)


def judge(sounds: Path | None) -> None:
    """The held-out half, or the packages of `sounds`, with the shipped network and weights."""
    (curator,) = build(["snr"])
    rows, names = [], []
    for case in cases(sounds) if sounds else (*snr_cases(), *no_pause_cases()):
        row = curator.score([clip_of(case.waveform)])[0]
        if row["snr_db"] is not None:
            rows.append((row["snr_db"], row["snr_sigma_db"], case.truth, row["snr_method"] == "network"))
            names.append(case.disturbance)
    snr, sigma, truth, by_network = np.array(rows).T
    errors(np.abs(snr - truth)[:, None], truth, by_network > 0, np.array(names))
    report(snr, sigma, truth, np.array(names))


def compare(paths: list[Path]) -> None:
    """Errors of two networks on the same clips."""
    one, other = (np.load(path) for path in paths)
    if not (one["truth"] == other["truth"]).all():
        raise SystemExit(f"{paths[0]} and {paths[1]} are not of the same clips")
    truth, names = one["truth"], one["names"][:, 0]
    wrong = np.abs(np.stack([one["snr"], other["snr"]], axis=1) - truth[:, None])
    errors(wrong, truth, one["x"][:, FEATURES.index("by_network")] > 0, names)
    for name in sorted(set(names), key=lambda n: -wrong[names == n, 0].mean())[:16]:
        mine = names == name
        print(
            f"  {name}: "
            + " -> ".join(f"{value:.2f}" for value in wrong[mine].mean(axis=0))
            + f" dB, {mine.sum()} clips"
        )


def errors(wrong: np.ndarray, truth: np.ndarray, by_network: np.ndarray, names: np.ndarray) -> None:
    """Mean absolute errors of `[N, K]`, dB, by groups of clips; of the last column less the first with an interval."""
    groups = {
        "all": np.isfinite(truth),
        "0 to 30 dB": (truth >= 0) & (truth <= 30),
        "0 to 30 dB, no pauses": (truth >= 0) & (truth <= 30) & by_network,
        "above 30 dB": truth > 30,
        "far voices": np.char.endswith(names, "voices"),
        "babble": np.char.startswith(names, "babble"),
    }
    print("| clips | n | sources | MAE, dB | last less first, 95 % by source |\n|---|---|---|---|---|")
    for group, mine in groups.items():
        if not mine.any():
            continue
        values = " -> ".join(resampled_mean(column, names[mine]) for column in wrong[mine].T)
        apart = resampled_mean(wrong[mine, -1] - wrong[mine, 0], names[mine])
        print(f"| {group} | {mine.sum()} | {np.unique(names[mine]).size} | {values} | {apart} |")


def resampled_mean(values: np.ndarray, sources: np.ndarray, digits: int = 2) -> str:
    """Mean with its 95 % interval, whole sources resampled."""
    rng, (names, index) = np.random.default_rng(0), np.unique(sources, return_inverse=True)
    sums, counts = np.bincount(index, values), np.bincount(index)
    drawn = rng.integers(names.size, size=(2000, names.size))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [2.5, 97.5])
    return f"{values.mean():.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def main() -> None:
    """One step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("collect", "compare", "fit", "widen", "judge"))
    parser.add_argument("paths", type=Path, nargs="*")
    parser.add_argument("--weights", type=Path, help="another network than the shipped one, for collect")
    parser.add_argument("--out", type=Path, default=EVIDENCE, help="of collect")
    a = parser.parse_args()
    if a.step == "collect":
        a.out.parent.mkdir(parents=True, exist_ok=True)
        collect(cases(*a.paths), a.out, a.weights)
    elif a.step == "compare":
        compare(a.paths)
    elif a.step == "judge":
        judge(*a.paths or [None])
    else:
        {"fit": fit, "widen": widen}[a.step]()


if __name__ == "__main__":
    main()

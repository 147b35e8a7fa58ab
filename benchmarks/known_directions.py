"""Directions of known concentration, a normaliser that is known to 50 digits, clusters of nothing."""

from __future__ import annotations

from collections.abc import Iterator

import mpmath
import numpy as np
from known_rows import SEEDS, Row

from auricle.diagnostics.estimates.folds import make_folds
from auricle.diagnostics.latents import archetypes, direction, von_mises_fisher
from auricle.diagnostics.summary import diagnose_directions


def walk(dim: int, kappa: float, clips: int, length: int, seed: int) -> tuple[np.ndarray, float]:
    """Latents `[clips, D, length]` whose steps turn around a rotation of the one before, and their mean cosine."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    heading = rng.normal(size=(clips, dim))
    heading /= np.linalg.norm(heading, axis=1, keepdims=True)
    log_length, place, latents, cosine = 0.5 * rng.normal(size=clips), np.zeros((clips, dim)), [], []
    for _ in range(length):
        mean = heading @ rotation.T
        heading = von_mises_fisher.sample(dim, kappa, mean, rng)
        cosine.append((mean * heading).sum(1).mean())
        log_length = 0.5 * log_length + 0.5 * np.sqrt(0.75) * rng.normal(size=clips)
        place = place + np.exp(log_length)[:, None] * heading
        latents.append(place)
    return np.stack(latents, axis=2), float(np.mean(cosine))


def direction_nulls() -> Iterator[Row]:
    """Independent frames of log-normal scale: nothing is to be known in advance, and much looks as if it were."""
    gains, held = [], dict.fromkeys(("dir_cos_excess", "dir_gain_excess", "arche_excess", "arche_next_gain_excess"), 0)
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        clips = rng.normal(size=(100, 16, 100)) * np.exp(0.8 * rng.normal(size=(100, 1, 100)))
        samples = [(f"{i:03}", f"{i % 20:03}", clip) for i, clip in enumerate(clips)]
        found = diagnose_directions(samples, group_kind="speaker", num_archetypes=32)
        assert found is not None
        gains.append(found.gain)
        for name in held:
            estimate = getattr(found, name)
            held[name] += estimate.low <= 0 <= estimate.high
    inside = sum(g.low is not None and g.high is not None and g.low <= 0 <= g.high for g in gains)
    yield Row(
        "independent frames of log-normal scale: gain of direction and length",
        f"at most {max(abs(g.computed or 0) for g in gains):.4f} nat/frame, 0 in the interval {inside} of {SEEDS}",
        f"<= 0.01, >= {SEEDS - 1}",
        max(abs(g.computed or 0) for g in gains) <= 0.01 and inside >= SEEDS - 1,
    )
    for name, times in held.items():
        gate = SEEDS - 1
        yield Row(f"  the same: {name}", f"0 in the interval {times} of {SEEDS}", f">= {gate}", times >= gate)


def directions(large: bool) -> Iterator[Row]:
    """Known concentration, known normaliser, clusters of nothing."""
    yield from direction_nulls()
    worst = 0.0
    with mpmath.workdps(50):
        for dim in (16, 61, 62, 64, 128, 512, 2000):
            for kappa in (0.5, 5, 10, 100, 1e3, 1e4):
                order = mpmath.mpf(dim) / 2 - 1
                exact = order * mpmath.log(kappa) - dim * mpmath.log(2 * mpmath.pi) / 2
                exact -= mpmath.log(mpmath.besseli(order, kappa))
                worst = max(worst, abs(float(von_mises_fisher.log_normaliser(dim, kappa) - exact)))
    yield Row("von Mises-Fisher log normaliser against 50 digits", f"{worst:.0e}", "<= 1e-8", worst <= 1e-8)
    folds = make_folds({f"{i:03}": 1.0 for i in range(20)}, group_kind="speaker")
    for dim in (16, 128, 512) if large else (16, 128):
        kappa = von_mises_fisher.fit_concentration(dim, 0.7)
        data, _ = walk(dim, kappa, 400, 125, seed=0)
        result = direction.measure(((f"{i}", f"{i % 20:03}", clip) for i, clip in enumerate(data)), folds)
        error = result.concentration / kappa - 1
        yield Row(
            f"concentration of directions, D = {dim}, 50 000 frames",
            f"{error:+.1%}; cosine {result.dir_cos.value:.3f} of 0.700; R2 of log length {result.logmag_r2.value:.2f}",
            "within 2.5%; (0.25)",
            abs(error) <= 0.025,
        )
    rng, clip = np.random.default_rng(0), np.arange(20_000) // 500
    for dim in (4, 32):
        noise, null = (archetypes.Directions(_unit(rng.normal(size=(20_000, dim))), clip) for _ in range(2))
        found = archetypes.measure(noise, null, [f"{g:03}" for g in range(40)], np.arange(40) % 5, num_archetypes=64)
        yield Row(
            f"64 archetypes of structureless directions, D = {dim}",
            f"tightness {found.tightness.value:.3f}, excess {found.excess.value:+.4f}",
            "excess within 0.005",
            abs(found.excess.value) <= 0.005,
        )


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)

"""Trials behind the sentences "Known failures" of docs/curators.md: what is outside the cases of the tables there.

    python benchmarks/curator_failures.py

Needs the development recordings beside the checkout; a few clips per trial, which show that a failure exists and not
how often it occurs. Under a minute of one core.
"""

from __future__ import annotations

import os
from collections import Counter

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from curator_data import RATE, crop, recordings, room_cases, utterances
from curator_line import clip_of
from recording_accuracy import channel_cases

from auricle.curators.registry import build
from auricle.curators.signal.vad import speech_mask
from auricle.curators.training.estoi import estoi
from auricle.curators.waveform import resample
from auricle.schemas.clip import Clip

CLIPS = 12


def voice_activity() -> None:
    """Share of frames called speech, per held-out file."""
    for kind in ("noise", "music"):
        for name, x in recordings(kind, True):
            print(f"vad, {kind} {name}: {speech_mask(clip_of(x[: 20 * RATE])).mean():.2f} called speech")


def bandwidth(clips: list[np.ndarray], rng: np.random.Generator) -> None:
    """An 8 kHz recording sampled up, then white noise at a ratio of mean powers."""
    (curator,) = build(["signal"])
    for snr_db in (50, 40, 30):
        found = []
        for x in clips:
            y = resample(resample(x, RATE, 8000), 8000, RATE)[: x.size]
            y = y + rng.normal(0, y.std() * 10 ** (-snr_db / 20), y.size)
            found.append(curator.score([clip_of(y)])[0]["bandwidth_hz"])
        print(
            f"bandwidth, 8 kHz sampled up, noise at {snr_db} dB: {sum(b < 5000 for b in found)} of {len(found)} narrow"
        )


def relations(clips: list[np.ndarray], rng: np.random.Generator) -> None:
    """What copies and conversations are called."""
    from scipy.signal import butter, lfilter

    (curator,) = build(["channels"])
    low_cut = butter(2, 1000, "high", fs=RATE)
    called: dict[str, list[str]] = {}

    def ask(name: str, a: np.ndarray, b: np.ndarray) -> None:
        siblings = (a.astype(np.float32), b.astype(np.float32))
        row = curator.score([Clip("", siblings[0], RATE, channel=0, siblings=siblings)])[0]
        called.setdefault(name, []).append(row["channel_relation"])

    for x in clips:
        for delay_ms in (2, 10, 30):
            lag = delay_ms * RATE // 1000
            ask(f"a copy {delay_ms} ms late", x, np.concatenate([np.zeros(lag), x])[: x.size])
        for snr_db in (25, 15):
            ask(f"a copy, noise {snr_db} dB down", x, x + rng.normal(0, 10 ** (-snr_db / 20) * x.std(), x.size))
        ask("a copy without what is under 1 kHz", x, np.asarray(lfilter(*low_cut, x)))
    talks = [(a, b) for kind, _, a, b in channel_cases(rng) if kind == "conversation"][:CLIPS]
    for leak_db in (-30, -16):
        for a, b in talks:
            gain = 10 ** (leak_db / 20)
            ask(
                f"a conversation, {-leak_db} dB of crosstalk",
                a + gain * b * a.std() / b.std(),
                b + gain * a * b.std() / a.std(),
            )
    for name, relations_found in called.items():
        print(f"channels, {name}: {dict(Counter(relations_found))}")


def quality(clips: list[np.ndarray], rng: np.random.Generator) -> None:
    """Drop-outs of 100 ms, one in eight."""
    (curator,) = build(["quality"])
    size = RATE // 10

    def holes(x: np.ndarray) -> np.ndarray:
        kept = np.repeat(rng.random(-(-x.size // size)) >= 1 / 8, size)[: x.size]
        return x * kept.astype(np.float32)

    for name, change in (("untouched", lambda x: x), ("100 ms holes, one in eight", holes)):
        made = [(x, change(x)) for x in clips]
        guess = [curator.score([clip_of(y)])[0]["speech_quality"] for _, y in made]
        truth = [estoi(x, y, RATE) for x, y in made]
        print(f"quality, {name}: {np.mean(guess):.2f} for an ESTOI of {np.mean(truth):.2f}")


def reverberation() -> None:
    """Mean error of C50 by the level of pink noise."""
    (curator,) = build(["reverb"])
    for snr_db in (None, 20.0, 10.0):
        cases = list(room_cases(snr_db=snr_db))[::3]
        errors = [(curator.score([clip_of(c.waveform)])[0]["c50_db"], c.truth) for c in cases]
        bias = np.mean([v - truth for v, truth in errors if v is not None])
        print(f"reverb, {'quiet' if snr_db is None else f'pink noise at {snr_db:g} dB'}: C50 {bias:+.1f} dB on average")


def content(clips: list[np.ndarray]) -> None:
    """Mean shares of clean speech and of the held-out music."""
    (curator,) = build(["content"])
    sounds = {"clean speech": clips}
    for name, x in recordings("music", True):
        sounds[name] = [x[s : s + 4 * RATE] for s in range(0, min(x.size, 24 * RATE) - 2 * RATE, 4 * RATE)]
    for name, pieces in sounds.items():
        rows = [curator.score([clip_of(x)])[0] for x in pieces]
        shares = {
            k: round(float(np.mean([r[k] for r in rows])), 2) for k in ("speech_share", "music_share", "noise_share")
        }
        print(f"content, {name}: {shares}")


def main() -> None:
    """Print all trials."""
    rng = np.random.default_rng(0)
    pool = utterances(True)
    clips = [crop(rng, u, 6.0) for u in pool[:: len(pool) // CLIPS][:CLIPS]]
    voice_activity()
    bandwidth(clips, rng)
    relations(clips, rng)
    content(clips)
    quality(clips, rng)
    reverberation()


if __name__ == "__main__":
    main()

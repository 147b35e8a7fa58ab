"""What the curators say of speech that is not read: whispered, shouted, sung, of children, accented, and what is none.

    python benchmarks/curator_behaviour.py [--clips 10]

Twelve kinds of clips are made with espeak-ng and by signal processing from read recordings beside the checkout, or
taken from them. There is no truth for most scores here: the table says what to expect, and whether transcript trust
still tells the right text from another one.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from curator_data import DATA, RATE
from scipy.linalg import solve_toeplitz
from scipy.signal import butter, lfilter, sosfilt

from auricle.curators.registry import build
from auricle.curators.training.colours import coloured, smooth
from auricle.curators.training.mixtures import read_mono
from auricle.curators.training.textures import ensemble
from auricle.curators.training.transcript_cases import Utterance, read_utterances
from auricle.curators.waveform import resample
from auricle.jobs.demo.espeak import Voice, synthesise
from auricle.schemas.clip import Clip

HOP, FRAME, ORDER = 160, 400, 18
CURATORS = ("vad", "snr", "dnsmos", "reverb", "content", "quality", "alignment", "voice")
GERMAN = "Heute Morgen war es kalt, und die Boote kamen erst am Abend zurück."
ACCENTS = ("de", "fr", "hi", "ru", "pl", "it", "es", "cmn")
Made = Callable[[Utterance, np.random.Generator], np.ndarray]


def loaded(u: Utterance) -> np.ndarray:
    """The recording at 16 kHz, 8 s at most, peak 0.5."""
    x = resample(*read_mono(u.path), RATE)[: 8 * RATE]
    return (0.5 * x / max(float(np.abs(x).max()), 1e-6)).astype(np.float32)


def spoken(text: str, voice: Voice) -> np.ndarray:
    """A synthetic voice at 16 kHz."""
    samples, rate = synthesise(text, voice)
    return resample((samples / 32768).astype(np.float32), rate, RATE)


def resung(x: np.ndarray, excite: Callable[[int, int], np.ndarray], slower: float = 1.0) -> np.ndarray:
    """The envelope of `x` (linear prediction) over another excitation, frame by frame.

    excite: (first sample, size) to `[size]` of unit power.
    """
    hop, out = int(HOP * slower), np.zeros(int(x.size * slower) + 2 * FRAME)
    size, window = 2 * hop, np.hanning(2 * hop)
    for k in range((x.size - FRAME) // HOP):
        frame = x[k * HOP : k * HOP + FRAME] * np.hanning(FRAME)
        r = np.correlate(frame, frame, "full")[FRAME - 1 : FRAME + ORDER]
        if r[0] < 1e-7:
            continue
        r[0] *= 1.0001
        a = solve_toeplitz(r[:ORDER], r[1:])
        gain = np.sqrt(max(r[0] - a @ r[1:], 1e-12) / FRAME)
        made = lfilter([gain], np.concatenate([[1], -a]), excite(k * hop, size))
        out[k * hop : k * hop + size] += made * window
    return (0.5 * out / max(float(np.abs(out).max()), 1e-6)).astype(np.float32)


def whispered(u: Utterance, rng: np.random.Generator) -> np.ndarray:
    """The voice without its pitch."""
    return resung(loaded(u), lambda _, size: rng.normal(size=size))


def sung(u: Utterance, rng: np.random.Generator) -> np.ndarray:
    """The voice on a melody with vibrato, half as slow again."""
    n = 16 * RATE
    steps = np.repeat(rng.choice([0, 2, 4, 5, 7, 9, 12], n // 6000 + 1), 6000)[:n]
    t = np.arange(n) / RATE
    phase = np.cumsum(165 * 2 ** ((steps + 0.3 * np.sin(2 * np.pi * 5.5 * t)) / 12) / RATE)
    pulses = np.zeros(n)
    pulses[1:][np.diff(np.floor(phase)) > 0] = 9.0
    voiced = pulses + 0.05 * rng.normal(size=n)
    return resung(loaded(u), lambda at, size: voiced[at : at + size], 1.5)


def shouted(u: Utterance, rng: np.random.Generator) -> np.ndarray:
    """A fifth of an octave higher, brighter, overdriven."""
    x = resample(loaded(u), int(RATE * 1.15), RATE)
    bright = np.append(x[0], x[1:] - 0.7 * x[:-1])
    return (0.9 * np.tanh(6 * bright / np.abs(bright).max())).astype(np.float32)


def telephone(u: Utterance, rng: np.random.Generator) -> np.ndarray:
    """300 to 3400 Hz at 8 kHz, eight bits by the mu law, sampled up again."""
    x = sosfilt(butter(4, (300, 3400), "bandpass", fs=8000, output="sos"), resample(loaded(u), RATE, 8000))
    x = x / np.abs(x).max()
    coded = np.round(np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256) * 127) / 127
    return resample((0.5 * np.sign(coded) * (256 ** np.abs(coded) - 1) / 255).astype(np.float32), 8000, RATE)


def over_music(u: Utterance, rng: np.random.Generator) -> np.ndarray:
    """The voice over made-up music of its own power."""
    x = loaded(u)
    return x + ensemble(rng, x.size) * np.float32(np.sqrt(np.mean(x**2)))


def song(u: Utterance, rng: np.random.Generator) -> np.ndarray:
    """A stretch of the recorded song beside the checkout: not the text."""
    x = resample(*read_mono(DATA / "music" / "Karissa_Hobbs_-_Lets_Go_Fishin.ogg"), RATE)
    start = int(rng.integers(20 * RATE, x.size - 30 * RATE))
    return x[start : start + 8 * RATE]


def child(u: Utterance, rng: np.random.Generator) -> np.ndarray:
    """A synthetic voice with a vocal tract a quarter shorter."""
    x = spoken(u.text, Voice("en-us+f3", 150, 75))
    return resample(x, int(RATE * 1.25), RATE)


def accented(u: Utterance, rng: np.random.Generator) -> np.ndarray:
    """English read by a voice of another language."""
    return spoken(u.text, Voice(str(rng.choice(ACCENTS)), 150))


def two_languages(u: Utterance, rng: np.random.Generator) -> np.ndarray:
    """The English text, then a German sentence in the same voice; the label is English."""
    return np.concatenate([spoken(u.text, Voice("en-us", 160)), spoken(GERMAN, Voice("de", 160))])


def laughter(u: Utterance, rng: np.random.Generator) -> np.ndarray:
    """Laughs and breaths between silences, no words."""
    pieces = []
    for _ in range(4):
        many = " ".join(["ha"] * int(rng.integers(4, 9)))
        pieces.append(spoken(many, Voice("en-us+m3", 260, int(rng.integers(50, 90)))))
        n = int(rng.uniform(0.4, 0.9) * RATE)
        breath = coloured(rng, n, -2) * np.hanning(n) * (0.7 + 0.3 * smooth(rng, n, 6))
        pieces += [np.zeros(RATE // 5, dtype=np.float32), (0.03 * breath).astype(np.float32)]
    return np.concatenate(pieces)


def read(u: Utterance, rng: np.random.Generator) -> np.ndarray:
    """As recorded."""
    return loaded(u)


KINDS: dict[str, tuple[str, Made]] = {
    "read": ("librispeech_test_other", read),
    "whispered": ("librispeech_test_other", whispered),
    "shouted": ("librispeech_test_other", shouted),
    "sung": ("librispeech_test_other", sung),
    "telephone, 8 kHz": ("librispeech_test_other", telephone),
    "over music, 0 dB": ("librispeech_test_other", over_music),
    "a song": ("librispeech_test_other", song),
    "learners and children (recorded)": ("speechocean762", read),
    "child (synthetic)": ("librispeech_test_other", child),
    "accented (synthetic)": ("librispeech_test_other", accented),
    "two languages (synthetic)": ("librispeech_test_other", two_languages),
    "laughter and breath": ("librispeech_test_other", laughter),
}


def chosen(corpus: str, count: int) -> list[Utterance]:
    """`count` utterances of 4 to 8 s with texts of at least four words, spread over the corpus."""
    import soundfile

    every = [
        u
        for u in read_utterances(Path(DATA) / "speech" / corpus)
        if len(u.text.split()) >= 4 and 2.5 <= soundfile.info(u.path).duration <= 8
    ]
    return [every[i] for i in np.linspace(0, len(every) - 1, min(count, len(every))).astype(int)]


def rows(count: int, kinds: list[str] | None) -> Iterator[str]:
    """One Markdown row of each kind."""
    curators = build(list(CURATORS), {})
    for kind, (corpus, make) in ((k, KINDS[k]) for k in kinds or KINDS):
        rng, found, wrong = np.random.default_rng(0), [], []
        pool = chosen(corpus, count)
        for k, u in enumerate(pool):
            clip = Clip("", np.ascontiguousarray(make(u, rng), dtype=np.float32), RATE, u.text, "en", u.speaker)
            found.append({name: v for c in curators for name, v in c.score([clip])[0].items()})
            other = Clip("", clip.waveform, RATE, pool[k - 1].text, "en", u.speaker)
            other.memo.update(clip.memo)
            (judged,) = next(c for c in curators if c.name == "alignment").score([other])
            wrong.append(judged["transcript_trust"])

        def middle(name: str, digits: int, found: list[dict] = found) -> str:
            values = [row[name] for row in found if row.get(name) is not None]
            return f"{np.median(values):.{digits}f}" if len(values) > len(found) / 2 else "null"

        trusted = [row["transcript_trust"] for row in found]
        none = "no right text" if make in (song, laughter) else f"{sum((t or 0) >= 0.5 for t in trusted)}"
        snr, c50 = (f"{middle(f'{n}_db', 0)} ± {middle(f'{n}_sigma_db', 0)}" for n in ("snr", "c50"))
        cells = (kind, len(found), middle("speech_ratio", 2), snr, c50, middle("speech_quality", 2))
        cells = (*cells, middle("dnsmos_ovrl", 1), middle("music_share", 2))
        cells = (*cells, sum((r["overlap"] or 0) > 0.5 for r in found), none, sum((t or 0) >= 0.5 for t in wrong))
        yield f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=10, help="clips of each kind")
    parser.add_argument("--only", nargs="*", choices=list(KINDS), help="these kinds")
    a = parser.parse_args()
    heads = ("speech", "clips", "`speech_ratio`", "`snr_db`", "`c50_db`", "`speech_quality`", "`dnsmos_ovrl`")
    heads = (*heads, "`music_share`", "`overlap` > 0.5", "right text trusted (≥ 0.5)", "another text trusted")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows(a.clips, a.only):
        print(row, flush=True)


if __name__ == "__main__":
    main()

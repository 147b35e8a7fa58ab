"""Long recordings of which everything is known, cut at pauses: cuts, word times and texts, beside cutting at cue times.

    python -m auricle.benchmarks.segmentation ../shared/data --minutes 60

Clips of `speech/*/transcripts.tsv` whose transcript is trusted are joined with pauses of known length to recordings of
ten minutes. Their cues are then spoiled: late or early, drifting, some missing, some of another text. The truth of a
word's time is the alignment of its clip by itself with its own transcript, by the same acoustic model (in full mode):
what is measured is the search, not the aligner's own error. `longform/*.srt` (real recordings with cues of utterances)
are measured by their cues' boundaries.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from auricle.curators.waveform import resample
from auricle.curators.words.aligner import align, listen
from auricle.curators.words.edit_distance import edit_distance
from auricle.curators.words.spoken_words import spoken_words
from auricle.curators.words.transcript import TranscriptCurator, word_times
from auricle.pipelines.cutting.recording import cut, hear, lay
from auricle.pipelines.cutting.texts import Text
from auricle.schemas.clip import Clip
from auricle.schemas.config import Segmentation

RATE = 16_000
TRUSTED = 0.7
NEAR_S = 0.2


@dataclass
class Utterance:
    """A clip with the times of its words, seconds from its beginning."""

    corpus: str
    waveform: np.ndarray
    text: str
    words: list[tuple[str, float, float]]
    trust: float


@dataclass
class Truth:
    """An utterance in a recording."""

    text: str
    start_s: float
    end_s: float
    words: list[tuple[str, float, float]]
    corpus: str = ""


@dataclass
class Cue:
    """What a label says; of: the utterance that it is of, None where its text is another's."""

    text: str
    start_s: float
    end_s: float
    of: int | None


@dataclass
class Condition:
    """How cues are spoiled."""

    name: str
    shift_s: float = 0.0
    each_shift_s: float = 0.0
    drift: float = 0.0
    missing: float = 0.0
    wrong: float = 0.0


CONDITIONS = (
    Condition("right"),
    Condition("all shifted by up to 3 s, drift 1 %, 20 % missing, 10 % wrong", 3.0, 0.0, 0.01, 0.2, 0.1),
    Condition("each shifted by up to 3 s, drift 1 %, 20 % missing, 10 % wrong", 3.0, 3.0, 0.01, 0.2, 0.1),
)


@dataclass
class Tally:
    """What is counted over the recordings of a condition."""

    cuts: int = 0
    cuts_right: int = 0
    utterances: int = 0
    near: int = 0
    words: int = 0
    words_near: int = 0
    wrong: int = 0
    wrong_left_out: int = 0
    errors: int = 0
    assigned: int = 0
    text_errors: int = 0
    text_words: int = 0
    told_errors: int = 0
    told_words: int = 0
    forced: int = 0
    offset_errors: list[float] = field(default_factory=list)
    drift_errors: list[float] = field(default_factory=list)
    by_corpus: dict[str, list[int]] = field(default_factory=dict)


def main() -> None:
    """Print one JSON line per condition and method."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="folder with speech/ and longform/")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--recording-minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpora", nargs="*", help="names below speech/; default: all with English transcripts")
    parser.add_argument("--conditions", nargs="*", type=int, default=list(range(len(CONDITIONS))))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pool = list(trusted(args.data / "speech", args.corpora))
        minutes = sum(len(u.waveform) for u in pool) / RATE / 60
        print(json.dumps({"trusted_clips": len(pool), "minutes": round(minutes, 1)}), flush=True)
        recordings = []
        count = max(1, round(args.minutes / args.recording_minutes))
        for k in range(count):
            path = Path(folder) / f"{k}.flac"
            recordings.append((path, joined(pool, path, args.recording_minutes * 60, args.seed * 1000 + k)))
        for c in args.conditions:
            measure(CONDITIONS[c], recordings, args.seed)
    real(args.data / "longform")


def trusted(root: Path, corpora: Sequence[str] | None) -> Iterator[Utterance]:
    """English clips whose transcript the alignment curator trusts, with their words' times."""
    curator = TranscriptCurator()
    for table in sorted(root.glob("*/transcripts.tsv")):
        if corpora and table.parent.name not in corpora:
            continue
        with table.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        for row in rows:
            if row["language"] != "en" or not row["transcript"] or row["file"].endswith(".mp3"):
                continue
            x = _read(table.parent / row["file"])
            words = spoken_words(row["transcript"])
            if len(words) < 3:
                continue
            score = curator.score([Clip("", x, RATE, transcript=row["transcript"], language="en")])[0]
            trust = score["transcript_trust"]
            if isinstance(trust, float) and trust >= TRUSTED:
                found = align(listen(x), words)
                assert found is not None
                times = json.loads(word_times(words, found[0]))
                yield Utterance(table.parent.name, x, row["transcript"], [tuple(t) for t in times], trust)


def _read(path: Path) -> np.ndarray:
    import soundfile

    x, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resample(np.ascontiguousarray(x[:, 0]), rate, RATE)


def joined(pool: Sequence[Utterance], path: Path, seconds: float, seed: int) -> list[Truth]:
    """Write a recording of utterances in random order with pauses of 0.2 to 1.5 s, one in ten of 2 to 6 s."""
    import soundfile

    rng = np.random.default_rng(seed)
    truth: list[Truth] = []
    pieces, at = [], 0
    while at < seconds * RATE:
        for k in rng.permutation(len(pool)):
            u = pool[k]
            pause = int(RATE * (rng.uniform(2, 6) if rng.random() < 0.1 else rng.uniform(0.2, 1.5)))
            # the room goes on: noise as loud as the quietest tenth of the utterance
            power = np.square(u.waveform[: len(u.waveform) // 320 * 320]).reshape(-1, 320).mean(axis=1)
            level = float(np.sqrt(np.percentile(power, 10)))
            pieces += [rng.normal(0, level, pause).astype(np.float32), u.waveform]
            at += pause
            start = at / RATE
            at += len(u.waveform)
            words = [(w, a + start, b + start) for w, a, b in u.words]
            truth.append(Truth(u.text, start, at / RATE, words, u.corpus))
            if at >= seconds * RATE:
                break
    soundfile.write(path, np.clip(np.concatenate(pieces), -1, 1), RATE)
    return truth


def spoiled(truth: Sequence[Truth], how: Condition, rng: np.random.Generator) -> tuple[list[Cue], float, float]:
    """Cues of a recording, and the offset and drift with which they are laid on it again."""
    shift = rng.uniform(-how.shift_s, how.shift_s)
    drift = how.drift * rng.choice([-1, 1])
    cues: list[Cue] = []
    for k, u in enumerate(truth):
        if rng.random() < how.missing:
            continue
        wrong = rng.random() < how.wrong
        text = truth[int(rng.integers(len(truth)))].text if wrong else u.text
        start = (u.words[0][1] + shift) * (1 + drift) + rng.uniform(-how.each_shift_s, how.each_shift_s)
        end = start + (u.words[-1][2] - u.words[0][1])
        if start >= 0:
            cues.append(Cue(text, start, end, k if text == u.text else None))
    # t' = (t + shift) * (1 + drift), so t = t' / (1 + drift) - shift
    return cues, -shift, 1 / (1 + drift) - 1


def measure(how: Condition, recordings: Sequence[tuple[Path, list[Truth]]], seed: int) -> None:
    """Print what became of one condition, by this and by cutting at cue times."""
    rng = np.random.default_rng(seed + 17)
    ours, naive = Tally(), Tally()
    started, audio_s = time.process_time(), 0.0
    for path, truth in recordings:
        cues, offset, drift = spoiled(truth, how, rng)
        labels = [
            {"start_s": c.start_s, "duration_s": c.end_s - c.start_s, "channel": None, "transcript": c.text,
             "words": None, "speaker": str(number), "language": "en"}
            for number, c in enumerate(cues)
        ]  # fmt: skip
        whole = hear(path)
        texts, timing = lay(path, whole, labels)
        tiling = cut(whole, texts, Segmentation(method="speech"))
        audio_s += whole.num_samples / RATE
        ours.forced += tiling.forced
        ours.offset_errors.append(timing[0]["offset_s"] - offset)
        ours.drift_errors.append(timing[0]["drift"] - drift)
        spoken = []
        for text in texts:
            cue = cues[int(text.speaker or 0)]
            known = ~np.isnan(text.times[:, 0])
            spoken += [(w, *text.times[k], cue.of) for k in np.flatnonzero(known) for w in spoken_words(text.tokens[k])]
            if cue.of is None:
                ours.wrong += 1
                ours.wrong_left_out += not known.any()
            else:
                _near(ours, truth[cue.of], text)
        clips = [(a / RATE, b / RATE) for a, b in tiling.clips]
        told = {c.of for c in cues if c.of is not None}
        _clips(ours, clips, [(w, (a + b) / 2) for w, a, b, _ in spoken], truth, told)
        _naive(naive, cues, truth)
    cpu_s = time.process_time() - started
    print(json.dumps(_said(how.name, "ours", ours, audio_s / cpu_s)), flush=True)
    print(json.dumps(_said(how.name, "cut at cue times", naive, None)), flush=True)


def _near(tally: Tally, truth: Truth, text: Text) -> None:
    """A token is near where its first and last word are within 200 ms of where they are by the clip's own alignment."""
    tally.utterances += 1
    at = 0
    near = []
    for token, times in zip(text.tokens, text.times, strict=True):
        if not (said := spoken_words(token)):
            continue
        of = truth.words[at : at + len(said)]
        at += len(said)
        near.append(len(of) == len(said) and abs(times[0] - of[0][1]) <= NEAR_S and abs(times[1] - of[-1][2]) <= NEAR_S)
    tally.words += len(near)
    tally.words_near += sum(near)
    counts = tally.by_corpus.setdefault(truth.corpus, [0, 0])
    counts[0] += 1
    counts[1] += all(near)
    tally.near += all(near)


def _inside(t: float, truth: Sequence[Truth]) -> bool:
    return any(u.start_s <= t <= u.end_s and any(a < t < b for _, a, b in u.words) for u in truth)


def _clips(
    tally: Tally,
    clips: Sequence[tuple[float, float]],
    said: list[tuple[str, float]],
    truth: list[Truth],
    told: set[int],
) -> None:
    """Cuts and texts: of each clip the words that it was given against those that are said in it."""
    said.sort(key=lambda w: w[1])
    real = sorted((((a + b) / 2, w, k in told) for k, u in enumerate(truth) for w, a, b in u.words))
    for start, end in clips:
        for t in (start, end):
            tally.cuts += 1
            tally.cuts_right += not _inside(t, truth)
        mine = [w for w, t in said if start <= t < end]
        true = [w for t, w, _ in real if start <= t < end]
        known = [w for t, w, k in real if k and start <= t < end]
        tally.told_errors += edit_distance(mine, known)
        tally.told_words += len(known)
        if mine:
            tally.text_errors += edit_distance(mine, true)
            tally.text_words += len(true)
            tally.assigned += len(mine)


def _naive(tally: Tally, cues: Sequence[Cue], truth: list[Truth]) -> None:
    """A clip is what lies between a cue's times, and its text is the cue's."""
    real = sorted(((a + b) / 2, w) for u in truth for w, a, b in u.words)
    for cue in cues:
        for t in (cue.start_s, cue.end_s):
            tally.cuts += 1
            tally.cuts_right += not _inside(t, truth)
        if cue.of is not None:
            u = truth[cue.of]
            tally.utterances += 1
            tally.near += abs(cue.start_s - u.words[0][1]) <= NEAR_S and abs(cue.end_s - u.words[-1][2]) <= NEAR_S
        mine = spoken_words(cue.text)
        true = [w for t, w in real if cue.start_s <= t < cue.end_s]
        tally.text_errors += edit_distance(mine, true)
        tally.text_words += len(true)


def _said(condition: str, method: str, t: Tally, speed: float | None) -> dict[str, Any]:
    def share(a: float, b: float) -> float | None:
        return round(a / b, 4) if b else None

    found: dict[str, Any] = {
        "condition": condition,
        "method": method,
        "cuts_in_pauses": share(t.cuts_right, t.cuts),
        "cuts": t.cuts,
        "utterances_within_200_ms": share(t.near, t.utterances),
        "utterances": t.utterances,
        "wer_of_clips_with_text": share(t.text_errors, t.text_words),
    }
    if method == "ours":
        found |= {
            "words_within_200_ms": share(t.words_near, t.words),
            "wer_of_told_words": share(t.told_errors, t.told_words),
            "wrong_cues_left_out": share(t.wrong_left_out, t.wrong),
            "wrong_cues": t.wrong,
            "forced_cuts": t.forced,
            "offset_error_s": [round(e, 2) for e in t.offset_errors],
            "drift_error": [round(e, 5) for e in t.drift_errors],
            "times_real_time": None if speed is None else round(speed, 1),
            "by_corpus": {name: [n, share(ok, n)] for name, (n, ok) in sorted(t.by_corpus.items())},
        }
    return found


def real(folder: Path) -> None:
    """Recordings with subtitles of utterances: whether a cut is at a boundary of two, or in a pause of one."""
    for cues_file in sorted(folder.glob("*.srt")):
        path = cues_file.with_suffix(".flac")
        cues = _srt(cues_file)
        labels = [
            {"start_s": a, "duration_s": b - a, "channel": None, "transcript": text, "words": None, "speaker": None,
             "language": "en"}
            for a, b, text in cues
        ]  # fmt: skip
        whole = hear(path)
        texts, timing = lay(path, whole, labels)
        tiling = cut(whole, texts, Segmentation(method="speech"))
        inside = 0
        for text in texts:
            (start, end), (a, b) = text.placed or (np.nan, np.nan), (text.start_s or 0.0, text.end_s or 0.0)
            inside += a - NEAR_S <= start <= end <= b + NEAR_S
        print(
            json.dumps(
                {
                    "recording": path.name,
                    "cues": len(cues),
                    "words_within_own_cue_and_200_ms": inside,
                    "clips": len(tiling.clips),
                    "forced_cuts": tiling.forced,
                    "offset_s": round(timing[0]["offset_s"], 2),
                    "drift": round(timing[0]["drift"], 5),
                }
            ),
            flush=True,
        )


def _srt(path: Path) -> list[tuple[float, float, str]]:
    def seconds(stamp: str) -> float:
        h, m, s = stamp.replace(",", ".").split(":")
        return int(h) * 3600 + int(m) * 60 + float(s)

    found = []
    for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
        _, times, *text = block.splitlines()
        a, _, b = times.split()[:3]
        found.append((seconds(a), seconds(b), " ".join(text)))
    return found


if __name__ == "__main__":
    main()

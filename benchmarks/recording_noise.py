"""SNR of clips without pauses: by the network alone, and with the noise of their recording's pauses.

    python -m auricle.benchmarks.recording_noise ../shared/data

Six clips a second apart, all at one speech level, in noise at 0 and 10 dB: louder than the clips' own noise. Of each the
longest stretch of speech without a pause is measured; the truth is its clean speech over the noise that was added to it.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np

from auricle.curators.signal.level import active_speech_power
from auricle.curators.signal.snr import SnrCurator
from auricle.curators.signal.vad import FRAME_S, FRAME_SIZE, speech_probabilities
from auricle.curators.waveform import resample
from auricle.pipelines.cutting.listening import Listener, runs
from auricle.pipelines.cutting.sound import sound_of
from auricle.schemas.clip import Clip, RecordingSound

RATE = 16_000
LEVEL = 0.05
LEAST_S = 1.2
NOISES = ("white", "doing_the_dishes.flac", "sb_noise2.flac", "150993__saphe__street-scene-1.flac")


def main() -> None:
    """Print one JSON line per noise and level, and one of all."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("data", type=Path, help="folder with speech/librispeech_test_other and noise/")
    parser.add_argument("--recordings", type=int, default=2, help="per noise and level")
    args = parser.parse_args()
    folder = args.data / "speech" / "librispeech_test_other"
    with (folder / "transcripts.tsv").open(encoding="utf-8") as file:
        paths = [folder / row["file"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    rng = np.random.default_rng(3)
    every: list[tuple[float, float]] = []
    for name in NOISES:
        noise = rng.normal(size=60 * RATE).astype(np.float32) if name == "white" else _read(args.data / "noise" / name)
        for snr_db in (0, 10):
            found: list[tuple[float, float]] = []
            for _ in range(args.recordings):
                clips = [_read(paths[k]) for k in rng.permutation(len(paths))[:6]]
                found += errors(clips, noise, snr_db)
            every += found
            print(json.dumps({"noise": name, "snr_db": snr_db, **_said(found)}), flush=True)
    print(json.dumps({"noise": "all", **_said(every)}))


def errors(clips: list[np.ndarray], noise: np.ndarray, snr_db: float) -> list[tuple[float, float]]:
    """Errors (dB) of the network alone, and with the recording's noise, of each clip of one recording."""
    curator = SnrCurator()
    clean = [x * np.float32(LEVEL / np.sqrt(active_speech_power(x, RATE)[0])) for x in clips]
    speech = np.concatenate([part for x in clean for part in (np.zeros(RATE, np.float32), x)])
    added = np.resize(noise / np.sqrt(np.mean(np.square(noise, dtype=np.float64))), len(speech)).astype(np.float32)
    added *= np.float32(LEVEL * 10 ** (-snr_db / 20))
    listener = Listener(RATE, 1)
    listener.feed((speech + added)[None])
    handed = sound_of(listener.finish())[0]["handed"]
    found, at = [], 0
    for x in clean:
        at += RATE
        spoken = runs(speech_probabilities(Clip("", x, RATE)) >= 0.5)
        first, stop = max(spoken, key=lambda run: run[1] - run[0], default=(0, 0))
        part = slice(at + first * FRAME_SIZE, at + stop * FRAME_SIZE)
        at += len(x)
        if (stop - first) * FRAME_S < LEAST_S or handed is None:
            continue
        power = float(np.mean(np.square(added[part], dtype=np.float64)))
        truth = 10 * np.log10(active_speech_power(speech[part], RATE)[0] / power)
        mixed = np.ascontiguousarray((speech + added)[part])
        (alone,) = curator.score([Clip("", mixed, RATE)])
        (told,) = curator.score([Clip("", mixed, RATE, recording=RecordingSound.from_text(handed))])
        if told["snr_method"] == "recording" and isinstance(alone["snr_db"], float):
            assert isinstance(told["snr_db"], float)
            found.append((alone["snr_db"] - truth, told["snr_db"] - truth))
    return found


def _said(found: list[tuple[float, float]]) -> dict[str, float | int]:
    if not found:
        return {"clips": 0}
    alone, told = np.abs(np.array(found)).mean(axis=0)
    return {"clips": len(found), "mae_network_db": round(float(alone), 2), "mae_recording_db": round(float(told), 2)}


def _read(path: Path) -> np.ndarray:
    import soundfile

    x, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resample(np.ascontiguousarray(x[:, 0]), rate, RATE)


if __name__ == "__main__":
    main()

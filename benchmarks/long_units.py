"""What a pass over a long recording costs: CPU of reading it in units of five minutes, for each format and length.

    python benchmarks/long_units.py                                        0.5, 1 and 2 hours
    python benchmarks/long_units.py --hours 0.5 1 2 5 10 --formats wav flac mp3 opus m4a
    python benchmarks/long_units.py --anew                                 as before: nothing stays open between units

Audio is seeded noise bursts at 16 kHz, mono. One process reads every clip of every unit, in the order of the plan, as
the workers of a pass do; nothing is scored. Beside it stands one pass: the bytes hashed once and decoded once.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import av
import numpy as np

from auricle.pipelines.audio import recordings
from auricle.pipelines.audio.clip_reader import read_clips
from auricle.pipelines.audio.decode import open_audio
from auricle.schemas.clip import Clip
from auricle.schemas.keys import sha256_file

RATE = 16_000
CLIP_S, UNIT_S = 30, 300
CODECS = {"wav": "pcm_s16le", "flac": "flac", "mp3": "libmp3lame", "opus": "libopus", "m4a": "aac"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, nargs="+", default=[0.5, 1.0, 2.0])
    parser.add_argument("--formats", nargs="+", default=list(CODECS), choices=list(CODECS))
    parser.add_argument("--anew", action="store_true")
    args = parser.parse_args()
    print("| format | hours | one pass, CPU s | in units, CPU s | times | CPU s an hour |\n|-|-|-|-|-|-|")
    for name in args.formats:
        for hours in args.hours:
            with tempfile.TemporaryDirectory(prefix="auricle-long-") as folder:
                path = Path(folder) / f"a.{name}"
                write(path, hours)
                once = one_pass(path)
                units = in_units(path, args.anew)
            print(
                f"| {name} | {hours:g} | {once:.1f} | {units:.1f} | {units / once:.2f} | {units / hours:.1f} |",
                flush=True,
            )


def write(path: Path, hours: float) -> None:
    """Half a minute of noise bursts, again and again."""
    rng = np.random.default_rng(0)
    gate = np.sin(2 * np.pi * 3 * np.arange(30 * RATE) / RATE) > 0
    block = (0.1 * rng.standard_normal(30 * RATE) * gate).astype(np.float32)[None]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            CODECS[path.suffix[1:]], rate=48_000 if path.suffix == ".opus" else RATE, layout="mono"
        )
        wanted = av.AudioResampler(
            format=stream.codec_context.format, layout="mono", rate=stream.codec_context.sample_rate
        )
        for _ in range(int(hours * 120)):
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate = RATE
            for part in wanted.resample(frame):
                for packet in stream.encode(part):
                    container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


def one_pass(path: Path) -> float:
    """CPU seconds of hashing the bytes and decoding the samples."""
    began = time.process_time()
    sha256_file(path)
    with open_audio(path) as reader:
        for _ in reader.blocks():
            pass
    return time.process_time() - began


def in_units(path: Path, anew: bool) -> float:
    """CPU seconds of reading all clips, unit by unit."""
    with open_audio(path) as reader:
        rate, total = reader.info.sample_rate, sum(block.shape[1] for _, block in reader.blocks())
    sha256, clip = sha256_file(path), CLIP_S * rate
    items = [
        {"key": str(start), "recording": sha256, "uri": str(path), "channel": 0}
        | {"start": start, "end": min(start + clip, total)}
        for start in range(0, total, clip)
    ]
    count = UNIT_S // CLIP_S
    recordings.close_all()
    began = time.process_time()
    for first in range(0, len(items), count):
        for _, found in read_clips(items[first : first + count]):
            assert isinstance(found, Clip), found
        if anew:
            recordings.close_all()
    return time.process_time() - began


if __name__ == "__main__":
    main()

"""Runs the diagnostics on real speech, as log-mel frames and residual k-means codes of them at two frame rates.

    python benchmarks/diagnostics_speech.py FOLDER...

Each FOLDER holds 16 kHz audio and a `transcripts.tsv` with columns file and speaker. There is no known answer here: the
table shows what the metrics say of speech, that information at equal horizons agrees between rates while gains per
second do not, and that shuffled frames have none.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import soundfile

from auricle.diagnostics.difficulty import difficulty
from auricle.diagnostics.motion.clips import Clips, beginnings, training_clips
from auricle.diagnostics.neural.language_model import LanguageModel
from auricle.diagnostics.neural.mixture_gain import mixture_gain
from auricle.diagnostics.summary import Sample, diagnose_codes, diagnose_directions, diagnose_latents, diagnose_motion
from auricle.jobs.judging.motion_lines import motion_lines
from auricle.jobs.judging.unresolved import Unresolved

RATE, WINDOW, BANDS = 16_000, 640, 40


def recordings(folders: list[Path]) -> list[tuple[str, str, np.ndarray]]:
    """(file, speaker, waveform `[T]`) of everything that is at 16 kHz and long enough."""
    found = []
    for folder in folders:
        with (folder / "transcripts.tsv").open(encoding="utf-8") as table:
            for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
                waveform, rate = soundfile.read(folder / row["file"], dtype="float32", always_2d=True)
                if rate == RATE and waveform.shape[0] > RATE:
                    name = f"{folder.name}/{row['file']}"
                    found.append((name, f"{folder.name}/{row['speaker']}", waveform[:, 0]))
    return found


def log_mel(waveform: np.ndarray, hop: int) -> np.ndarray:
    """`[BANDS, T]` float32."""
    count = -(-waveform.shape[0] // hop)
    padded = np.pad(waveform, (0, count * hop + WINDOW - waveform.shape[0]))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::hop][:count] * np.hanning(WINDOW)
    hertz = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    lowest, highest = (2595 * float(np.log10(1 + each / 700)) for each in (60, 7600))
    edges = 700 * (10 ** (np.linspace(lowest, highest, BANDS + 2) / 2595) - 1)
    rise = (hertz - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - hertz) / (edges[2:] - edges[1:-1])[:, None]
    bands = np.maximum(0, np.minimum(rise, fall))
    power = np.abs(np.fft.rfft(frames, WINDOW)) ** 2
    return np.log(power @ bands.T + 1e-6).T.astype(np.float32)


def sound_of(waveform: np.ndarray, hop: int) -> np.ndarray:
    """`[2, T]`: level in dB and the highest correlation of each frame with itself 2.5 to 16 ms later."""
    count = -(-waveform.shape[0] // hop)
    padded = np.pad(waveform, (0, count * hop + WINDOW - waveform.shape[0]))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::hop][:count]
    level = 10 * np.log10((frames**2).mean(1) + 1e-10)
    spectrum = np.abs(np.fft.rfft(frames - frames.mean(1, keepdims=True), 2 * WINDOW)) ** 2
    lagged = np.fft.irfft(spectrum)
    voicing = lagged[:, RATE // 400 : RATE // 62].max(1) / np.maximum(lagged[:, 0], 1e-9)
    return np.stack((level, voicing)).astype(np.float32)


def residual_codes(clips: list[np.ndarray], entries: int, depth: int) -> list[np.ndarray]:
    """`[depth, T]` codes: k-means of the frames, then of what the centres leave."""
    rest = np.concatenate(clips, axis=1).T.astype(np.float64)
    rng, codes = np.random.default_rng(0), []
    for _ in range(depth):
        centers = rest[rng.choice(len(rest), entries, replace=False)]
        for _ in range(10):
            label = nearest(rest, centers)
            size = np.bincount(label, minlength=entries)
            sums = np.stack([np.bincount(label, column, entries) for column in rest.T], axis=1)
            centers[size > 0] = sums[size > 0] / size[size > 0, None]
        label = nearest(rest, centers)
        rest = rest - centers[label]
        codes.append(label)
    return np.split(np.stack(codes), np.cumsum([clip.shape[1] for clip in clips])[:-1], axis=1)


def nearest(points: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Index of the nearest centre, `[N]`."""
    norms = (centers**2).sum(1)
    blocks = [points[i : i + 4096] for i in range(0, len(points), 4096)]
    return np.concatenate([(norms - 2 * block @ centers.T).argmin(1) for block in blocks])


def print_motion(name: str, clips: list[Sample], frame_rate: float, order: int, budget_s: float | None) -> None:
    """How tightly steps cluster, how far predictions reach; with a budget, what a network says beyond linear ones."""
    index = [(key, speaker, array.shape[1]) for key, speaker, array in clips]

    def begun(wanted: dict[str, int]) -> dict[str, tuple[str, np.ndarray]]:
        return {key: (speaker, array[:, : wanted[key]]) for key, speaker, array in clips if key in wanted}

    begin = time.process_time()
    motion = diagnose_motion(begun(beginnings(index, BANDS)), frame_rate, group_kind="speaker", order=order)
    spent = f"{time.process_time() - begin:.1f}"
    for line in motion_lines(motion.to_dict(), Unresolved()):
        print(f"| {name} | {line} | | {spent} |")
        spent = ""
    if budget_s is not None:
        begin = time.process_time()
        some = Clips.of(begun(training_clips(index, BANDS)), group_kind="speaker")
        found = mixture_gain(some, order, budget_s, group_kind="speaker")
        spent = f"{time.process_time() - begin:.1f}"
        both = f"{found.gain}; {found.difference}"
        print(f"| {name} | mixture density network; less the linear prediction | {both} | {spent} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument(
        "--budget-s", type=float, help="also a neural member for codes and a network for frames, each trained so long"
    )
    parser.add_argument("--latents-only", action="store_true", help="no codes")
    options = parser.parse_args()
    found = recordings(options.folders)
    minutes = sum(len(waveform) for _, _, waveform in found) / RATE / 60
    print(f"{len(found)} recordings, {minutes:.1f} minutes, {len({speaker for _, speaker, _ in found})} speakers\n")
    print("| representation | metric | measured | CPU s |\n|---|---|---|---|")
    for frame_rate, hop in ((12.5, 1280), (50.0, 320)):
        name, frames = f"log-mel {frame_rate:g} Hz", [log_mel(waveform, hop) for _, _, waveform in found]

        def samples(arrays: list[np.ndarray]) -> list[Sample]:
            return [(key, speaker, array) for (key, speaker, _), array in zip(found, arrays, strict=True)]

        begin = time.process_time()
        gain = diagnose_latents(samples(frames), frame_rate, group_kind="speaker")
        spent = time.process_time() - begin
        beside = f"{gain.pred_gain}; {gain.finite_sample_bias:.3f} of it added"
        print(f"| {name} | pred_gain, VAR({gain.order}) | {beside} | {spent:.1f} |")
        for horizon in gain.lagged_mutual_information:
            print(f"| {name} | information at {horizon.tau_ms:g} ms | {horizon.info} | |")
        rng = np.random.default_rng(0)
        mixed = rng.permutation(np.concatenate(frames, axis=1).T).T
        shuffled = np.split(mixed, np.cumsum([clip.shape[1] for clip in frames])[:-1], axis=1)
        null = diagnose_latents(samples(shuffled), frame_rate, group_kind="speaker")
        print(f"| {name}, shuffled | pred_gain | {null.pred_gain} | |")
        begin = time.process_time()
        steps = diagnose_directions(samples(frames), group_kind="speaker")
        spent = time.process_time() - begin
        if steps is not None:
            print(f"| {name} | gain of directions and lengths | {steps.gain} | {spent:.1f} |")
            for what in ("dir_cos", "dir_gain", "logmag_r2"):
                beside = f"{getattr(steps, what).value:.3f} against {getattr(steps, what + '_null'):.3f} shuffled"
                print(f"| {name} | {what}: {beside}; excess | {getattr(steps, what + '_excess')} | |")
            print(f"| {name} | arche_excess (tightness {steps.arche_tightness:.2f}) | {steps.arche_excess} | |")
        for each in gain.read_out:
            print(f"| {name} | read-out of {each.dimensions} dimensions keeps of the gain | {each.share} | |")
        print_motion(name, samples(frames), frame_rate, gain.order, options.budget_s)
        for entries, depth in () if options.latents_only else ((64, 4), (1024, 4)):
            name = f"residual k-means, {depth} x {entries}, {frame_rate:g} Hz"
            codes = residual_codes(frames, entries, depth)
            begin = time.process_time()
            sound = {key: sound_of(waveform, hop) for key, _, waveform in found}
            members = {"neural": LanguageModel(options.budget_s)} if options.budget_s else {}
            result = diagnose_codes(
                samples(codes), frame_rate, entries, group_kind="speaker", sound=sound, members=members
            )
            spent = time.process_time() - begin
            print(f"| {name} | code_rate (raw {result.rate_raw:.0f}) | {result.code_rate} | {spent:.1f} |")
            costs = result.clips
            halves = costs.split_half, costs.split_half_seconds
            each = difficulty(costs.hard_bits, result.seconds, result.groups, *halves)
            print(f"| {name} | chain_gain | {result.chain_gain} | |")
            if result.portfolio is not None:
                print(f"| {name} | portfolio, bits per frame | {result.portfolio} | |")
            print(
                f"| {name} | difficulty: level and voicing explain {costs.explained or 0:.0%} of frames' bits; "
                f"repeatability of halves, raw / without them / of 2 s blocks | {costs.raw_repeatability:.2f} / "
                f"{costs.split_half_repeatability:.2f} / {costs.block_repeatability:.2f} | |"
            )
            print(f"| {name} | difficulty: median reliability | {np.nanmedian(each.reliability):.2f} | |", flush=True)


if __name__ == "__main__":
    main()

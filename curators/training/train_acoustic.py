r"""Train the learned curator from clean speech, noises and rooms with known truth: one core, about an hour.

    python -m auricle.curators.training.train_acoustic \
        --speech corpus/labels.tsv --noise DIR --music DIR --out X.safetensors

Speakers, noise files and music files are split by `mixtures.alternate`: the network sees one half, the report in the
model card comes from the other, with other rooms and other families of synthetic noise.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from ...schemas.clip import Clip
from ...schemas.config import Strict
from ...schemas.errors import ConfigError
from ...schemas.keys import sha256_bytes, sha256_file
from ..signal.learned import estimate
from ..signal.vad import SAMPLE_RATE, speech_features, speech_probabilities
from ..waveform import resample
from . import rooms, synthetic
from .mixtures import Mixture, Sources, Utterance, alternate, make_mixture, read_mono, utterance

DRY_C50_DB = 35.0
"""Mixtures above this had no room: their C50 is the scale's end."""
AUDIO = (".wav", ".flac", ".ogg", ".mp3", ".opus", ".aiff", ".w64")


class Recipe(Strict):
    """Everything about a training that is not data."""

    mixtures: int = Field(
        default=20000, gt=0, description="Mixtures made to train on, 50 CPU-ms and 250 kB of memory each"
    )
    held_out: int = Field(default=300, gt=0, description="Mixtures of the other half for the report")
    seconds: float = Field(default=4.0, gt=1, description="Length of a mixture, s")
    responses: int = Field(default=400, gt=0, description="Image-method rooms to train in")
    min_floor_db: float = Field(
        default=27.0, description="Speech over the recording's own noise (dB) that counts as clean"
    )
    width: int = Field(default=48, gt=0, multiple_of=4, description="Channels of the network's inner layers")
    dilations: tuple[int, ...] = Field(
        default=(1, 2, 4, 8), description="Of the residual layers in time, frames of 32 ms"
    )
    dropout: float = Field(default=0.2, ge=0, lt=1, description="Before the heads that look at a whole frame or clip")
    steps: int = Field(default=12000, gt=0, description="Optimiser steps")
    batch_size: int = Field(default=24, gt=0, description="Mixtures per step")
    learning_rate: float = Field(default=2e-3, gt=0, description="Peak of the one-cycle schedule, AdamW")
    seed: int = Field(default=0, description="Of mixtures, rooms, initial weights and order")


def train(
    speech: Sequence[tuple[Path, str]],
    noise: Sequence[Path],
    music: Sequence[Path],
    out: Path,
    recipe: Recipe | None = None,
    talkers: Sequence[Utterance] = (),
    more_noise: Sequence[Path] = (),
    more_music: Sequence[Path] = (),
    owner: str = "",
    progress: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train, write `out` (safetensors) and its card (`out` with .json), return the card.

    speech: files of clean speech with their speakers. noise, music: files. talkers: further clean speech, for instance
    synthetic, and more_noise, more_music: further files, all to train on only. Raises `ConfigError` without usable
    clean speech in either half.
    """
    import torch
    from safetensors.numpy import save_file

    from .acoustic_training import AcousticNet, batch_of, fit

    recipe = recipe or Recipe()
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(1)
    ours = _sources(speech, noise, music, False, recipe)
    ours = replace(
        ours,
        utterances=[*ours.utterances, *talkers],
        noises=[*ours.noises, *map(_recording, more_noise)],
        music=[*ours.music, *map(_recording, more_music)],
    )
    theirs = _sources(speech, noise, music, True, recipe)
    progress(f"clean speech: {_speech_line(ours)} to train on, {_speech_line(theirs)} held out")
    rng = np.random.default_rng(recipe.seed)
    data = batch_of(make_mixture(rng, ours, recipe.seconds) for _ in range(recipe.mixtures))
    progress(f"{data.labels.shape[0]} mixtures made")
    net = AcousticNet(recipe.width, recipe.dilations, recipe.dropout)
    cpu_s = fit(
        net,
        data,
        recipe.steps,
        recipe.batch_size,
        recipe.learning_rate,
        recipe.seed,
        lambda step, value: progress(f"step {step} of {recipe.steps}: loss {value:.4f}"),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    save_file(net.arrays(), str(out))
    rng = np.random.default_rng(recipe.seed + 1)
    report = held_out_report(net.arrays(), [make_mixture(rng, theirs, recipe.seconds) for _ in range(recipe.held_out)])
    card = {
        "name": "acoustic",
        "task": "SNR, C50, ESTOI of a clip, and presence of speech, music and noise per 32 ms frame",
        "owner": owner,
        "weights_sha256": sha256_file(out),
        "num_bytes": out.stat().st_size,
        "data": {
            "snapshot_sha256": snapshot([p for p, _ in speech], [*noise, *more_noise], [*music, *more_music]),
            "speech_files": len(speech),
            "speakers": len({s for _, s in speech}),
            "noise_files": len(noise),
            "music_files": len(music),
            "further_talkers": len({t.speaker for t in talkers}),
            "further_noise_files": len(more_noise),
            "further_music_files": len(more_music),
            "trained_on": _speech_line(ours),
            "held_out": _speech_line(theirs),
            "noise_families": sorted(synthetic.TRAIN_NOISES | synthetic.TRAIN_MUSIC),
            "held_out_families": sorted(synthetic.TEST_NOISES | synthetic.TEST_MUSIC),
        },
        "recipe": recipe.model_dump(mode="json"),
        "made_with": {"torch": torch.__version__, "training_cpu_s": round(cpu_s)},
        "held_out_report": report,
    }
    out.with_suffix(".json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return card


def held_out_report(weights: dict[str, np.ndarray], mixtures: Sequence[Mixture]) -> dict[str, float | int | None]:
    """Accuracy on mixtures: SNR error from 0 to 30 dB, rank correlation of C50, correlation of ESTOI.

    None where the mixtures do not tell.
    """
    from scipy.stats import rankdata

    rows = []
    for m in mixtures:
        if not np.isfinite(m.snr_db):
            continue
        clip = Clip("", m.waveform, SAMPLE_RATE)
        heard = estimate(weights, m.waveform, speech_probabilities(clip), speech_features(clip))
        snr = heard.snr_db if heard.snr_db is not None else -20.0
        rows.append((m.snr_db, snr, m.c50_db, heard.c50_db, m.estoi, heard.estoi))
    snr, snr_hat, c50, c50_hat, truth, guess = np.array(rows).reshape(-1, 6).T
    inside, wet, known = (snr >= 0) & (snr <= 30), c50 < DRY_C50_DB, np.isfinite(truth)
    return {
        "mixtures": len(rows),
        "snr_mae_db_0_to_30": round(float(np.abs(snr_hat - snr)[inside].mean()), 2) if inside.any() else None,
        "c50_spearman": _correlation(rankdata(c50[wet]), rankdata(c50_hat[wet])),
        "estoi_pearson": _correlation(truth[known], guess[known]),
    }


def _correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    if a.size < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return round(float(np.corrcoef(a, b)[0, 1]), 3)


def snapshot(*groups: Sequence[Path]) -> str:
    """SHA-256 over the sorted hashes of the files of each group: the same data, the same name, wherever it lies."""
    lines = ["\n".join(sorted(sha256_file(path) for path in group)) for group in groups]
    return sha256_bytes("\n\n".join(lines).encode())


def labelled_speech(tables: Sequence[Path]) -> list[tuple[Path, str]]:
    """Files and speakers ("folder/speaker") of tab-separated tables with the columns file and speaker.

    Raises `ConfigError` for a table without these columns.
    """
    out = []
    for table in tables:
        with table.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            if absent := {"file", "speaker"} - set(rows.fieldnames or ()):
                raise ConfigError(
                    f"{table}: no column {', '.join(sorted(absent))}: a tab-separated table with the columns file and "
                    "speaker is required (speakers are split into those to train on and those held out)"
                )
            for row in rows:
                out.append((table.parent / row["file"], f"{table.parent.name}/{row['speaker']}"))
    return out


def audio_files(folder: Path) -> list[Path]:
    """Sound files directly in `folder`, by name. Raises `ConfigError` where there are none."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in AUDIO) if folder.is_dir() else []
    if not files:
        raise ConfigError(f"{folder}: a folder with sound files in it is required ({', '.join(AUDIO)})")
    return files


def _recording(path: Path) -> np.ndarray:
    return resample(*read_mono(path), SAMPLE_RATE)


def _sources(speech, noise, music, held_out: bool, recipe: Recipe) -> Sources:
    speakers = set(alternate([speaker for _, speaker in speech], held_out))
    made = (utterance(*read_mono(path), speaker) for path, speaker in speech if speaker in speakers)
    clean = [u for u in made if u is not None and u.floor_db >= recipe.min_floor_db]
    if not clean:
        raise ConfigError(
            f"no clip of {len(speakers)} speakers is clean speech with a pause (noise {recipe.min_floor_db} dB below): "
            "give cleaner recordings, or lower min_floor_db"
        )
    rng = np.random.default_rng(recipe.seed + 100 * held_out)
    count = max(1, recipe.responses // (4 if held_out else 1))
    return Sources(
        clean,
        [_recording(p) for p in _half(noise, held_out)],
        [_recording(p) for p in _half(music, held_out)],
        tuple((synthetic.TEST_NOISES if held_out else synthetic.TRAIN_NOISES).values()),
        tuple((synthetic.TEST_MUSIC if held_out else synthetic.TRAIN_MUSIC).values()),
        [rooms.random_response(rng) for _ in range(count)],
    )


def _half(files: Sequence[Path], held_out: bool) -> list[Path]:
    names = set(alternate([p.name for p in files], held_out))
    return sorted(p for p in files if p.name in names)


def _speech_line(sources: Sources) -> str:
    minutes = sum(u.waveform.shape[0] for u in sources.utterances) / SAMPLE_RATE / 60
    return (
        f"{len(sources.utterances)} clips, {len({u.speaker for u in sources.utterances})} speakers, {minutes:.1f} min"
    )


def main() -> None:
    """Command line of `train`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speech", type=Path, nargs="+", required=True, help="tables with columns file and speaker")
    parser.add_argument("--noise", type=Path, required=True, help="folder of noise recordings")
    parser.add_argument("--music", type=Path, required=True, help="folder of music")
    parser.add_argument("--out", type=Path, required=True, help="safetensors to write; the card goes beside it")
    parser.add_argument("--owner", default="", help="who answers for the weights, in the card")
    parser.add_argument("--recipe", type=json.loads, default={}, help="fields of Recipe as JSON")
    a = parser.parse_args()
    card = train(
        labelled_speech(a.speech), audio_files(a.noise), audio_files(a.music), a.out, Recipe(**a.recipe), owner=a.owner
    )
    print(json.dumps(card["held_out_report"], indent=2))


if __name__ == "__main__":
    main()

"""The arms of `extraction.py --only speed`: our pipeline, our extractor and upstream's own loops, timed alike."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import soundfile

from auricle.extractors.codecs import encodec, mimi
from auricle.extractors.coding import registry
from auricle.extractors.coding.resample import resample
from auricle.loaders.storage.store import Store
from auricle.pipelines.passes.extract import ExtractRecipe
from auricle.pipelines.work.pool import run_units
from auricle.pipelines.work.work_units import write_plan
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.keys import clip_key, sha256_file

CLIPS_PER_UNIT = 4


def run_arm(arm: str, codec: str, weights: str, clips: list[Path], processes: int) -> tuple[float, float]:
    """Seconds by the clock from all processes ready to the last array saved, and CPU-seconds of all in between."""
    context = multiprocessing.get_context("spawn")
    ready, go, used = context.Barrier(processes + 1), context.Event(), context.Array("d", processes)
    with tempfile.TemporaryDirectory() as out:
        workers = [
            context.Process(target=work, args=(arm, codec, weights, clips[i::processes], out, ready, go, used, i))
            for i in range(processes)
        ]
        for worker in workers:
            worker.start()
        while ready.n_waiting < processes:
            assert all(worker.exitcode is None for worker in workers), "a worker died while loading"
            time.sleep(0.05)
        ready.wait()
        began = time.perf_counter()
        go.set()
        for worker in workers:
            worker.join()
        took = time.perf_counter() - began
        assert all(worker.exitcode == 0 for worker in workers), "a worker failed"
        assert len(list(Path(out).iterdir())) == len(clips)
    return took, sum(used[:])


def run_pipeline(codec: str, weights: str, clips: list[Path], processes: int) -> tuple[float, float]:
    """Seconds by the clock from the first unit's start to the last receipt, and CPU-seconds of the workers, both
    without units of one clip at the beginning in which the workers load their models."""
    recipe = ExtractRecipe((config(codec, weights, kind="codes"),))
    rows = []
    for unit, path in enumerate([*clips[:1] * (2 * processes), *clips]):
        frames, recording = soundfile.info(path).frames, sha256_file(path)
        warm = unit < 2 * processes
        rows.append(
            {
                "unit": unit if warm else 2 * processes + (unit - 2 * processes) // CLIPS_PER_UNIT,
                "key": clip_key(recording, unit, 0, frames),
                "recording": recording,
                "uri": str(path),
                "channel": 0,
                "start": 0,
                "end": frames,
                "representations": recipe.specs[0].name,
            }
        )
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder, create=True)
        plan = write_plan(store, "bench", recipe, pa.Table.from_pylist(rows).to_reader())
        loading = {ref.unit for ref in plan[: 2 * processes]}
        outcomes = [o for o in run_units(recipe, store, "bench", plan, processes) if o.unit not in loading]
    assert sum(o.done for o in outcomes) == len(clips)
    assert not any(o.failed for o in outcomes)
    took = max(o.finished_s for o in outcomes) - min(o.started_s for o in outcomes)
    return took, sum(o.cpu_s for o in outcomes)


def work(
    arm: str, codec: str, weights: str, clips: list[Path], out: str, ready: Any, go: Any, used: Any, index: int
) -> None:
    """One process of an arm: codes of every clip as .npy."""
    import torch

    torch.set_num_threads(multiprocessing.cpu_count() if arm == "naive" else 1)
    encode = ours(codec, weights) if arm == "ours" else upstream(codec, weights, arm)
    encode(np.zeros((1, 24000), np.float32), 24000)
    ready.wait()
    go.wait()
    began = time.process_time()
    for path in clips:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        np.save(Path(out) / f"{path.stem}.npy", encode(audio.T, rate))
    used[index] = time.process_time() - began


def ours(codec: str, weights: str) -> Any:
    """Audio to codes by the extractor."""
    (extractor,) = registry.build([config(codec, weights, kind="codes")])
    return lambda audio, rate: extractor.extract(audio, rate)[extractor.specs[0].name]


def upstream(codec: str, weights: str, arm: str) -> Any:
    """Audio to codes as the package's documentation does it; `upstream` adds our resampler and inference mode."""
    import torch
    from encodec.utils import convert_audio

    if weights.startswith("seed:"):
        # the package's own model: no folded weight normalisation
        constructor = {"encodec24": "encodec_model_24khz", "encodec48": "encodec_model_48khz"}.get(codec)
        seed = int(weights[5:])
        model: Any = encodec.seeded_model(constructor, seed) if constructor else mimi.seeded_model(seed)
    else:
        model = getattr(registry.load_codec(config(codec, weights, kind="codes")), "model")  # noqa: B009
    rate_out, channels = model.sample_rate, model.channels
    if codec == "mimi":
        model.set_num_codebooks(8)
    else:
        model.set_target_bandwidth(6.0)

    def encode(audio: np.ndarray, rate: int) -> np.ndarray:
        with torch.inference_mode() if arm == "upstream" else torch.no_grad():
            if arm == "upstream":
                waveform = torch.from_numpy(resample(audio, rate, rate_out)).expand(channels, -1)
            else:
                waveform = convert_audio(torch.from_numpy(audio), rate, rate_out, channels)
            coded = model.encode(waveform[None])
            codes = coded if codec == "mimi" else torch.cat([part for part, _ in coded], -1)
            return codes[0].numpy().astype(np.uint16)

    return encode


def config(codec: str, weights: str, **view: Any) -> RepresentationConfig:
    """A view of `codec`; weights "" are the published ones."""
    codebooks = {"num_codebooks": 4} if codec == "encodec48" and view["kind"] in ("codes", "quantized") else {}
    return RepresentationConfig(**{"codec": codec, "weights": weights or None, **codebooks, **view})

"""The loader gives what the plan says, from any workers, worlds and restarts, and says what it could not read."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from dataset_factory import CODES, LATENTS, payload, voices, write_version
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from auricle.loaders.plan.settings import Mixing, Settings
from auricle.loaders.storage.store import Store
from auricle.loaders.training.data import TrainingData
from auricle.loaders.training.datasets import BatchStream, Clips
from auricle.loaders.training.layout import Layout
from auricle.loaders.training.loader import Loader
from auricle.schemas.curriculum import CURRICULUM
from auricle.schemas.errors import ConfigError

VOICES = [*voices(14, "a"), *(v.but(text=None) for v in voices(9, "b", language="de"))]
BY_KEY = {voice.key: voice for voice in VOICES}
CHOSEN = Settings(seed=3, microbatches=4, batch_tokens=260)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = str(tmp_path_factory.mktemp("loader"))
    write_version(root, VOICES)
    table = pa.Table.from_pylist([{"clip": v.key, "stage": i % 2} for i, v in enumerate(VOICES)], schema=CURRICULUM)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    Store(root).put_new("derived/000001/curriculum.parquet", sink.getvalue().to_pybytes())
    return root


def read(loader: Loader | DataLoader[Any], count: int | None = None) -> list[tuple[int, int, list[str]]]:
    """(step, slot, keys) of the next batches."""
    found = []
    for number, batch in enumerate(loader, 1):
        found.append((batch["step"], batch["slot"], batch["keys"]))
        if number == count:
            break
    return found


def test_batches_hold_the_codes_of_their_clips_with_lengths_and_mask(dataset: str) -> None:
    data = TrainingData(dataset, ["toy-codes", "toy-latents"], CHOSEN, columns=["language"])
    seen = []
    for batch in Loader(data):
        codes, lengths, latents = batch["codes"], batch["lengths"], batch["latents"]
        assert codes.dtype == torch.int64
        assert codes.shape == (len(batch["keys"]), CODES.rows, int(lengths.max()))
        assert codes.shape[0] * codes.shape[2] <= 260
        assert torch.equal(batch["mask"], torch.arange(codes.shape[2]) < lengths[:, None])
        for i, key in enumerate(batch["keys"]):
            expected = payload(BY_KEY[key], CODES)
            assert np.array_equal(codes[i, :, : lengths[i]].numpy(), expected)
            assert not codes[i, :, lengths[i] :].any()
            assert np.array_equal(latents[i, :, : batch["latents_lengths"][i]].numpy(), payload(BY_KEY[key], LATENTS))
            assert batch["language"][i] == BY_KEY[key].language
        seen += batch["keys"]
    assert sorted(seen) == sorted(BY_KEY)


def test_workers_change_nothing_however_they_start(dataset: str) -> None:
    data = TrainingData(dataset, "toy-codes", CHOSEN)
    alone = read(Loader(data))
    for workers, start in ((1, None), (3, None), (2, "fork"), (2, "spawn")):
        loader = Loader(data, workers=workers, start=start, prefetch=3)
        assert read(loader) == alone, (workers, start)
        # the next epoch has another order, and comes from the same workers
        assert loader.epoch == 1
        assert read(loader) != alone


@settings(max_examples=12, deadline=None)
@given(
    worlds=st.lists(st.sampled_from([1, 2, 4]), min_size=1, max_size=4),
    stops=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    mode=st.sampled_from([CHOSEN, replace(CHOSEN, row_tokens=130), replace(CHOSEN, crop_frames=30)]),
)
def test_restarts_on_other_worlds_go_on_where_the_state_says(
    dataset: str, worlds: list[int], stops: list[int], mode: Settings
) -> None:
    data = TrainingData(dataset, "toy-codes", mode)
    undisturbed = read(Loader(data))
    state: dict[str, Any] = data.state(0, 0)
    found: list[tuple[int, int, list[str]]] = []
    for world, stop in [*zip(worlds, stops, strict=False), (worlds[-1], None)]:
        states = set()
        for rank in range(world):
            loader = Loader(data, rank=rank, world=world)
            loader.load_state_dict(json.loads(json.dumps(state)))
            if loader.epoch == 0:
                per_rank = None if stop is None else stop * 4 // world
                found += read(loader, per_rank) if per_rank != 0 else []
            states.add(json.dumps(loader.state_dict()))
        # every rank saves the same
        assert len(states) == 1
        state = json.loads(states.pop())
    assert sorted(found) == undisturbed


def test_a_state_saved_within_a_step_gives_its_batches_again(dataset: str) -> None:
    data = TrainingData(dataset, "toy-codes", CHOSEN)
    loader = Loader(data)
    before = read(loader, 6)
    again = Loader(data)
    again.load_state_dict(loader.state_dict())
    assert (again.epoch, again.step) == (0, 1)
    assert read(again, 2) == before[4:6]


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_the_state_goes_through_a_distributed_checkpoint(dataset: str, tmp_path: Path) -> None:
    import torch.distributed.checkpoint as dcp

    data = TrainingData(dataset, "toy-codes", CHOSEN)
    loader = Loader(data, rank=0, world=1)
    read(loader, 4)
    saved = loader.state_dict()
    dcp.save({"loader": loader}, checkpoint_id=str(tmp_path / "c"), no_dist=True)
    fresh = Loader(data, rank=0, world=1)
    dcp.load({"loader": fresh}, checkpoint_id=str(tmp_path / "c"), no_dist=True)
    assert fresh.state_dict() == saved
    assert saved["step"] == 1


def test_a_state_of_other_settings_says_what_differs(dataset: str) -> None:
    state = Loader(TrainingData(dataset, "toy-codes", CHOSEN)).state_dict()
    other = Loader(
        TrainingData(dataset, "toy-codes", replace(CHOSEN, seed=4), where=pa.compute.field("tier") == "gold")
    )
    with pytest.raises(ConfigError, match=r"seed: saved 3, here 4; where: saved None, here '\(tier == \"gold\"\)'"):
        other.load_state_dict(state)


def test_a_damaged_clip_leaves_its_place_empty_and_is_named(tmp_path: Path) -> None:
    root = str(tmp_path)
    write_version(root, VOICES)
    data = TrainingData(root, ["toy-codes", "toy-latents"], CHOSEN)
    whole = read(Loader(data))
    pointers = data.index.pointers[0]
    victim = data.index.keys(np.array([5]))[0]
    shard = tmp_path / "shards" / CODES.name / f"{pointers.shards[pointers.shard[5]]}.tar"
    with shard.open("r+b") as file:
        file.seek(int(pointers.offset[5]) + 200)
        file.write(b"\xff\xff\xff")
    loader = Loader(data)
    found = read(loader)
    assert [(s, g, ["" if k == victim else k for k in keys]) for s, g, keys in whole] == found
    assert list(loader.damaged) == [victim]
    assert "fails its checksum" in loader.damaged[victim]
    batch = next(b for b in Loader(data) if b["damaged"])
    place = batch["keys"].index("")
    assert batch["lengths"][place] == batch["latents_lengths"][place] == 0
    assert not batch["mask"][place].any()
    shard.unlink()
    gone = Loader(TrainingData(root, "toy-codes", CHOSEN))
    read(gone)
    assert set(gone.damaged) == {
        k for i, k in enumerate(data.index.keys(np.arange(23))) if pointers.shard[i] == pointers.shard[5]
    }


def test_packed_rows_say_where_each_clip_is(dataset: str) -> None:
    data = TrainingData(dataset, "toy-codes", Settings(batch_tokens=600, row_tokens=200, seed=1), columns=["speaker"])
    seen: list[str] = []
    for batch in Loader(data):
        assert batch["codes"].shape[2] == 200
        for row, keys in enumerate(batch["keys"]):
            segments = batch["segments"][row]
            assert batch["speaker"][row] == ["ann"] * len(keys)
            for number, key in enumerate(keys, 1):
                inside = segments == number
                assert np.array_equal(batch["codes"][row][:, inside].numpy(), payload(BY_KEY[key], CODES))
                assert torch.equal(batch["positions"][row][inside], torch.arange(int(inside.sum())))
            assert torch.equal(batch["mask"][row], segments > 0)
            seen += keys
    assert sorted(seen) == sorted(BY_KEY)
    assert max(len(keys) for batch in Loader(data) for keys in batch["keys"]) > 1


def test_crops_of_aligned_representations_are_of_the_same_time(dataset: str) -> None:
    data = TrainingData(dataset, ["toy-codes", "toy-latents"], Settings(batch_rows=4, crop_frames=24, seed=2))
    starts = set()
    for batch in Loader(data):
        for i, key in enumerate(batch["keys"]):
            codes, latents = payload(BY_KEY[key], CODES), payload(BY_KEY[key], LATENTS)
            crop = batch["codes"][i, :, : batch["lengths"][i]].numpy()
            at = next(a for a in range(codes.shape[1] - 23) if np.array_equal(codes[:, a : a + 24], crop))
            starts.add(at)
            # 4 frames of codes are one of latents
            first, last = at // 4, -(-(at + 24) // 4)
            found = batch["latents"][i, :, : batch["latents_lengths"][i]].numpy()
            assert np.array_equal(found, latents[:, first:last])
    assert len(starts) > 5


def test_delays_ends_and_flattening_count_in_the_budget(dataset: str) -> None:
    layout = Layout(bos=64, eos=65, delay=True, pad=66, flatten=True, offset_codebooks=True)
    data = TrainingData(dataset, "toy-codes", Settings(batch_tokens=1200), layout=layout)
    assert (data.settings.token_scale, data.settings.token_extra) == (4, 4 * (2 + 3))
    for batch in Loader(data):
        assert batch["codes"].shape[1] == 1
        assert batch["codes"].shape[0] * batch["codes"].shape[2] <= 1200
        row = batch["codes"][0, 0, : batch["lengths"][0]].reshape(-1, 4).T.numpy()
        codes = payload(BY_KEY[batch["keys"][0]], CODES)
        for k in range(4):
            own = row[k] - 67 * k
            frames = codes.shape[1]
            assert (own[:k] == 66).all()
            assert own[k] == 64
            assert np.array_equal(own[k + 1 : k + 1 + frames], codes[k])
            assert own[k + 1 + frames] == 65
            assert (own[k + 2 + frames :] == 66).all()


def test_text_comes_from_the_callers_tokeniser(dataset: str) -> None:
    data = TrainingData(dataset, "toy-codes", CHOSEN, tokenizer=lambda text: [ord(c) for c in text])
    for batch in Loader(data):
        for i, key in enumerate(batch["keys"]):
            tokens = batch["text"][i, : batch["text_lengths"][i]].tolist()
            assert "".join(map(chr, tokens)) == (BY_KEY[key].text or "")


def test_stages_and_mixing_reach_the_loader(dataset: str) -> None:
    mixed = Settings(batch_rows=3, mixing=Mixing("language", repeats={"de": 2, "en": 0.5}), pacing=(0, 1))
    data = TrainingData(dataset, "toy-codes", mixed, columns=["language"])
    loader = Loader(data)
    for open_clips in (VOICES[::2], VOICES):
        drawn = [language for batch in loader for language in batch["language"]]
        english = sum(v.language == "en" for v in open_clips)
        assert drawn.count("de") == 2 * (len(open_clips) - english)
        assert abs(drawn.count("en") - english / 2) <= 0.5


def test_a_stream_in_a_plain_dataloader_has_the_same_order_and_state(dataset: str) -> None:
    data = TrainingData(dataset, "toy-codes", CHOSEN)
    alone = read(Loader(data, rank=1, world=2))
    for workers in (0, 2):
        stream = BatchStream(data, rank=1, world=2)
        loader = DataLoader(stream, batch_size=None, num_workers=workers)
        assert len(loader) == len(alone)
        assert read(loader) == alone
    batches = list(DataLoader(BatchStream(data, rank=1, world=2), batch_size=None))
    stream = BatchStream(data, rank=1, world=2)
    stream.load_state_dict(stream.state_after(batches[1]))
    assert stream.state_dict()["step"] == 1
    assert read(DataLoader(stream, batch_size=None, num_workers=2)) == alone[2:]
    stream.set_epoch(1)
    assert read(DataLoader(stream, batch_size=None)) != alone


def test_clips_are_reached_by_number(dataset: str) -> None:
    clips = Clips(TrainingData(dataset, ["toy-codes", "toy-latents"], CHOSEN, columns=["transcript"]))
    assert len(clips) == len(VOICES)
    for i in (0, 7, -1):
        found = clips[i]
        voice = BY_KEY[found["keys"][0]]
        assert np.array_equal(found["codes"][0].numpy(), payload(voice, CODES))
        assert found["transcript"] == [voice.text]
    with pytest.raises(IndexError):
        clips[23]


def test_what_goes_to_a_worker_is_small(dataset: str) -> None:
    data = TrainingData(dataset, "toy-codes", CHOSEN)
    assert len(pickle.dumps(data.reader)) < 5000
    assert len(pickle.dumps(next(data.tasks(0)))) < 3000


def test_a_world_that_does_not_fit_and_half_a_world_are_refused(dataset: str) -> None:
    data = TrainingData(dataset, "toy-codes", CHOSEN)
    with pytest.raises(ConfigError, match="take 1, 2, 4 ranks"):
        Loader(data, rank=0, world=3)
    with pytest.raises(ConfigError, match="together"):
        Loader(data, rank=0)
    with pytest.raises(ConfigError, match="special token"):
        TrainingData(dataset, "toy-codes", CHOSEN, layout=Layout(bos=3))
    with pytest.raises(ConfigError, match="one shift"):
        TrainingData(dataset, "toy-codes", CHOSEN, layout=Layout(delay=(0, 1)))


def test_data_and_plans_need_no_torch(dataset: str) -> None:
    code = f"""
import sys
from auricle.loaders.plan.settings import Settings
from auricle.loaders.training.data import TrainingData
data = TrainingData({dataset!r}, "toy-codes", Settings(batch_rows=4))
print(len([data.reader(task) for task in data.tasks(0)]), [m for m in ("torch", "ray", "duckdb") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.split() == ["6", "[]"]

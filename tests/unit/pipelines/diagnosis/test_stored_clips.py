"""Clips of a version beyond those that a diagnosis holds in memory."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dataset_factory
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_factory import CODES, Recording, write_version

from auricle.diagnostics.estimates.folds import held_clips
from auricle.loaders.reading.version import Version, open_version
from auricle.pipelines.diagnosis import of_codes as module
from auricle.pipelines.diagnosis.diagnose import diagnose
from auricle.pipelines.diagnosis.stored_clips import StoredClips
from auricle.schemas.representation import RepresentationSpec

FEATURES = CODES.model_copy(
    update={"name": "features-50hz", "codec": "features", "kind": "features", "rows": 6, "cardinality": None,
            "dtype": "float32"}
)  # fmt: skip
LATENTS = CODES.model_copy(
    update={"name": "walk-latents-50hz", "kind": "latents", "rows": 4, "cardinality": None, "dtype": "float32"}
)
CLIPS, FRAMES = 48, 400


def payload(recording: Recording, spec: RepresentationSpec) -> np.ndarray:
    rng = np.random.default_rng(int(recording.key[:8], 16))
    if spec.codec == "features":
        return rng.random((6, FRAMES)).astype(np.float32)
    if spec.kind == "latents":
        return np.cumsum(rng.standard_normal((spec.rows, FRAMES)), axis=1).astype(np.float32)
    # some clips are much easier than others
    still = rng.choice([0.5, 0.8, 0.95])
    steps = rng.choice([-1, 0, 1], (spec.rows, FRAMES), p=[(1 - still) / 2, still, (1 - still) / 2])
    return (np.cumsum(steps, axis=1) % spec.cardinality).astype(np.uint16)


def version_of(folder: Path, representations: list[RepresentationSpec]) -> Version:
    recordings = [Recording(f"v{i:02d}", speaker=f"s{i % 12:02d}", num_samples=16_000 * 8) for i in range(CLIPS)]
    write_version(f"{folder}/dataset", recordings, representations=representations)
    return open_version(f"{folder}/dataset")


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Version:
    monkeypatch.setattr(dataset_factory, "payload", payload)
    return version_of(tmp_path, [CODES, FEATURES])


@pytest.fixture
def version_of_latents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Version:
    monkeypatch.setattr(dataset_factory, "payload", payload)
    return version_of(tmp_path, [LATENTS])


def difficulty(version: Version) -> pa.Table:
    data = version.derived(f"difficulty-{CODES.name}.parquet")
    assert data is not None
    return pq.read_table(pa.BufferReader(data)).sort_by("clip")


def test_what_is_not_held_is_read_by_pieces_alone_and_has_its_difficulty(
    version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = diagnose(version, [CODES.name], reconstruct=0, workers=1)["representations"][CODES.name]
    every = difficulty(version)
    read: list[tuple[str, int]] = []
    samples = Version.samples

    def counted(self: Version, name: str, **options: Any) -> Iterator[Any]:
        found = list(samples(self, name, **options))
        read.append((name, len(found)))
        return iter(found)

    monkeypatch.setattr(Version, "samples", counted)
    monkeypatch.setattr(module, "HELD_CODE_FRAMES", CLIPS * FRAMES // 2)
    said: list[str] = []
    part = diagnose(version, [CODES.name], reconstruct=0, workers=1, begin=said.append)["representations"][CODES.name]
    codes = [count for name, count in read if name == CODES.name]
    assert codes[0] == CLIPS / 2
    assert sum(codes) == CLIPS, "every clip is read once"
    assert max(codes[1:]) < CLIPS / 4
    assert sum(count for name, count in read if name == FEATURES.name) == CLIPS
    assert "5 of 5 further pieces of the corpus scored" in said
    assert (part["num_clips"], part["num_frames"], part["held_frames"]) == (CLIPS, CLIPS * FRAMES, CLIPS * FRAMES // 2)
    # models that saw half as much of so little know less
    assert 1 < part["code_rate"]["computed"] / whole["code_rate"]["computed"] < 1.15
    found = difficulty(version)
    assert found["clip"].to_pylist() == every["clip"].to_pylist()
    for name in ("bits_per_s", "hard_bits_per_s", "difficulty", "bits_per_voiced_s", "reducible_bits_per_s"):
        assert found[name].null_count == 0
        assert np.corrcoef(found[name].to_numpy(), every[name].to_numpy())[0, 1] > 0.9, name


def test_pieces_by_two_processes_come_to_the_same_bytes(version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_CODE_FRAMES", CLIPS * FRAMES // 2)
    monkeypatch.setattr("auricle.diagnostics.codes.codes_diagnosis.PIECE_FRAMES", 3 * FRAMES)
    monkeypatch.setattr("auricle.diagnostics.estimates.jobs.MANY_CODES", 0)
    found = []
    for workers in (1, 2):
        record = diagnose(version, [CODES.name], reconstruct=0, workers=workers)
        found.append((record, version.derived(f"difficulty-{CODES.name}.parquet")))
    assert found[0] == found[1]


@pytest.mark.parametrize("workers", [1, 2])
def test_of_latents_the_sample_is_passed_over_and_all_others_are_read_once(
    version_of_latents: Version, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    version = version_of_latents
    monkeypatch.setattr("auricle.diagnostics.latents.further_gains.PIECE_VALUES", 5 * FRAMES * LATENTS.rows)
    monkeypatch.setattr(
        "auricle.pipelines.diagnosis.of_latents.beginnings", lambda index, *_, **__: {k: n for k, _, n in index[:12]}
    )
    read: list[int] = []
    samples = Version.samples

    def counted(self: Version, name: str, **options: Any) -> Iterator[Any]:
        found = list(samples(self, name, **options))
        read.append(len(found))
        return iter(found)

    monkeypatch.setattr(Version, "samples", counted)
    said: list[str] = []
    record = diagnose(version, max_frames=CLIPS * FRAMES // 2, workers=workers, begin=said.append)
    found = record["representations"][LATENTS.name]
    assert (found["num_clips"], found["fitted_frames"]) == (CLIPS, CLIPS * FRAMES // 2)
    assert "latents: 7 of 7 further pieces of the corpus scored" in said
    # those of `motion` are taken on the way
    assert CLIPS / 2 <= read[0] < CLIPS
    if workers == 1:
        assert sum(each for each in read if each <= 5) == CLIPS / 2
    data = version.derived(f"gains-{LATENTS.name}.parquet")
    assert data is not None
    table = pq.read_table(pa.BufferReader(data))
    assert sorted(table["clip"].to_pylist()) == sorted(version.clips(["clip"])["clip"].to_pylist())
    assert table["gain_nats"].null_count == 0
    # walks: the next frame is nearly the one before
    assert found["pred_gain"]["low"] > 1


def test_where_a_fold_would_be_without_a_clip_all_are_held() -> None:
    long = [(f"day{i}", f"s{i}", 3_000_000) for i in range(10)]
    assert held_clips(long, 4_000_000, group_kind="speaker") == {key for key, _, _ in long}
    short = [(f"clip{i:05}", f"s{i % 50}", 1000) for i in range(5000)]
    held = held_clips(short, 4_000_000, group_kind="speaker")
    assert len(held) == 4000
    assert {group for key, group, _ in short if key in held} == {group for _, group, _ in short}


def test_it_can_be_sent_to_a_worker_and_reads_what_it_is_asked_for(version: Version) -> None:
    source = pickle.loads(pickle.dumps(StoredClips(version.store, version.document.number, CODES.name, slice(1, 3))))
    clips = version.live(CODES.name, columns=["clip"])["clip"].to_pylist()[:5]
    codes = dict(source.arrays(clips))
    assert sorted(codes) == sorted(clips)
    assert {each.shape for each in codes.values()} == {(2, FRAMES)}
    sound = source.sound(clips)
    assert sorted(sound) == sorted(clips)
    assert {each.shape for each in sound.values()} == {(2, FRAMES)}

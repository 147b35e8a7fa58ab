"""Training from an object store: ranges and whole copies, a bounded cache that is not blindly believed, damage."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import numpy as np
import pytest
from dataset_factory import CODES, LATENTS, payload, voices, write_version
from object_store import s3_server, use_s3

from auricle.loaders import Loader, Settings, TrainingData, open_version
from auricle.loaders.storage import payloads
from auricle.loaders.storage.layout import shard_path
from auricle.loaders.storage.store import Store
from auricle.loaders.training import data
from auricle.schemas.keys import sha256_bytes

BUCKET = "auricle-training"
VOICES = voices(24)
BY_KEY = {voice.key: voice for voice in VOICES}
CHOSEN = Settings(batch_tokens=400, microbatches=2, seed=5)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def dataset(endpoint: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A version of 24 clips, four in a shard, under a prefix of its own."""
    use_s3(endpoint, BUCKET, tmp_path / "cache", monkeypatch)
    url = f"s3://{BUCKET}/{request.node.name.partition('[')[0]}-{abs(hash(request.node.name))}"
    write_version(url, VOICES)
    return url


def shards_of(url: str) -> dict[str, int]:
    """Hash and bytes of the shards of codes."""
    return {s.sha256: s.num_bytes for s in open_version(url).document.representations[CODES.name].shards}


def read(loader: Loader) -> list[str]:
    """The keys of one epoch, every array compared with what was written."""
    seen = []
    for batch in loader:
        for i, key in enumerate(batch["keys"]):
            if key:
                array = batch["codes"][i, :, : batch["lengths"][i]].numpy()
                assert np.array_equal(array, payload(BY_KEY[key], CODES))
        seen += batch["keys"]
    return seen


def damaged(url: str, clip: int) -> tuple[str, str]:
    """Damage one clip's codes in the bucket; its key, and its shard's hash."""
    index = TrainingData(url, CODES.name, CHOSEN).index
    pointers = index.pointers[0]
    sha256 = pointers.shards[pointers.shard[clip]]
    prefix = url.removeprefix(f"s3://{BUCKET}/")
    path = shard_path(CODES.name, sha256)
    bytes_now = bytearray(Store(url).get(path))
    bytes_now[int(pointers.offset[clip]) + 200] ^= 0xFF
    boto3.client("s3").put_object(Bucket=BUCKET, Key=f"{prefix}/{path}", Body=bytes(bytes_now))
    return index.keys(np.array([clip]))[0], sha256


@pytest.mark.parametrize("share", [0.0, 2.0])
@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_comes_by_copies_and_by_ranges_alike(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, workers: int
) -> None:
    monkeypatch.setattr(data, "WHOLE_SHARE", share)
    of = TrainingData(dataset, [CODES.name, LATENTS.name], CHOSEN, cache=tmp_path / "copies")
    loader = Loader(of, workers=workers)
    assert sorted(read(loader)) == sorted(BY_KEY)
    assert loader.damaged == {}
    held = {file.stem for file in (tmp_path / "copies").rglob("*.tar")}
    # all of it is wanted, or no shard is wanted enough
    assert (held >= set(shards_of(dataset))) if share < 1 else not held
    # from memory and disk the second time, in another order
    assert sorted(read(loader)) == sorted(BY_KEY)
    assert not any(thread.name.startswith("auricle-batches") for thread in threading.enumerate())


def test_an_epoch_that_is_broken_off_leaves_no_thread_and_goes_on(dataset: str, tmp_path: Path) -> None:
    of = TrainingData(dataset, CODES.name, CHOSEN, cache=tmp_path / "copies")
    whole = [batch["keys"] for batch in Loader(of)]
    loader = Loader(of, workers=2)
    batches = iter(loader)
    first = [next(batches)["keys"] for _ in range(CHOSEN.microbatches)]
    state = loader.state_dict()
    batches.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert not any(thread.name.startswith("auricle-batches") for thread in threading.enumerate())
    fresh = Loader(of, workers=1)
    fresh.load_state_dict(state)
    assert first + [batch["keys"] for batch in fresh] == whole


def test_copies_stay_within_cache_bytes(dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "WHOLE_SHARE", 0.0)
    sizes = shards_of(dataset)
    limit = 2 * max(sizes.values())
    loader = Loader(TrainingData(dataset, CODES.name, CHOSEN, cache=tmp_path / "copies", cache_bytes=limit))
    for batch in loader:
        assert batch["keys"]
        assert sum(file.stat().st_size for file in (tmp_path / "copies").rglob("*.tar")) <= limit
    assert list((tmp_path / "copies").rglob("*.tar"))


def test_a_planted_and_a_damaged_copy_are_fetched_again(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "WHOLE_SHARE", 0.0)
    cache = tmp_path / "copies"
    read(Loader(TrainingData(dataset, CODES.name, CHOSEN, cache=cache)))
    copies = sorted(file for file in cache.rglob("*.tar") if file.stem in shards_of(dataset))
    for number, file in enumerate(copies):
        # the copy of another shard's bytes, or a few bytes that turned over; of the right size
        other = bytearray(file.read_bytes())
        other[: 1 << 20 if number % 2 else 700] = bytes(min(len(other), 1 << 20 if number % 2 else 700))
        part = file.with_suffix(".new")
        part.write_bytes(other)
        part.replace(file)
    loader = Loader(TrainingData(dataset, CODES.name, CHOSEN, cache=cache))
    assert sorted(read(loader)) == sorted(BY_KEY)
    assert loader.damaged == {}
    for file in copies:
        assert sha256_bytes(file.read_bytes()) == file.stem


@pytest.mark.parametrize("way", ["whole", "large", "ranges"])
def test_a_clip_that_is_damaged_in_the_store_leaves_an_empty_slot(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(data, "WHOLE_SHARE", 2.0 if way == "ranges" else 0.0)
    if way == "large":
        monkeypatch.setattr(payloads, "WHOLE_BYTES", 0)
    victim, sha256 = damaged(dataset, 7)
    loader = Loader(TrainingData(dataset, CODES.name, CHOSEN, cache=tmp_path / "copies"))
    seen = read(loader)
    assert sorted(seen) == sorted(["", *(key for key in BY_KEY if key != victim)])
    assert list(loader.damaged) == [victim]
    assert "fails its checksum" in loader.damaged[victim]
    assert sha256 not in {file.stem for file in (tmp_path / "copies").rglob("*.tar")}

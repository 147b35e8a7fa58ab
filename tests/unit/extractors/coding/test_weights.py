"""Weights: found, hashed, pinned, recorded, refused; files of the same format as the published ones."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from auricle.extractors.coding import registry, weights
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.errors import WeightsError
from auricle.schemas.keys import sha256_file


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("AURICLE_WEIGHTS", str(folder))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, upstream_encodec24) -> Any:
    """An EnCodec checkpoint as published: a torch archive of the state dict."""
    path = tmp_path_factory.mktemp("checkpoints") / "encodec_24khz-d7cc33bc.th"
    torch.save(upstream_encodec24.state_dict(), path)
    return path


def codes(**more: Any) -> RepresentationConfig:
    return RepresentationConfig(codec="encodec24", kind="codes", **more)


def test_a_torch_archive_and_safetensors_give_the_codes_of_the_model_they_hold(
    checkpoint, tmp_path, upstream_encodec24, noise
):
    tensors = tmp_path / "encodec.safetensors"
    save_file({k: v.contiguous() for k, v in upstream_encodec24.state_dict().items()}, tensors)
    audio = noise(5000)
    upstream_encodec24.set_target_bandwidth(6.0)
    with torch.inference_mode():
        ((wanted, _),) = upstream_encodec24.encode(torch.from_numpy(audio)[None])
    for path in (checkpoint, tensors):
        (extractor,) = registry.build([codes(weights=str(path))])
        got = extractor.extract(audio, 24000)["encodec24-codes-75hz"]
        assert np.array_equal(got, wanted[0].numpy())
        (spec,) = extractor.specs
        assert spec.trained
        assert spec.details["weights_sha256"] == sha256_file(path)


def test_a_mimi_checkpoint_in_safetensors_gives_the_codes_of_the_model_it_holds(tmp_path, upstream_mimi, noise):
    path = tmp_path / "tokenizer.safetensors"
    save_file({k: v.contiguous() for k, v in upstream_mimi.state_dict().items()}, path)
    audio = noise(30011)
    upstream_mimi.set_num_codebooks(8)
    with torch.inference_mode():
        wanted = upstream_mimi.encode(torch.from_numpy(audio)[None])[0]
    settings: dict[str, Any] = {"codec": "mimi", "kind": "codes", "weights": str(path)}
    (extractor,) = registry.build([RepresentationConfig(**settings)])
    assert np.array_equal(extractor.extract(audio, 24000)["mimi-codes-12.5hz"], wanted.numpy())
    path.unlink()


def test_the_fingerprint_follows_the_bytes_not_the_path(checkpoint, tmp_path):
    other = tmp_path / "elsewhere.th"
    other.write_bytes(checkpoint.read_bytes())
    one, two = (registry.describe(codes(weights=str(p))) for p in (checkpoint, other))
    assert one.fingerprint == two.fingerprint
    assert registry.describe(codes(weights="seed:0")).fingerprint != one.fingerprint


def test_another_file_than_the_pinned_one_is_refused(checkpoint):
    right = sha256_file(checkpoint)
    assert registry.describe(codes(weights=str(checkpoint), weights_sha256=right)).details["weights_sha256"] == right
    with pytest.raises(WeightsError) as refused:
        registry.describe(codes(weights=str(checkpoint), weights_sha256="1" * 64))
    assert right in str(refused.value)
    assert "1" * 64 in str(refused.value)


def test_a_cached_file_that_changed_since_its_first_use_is_refused(checkpoint, cache):
    cache.mkdir()
    placed = cache / "encodec_24khz-d7cc33bc.th"
    placed.write_bytes(checkpoint.read_bytes())
    first = weights.resolve("encodec24")
    assert first.sha256 == sha256_file(checkpoint)
    placed.write_bytes(checkpoint.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsError, match="first use recorded"):
        weights.resolve("encodec24")


def test_weights_are_read_from_an_object_store_once(checkpoint, cache, noise):
    url = f"file://{checkpoint}"
    found = weights.resolve("encodec24", url)
    assert found.sha256 == sha256_file(checkpoint)
    assert found.path is not None
    assert found.path.is_relative_to(cache)
    assert weights.resolve("encodec24", url) == found
    with pytest.raises(WeightsError, match="cannot be read"):
        weights.resolve("encodec24", f"file://{checkpoint}.absent")
    assert not list(cache.rglob("*.partial"))


def test_a_pickle_with_code_in_it_is_refused_and_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    archive, bare = tmp_path / "bomb.th", tmp_path / "bomb.pt"
    torch.save({"weights": Bomb()}, archive)
    bare.write_bytes(pickle.dumps(Bomb()))
    for path in (archive, bare):
        with pytest.raises(WeightsError, match="cannot be read as weights"):
            registry.build([codes(weights=str(path))])
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"not weights at all"])
@pytest.mark.parametrize("suffix", [".th", ".safetensors"])
def test_a_broken_file_is_one_clear_error(tmp_path, content, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        registry.build([codes(weights=str(path))])


def test_a_checkpoint_of_another_model_is_refused_by_name(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"layer.weight": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match="not a checkpoint of this codec"):
        registry.build([codes(weights=str(path))])


def test_the_table_of_weights_says_what_is_here(checkpoint, cache):
    rows = {row["name"]: row for row in weights.list_weights()}
    assert set(rows) == {"mimi", "encodec24", "encodec48"}
    assert not any(row["present"] for row in rows.values())
    cache.mkdir()
    (cache / "encodec_24khz-d7cc33bc.th").write_bytes(checkpoint.read_bytes())
    found = weights.check("encodec24")
    row = next(row for row in weights.list_weights() if row["name"] == "encodec24")
    assert row["present"]
    assert row["sha256"] == found.sha256
    assert row["bytes"] == checkpoint.stat().st_size
    assert weights.fetch("encodec24").path == found.path


def test_fetching_without_a_network_says_what_to_copy_by_hand(cache, monkeypatch):
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError("network is unreachable")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    for name, file in (("mimi", "tokenizer-e351c8d8"), ("encodec48", "encodec_48khz-7e698e3e.th")):
        with pytest.raises(WeightsError) as failed:
            weights.fetch(name)
        for word in (file, str(cache), "network is unreachable"):
            assert word in str(failed.value)
    with pytest.raises(WeightsError, match="not on this machine"):
        weights.check("mimi")


def test_hub_ids_are_found_in_the_hub_librarys_own_cache(checkpoint, monkeypatch):
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda repo, file: str(checkpoint))
    found = weights.resolve("encodec24", "someone/encodec/encodec.th")
    assert found.path == checkpoint
    assert found.source == "someone/encodec/encodec.th"


def test_files_that_torch_downloaded_before_are_found_and_their_hash_recorded(checkpoint, tmp_path, cache):
    folder = tmp_path / "torch/hub/checkpoints"
    folder.mkdir(parents=True)
    placed = folder / "encodec_24khz-d7cc33bc.th"
    placed.write_bytes(checkpoint.read_bytes())
    assert weights.resolve("encodec24").path == placed
    placed.write_bytes(b"other")
    with pytest.raises(WeightsError, match="first use recorded"):
        weights.resolve("encodec24")

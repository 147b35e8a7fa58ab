"""Units fitted in blocks equal units fitted in one go; missing audio and interruptions are survived."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from dataset_factory import LATENTS, Recording, voices, write_version

from auricle.extractors.features import kmeans
from auricle.extractors.features.units import Source, source_card
from auricle.loaders.reading.version import Version, open_version
from auricle.pipelines.derived import fit_speech_units as fit_units
from auricle.pipelines.derived.fit_speech_units import Heard, Stored, blocks_of, fit_version
from auricle.schemas.errors import DatasetError, IntegrityError
from auricle.schemas.keys import sha256_file

SIZES = [4, 8]


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Version:
    """40 clips of 1 to 2.6 s, in blocks of 6 s."""
    monkeypatch.setattr(fit_units, "BLOCK_S", 6.0)
    write_version(f"{tmp_path}/dataset", voices(40))
    return open_version(f"{tmp_path}/dataset")


def stored(version: Version) -> Stored:
    return Stored(version.store, version.representation(LATENTS.name))


def same(a: kmeans.Fit, b: kmeans.Fit) -> bool:
    pairs = [(a.mean, b.mean), (a.deviation, b.deviation), *((a.centroids[s], b.centroids[s]) for s in a.centroids)]
    return all(np.array_equal(x, y) for x, y in pairs) and a.inertia == b.inertia and a.frames == b.frames


@pytest.mark.parametrize("sample", [20_000, 60])
def test_a_fit_in_blocks_equals_the_fit_on_one_machine(
    version: Version, monkeypatch: pytest.MonkeyPatch, sample: int
) -> None:
    monkeypatch.setattr(fit_units, "SAMPLE", sample)
    found, failed = fit_version(version, stored(version), SIZES, 6, 1, workers=1)
    whole = kmeans.fit(lambda: ((s.key, s.array.T) for s in version.samples(LATENTS.name)), SIZES, 6, 1, sample)
    assert not failed
    assert found.frames == whole.frames
    np.testing.assert_allclose(found.mean, whole.mean, rtol=1e-12)
    for size in SIZES:
        np.testing.assert_allclose(found.centroids[size], whole.centroids[size], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.inertia[size], whole.inertia[size], rtol=1e-9)


def test_blocks_hold_every_clip_once_in_order_and_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({"clip": [str(i) for i in range(1000)], "duration_s": [0.1 + (i % 7) for i in range(1000)]})
    cut = blocks_of(table)
    assert [key for block in cut for key in block["clip"].to_pylist()] == table["clip"].to_pylist()
    assert all(sum(block["duration_s"].to_pylist()) < fit_units.BLOCK_S + 7.1 for block in cut)
    monkeypatch.setattr(fit_units, "BLOCKS", 4)
    assert len(blocks_of(table)) == 4


def test_an_interrupted_fit_goes_on_after_its_last_pass(version: Version, tmp_path: Path) -> None:
    whole, _ = fit_version(version, stored(version), SIZES, 5, 0, workers=1)
    kept, stop = tmp_path / "units.fit", 40 * 3 + 7

    def interrupt(done: int, total: int) -> None:
        assert total == 40 * 6
        if done > stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_version(version, stored(version), SIZES, 5, 0, workers=1, kept=kept, told=interrupt)
    gone_over: list[int] = []
    again, _ = fit_version(
        version, stored(version), SIZES, 5, 0, workers=1, kept=kept, told=lambda done, _: gone_over.append(done)
    )
    assert same(again, whole)
    assert min(gone_over) > 40 * 3
    assert gone_over[-1] == 40 * 6
    # what another fit left is no start for this one
    other, _ = fit_version(version, stored(version), SIZES, 5, 1, workers=1, kept=kept)
    assert not same(other, whole)
    assert same(other, fit_version(version, stored(version), SIZES, 5, 1, workers=1)[0])


def test_a_damaged_payload_stops_the_fit(version: Version) -> None:
    shard = next(iter(version.document.representations[LATENTS.name].shards))
    path = Path(version.store.url.removeprefix("file://")) / f"shards/{LATENTS.name}/{shard.sha256}.tar"
    data = bytearray(path.read_bytes())
    at = data.index(b"NUMPY") + 150
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="checksum"):
        fit_version(version, stored(version), SIZES, 2, 0, workers=1)


def spoken(folder: Path) -> Version:
    """Six recordings as files, so that their audio can be read."""
    recordings = []
    for i in range(6):
        tone = 0.3 * np.sin(2 * np.pi * (150 + 60 * i) * np.arange(16_000 + 640 * i) / 16_000)
        path = folder / f"corpus/v{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone, 16_000)
        recordings.append(Audio(f"v{i}", num_samples=len(tone), text=str(path)))
    source = {"name": "voices", "path": str(folder / "corpus")}
    write_version(f"{folder}/dataset", recordings, representations=(), config={"sources": [source]})
    return open_version(f"{folder}/dataset")


class Audio(Recording):
    """A recording that is a file: its text says where."""

    @property
    def sha256(self) -> str:
        return sha256_file(Path(str(self.text)))


def test_clips_whose_audio_is_gone_are_left_out_and_named(tmp_path: Path) -> None:
    version = spoken(tmp_path)
    read = Heard(source_card(None))
    all_of_them, failed = fit_version(version, read, [4], 3, 0, workers=1)
    assert not failed
    (tmp_path / "corpus/v2.wav").unlink()
    rest, failed = fit_version(version, read, [4], 3, 0, workers=1)
    assert [reason.partition(":")[0] for reason in failed.values()] == ["missing"]
    assert 0 < rest.frames < all_of_them.frames

    def unplug(done: int, total: int) -> None:
        if done == 6:
            (tmp_path / "corpus/v3.wav").unlink()

    with pytest.raises(DatasetError, match="could be read in the first pass"):
        fit_version(version, read, [4], 3, 0, workers=1, told=unplug)
    for path in (tmp_path / "corpus").iterdir():
        path.unlink()
    with pytest.raises(DatasetError, match="none of 6 kept clips"):
        fit_version(version, read, [4], 3, 0, workers=1)


def test_a_clip_that_makes_the_features_raise_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Source.vectors

    def broken(self: Source, waveform: np.ndarray, sample_rate: int) -> np.ndarray:
        if waveform.shape[1] == 16_000 + 640 * 3:
            raise ValueError("odd")
        return real(self, waveform, sample_rate)

    monkeypatch.setattr(Source, "vectors", broken)
    found, failed = fit_version(spoken(tmp_path), Heard(source_card(None)), [4], 1, 0, workers=1)
    assert list(failed.values()) == ["internal: ValueError: odd"]
    assert found.frames > 0

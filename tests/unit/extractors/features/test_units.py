"""K-means in mergeable passes, MFCC, and units as a representation."""

from __future__ import annotations

import itertools
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.vq import kmeans2
from scipy.fft import dct

from auricle.extractors.coding import registry
from auricle.extractors.features import kmeans, mfcc, units
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.errors import ClipError, ConfigError, WeightsError


def blobs(count: int = 600, dimension: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(scale=6, size=(4, dimension))
    label = rng.integers(4, size=count)
    return centres[label] + rng.normal(size=(count, dimension)), label


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 599), max_size=6), seed=st.integers(0, 5))
def test_a_pass_over_any_split_equals_the_pass_over_everything(cuts, seed):
    vectors, _ = blobs()
    centroids = np.random.default_rng(seed).normal(size=(7, 5))
    whole = kmeans.partial(vectors, centroids)
    parts = [kmeans.partial(part, centroids) for part in np.split(vectors, sorted(cuts))]
    merged = reduce(kmeans.Sums.merge, reversed(parts))
    assert np.array_equal(merged.hits, whole.hits)
    np.testing.assert_allclose(merged.totals, whole.totals, rtol=1e-12, atol=1e-9)
    assert merged.inertia == pytest.approx(whole.inertia, rel=1e-12)


def test_merged_passes_equal_scipys_k_means_on_one_machine():
    vectors, _ = blobs()
    start = vectors[[0, 1, 2, 3, 4, 5]]
    ours = start
    for _ in range(12):
        parts = [kmeans.partial(part, ours) for part in np.array_split(vectors, 5)]
        ours = kmeans.update(ours, reduce(kmeans.Sums.merge, parts))
    theirs, _ = kmeans2(vectors, start, iter=12, minit="matrix")
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_the_sample_and_the_moments_do_not_depend_on_order():
    clips = {f"clip{i}": blobs(50 + i, seed=i)[0] for i in range(6)}
    forward = reduce(kmeans.Sample.merge, (kmeans.Sample.of(k, v, 40) for k, v in clips.items()))
    backward = reduce(kmeans.Sample.merge, (kmeans.Sample.of(k, clips[k], 40) for k in reversed(clips)))
    assert np.array_equal(forward.vectors, backward.vectors)
    whole = np.concatenate(list(clips.values()))
    moments = reduce(kmeans.Moments.merge, (kmeans.Moments.of(v) for v in clips.values()))
    np.testing.assert_allclose(moments.mean, whole.mean(0))
    np.testing.assert_allclose(moments.deviation, whole.std(0))


def test_an_empty_cluster_comes_back_to_life():
    vectors, _ = blobs()
    centroids = np.vstack([vectors[:3], np.full((1, 5), 1e6)])
    for _ in range(5):
        sums = kmeans.partial(vectors, centroids)
        centroids = kmeans.update(centroids, sums)
    assert (kmeans.partial(vectors, centroids).hits > 0).all()


def test_a_fit_finds_separated_clusters_and_its_inertia_never_rises():
    vectors, label = blobs()
    fitted = kmeans.fit(lambda: [("a", vectors[:300]), ("b", vectors[300:])], sizes=[4, 8], passes=10)
    codes = kmeans.assign((vectors - fitted.mean) / fitted.deviation, fitted.centroids[4])
    table = np.zeros((4, 4))
    np.add.at(table, (codes, label), 1)
    assert (table.max(0) / table.sum(0) > 0.99).all()
    for values in fitted.inertia.values():
        assert all(b <= a * (1 + 1e-9) for a, b in itertools.pairwise(values))
    assert fitted.inertia[8][-1] < fitted.inertia[4][-1]


def test_a_single_repeated_vector_can_be_fitted():
    fitted = kmeans.fit(lambda: [("a", np.ones((10, 3)))], sizes=[2], passes=2)
    assert np.isfinite(fitted.centroids[2]).all()


def test_the_cepstra_of_a_frame_equal_scipys_cosine_transform():
    bank = np.random.default_rng(0).normal(size=(3, mfcc.MELS))
    ours = bank @ mfcc.cosine_rows(mfcc.MELS, mfcc.CEPSTRA)
    np.testing.assert_allclose(ours, dct(bank, norm="ortho")[:, : mfcc.CEPSTRA], atol=1e-12)


def test_differences_of_a_ramp_are_its_slope():
    ramp = np.arange(20.0)[None] * 3
    np.testing.assert_allclose(mfcc.differences(ramp)[0, 2:-2], 3)


@pytest.mark.parametrize("frame_size", [320, 480, 960, 1920])
@pytest.mark.parametrize("num_samples", [1, 319, 1920, 5000])
def test_mfcc_has_one_finite_column_per_frame(frame_size, num_samples):
    audio = np.random.default_rng(0).normal(size=num_samples).astype(np.float32)
    out = mfcc.mfcc(audio, frame_size)
    assert out.shape == (39, -(-num_samples // frame_size))
    assert np.isfinite(out).all()


@pytest.mark.parametrize("frame_size", [320, 480, 960, 1920])
def test_a_planted_burst_moves_the_mfcc_of_its_own_frame_most(frame_size):
    for frame in (7, 12):
        audio = np.zeros(30 * frame_size, np.float32)
        middle = frame * frame_size + frame_size // 2
        audio[middle - 20 : middle + 20] = np.random.default_rng(1).normal(size=40) * 0.5
        energy = mfcc.mfcc(audio, frame_size)[0]
        assert abs(int(energy.argmax()) - frame) <= 1


def tones(count: int = 6):
    rng = np.random.default_rng(3)
    for i in range(count):
        pitch = 150 * (1 + i % 3)
        wave = 0.2 * np.sign(np.sin(2 * np.pi * pitch * np.arange(12000) / 16000)) + 0.01 * rng.normal(size=12000)
        yield f"clip{i}", wave[None].astype(np.float32), 16000


@pytest.fixture(scope="module")
def fitted(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("units") / "own.safetensors"
    units.fit_units(tones, [4, 16], out, passes=4)
    return out


def view(weights: Path | None, **more) -> RepresentationConfig:
    return RepresentationConfig(
        **{"codec": "units", "kind": "codes", "weights": str(weights) if weights else None, **more}
    )


def test_units_are_codes_of_several_sizes_at_the_codecs_frame_times(fitted):
    spec = units.FAMILY.describe(view(fitted))
    assert (spec.name, spec.rows, spec.cardinality, spec.frame_size) == ("units-codes-75hz", 2, 16, 320)
    extractor = units.FAMILY.build([view(fitted)])
    for _, wave, rate in tones(2):
        codes = extractor.extract(wave, rate)[spec.name]
        assert codes.shape == (2, -(-18000 // 320))
        assert codes.dtype == np.uint16
        assert codes[0].max() < 4
        assert codes[1].max() < 16


def test_different_sounds_get_different_units(fitted):
    extractor = units.FAMILY.build([view(fitted)])
    common = [np.bincount(extractor.extract(w, r)["units-codes-75hz"][0]).argmax() for _, w, r in tones(3)]
    assert len(set(common)) == 3


def test_fitting_twice_gives_the_same_bytes(fitted, tmp_path):
    card = units.fit_units(tones, [4, 16], tmp_path / "again.safetensors", passes=4)
    assert (tmp_path / "again.safetensors").read_bytes() == fitted.read_bytes()
    assert card["weights_sha256"] == units.FAMILY.describe(view(fitted)).details["weights_sha256"]


def test_units_over_latents_follow_their_sources_fingerprint(tmp_path):
    source = RepresentationConfig(codec="builtin", kind="latents", rate_hz=12.5, weights="seed:0")
    out = tmp_path / "latents.safetensors"
    card = units.fit_units(tones, [4], out, source=source, passes=2)
    spec = units.FAMILY.describe(view(out))
    assert (spec.frame_rate, spec.frame_size, spec.trained) == (12.5, 1920, False)
    _, wave, rate = next(iter(tones()))
    assert units.FAMILY.build([view(out)]).extract(wave, rate)[spec.name].shape == (1, 10)
    path = out.with_suffix(".json")
    path.write_text(path.read_text().replace(card["source_fingerprint"], "0" * 32))
    with pytest.raises(WeightsError, match="fit them again"):
        units.FAMILY.describe(view(out))


def test_what_units_cannot_do_is_refused(fitted, tmp_path):
    for config, words in (
        (view(fitted, kind="latents"), "codes"),
        (view(fitted, rate_hz=50), "75 Hz"),
        (view(fitted, options={"size": 3}), "size"),
    ):
        with pytest.raises(ConfigError, match=words):
            units.FAMILY.describe(config)
    with pytest.raises(WeightsError, match="required"):
        units.FAMILY.describe(view(tmp_path / "absent.safetensors"))
    with pytest.raises(WeightsError, match="pinned"):
        units.FAMILY.describe(view(fitted, weights_sha256="0" * 64))
    with pytest.raises(ConfigError, match="one-way"):
        units.FAMILY.load(view(fitted))
    with pytest.raises(ClipError):
        units.FAMILY.build([view(fitted)]).extract(np.zeros((1, 0), np.float32), 16000)


def test_the_packaged_units_are_over_mfcc_and_need_no_download():
    spec = units.FAMILY.describe(view(None))
    assert spec.trained
    assert spec.details["source"] == "mfcc"
    assert spec.details["sizes"] == [50, 100, 200, 500]
    codes = units.FAMILY.build([view(None)]).extract(np.concatenate([w for _, w, _ in tones()], 1), 16000)[spec.name]
    assert codes.shape == (4, -(-6 * 18000 // 320))
    assert len(np.unique(codes[3])) > len(np.unique(codes[0])) > 3


def test_units_and_codec_codes_of_one_clip_have_the_same_frames():
    _, wave, rate = next(iter(tones()))
    (codec,) = registry.build([RepresentationConfig(codec="builtin", kind="codes")])
    semantic = units.FAMILY.build([view(None)])
    for length in (1, 5000, 12000):
        codes = codec.extract(wave[:, :length], rate)["builtin-codes-75hz"]
        assert semantic.extract(wave[:, :length], rate)["units-codes-75hz"].shape[1] == codes.shape[1]

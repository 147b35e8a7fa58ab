"""What a version's representations are diagnosed as."""

from __future__ import annotations

import json
from pathlib import Path

import dataset_factory
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dataset_factory import CODES, LATENTS, Recording, write_version

from auricle.diagnostics.known.processes import SignFlip
from auricle.diagnostics.known.walks import ArchetypeWalk
from auricle.extractors.coding import registry
from auricle.jobs.judging.diagnosis_table import print_diagnosis
from auricle.jobs.judging.judge_commands import _seconds
from auricle.loaders.reading.derived import diagnostics_record
from auricle.loaders.reading.version import Version, open_version
from auricle.pipelines.curricula.paced import curriculum
from auricle.pipelines.diagnosis.diagnose import diagnose
from auricle.pipelines.diagnosis.kept_network import identity
from auricle.pipelines.diagnosis.of_codes import streams
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.errors import ConfigError
from auricle.schemas.representation import RepresentationSpec

UNITS = CODES.model_copy(
    update={"name": "units-codes-50hz", "codec": "units", "rows": 2, "cardinality": 16, "details": {"sizes": [4, 16]}}
)


def units(recording: Recording, spec: RepresentationSpec) -> np.ndarray:
    """The larger size is noise; the smaller one is a coarser view of the same frames."""
    fine = np.random.default_rng(int(recording.key[:8], 16)).integers(0, 16, recording.num_samples // 320)
    return np.stack([fine // 4, fine]).astype(np.uint16)


def test_every_size_of_units_is_a_stream_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_factory, "payload", units)
    recordings = [Recording(f"v{i}", speaker=f"s{i % 10}", num_samples=16_000 * (10 + i % 3)) for i in range(40)]
    write_version(f"{tmp_path}/dataset", recordings, representations=[UNITS])
    version = open_version(f"{tmp_path}/dataset")
    found = diagnose(version)["representations"]
    assert set(found) == {"units-codes-50hz/4", "units-codes-50hz/16"}
    for size, bits in ((4, 2), (16, 4)):
        record = found[f"units-codes-50hz/{size}"]
        assert record["cardinality"] == size
        assert record["rate_raw"] == 50 * bits
        assert len(record["codebooks"]) == 1
        assert record["codebooks"][0]["use"] == 1
        # as a chain the larger size would cost 2 bits: the smaller one tells the other two
        assert record["code_rate"]["value"] == pytest.approx(50 * bits, rel=0.02)
        assert record["chain_gain"]["value"] == 0
    difficulty = version.derived("difficulty-units-codes-50hz.parquet")
    assert difficulty is not None
    rates = pq.read_table(pa.BufferReader(difficulty))["bits_per_s"].to_numpy()
    assert rates.mean() == pytest.approx(200, rel=0.03), "of the largest size"


def test_the_packaged_units_are_four_streams_and_codes_of_a_codec_one() -> None:
    packaged = registry.describe(RepresentationConfig(codec="units", kind="codes"))
    assert [(name, rows, entries) for name, rows, entries in streams(packaged)] == [
        (f"units-codes-75hz/{size}", slice(i, i + 1), size) for i, size in enumerate((50, 100, 200, 500))
    ]
    codes = registry.describe(RepresentationConfig(codec="builtin", kind="codes"))
    assert streams(codes) == [("builtin-codes-75hz", slice(None), 1024)]


FEATURES = CODES.model_copy(
    update={"name": "features-50hz", "codec": "features", "kind": "features", "rows": 6, "cardinality": None,
            "dtype": "float32"}
)  # fmt: skip
FINE = CODES.model_copy(update={"name": "fine-codes-25hz", "frame_rate": 25.0, "rows": 1, "cardinality": 16})
COARSE = CODES.model_copy(update={"name": "coarse-codes-25hz", "frame_rate": 25.0, "rows": 1, "cardinality": 16})


def loud_or_not(recording: Recording, spec: RepresentationSpec) -> np.ndarray:
    """Loud frames have codes 4 to 15, quiet ones 0 to 3; coarse codes are halved."""
    rng = np.random.default_rng(int(recording.key[:8], 16))
    frames = recording.num_samples // 640
    loud = rng.random(frames) < 0.5
    codes = np.where(loud, rng.integers(4, 16, frames), rng.integers(0, 4, frames))
    if spec.codec == "features":
        rows = np.zeros((6, 2 * frames), np.float32)
        rows[1], rows[2] = np.repeat(loud, 2), np.repeat(np.where(loud, -20.0, -60.0), 2)
        return rows
    return (codes // (2 if spec.name.startswith("coarse") else 1))[None].astype(np.uint16)


@pytest.fixture
def version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Version:
    monkeypatch.setattr(dataset_factory, "payload", loud_or_not)
    recordings = [Recording(f"v{i}", speaker=f"s{i % 10}", num_samples=16_000 * (10 + i % 3)) for i in range(40)]
    write_version(f"{tmp_path}/dataset", recordings, representations=[FEATURES, FINE, COARSE])
    return open_version(f"{tmp_path}/dataset")


def test_diagnosing_one_representation_leaves_what_is_known_of_others(version: Version) -> None:
    diagnose(version, ["fine"])
    fine = diagnostics_record(version)
    assert set(diagnose(version, ["coarse"])["representations"]) == {"coarse-codes-25hz"}
    both = diagnostics_record(version)
    assert fine is not None
    assert both is not None
    assert set(both["representations"]) == {"fine-codes-25hz", "coarse-codes-25hz"}
    assert both["representations"]["fine-codes-25hz"] == fine["representations"]["fine-codes-25hz"]
    curriculum(version, "fine")
    assert diagnostics_record(version) == both


def test_a_budget_adds_a_neural_member_and_says_how_it_goes(version: Version) -> None:
    said: list[str] = []
    record = diagnose(version, ["coarse"], budget_s=1.0, begin=said.append)
    portfolio = record["representations"]["coarse-codes-25hz"]["portfolio"]
    assert set(portfolio["members"]) == {"counts", "pool", "neural"}
    assert portfolio["mixed"] <= min(portfolio["members"].values()) + 0.01
    assert said[0] == "diagnosing coarse-codes-25hz"
    assert any(line.startswith("fold 1 of 5: ") for line in said)


def kept_networks(version: Version) -> list[str]:
    return sorted(e.path for e in version.store.list("derived") if "/neural-" in e.path)


def test_the_neural_model_is_kept_beside_the_version_and_used_until_its_input_or_a_longer_budget_asks_for_another(
    version: Version,
) -> None:
    first = diagnose(version, ["coarse"], budget_s=1.0)
    (path,) = kept_networks(version)
    assert path.startswith("derived/000001/neural-coarse-codes-25hz-")
    weights = version.store.get(path)
    for budget_s in (None, 0.5):
        said: list[str] = []
        again = diagnose(version, ["coarse"], budget_s=budget_s, begin=said.append)
        assert "the neural model of before is used, trained for 1 s" in said
        assert not any(line.startswith("fold 1 of 5: ") for line in said)
        assert again["representations"] == first["representations"]
    assert version.store.get(path) == weights
    diagnose(version, ["coarse"], budget_s=1.5)
    assert kept_networks(version) == [path]
    assert version.store.get(path) != weights
    diagnose(version, ["coarse"], budget_s=0.5, seed=1)
    assert len(kept_networks(version)) == 2, "other folds are another model"


def test_a_damaged_network_is_trained_anew(version: Version) -> None:
    diagnose(version, ["coarse"], budget_s=0.5)
    (path,) = kept_networks(version)
    version.store.put_derived(path, b"damaged")
    portfolio = diagnose(version, ["coarse"])["representations"]["coarse-codes-25hz"]["portfolio"]
    assert set(portfolio["members"]) == {"counts", "pool"}
    diagnose(version, ["coarse"], budget_s=0.5)
    assert len(version.store.get(path)) > 10_000


def test_the_name_of_a_kept_network_says_all_that_its_weights_depend_on() -> None:
    vectors = np.ones((1, 4, 2), np.float32)
    index = [("clip 1", "speaker 1", 10), ("clip 2", "speaker 2", 20)]
    same = identity("code 1", "coarse", index, "speaker", 0, vectors)
    assert identity("code 1", "coarse", index[::-1], "speaker", 0, vectors) == same
    others = [
        identity("code 2", "coarse", index, "speaker", 0, vectors),
        identity("code 1", "fine", index, "speaker", 0, vectors),
        identity("code 1", "coarse", index[:1], "speaker", 0, vectors),
        identity("code 1", "coarse", [index[0], ("clip 2", "speaker 1", 20)], "speaker", 0, vectors),
        identity("code 1", "coarse", index, "speaker", 1, vectors),
        identity("code 1", "coarse", index, "speaker", 0, 2 * vectors),
        identity("code 1", "coarse", index, "speaker", 0, None),
    ]
    assert len({same, *others}) == 8


@pytest.mark.parametrize(("budget", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400)])
def test_a_budget_is_a_time(budget: str, seconds: float) -> None:
    assert _seconds(budget) == seconds


@pytest.mark.parametrize("budget", ["", "m", "-1s", "0", "ten", "inf"])
def test_what_is_no_time_is_refused_with_what_would_be(budget: str) -> None:
    with pytest.raises(ConfigError, match="for example 90s, 10m or 2h"):
        _seconds(budget)


def test_a_record_of_the_first_schema_is_read_and_kept_under_todays_names(version: Version) -> None:
    latents = {"kind": "latents", "capacity_note": 0.5, "pred_info": [{"tau_ms": 80.0, "capacity": 0.1}]}
    old = {"schema": "auricle.diagnostics/1", "version": 1, "seed": 0, "representations": {"old": latents}}
    version.store.put_derived("derived/000001/diagnostics.json", json.dumps(old, indent=2).encode())
    renamed = {
        "kind": "latents",
        "finite_sample_bias": 0.5,
        "lagged_mutual_information": [{"tau_ms": 80.0, "finite_sample_bias": 0.1}],
    }
    found = diagnostics_record(version)
    assert found is not None
    assert found["representations"]["old"] == renamed
    diagnose(version, ["coarse"])
    found = diagnostics_record(version)
    assert found is not None
    assert found["schema"] == "auricle.diagnostics/2"
    assert found["representations"]["old"] == renamed


def test_what_longer_contexts_would_save_is_read_by_its_first_name(version: Version) -> None:
    books = [{"promised_bits": 0.25, "promised_context": "c0[t-1]", "promised_coverage": 0.5}]
    old = {"kind": "codes", "codebooks": books}
    record = {"schema": "auricle.diagnostics/2", "version": 1, "seed": 0, "representations": {"old": old}}
    version.store.put_derived("derived/000001/diagnostics.json", json.dumps(record, indent=2).encode())
    found = diagnostics_record(version)
    assert found is not None
    assert found["representations"]["old"]["codebooks"] == [
        {"extrapolated_gain_bits": 0.25, "extrapolated_gain_context": "c0[t-1]", "extrapolated_gain_coverage": 0.5}
    ]


def test_level_and_voicing_of_the_features_are_taken_out_and_two_codes_are_compared(
    version: Version, capsys: pytest.CaptureFixture[str]
) -> None:
    record = diagnose(version, ["fine", "coarse"])
    assert record["representations"]["fine-codes-25hz"]["difficulty"]["explained_by_level_and_voicing"] > 0.9
    (difference,) = record["comparisons"]
    assert difference["decided"]
    assert difference["value"] == pytest.approx(-25, rel=0.02), "one bit less per frame"
    data = version.derived("difficulty-fine-codes-25hz.parquet")
    assert data is not None
    table = pq.read_table(pa.BufferReader(data)).to_pandas()
    assert table["bits_per_voiced_s"].mean() == pytest.approx(2 * table["bits_per_s"].mean(), rel=0.05)
    assert table["hard_bits_per_s"].std() < 0.3 * table["bits_per_s"].std()
    print_diagnosis(record)
    said = capsys.readouterr().out
    assert "code_rate, coarse-codes-25hz minus fine-codes-25hz: -2" in said
    assert "undecided" not in said


def test_it_says_which_part_is_under_way(version: Version) -> None:
    said: list[str] = []
    diagnose(version, ["coarse", "features"], begin=said.append)
    parts = [line for line in said if line.startswith(("diagnosing", "codes:", "latents:"))]
    assert parts == [
        "diagnosing coarse-codes-25hz", "codes: decoding clips to compare them with their recordings", "codes: pool",
        "codes: counts of 1 codebook", "codes: 1 of 1 codebook counted", "diagnosing features-50hz",
        "latents: moments of the past", "latents: fitting predictions", "latents: gain, information and read-outs",
        "latents: archetypes", "latents: predictions several frames ahead",
    ]  # fmt: skip


def walks(recording: Recording, spec: RepresentationSpec) -> np.ndarray:
    """Autoregressive latents: every frame nine tenths of the one before."""
    noise = np.random.default_rng(int(recording.key[:8], 16)).normal(size=(spec.rows, 400))
    for t in range(1, noise.shape[1]):
        noise[:, t] += 0.9 * noise[:, t - 1]
    return noise.astype(np.float32)


def test_the_gains_of_clips_are_what_the_record_averages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_factory, "payload", walks)
    latents = CODES.model_copy(
        update={"name": "walk-latents-50hz", "kind": "latents", "rows": 4, "cardinality": None, "dtype": "float32"}
    )
    # as many frames in each clip, so that a mean over clips is one over frames
    recordings = [Recording(f"g{i}", speaker=f"s{i % 8}", num_samples=16_000 * 8) for i in range(24)]
    write_version(f"{tmp_path}/dataset", recordings, representations=[latents])
    version = open_version(f"{tmp_path}/dataset")
    record = diagnose(version)["representations"]["walk-latents-50hz"]
    data = version.derived("gains-walk-latents-50hz.parquet")
    assert data is not None
    table = pq.read_table(pa.BufferReader(data))
    assert sorted(table["clip"].to_pylist()) == sorted(version.clips(["clip"])["clip"].to_pylist())
    for horizon in record["lagged_mutual_information"]:
        column = table[f"information_{horizon['tau_ms']:g}ms_nats"].to_numpy()
        assert column.mean() == pytest.approx(horizon["value"], rel=1e-6)
    gains, frames = table["gain_nats"].to_numpy(), 400 - max(order["order"] for order in record["gain_by_order"])
    assert gains.mean() / frames == pytest.approx(record["pred_gain"]["value"], rel=1e-6)
    assert record["effective_dimension"]["predictive_dimension"] == 4


def walks_and_sound(recording: Recording, spec: RepresentationSpec) -> np.ndarray:
    """Planted archetypes of which each lasts for some frames, and a level that is toggled when another begins."""
    frames = recording.num_samples // spec.frame_size
    walk = ArchetypeWalk(8, switch=0.1, cosine=0.95)
    latents, state = walk.sample(frames, np.random.default_rng(int(recording.key[:8], 16)))
    if spec.codec != "features":
        return latents.astype(np.float32)
    rows = np.zeros((6, frames), np.float32)
    rows[2] = -20 - 10 * walk.toggled(state)
    return rows


@pytest.mark.parametrize("with_features", [False, True])
def test_archetypes_of_latents_are_on_record_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], with_features: bool
) -> None:
    monkeypatch.setattr(dataset_factory, "payload", walks_and_sound)
    latents = LATENTS.model_copy(update={"name": "walk-latents-50hz", "frame_rate": 50.0, "frame_size": 320})
    recordings = [Recording(f"w{i}", speaker=f"s{i % 8}", num_samples=16_000 * 4) for i in range(24)]
    both = [latents, FEATURES] if with_features else [latents]
    write_version(f"{tmp_path}/dataset", recordings, representations=both)
    record = diagnose(open_version(f"{tmp_path}/dataset"), ["walk"])
    motion = record["representations"]["walk-latents-50hz"]["motion"]
    assert (motion["num_clips"], motion["num_groups"], motion["num_frames"]) == (24, 8, 24 * 200)
    sizes = motion["archetypes"]["sizes"]
    assert [size["num_archetypes"] for size in sizes] == [32, 64, 128]
    assert sizes[0]["uniform_excess"]["low"] > 0.1
    energy = motion["archetypes"]["change_correlation"]["energy"]
    steps = motion["rollout"]["steps"]
    assert [(each["steps"], each["ms"]) for each in steps] == [(1, 20), (2, 40), (4, 80), (8, 160), (16, 320)]
    assert steps[0]["frame_cos_excess"]["low"] > 0.02, "a walk stays where it is"
    print_diagnosis(record)
    said = " ".join(capsys.readouterr().out.split())
    assert "walk-latents-50hz: 128 archetypes: tightness 0." in said
    assert "walk-latents-50hz: 16 frames ahead (320 ms): cosine of the frame" in said
    if with_features:
        assert energy["low"] > 0.2
        assert "correlation with changes of energy +0." in said
        assert motion["archetypes"]["change_correlation"]["flux"]["reason"] == "it never changes"
    else:
        assert energy["reason"] == "no features representation at a multiple of this frame rate"
        assert "whether archetypes change with F0, energy and flux was not measured: no features" in said


def test_steps_are_split_into_direction_and_length_when_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dataset_factory, "payload", walks_and_sound)
    latents = LATENTS.model_copy(update={"name": "walk-latents-50hz", "frame_rate": 50.0, "frame_size": 320})
    recordings = [Recording(f"w{i}", speaker=f"s{i % 8}", num_samples=16_000 * 4) for i in range(24)]
    write_version(f"{tmp_path}/dataset", recordings, representations=[latents])
    version = open_version(f"{tmp_path}/dataset")
    assert diagnose(version)["representations"]["walk-latents-50hz"]["directions"] is None
    record = diagnose(version, directions=True)
    found = record["representations"]["walk-latents-50hz"]["directions"]
    assert found["gain"]["low"] > 0, "a walk goes on from where it is"
    assert not [name for name in found if name.startswith("arche_")]
    print_diagnosis(record)
    said = " ".join(capsys.readouterr().out.split())
    assert f"steps as direction and length: gain {found['gain']['value']:+.3f}" in said


def flips(recording: Recording, spec: RepresentationSpec) -> np.ndarray:
    """Latents that no linear prediction sees anything of."""
    return SignFlip(4, 0.9).sample(1, 100, int(recording.key[:8], 16))[0].astype(np.float32)


def test_a_budget_trains_a_mixture_density_of_latents_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dataset_factory, "payload", flips)
    latents = LATENTS.model_copy(update={"name": "flip-latents-12.5hz", "rows": 4})
    recordings = [Recording(f"f{i}", speaker=f"s{i % 8}", num_samples=16_000 * 8) for i in range(40)]
    write_version(f"{tmp_path}/dataset", recordings, representations=[latents])
    version, said = open_version(f"{tmp_path}/dataset"), []
    assert diagnose(version)["representations"]["flip-latents-12.5hz"]["mixture_density"] is None
    record = diagnose(version, budget_s=10.0, begin=said.append)
    found = record["representations"]["flip-latents-12.5hz"]["mixture_density"]
    assert found["difference"]["low"] > 0.2, "of 2.65 nat, however slow the machine"
    assert (found["budget_s"], found["num_frames"]) == (10.0, 40 * 99)
    assert any(line.startswith("mixture density, fold 1 of 5: ") for line in said)
    print_diagnosis(record)
    assert "mixture density network" in capsys.readouterr().out

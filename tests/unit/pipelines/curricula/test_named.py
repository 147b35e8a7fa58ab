"""A named curriculum: where each clip goes, what is refused, that its file is its content, what training reads."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dataset_factory import CODES, Recording, write_version
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auricle.loaders.copies.curriculum_diff import curriculum_diff
from auricle.loaders.copies.pull import pull
from auricle.loaders.plan.settings import Settings
from auricle.loaders.reading.curricula import find, listed, read_named
from auricle.loaders.reading.version import Version, open_version
from auricle.loaders.storage.layout import derived_path
from auricle.loaders.storage.parts import parquet_bytes
from auricle.loaders.storage.store import Store
from auricle.loaders.training.data import TrainingData
from auricle.pipelines.curricula.named import named_curriculum
from auricle.pipelines.curricula.repeatable import repeatability
from auricle.schemas.curriculum_spec import EXAMPLE, CurriculumSpec
from auricle.schemas.errors import ConfigError, IntegrityError
from auricle.schemas.pass_tables import DIFFICULTY, DIFFICULTY_SCHEMA

CLIPS = 60
VOICES = [
    Recording(
        f"v{i}",
        speaker=f"s{i % 12}",
        language=("en", "en", "de")[i % 3],
        tier=("gold", "silver")[i % 2],
        snr_db=float(i),
        num_samples=16_000 + 320 * (i % 7),
    )
    for i in range(CLIPS)
]
HARD = {voice.key: float(100 + 7 * i % CLIPS) for i, voice in enumerate(VOICES)}


@pytest.fixture
def version(tmp_path: Path) -> Version:
    """Sixty clips whose difficulty is known, so that nothing has to be diagnosed."""
    url = str(tmp_path / "data")
    write_version(url, [*VOICES, Recording("dropped", status="dropped", reasons=("noisy",), tier=None)])
    rows = [{"clip": key, "difficulty": value} for key, value in HARD.items()]
    data = parquet_bytes(pa.Table.from_pylist(rows, schema=DIFFICULTY), DIFFICULTY_SCHEMA)
    Store(url).put_new(derived_path(1, f"difficulty-{CODES.name}.parquet"), data)
    return open_version(url)


def spec(**fields: Any) -> CurriculumSpec:
    return CurriculumSpec.model_validate({"name": "mine", "strata": [], "stages": [{"name": "every"}]} | fields)


def stages_of(version: Version, **fields: Any) -> dict[str, str]:
    """Clip -> its stage, or why it is in none."""
    made = named_curriculum(version, spec(**fields)).curriculum
    names = [stage.name for stage in made.document.stages]
    return {
        row["clip"]: names[row["stage"]] if row["stage"] is not None else row["left_out"]
        for row in made.table.to_pylist()
    }


def test_a_clip_is_in_the_first_stage_whose_tiers_rules_and_quantiles_it_satisfies(version: Version) -> None:
    found = stages_of(
        version,
        rules=[{"score": "snr_db", "min": 6}],
        stages=[
            {"name": "clean", "tiers": ["gold"], "rules": [{"score": "snr_db", "min": 30}]},
            {"name": "easy", "quantiles": [{"score": "difficulty", "max": 0.5}]},
            {"name": "long", "rules": [{"score": "duration_s", "min": 1.1}]},
        ],
    )
    assert len(found) == CLIPS
    kept = [voice for voice in VOICES if voice.snr_db is not None and voice.snr_db >= 6]
    middle = float(np.median([HARD[voice.key] for voice in kept]))
    for voice in VOICES:
        assert voice.snr_db is not None
        if voice.snr_db < 6:
            assert found[voice.key] == "rules"
        elif voice.tier == "gold" and voice.snr_db >= 30:
            assert found[voice.key] == "clean"
        elif HARD[voice.key] < middle - 1:
            assert found[voice.key] == "easy"
        elif HARD[voice.key] > middle + 1:
            assert found[voice.key] == ("long" if voice.num_samples >= 17_600 else "no_stage")


def test_quantiles_are_taken_within_strata(version: Version) -> None:
    easy = {"name": "easy", "quantiles": [{"score": "difficulty", "max": 0.5}]}
    found = stages_of(version, strata=["language"], stages=[easy])
    by_language = Counter((voice.language, found[voice.key]) for voice in VOICES)
    for language, clips in (("en", 40), ("de", 20)):
        assert by_language[language, "easy"] == pytest.approx(clips / 2, abs=1.5)


def test_the_hardest_share_is_in_no_stage_and_listed_hardest_first(version: Version) -> None:
    made = named_curriculum(version, spec(audit={"share": 0.05, "score": "difficulty"})).curriculum
    hardest = sorted(HARD, key=lambda key: -HARD[key])[:3]
    assert [HARD[key] for key in made.document.audit] == [HARD[key] for key in hardest]
    low = named_curriculum(version, spec(audit={"share": 0.05, "score": "snr_db", "end": "low"})).curriculum
    assert low.document.audit == [voice.key for voice in VOICES[:3]]
    assert low.document.left_out == {"audit": 3}
    assert low.document.stages[0].clips == CLIPS - 3


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(english=st.integers(1, 40), german=st.integers(1, 20), seed=st.integers(0, 3))
def test_a_quota_holds_exactly_so_many_clips_of_each_value(
    version: Version, english: int, german: int, seed: int
) -> None:
    quotas = {"by": "language", "clips": {"en": english, "de": german}}
    found = stages_of(version, seed=seed, stages=[{"name": "every", "quotas": quotas}])
    counted = Counter(voice.language for voice in VOICES if found[voice.key] == "every")
    assert counted == {"en": english, "de": german}
    assert Counter(found.values())["quota"] == CLIPS - english - german


def test_larger_quotas_of_one_seed_hold_the_clips_of_smaller_ones(version: Version) -> None:
    taken = []
    for count in (5, 20):
        quotas = {"by": "tier", "clips": {"gold": count}}
        found = stages_of(version, stages=[{"name": "every", "quotas": quotas}])
        taken.append({key for key, stage in found.items() if stage == "every"})
    assert taken[0] < taken[1]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tokens=st.integers(6800, 13_000))
def test_a_budget_is_kept_and_missed_by_less_than_a_clip_and_spread_over_strata(version: Version, tokens: int) -> None:
    stages = [{"name": "gold", "tiers": ["gold"]}, {"name": "rest"}]
    made = named_curriculum(version, spec(strata=["language"], budget={"tokens": tokens}, stages=stages)).curriculum
    largest = max(row["tokens"] for row in made.table.to_pylist())
    held = sum(stage.tokens for stage in made.document.stages)
    assert tokens - largest <= held <= tokens or made.document.left_out == {}
    assert made.document.stages[0].clips == CLIPS // 2, "the stage before the last is whole"
    table = made.table.to_pylist()
    share = [
        np.mean([row["stage"] == 1 for row in table if row["stratum"] == name and row["tier"] == "silver"])
        for name in ("en", "de")
    ]
    assert abs(share[0] - share[1]) <= 0.11, "a clip of the ten German ones is a tenth"


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"rules": [{"score": "snr", "min": 1}]},
        r"'snr', which the version does not have; there are: difficulty, .*snr_db",
    ),
    ({"rules": [{"score": "snr_method", "min": 1}]}, "test it with `equals`"),
    ({"rules": [{"score": "difficulty", "equals": "high"}]}, "is a number"),
    ({"audit": {"share": 0.1, "score": "mos"}}, "ranks by 'mos', which the version does not have"),
    ({"audit": {"share": 0.1, "score": "snr_method"}}, "is a string: a number is required"),
    ({"stages": [{"name": "a", "tiers": ["platinum"]}]}, "the version has gold, silver"),
    ({"stages": [{"name": "a", "rules": [{"score": "snr_db", "min": 99}]}]}, "stage 'a' is empty: 60 of 60 clips"),
    ({"stages": [{"name": "a"}, {"name": "b"}]}, "stage 'b' is empty: 0 of 60 clips"),
    (
        {"stages": [{"name": "a", "quotas": {"by": "language", "clips": {"de": 21, "fr": 1}}}]},
        r"larger than the supply: 21 of 'de', of which there are 20; 1 of 'fr', of which there are 0.*en 40, de 20",
    ),
    ({"budget": {"tokens": 3}}, "less than its first clip"),
    (
        {"budget": {"tokens": 300}, "stages": [{"name": "a", "quotas": {"by": "tier", "clips": {"gold": 9}}}]},
        "the budget ends inside the stage 'a', which has quotas",
    ),
    (
        {"budget": {"tokens": 3000}, "stages": [{"name": "a", "tiers": ["gold"]}, {"name": "b"}]},
        "the budget leaves 0 tokens for the stage 'b'",
    ),
    ({"representation": "toy-latents"}, "is continuous"),
]


@pytest.mark.parametrize(("fields", "why"), REFUSED)
def test_what_cannot_be_made_is_refused_with_what_is_there_before_anything_is_written(
    version: Version, fields: dict[str, Any], why: str
) -> None:
    before = {entry.path for entry in version.store.list()}
    with pytest.raises(ConfigError, match=why):
        named_curriculum(version, spec(**fields))
    assert {entry.path for entry in version.store.list()} == before


def test_the_file_is_named_by_its_content_and_equal_specs_are_one_file(version: Version) -> None:
    first = named_curriculum(version, spec())
    again = named_curriculum(version, spec())
    other = named_curriculum(version, spec(seed=1))
    assert (first.new, again.new, other.new) == (True, False, True)
    assert first.path == again.path != other.path
    assert len(listed(version.store, 1)) == 2
    assert first.curriculum.document.inputs.version_sha256 == version.sha256
    assert first.curriculum.document.spec == {"name": "mine", "strata": [], "stages": [{"name": "every"}]}
    with pytest.raises(ConfigError, match=r"several curricula 'mine'.*name one of mine-"):
        find(version.store, 1, "mine")
    assert read_named(version.store, 1, other.curriculum.id).sha256 == other.curriculum.sha256
    with pytest.raises(ConfigError, match=r"no curriculum 'yours'; there are: mine-"):
        find(version.store, 1, "yours")


def test_a_changed_file_is_refused(version: Version) -> None:
    made = named_curriculum(version, spec())
    version.store.put_derived(made.path, made.curriculum.data + b" ")
    with pytest.raises(IntegrityError, match="do not hash to its name"):
        read_named(version.store, 1, "mine")


def test_the_reader_takes_a_curriculum_and_its_stages_by_name(version: Version) -> None:
    stages = [{"name": "gold", "tiers": ["gold"]}, {"name": "loud", "rules": [{"score": "snr_db", "min": 30}]}]
    named_curriculum(version, spec(stages=stages))
    gold = {voice.key for voice in VOICES if voice.tier == "gold"}
    loud = {voice.key for voice in VOICES if voice.snr_db is not None and voice.snr_db >= 30}
    assert {s.key for s in version.samples(CODES.name, curriculum="mine", stage="gold")} == gold
    assert {s.key for s in version.samples(CODES.name, curriculum="mine", stage=0)} == gold
    assert {s.key for s in version.samples(CODES.name, curriculum="mine")} == gold | loud
    assert set(version.live(CODES.name, curriculum="mine", stage="loud")["clip"].to_pylist()) == gold | loud
    with pytest.raises(ConfigError, match="no stage 'silver'; there are: gold, loud"):
        version.live(CODES.name, curriculum="mine", stage="silver")
    with pytest.raises(ConfigError, match="say of which named curriculum"):
        version.live(CODES.name, stage="gold")


def test_named_curricula_travel_with_a_pull(version: Version, tmp_path: Path) -> None:
    named_curriculum(version, spec())
    pull(version.store, str(tmp_path / "pulled"), ["toy-codes"])
    pulled = open_version(str(tmp_path / "pulled"))
    assert pulled.named_curriculum("mine").sha256 == version.named_curriculum("mine").sha256


def test_the_example_can_be_made(version: Version) -> None:
    import yaml

    made = named_curriculum(version, CurriculumSpec.model_validate(yaml.safe_load(EXAMPLE))).curriculum
    assert [stage.name for stage in made.document.stages] == ["easy", "rest"]
    assert len(made.document.audit) == 1


def test_a_difference_says_which_clips_moved_and_what_of_the_spec_differs(version: Version) -> None:
    clean = {"name": "clean", "rules": [{"score": "snr_db", "min": 30}]}
    a = named_curriculum(version, spec(stages=[clean, {"name": "rest"}])).curriculum
    cleaner = clean | {"rules": [{"score": "snr_db", "min": 40}]}
    audit = {"share": 0.05, "score": "snr_db"}
    b = named_curriculum(version, spec(name="b", audit=audit, stages=[cleaner, {"name": "rest"}])).curriculum
    found = curriculum_diff(a, b)
    assert {(m.a, m.b): m.clips for m in found.moves} == {
        ("rest", "rest"): 30, ("clean", "clean"): 17, ("clean", "rest"): 10, ("clean", "out: audit"): 3,
    }  # fmt: skip
    assert found.same_share == pytest.approx(47 / 60)
    assert found.audit == {"a": [], "b": sorted(voice.key for voice in VOICES[-3:])}
    assert set(found.spec) == {"name", "audit", "stages.clean.rules"}
    assert found.inputs == {}
    same = curriculum_diff(a, a)
    assert (same.same_share, same.spec) == (1.0, {})


LANGUAGE = {voice.key: voice.language for voice in VOICES}
QUOTAS = {"by": "language", "clips": {"en": 9, "de": 6}}
STAGED: dict[str, Any] = {
    "stages": [{"name": "gold", "tiers": ["gold"], "quotas": QUOTAS}, {"name": "rest"}],
    "pacing": [{"epoch": 0, "repeats": {"gold": 1}}, {"epoch": 1, "repeats": {"gold": 1, "rest": 0.5}}],
}


def keys_of(data: TrainingData, epoch: int, step: int = 0) -> list[str]:
    return [key for task in data.tasks(epoch, step=step) for key in task.keys]


def test_training_reads_a_curriculum_by_name_with_its_quotas_and_its_pacing(version: Version) -> None:
    named_curriculum(version, spec(**STAGED))
    data = TrainingData(version, CODES.name, Settings(batch_rows=4, microbatches=2, curriculum="mine"))
    rest = {voice.key for voice in VOICES if voice.tier == "silver"}
    assert Counter(LANGUAGE[key] for key in keys_of(data, 0)) == {"en": 9, "de": 6}
    found = [keys_of(data, epoch) for epoch in (1, 2)]
    for keys in found:
        assert Counter(LANGUAGE[key] for key in keys if key not in rest) == {"en": 9, "de": 6}
    # half of the other stage in one epoch, its other half in the next
    halves = [{key for key in keys if key in rest} for keys in found]
    assert [len(half) for half in halves] == [15, 15]
    assert halves[0] | halves[1] == rest


def test_a_state_goes_on_in_the_same_curriculum_and_is_refused_by_another(version: Version) -> None:
    made = named_curriculum(version, spec(**STAGED)).curriculum
    settings_ = Settings(batch_rows=4, microbatches=2, curriculum="mine")
    data = TrainingData(version, CODES.name, settings_)
    epoch, step = TrainingData(version, CODES.name, settings_).position(data.state(1, 2))
    assert keys_of(data, 1) == [*(k for t in data.tasks(1) if t.step < 2 for k in t.keys), *keys_of(data, epoch, step)]
    named_curriculum(version, spec(seed=1, **STAGED))
    with pytest.raises(ConfigError, match="several curricula"):
        TrainingData(version, CODES.name, settings_)
    same = TrainingData(version, CODES.name, Settings(batch_rows=4, microbatches=2, curriculum=made.id))
    assert same.position(data.state(1, 2)) == (1, 2)
    (other,) = [each for each in version.curricula() if each.sha256 != made.sha256]
    elsewhere = TrainingData(version, CODES.name, Settings(batch_rows=4, microbatches=2, curriculum=other.id))
    with pytest.raises(ConfigError, match=r"another order of clips.*curriculum: saved"):
        elsewhere.position(data.state(1, 2))


def test_a_filter_that_takes_clips_of_a_quota_is_refused(version: Version) -> None:
    named_curriculum(version, spec(**STAGED))
    data = TrainingData(
        version, CODES.name, Settings(batch_rows=4, curriculum="mine"), where=pc.field("duration_s") < 1.05
    )
    with pytest.raises(ConfigError, match=r"demands \d clips of gold \((en|de)\), and \d can be read"):
        data.plan(0)


def test_the_repeatability_of_units_is_that_of_their_largest_size(version: Version) -> None:
    assert repeatability(version, CODES.name) is None, "nothing was diagnosed"
    found = {
        label: {"difficulty": {"split_half_repeatability": value}}
        for label, value in ((f"{CODES.name}/50", 0.1), (f"{CODES.name}/500", 0.5), ("other-codes", 0.9))
    }
    record = json.dumps({"representations": found}).encode()
    version.store.put_derived(derived_path(1, "diagnostics.json"), record)
    assert repeatability(version, CODES.name) == 0.5
    assert repeatability(version, "missing-codes") is None

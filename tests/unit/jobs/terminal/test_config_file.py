"""A bad configuration is refused before any work: the key, what was found, what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from auricle.curators.registry import build
from auricle.jobs.terminal.config_file import EXAMPLE, load_config
from auricle.pipelines.policy.decide import check_rules
from auricle.schemas.errors import ConfigError

SMALLEST = {"dataset": "./d", "sources": [{"path": "./audio"}]}


def write(tmp_path: Path, raw: object) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(raw if isinstance(raw, str) else yaml.safe_dump(raw))
    return path


def refused(tmp_path: Path, raw: object, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, raw), overrides)
    return str(caught.value)


def test_the_example_is_valid_and_its_rules_name_real_scores(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, EXAMPLE))
    check_rules(config, build(None, {}))
    assert config.sources[0].name == "recordings"


def test_the_smallest_configuration_fills_in_the_rest(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, SMALLEST))
    assert config.sources[0].name == "audio"
    assert config.duplicates.exact


def test_an_unknown_key_is_named_with_the_closest_allowed_one(tmp_path: Path) -> None:
    message = refused(tmp_path, SMALLEST | {"workers": {"unit_seconds": 3}})
    assert "workers.unit_seconds" in message
    assert "unit_s" in message


def test_a_wrong_type_is_named_with_what_was_found(tmp_path: Path) -> None:
    message = refused(tmp_path, SMALLEST | {"workers": {"num": "many"}})
    assert "workers.num" in message
    assert "many" in message


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"sources": [{"path": "a"}]}, "dataset: required and absent"),
        (SMALLEST | {"sources": []}, "sources"),
        (SMALLEST | {"keep": [{"score": "snr_db", "reason": "noisy"}]}, "tests nothing"),
        (SMALLEST | {"keep": [{"score": "snr_db", "min": 9, "max": 3, "reason": "noisy"}]}, "no clip can pass"),
        (SMALLEST | {"sources": [{"path": "a"}, {"path": "b/a"}]}, "two sources are called 'a'"),
        (SMALLEST | {"dataset": " "}, "dataset: a path is required"),
        (SMALLEST | {"sources": [{"path": "a", "language": "English"}]}, "sources.0.language: a language code"),
        ("- a list", "a mapping"),
        ("a: [", "not valid YAML"),
    ],
)
def test_impossible_configurations_say_why(tmp_path: Path, raw: object, says: str) -> None:
    assert says in refused(tmp_path, raw)


def test_a_file_that_is_absent_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="config example"):
        load_config(tmp_path / "none.yaml")


def test_overrides_reach_into_sections_and_lists(tmp_path: Path) -> None:
    config = load_config(
        write(tmp_path, SMALLEST), ["workers.unit_s=60", "sources.0.language=de", "gate.enabled=false"]
    )
    assert config.workers.unit_s == 60
    assert config.sources[0].language == "de"
    assert not config.gate.enabled


def test_overrides_append_to_lists_that_are_there_and_to_absent_ones(tmp_path: Path) -> None:
    config = load_config(
        write(tmp_path, SMALLEST),
        [
            "keep+={score: snr_db, min: 10, reason: noisy}",
            "keep+=[{score: speech_s, min: 1, reason: silent}, {score: clip_ratio, max: 0.1, reason: clipped}]",
            "keep.0.min=15",
            "sources+={path: ./more}",
            "sources.1.include+='*.wav'",
        ],
    )
    assert [(rule.reason, rule.min) for rule in config.keep] == [("noisy", 15), ("silent", 1), ("clipped", None)]
    assert config.sources[1].include == ["*.wav"]


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("workers", "key=value is required"),
        ("=3", "key=value is required"),
        ("workers..num=3", "key=value is required"),
        ("sources.4.language=x", "'4' is not a position in the list 'sources' (0 to 0 are there); sources+=value"),
        ("sources.path=x", "'path' is not a position in the list 'sources'"),
        ("dataset.x=1", "'dataset' is the value './d'"),
        ("dataset+=x", "'dataset' is the value './d'"),
        ("workers+=3", "'workers' is a section with keys, not a list: use workers.<key>=value"),
        ("keep+={score: [", "not valid YAML"),
        ("workers.numb=2", "workers.numb: unknown key; did you mean 'num'?"),
        ("keep+={score: snr_db, reason: x}", "tests nothing"),
    ],
)
def test_an_override_that_leads_nowhere_is_refused_by_name(tmp_path: Path, override: str, says: str) -> None:
    message = refused(tmp_path, SMALLEST | {"workers": {}}, override)
    assert f"--set '{override}'" in message
    assert says in message


def test_a_rule_on_a_score_that_nobody_gives_is_refused() -> None:
    from auricle.schemas.config import RunConfig

    config = RunConfig.model_validate(SMALLEST | {"keep": [{"score": "snr", "min": 1, "reason": "noisy"}]})
    with pytest.raises(ConfigError, match="snr_db"):
        check_rules(config, build(["snr"], {}))


@pytest.mark.parametrize(
    ("tiers", "says"),
    [
        ([{"name": "gold"}, {"name": "silver"}], "no clip can reach 'silver'"),
        ([{"name": "a", "when": [{"score": "snr_db", "min": n}]} for n in (9, 5)], "two are called 'a'"),
    ],
)
def test_tiers_that_no_clip_can_have_are_refused(tmp_path: Path, tiers: list[dict[str, object]], says: str) -> None:
    config = load_config(write(tmp_path, SMALLEST | {"tiers": tiers}))
    with pytest.raises(ConfigError, match=says):
        check_rules(config, build(["snr"], {}))


def test_a_language_may_name_a_region_which_is_left_out_as_in_labels(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, SMALLEST), ["sources.0.language=en-GB"]).sources[0].language == "en"

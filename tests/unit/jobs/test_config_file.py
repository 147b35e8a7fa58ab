"""A bad configuration is refused before any work: the key, what was found, what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from auricle.curators.registry import build
from auricle.jobs.config_file import EXAMPLE, load_config
from auricle.pipelines.decide import check_rules
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


@pytest.mark.parametrize("override", ["workers", "sources.4.language=x", "dataset.x=1", "=3"])
def test_an_override_that_leads_nowhere_is_refused(tmp_path: Path, override: str) -> None:
    assert "--set" in refused(tmp_path, SMALLEST, override)


def test_a_rule_on_a_score_that_nobody_gives_is_refused() -> None:
    from auricle.schemas.config import RunConfig

    config = RunConfig.model_validate(SMALLEST | {"keep": [{"score": "snr", "min": 1, "reason": "noisy"}]})
    with pytest.raises(ConfigError, match="snr_db"):
        check_rules(config, build(["snr"], {}))

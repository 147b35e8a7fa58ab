"""Rules that cannot hold and numbers that are none are refused before any work, with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from auricle.curators.registry import build
from auricle.jobs.terminal.config_file import load_config
from auricle.pipelines.policy.decide import check_rules
from auricle.pipelines.policy.judge_clip import Judge
from auricle.pipelines.publishing import gate
from auricle.schemas.config import Gate, RunConfig
from auricle.schemas.errors import ConfigError

BASE: dict[str, Any] = {
    "dataset": "./data",
    "sources": [{"path": "./audio"}],
    "keep": [{"score": "snr_db", "min": 10, "reason": "noisy"}],
    "tiers": [{"name": "gold", "when": [{"score": "snr_db", "min": 20}]}],
    "drop_groups": [{"max_share": 0.5}],
    "quotas": [{"by": "speaker", "max_hours": 2}],
    "representations": [{"codec": "builtin", "kind": "codes", "options": {"a": {"b": [1.0]}}}],
    "score": {"options": {"snr": {"floor": 1.0}}},
}


def floats(model: type[BaseModel], raw: dict[str, Any], at: str = "") -> Iterator[str]:
    """`--set` keys of every field of the configuration that takes a number with a point."""
    for name, field in model.model_fields.items():
        key, value = f"{at}{name}", raw.get(name)
        kinds = [field.annotation, *get_args(field.annotation)]
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if float in kinds:
            yield key
        elif inner and isinstance(value, list):
            yield from floats(inner[0], value[0], f"{key}.0.")
        elif inner and not isinstance(field.annotation, type(list[int])):
            yield from floats(inner[0], value or {}, f"{key}.")


OPTIONS = ["representations.0.options.a.b.0", "score.options.snr.floor"]
KEYS = [*floats(RunConfig, BASE), *OPTIONS]


def test_the_floats_of_all_parts_are_found() -> None:
    assert {"keep.0.min", "keep.0.max", "keep.0.equals", "tiers.0.when.0.min", "drop_groups.0.max_share"} <= set(KEYS)
    assert {"quotas.0.max_hours", "representations.0.rate_hz", "gate.min_kept_share", "workers.limit_s"} <= set(KEYS)
    assert {"segment.max_s", "losses.max_share"} <= set(KEYS)


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf"])
@pytest.mark.parametrize("key", KEYS)
def test_a_number_that_is_not_finite_is_refused_by_its_key(tmp_path: Path, key: str, value: str) -> None:
    path = tmp_path / "speech.yaml"
    path.write_text(yaml.safe_dump(BASE))
    load_config(path, ["workers.unit_s=10"])
    with pytest.raises(ConfigError) as refused:
        load_config(path, [f"{key}={value}"])
    said = str(refused.value)
    assert "a finite number is required" in said
    assert key.partition(".options")[0] in said
    assert "leave the" in said


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ({"score": "clip_ratio", "equals": "loud"}, "is a number, and `equals` is 'loud': write a number"),
        ({"score": "clip_ratio", "equals": True}, "is a number"),
        ({"score": "language_guess", "min": 1}, "test it with `equals`, not with min or max"),
        ({"score": "language_guess", "equals": 3}, "is a string"),
    ],
)
@pytest.mark.parametrize("where", ["keep", "tiers", "early exit", "loose files"])
def test_a_rule_that_does_not_fit_the_type_of_its_score_is_refused_before_any_work(
    test: dict[str, Any], said: str, where: str
) -> None:
    curators = build(["signal", "text"], {})
    names = {column.name: column.dtype for curator in curators for column in curator.columns}
    if test["score"] not in names:
        test = test | {"score": next(name for name, dtype in names.items() if dtype == "string")}
    rule = test | {"reason": "odd"}
    part = {"tiers": [{"name": "gold", "when": [test]}]} if where == "tiers" else {"keep": [rule]}
    raw = BASE | {"keep": [], "tiers": []} | part | {"score": {"early_exit": where == "early exit"}}
    settings = RunConfig.model_validate(raw)
    with pytest.raises(ConfigError, match=said.replace("`", ".")):
        Judge(settings.keep, (), curators) if where == "loose files" else check_rules(settings, curators)


def test_a_suite_of_the_gate_with_a_bound_that_is_no_number_is_refused_before_any_work(tmp_path: Path) -> None:
    suite = tmp_path / "suite.json"
    between = '{"type": "expect_column_values_to_be_between", "kwargs": {"column": "clips", "min_value": %s}}'
    suite.write_text('{"expectations": [' + between % "1" + "]}")
    gate.check(Gate(suite=str(suite)))
    suite.write_text('{"expectations": [' + between % "NaN" + "]}")
    with pytest.raises(ConfigError, match="NaN is not a number"):
        gate.check(Gate(suite=str(suite)))

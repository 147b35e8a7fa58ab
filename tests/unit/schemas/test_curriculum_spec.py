"""What a spec of a curriculum refuses by itself."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from auricle.schemas.curriculum_spec import EXAMPLE, CurriculumSpec

STAGES = [{"name": "a"}, {"name": "b"}]


def test_the_example_is_a_spec_and_its_pacing_is_what_it_says() -> None:
    spec = CurriculumSpec.model_validate(yaml.safe_load(EXAMPLE))
    assert [phase.weights for phase in spec.phases()] == [{"easy": 1}, {"easy": 0.4, "rest": 0.6}]
    assert spec.needs_difficulty()


def test_without_a_pacing_every_epoch_draws_all_stages_once() -> None:
    spec = CurriculumSpec.model_validate({"name": "x", "stages": STAGES})
    assert [(p.epoch, p.repeats) for p in spec.phases()] == [(0, {"a": 1.0, "b": 1.0})]
    assert not spec.needs_difficulty()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "Mine"}, "pattern"),
        ({"name": "a-b"}, "pattern"),
        ({"stages": []}, "at least 1"),
        ({"stages": [{"name": "a"}, {"name": "a"}]}, "two stages are called 'a'"),
        ({"strata": ["source", "source"]}, "each column once"),
        ({"strata": ["gender"]}, "'speaker', 'source', 'language' or 'duration'"),
        ({"typo": 1}, "Extra inputs"),
        ({"stages": [{"name": "a", "quantiles": [{"score": "difficulty", "max": 1.2}]}]}, "less than or equal to 1"),
        ({"stages": [{"name": "a", "quantiles": [{"score": "difficulty", "min": -0.1}]}]}, "greater than or equal"),
        ({"stages": [{"name": "a", "quantiles": [{"score": "d", "min": 0.5, "max": 0.5}]}]}, "hold nothing"),
        ({"stages": [{"name": "a", "quotas": {"by": "language", "clips": {"en": 0}}}]}, "at least 1 is required"),
        ({"stages": [{"name": "a", "quotas": {"by": "language", "clips": {}}}]}, "at least 1"),
        ({"audit": {"share": 1.0}}, "less than 1"),
        ({"budget": {}}, "give one of them"),
        ({"budget": {"hours": 1, "tokens": 1}}, "give one of them"),
        ({"budget": {"hours": float("inf")}}, "finite"),
        ({"pacing": [{"epoch": 1, "repeats": {"a": 1, "b": 1}}]}, "begins at epoch 0"),
        ({"pacing": [{"epoch": 0, "repeats": {"a": 1}}, {"epoch": 0, "repeats": {"b": 1}}]}, "each later one after it"),
        ({"pacing": [{"epoch": 0, "repeats": {"a": 1, "c": 1}}]}, "names the stage 'c'; there are a, b"),
        ({"pacing": [{"epoch": 0, "repeats": {"a": 1, "b": 0}}]}, "no phase of the pacing draws the stage 'b'"),
        ({"pacing": [{"epoch": 0}]}, "either repeats or shares"),
        ({"pacing": [{"epoch": 0, "repeats": {"a": 1}, "shares": {"b": 1}}]}, "either repeats or shares"),
        ({"pacing": [{"epoch": 0, "shares": {"a": 0, "b": 0}}]}, "one is above it"),
        ({"pacing": [{"epoch": 0, "shares": {"a": -1, "b": 2}}]}, "at least 0"),
    ],
)
def test_what_means_nothing_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        CurriculumSpec.model_validate({"name": "x", "stages": STAGES} | fields)

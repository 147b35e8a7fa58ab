"""What a worker takes, how many fit, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from auricle.pipelines.nodes.environment import environment, refuse_other
from auricle.pipelines.nodes.resources import GB, Resources, needed, refuse_unplaceable, room
from auricle.pipelines.passes.declared import resources
from auricle.schemas.config import RunConfig
from auricle.schemas.errors import ClusterError
from auricle.schemas.worker_config import PassWorkers, Workers

NODE = {"CPU": 8.0, "GPU": 2.0, "memory": 32.0 * GB}


@pytest.mark.parametrize(
    ("each", "fit"),
    [
        (Resources(), 8),
        (Resources(cpus=2), 4),
        (Resources(cpus=1, gpus=0.25), 8),
        (Resources(cpus=0.5, gpus=0.4), 4),
        (Resources(cpus=0.1, gpus=0.1), 20),
        (Resources(cpus=1, gpus=1), 2),
        (Resources(cpus=1, gpus=3), 0),
        (Resources(cpus=1, memory_gb=10), 3),
    ],
)
def test_no_worker_has_parts_of_two_cards_and_none_is_promised_twice(each: Resources, fit: int) -> None:
    assert room([NODE, {"CPU": 0.0}], each) == fit


def test_the_largest_of_what_curators_and_codecs_declare_counts_and_the_configuration_has_the_last_word() -> None:
    plain, large = SimpleNamespace(), SimpleNamespace(resources={"gpus": 0.5, "memory_gb": 6})
    other = SimpleNamespace(resources={"cpus": 2, "memory_gb": 2})
    assert needed([plain, large, other], PassWorkers()) == Resources(2, 0.5, 6)
    assert needed([plain, large, other], PassWorkers(gpus=0, cpus=1)) == Resources(1, 0, 6)


def config(workers: dict[str, object], device: str = "cpu") -> RunConfig:
    codec = {"codec": "builtin", "kind": "codes"}
    codec |= {"mode": "batched", "options": {"device": device}} if device != "cpu" else {}
    raw = {"dataset": "d", "sources": [{"path": "a"}], "representations": [codec], "workers": workers}
    return RunConfig.model_validate(raw)


def test_a_representation_on_cuda_takes_a_card_unless_the_configuration_says_a_part_of_one() -> None:
    assert resources(config({}), [])["extract"] == Resources()
    assert resources(config({}, "cuda"), [])["extract"] == Resources(gpus=1)
    part = {"extract": {"gpus": 0.25, "cpus": 2, "memory_gb": 4, "decode_threads": 4}, "score": {"cpus": 1}}
    assert resources(config(part, "cuda"), [])["extract"] == Resources(2, 0.25, 4)


def test_what_no_node_has_is_refused_with_what_there_is_and_what_to_do() -> None:
    needs = {"score": Resources(), "extract": Resources(cpus=2, gpus=0.25)}
    with pytest.raises(ClusterError, match=r"workers\.extract: .*2 CPUs and 0\.25 GPUs.*largest has 8 CPUs") as refused:
        refuse_unplaceable([{"CPU": 8.0}], needs)
    assert refused.value.exit_code == 11
    refuse_unplaceable([NODE], needs)


def test_other_packages_than_the_drivers_are_named() -> None:
    refuse_other(environment(), "10.0.0.7")
    with pytest.raises(ClusterError, match=r"10\.0\.0\.7.*numpy [\d.]+ instead of 0\.1"):
        refuse_other(environment() | {"numpy": "0.1"}, "10.0.0.7")


@pytest.mark.parametrize(
    "wrong", [{"num": 2, "max": 3}, {"num": 2, "min": 2}, {"min": 4, "max": 3}, {"extract": {"gpus": 1.5}}]
)
def test_workers_that_contradict_themselves_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"give either|must not be below|a part of one GPU"):
        Workers.model_validate(wrong)

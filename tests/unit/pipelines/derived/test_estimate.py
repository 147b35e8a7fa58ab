"""What a corpus would cost, from documents whose cost is known."""

from __future__ import annotations

from typing import Any

import pytest

from auricle.pipelines.derived.estimate import PER_CLIP_S, estimate, looking_back, rates
from auricle.schemas.errors import ConfigError
from auricle.schemas.version import Counts, Object, RepresentationEntry, Shard, Stage, VersionDocument


def night(number: int, hours: float, slower: float = 1.0, kind: str = "run") -> VersionDocument:
    """One that takes 10 CPU-s an hour to probe, 100 to score, 400 to extract the half that is kept; two workers."""
    stages = [
        Stage(name="probe", cpu_s=10 * hours * slower, wall_s=5 * hours, workers=2),
        Stage(name="score", cpu_s=100 * hours * slower, wall_s=62.5 * hours, audio_s=3600 * hours, workers=2),
        Stage(
            name="extract", cpu_s=200 * hours * slower, wall_s=125 * hours, audio_s=1800 * hours, workers=2,
            gpu_s=50 * hours,
        ),
        Stage(name="decide", wall_s=0.5), Stage(name="assemble", wall_s=0.5),
    ]  # fmt: skip
    spec: Any = {"name": "c", "fingerprint": "f", "codec": "x", "kind": "codes", "rows": 1, "frame_rate": 12.5}
    entry = RepresentationEntry.model_construct(
        spec=spec, shards=[Shard(sha256="0", num_bytes=1000 * int(hours * 10), rows=2, live=1)], live=1
    )
    made = VersionDocument(
        number=number, created="2026-01-01T00:00:00+00:00", kind=kind, stages=stages,
        counts=Counts(clips=int(100 * hours), kept=int(50 * hours)), hours={"clips": hours, "kept": hours / 2},
        clips=[Object(sha256="1", num_bytes=int(1000 * hours), rows=1)],
    )  # fmt: skip
    return made.model_copy(update={"representations": {"c": entry}})


def test_rates_are_sums_over_the_nights_and_other_versions_do_not_count():
    found = rates([night(1, 10), night(2, 30), night(3, 5, kind="rollback")])
    assert (found.nights, found.hours) == (2, 40.0)
    assert found.cpu_s_per_hour == pytest.approx({"probe": 10, "score": 100, "extract": 400})
    assert found.gpu_s_per_hour["extract"] == pytest.approx(100)
    assert found.busy_share == pytest.approx(0.8)
    assert found.kept_share == 0.5
    # half of a shard is live: 10 kB x 30 h x 1/2 over 15 h that are kept
    assert found.bytes_per_kept_hour == pytest.approx({"c": 10_000})
    # too few clips to say how the driver grows
    assert (found.driver_s, found.driver_s_per_clip) == (1.0, PER_CLIP_S)
    many = rates([night(1, 10), night(2, 2000)])
    assert (many.driver_s, many.driver_s_per_clip) == (0.0, pytest.approx(1 / 200_000))


def test_an_estimate_of_what_was_run_is_what_it_took():
    found = estimate(rates([night(1, 100)]), 100, nodes=1, cpus=2, price=2.0, storage_price=1.0)
    assert found.cpu_hours == pytest.approx({"probe": 1000 / 3600, "score": 10_000 / 3600, "extract": 20_000 / 3600})
    assert found.wall_hours == pytest.approx((31_000 / (2 * 0.8) + 1.0 + 10_000 * PER_CLIP_S) / 3600)
    assert found.cost == pytest.approx(2 * found.wall_hours)
    assert found.gpu_hours == pytest.approx(5000 / 3600)
    assert found.shard_bytes == pytest.approx({"c": 500_000})
    assert found.storage_cost_per_month == pytest.approx((500_000 + 100_000) / 1e9)


def test_twice_the_machines_take_half_the_time_of_the_workers_and_cost_the_same_but_for_the_driver():
    of = rates([night(1, 100)])
    one, two = (estimate(of, 1000, nodes, 4, price=1.0) for nodes in (1, 2))
    assert two.wall_hours - two.driver_hours == pytest.approx((one.wall_hours - one.driver_hours) / 2)
    assert two.cost is not None
    assert one.cost is not None
    assert two.cost == pytest.approx(one.cost + one.driver_hours)


def test_looking_back_says_how_far_each_night_was_from_those_before_it():
    assert looking_back([night(1, 10)]) == []
    (second, third) = looking_back([night(1, 10), night(2, 20), night(3, 30, slower=1.5)])
    assert (second[0], second[1]) == (2, pytest.approx(second[2]))
    assert third[2] / third[1] == pytest.approx(1.5)


def test_a_dataset_without_a_night_has_no_rates_and_says_what_to_do():
    with pytest.raises(ConfigError, match="run a part of the sources first"):
        rates([night(1, 0)])

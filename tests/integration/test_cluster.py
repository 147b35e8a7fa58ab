"""Workers on a cluster: cards, nodes that join and die, what an autoscaler is asked for. Several Ray nodes on loopback,
with cards that Ray counts and nobody has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.ray
SCRIPT = Path(__file__).parents[1] / "cluster_scenarios.py"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("cluster")
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "seen.json").read_text())


def test_ray_hands_the_cards_out_and_halves_of_one_are_shared(seen: dict[str, Any]) -> None:
    assert seen["cards"]["room"] == 4
    assert seen["cards"]["done"] == 60
    # units waited for all four workers, but not for ever: one that came up very late found nothing more to do
    workers = seen["cards"]["workers_of_card"]
    assert set(workers) == {"0", "1"}
    assert set(workers.values()) <= {1, 2}


def test_a_pass_that_wants_more_cards_than_a_node_has_is_refused_before_any_work(seen: dict[str, Any]) -> None:
    assert seen["no_card"]["code"] == 11
    assert seen["no_card"]["written"] == []
    assert "1 CPU and 3 GPUs" in seen["no_card"]["said"]
    assert "2 GPUs" in seen["no_card"]["said"]


def test_the_pool_grows_onto_a_node_that_joins_and_its_death_costs_only_what_was_in_flight(
    seen: dict[str, Any],
) -> None:
    elastic = seen["elastic"]
    assert elastic["room"][:2] == [2, 4]
    assert elastic["killed"]
    assert elastic["nodes"] == 2
    assert elastic["rows"] == elastic["distinct"] == 80
    assert elastic["done_again"] <= elastic["in_flight"]


def test_an_autoscaler_is_asked_for_the_workers_that_have_no_place_yet(seen: dict[str, Any]) -> None:
    assert seen["asked"]["waiting"] == 3

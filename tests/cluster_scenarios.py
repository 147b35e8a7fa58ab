"""What a pool does on a cluster (loopback) whose nodes come and go; writes what it saw to FOLDER/seen.json.

python tests/cluster_scenarios.py FOLDER
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "plugins")]
os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
os.environ |= {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "OMP_NUM_THREADS": "1"}
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE / "plugins"), os.environ.get("PYTHONPATH", "")])

import pyarrow as pa  # noqa: E402
import ray  # noqa: E402
from corpus import config, write_corpus  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402
from where_units_run import WhereRecipe  # noqa: E402

from auricle.loaders.storage.store import Store  # noqa: E402
from auricle.pipelines.nodes.resources import Resources  # noqa: E402
from auricle.pipelines.run import run  # noqa: E402
from auricle.pipelines.work.pool import AHEAD, Pool  # noqa: E402
from auricle.pipelines.work.work_units import UnitRef, receipt_files, write_plan  # noqa: E402
from auricle.schemas.errors import ClusterError  # noqa: E402
from auricle.schemas.worker_config import Workers  # noqa: E402

HOST = "127.0.0.2"
"""Loopback, but not the name that Ray replaces by the address of a network card."""


def planned(store: Store, name: str, recipe: WhereRecipe, units: int) -> list[UnitRef]:
    rows = [{"unit": i, "key": f"{name}-{i}"} for i in range(units)]
    return write_plan(store, name, recipe, pa.Table.from_pylist(rows).to_reader())


def rows_of(store: Store, name: str, recipe: WhereRecipe) -> list[dict[str, Any]]:
    import io

    import pyarrow.parquet as pq

    files = receipt_files(store, [name], recipe)
    return [row for file in files for row in pq.read_table(io.BytesIO(store.get(file))).to_pylist()]


def cards(folder: Path, store: Store, recipe: WhereRecipe) -> dict[str, Any]:
    """Four workers of half a card each, on a node with two. Units wait until all four have come up."""
    each = Resources(cpus=0.5, gpus=0.5)
    recipe = replace(recipe, meet=str(folder / "cards"), parties=4)
    with Pool(Workers(), {"extract": each}) as pool:
        room = pool.size(each)
        done = sum(o.done for o in pool.run(recipe, store, "cards", planned(store, "cards", recipe, 60), each))
    workers = {(row["process"], row["cards"]) for row in rows_of(store, "cards", recipe)}
    return {"room": room, "done": done, "workers_of_card": dict(Counter(card for _, card in workers))}


def no_card(folder: Path) -> dict[str, Any]:
    """A pass that wants three cards of one node."""
    write_corpus(folder / "audio", 2)
    workers = {"num": 2, "extract": {"gpus": 3}}
    try:
        run(config(folder / "audio", folder / "refused", workers=workers))
    except ClusterError as error:
        written = [str(p) for p in (folder / "refused").rglob("*") if p.is_file() and "lease" not in p.parts]
        return {"said": str(error), "code": error.exit_code, "written": written}
    return {}


def elastic(store: Store, recipe: WhereRecipe, cluster: Cluster) -> dict[str, Any]:
    """A node joins when a few units are done, and is killed when it has done some."""
    units = planned(store, "elastic", recipe, 80)
    with Pool(Workers()) as pool:
        before = pool.size(Resources())
        joined, killed, done, seen_room = None, False, 0, before
        for count, outcome in enumerate(pool.run(recipe, store, "elastic", units), start=1):
            done += outcome.done
            if count == 4:
                joined = cluster.add_node(num_cpus=2, node_ip_address=HOST)
            if joined is not None and not killed and len({r["node"] for r in rows_of(store, "elastic", recipe)}) > 1:
                seen_room = pool.size(Resources())
                cluster.remove_node(joined, allow_graceful=False)
                killed = True
        after = pool.size(Resources())
    starts = sum(1 for _ in store.list("runs/elastic/extract/attempts"))
    rows = rows_of(store, "elastic", recipe)
    return {
        "room": [before, seen_room, after],
        "killed": killed,
        "rows": len(rows),
        "distinct": len({row["key"] for row in rows}),
        "nodes": len({row["node"] for row in rows}),
        "done_again": starts - len(units),
        "in_flight": 2 * AHEAD,
    }


def asked(store: Store, recipe: WhereRecipe) -> dict[str, Any]:
    """What an autoscaler would see of a pass that may have five workers where two fit."""
    from ray.autoscaler.v2.sdk import get_cluster_status

    each, waiting = Resources(), 0
    with Pool(Workers(max=5)) as pool:
        for _ in pool.run(recipe, store, "asked", planned(store, "asked", recipe, 40), each):
            # nodes report what waits on them every second or so, a busy machine later
            until = time.monotonic() + 1
            while waiting < 3 and time.monotonic() < until:
                status = get_cluster_status(ray.get_runtime_context().gcs_address)
                demands = status.resource_demands.ray_task_actor_demand
                found = sum(bundle.count for demand in demands for bundle in demand.bundles_by_count)
                waiting = max(waiting, found)
                time.sleep(0.2)
    return {"waiting": waiting}


def main() -> None:
    """All scenarios on one cluster, one after the other."""
    folder = Path(sys.argv[1])
    store, recipe = Store(str(folder / "store"), create=True), WhereRecipe(0.15)
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "node_ip_address": HOST},
    )
    try:
        cluster.add_node(num_cpus=2, num_gpus=2, node_ip_address=HOST)
        ray.init(address=cluster.address, log_to_driver=False, _node_ip_address=HOST)
        found = {"cards": cards(folder, store, recipe), "no_card": no_card(folder)}
        found |= {"elastic": elastic(store, recipe, cluster), "asked": asked(store, recipe)}
        # Ray prints about the node that was killed, when it likes
        (folder / "seen.json").write_text(json.dumps(found))
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()

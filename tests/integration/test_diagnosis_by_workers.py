"""A diagnosis on two workers of Ray: what it finds, and that a worker that dies costs only time."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from dataset_factory import CODES, Recording, write_version

from auricle.diagnostics.codes import codes_diagnosis
from auricle.diagnostics.estimates import jobs as estimates_jobs
from auricle.loaders.reading.version import open_version
from auricle.loaders.storage.store import Store
from auricle.pipelines.diagnosis import of_codes
from auricle.pipelines.diagnosis.diagnose import diagnose
from auricle.pipelines.spread.unit_jobs import UnitJobs
from auricle.pipelines.work.pool import Pool
from auricle.schemas.worker_config import Workers


@dataclass(frozen=True)
class Squared:
    value: int


def squared(job: tuple[str, int]) -> Squared:
    """Ends its worker the first time, where a folder for the mark is given."""
    folder, number = job
    if folder:
        mark = Path(folder) / str(number)
        if not mark.exists():
            mark.touch()
            os._exit(9)
    return Squared(number**2)


def test_two_workers_find_what_one_process_finds_and_one_that_dies_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray.cloudpickle

    # the workers do not have the tests
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr(estimates_jobs, "MANY_CODES", 0)
    # of 24 clips of 400 frames
    monkeypatch.setattr(of_codes, "HELD_CODE_FRAMES", 6000)
    monkeypatch.setattr(codes_diagnosis, "PIECE_FRAMES", 800)
    recordings = [Recording(f"v{i:02d}", speaker=f"s{i % 6}", num_samples=16_000 * 8) for i in range(24)]
    write_version(f"{tmp_path}/dataset", recordings, representations=[CODES])
    version = open_version(f"{tmp_path}/dataset")
    alone = diagnose(version, workers=1, reconstruct=0)
    (tmp_path / "marks").mkdir()
    with Pool(Workers(num=2)) as pool:
        said: list[str] = []
        assert diagnose(version, on=pool, reconstruct=0, begin=said.append) == alone
        assert any("of 5 parts are there" in line for line in said)
        assert said[-1].endswith(" further pieces of the corpus scored")
        jobs = UnitJobs(Store(f"{tmp_path}/dataset"), "of this", pool)
        found = jobs(squared, [(str(tmp_path / "marks") if number == 2 else "", number) for number in range(5)])
        assert [each.value for each in found] == [0, 1, 4, 9, 16]

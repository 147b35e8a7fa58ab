"""Codebooks and folds done by several processes give to the bit what one process gives."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from auricle.diagnostics.codes.codes_diagnosis import CodesDiagnosis, diagnose_codes
from auricle.diagnostics.estimates import jobs as estimates_jobs
from auricle.diagnostics.estimates.jobs import Here, Jobs
from auricle.diagnostics.neural.language_model import LanguageModel
from auricle.diagnostics.ngrams.code_store import CodeStore
from auricle.diagnostics.pool.pool_member import Pool
from auricle.pipelines.work.processes import Processes
from auricle.schemas.errors import WorkerError

CARDINALITY = 16


def samples() -> list[tuple[str, str, np.ndarray]]:
    """Clips of two codebooks: the first a slow walk, the second what the first says, with noise."""
    rng = np.random.default_rng(0)
    found = []
    for clip in range(24):
        first = (rng.integers(CARDINALITY) + np.cumsum(rng.integers(-1, 2, 300))) % CARDINALITY
        second = np.where(rng.random(300) < 0.3, rng.integers(0, CARDINALITY, 300), (first * 5) % CARDINALITY)
        found.append((f"clip{clip:02d}", f"speaker{clip % 6}", np.stack([first, second])))
    return found


def diagnosed(jobs: Jobs) -> CodesDiagnosis:
    vectors = np.random.default_rng(1).standard_normal((2, CARDINALITY, 4))
    neural = LanguageModel(600, vectors=vectors, hidden=8, embedding=8, max_steps=3, jobs=jobs)
    members = {"pool": Pool(vectors, jobs=jobs), "neural": neural}
    return diagnose_codes(samples(), 12.5, CARDINALITY, group_kind="speaker", members=members, jobs=jobs)


def test_processes_find_what_one_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimates_jobs, "MANY_CODES", 0)
    alone, two = diagnosed(Here()), diagnosed(Processes(2))
    assert alone.to_dict() == two.to_dict()
    assert np.array_equal(alone.bits, two.bits)
    assert np.array_equal(alone.clips.split_half, two.clips.split_half)


def test_a_shared_store_is_small_and_says_the_same() -> None:
    store = CodeStore(CARDINALITY)
    for key, group, codes in samples():
        store.add(key, group, np.tile(codes, 100))
    store.close()
    at, _, _ = store.frames([3, 20])
    before, whole = store.codes_at(at), len(pickle.dumps(store))
    store.share()
    sent = pickle.dumps(store)
    assert len(sent) < whole / 50
    assert np.array_equal(pickle.loads(sent).codes_at(at), before)
    assert np.array_equal(store.codes_at(at), before)


# functions that a process without the tests can import
def test_a_job_that_ends_its_process_is_said() -> None:
    with pytest.raises(WorkerError, match=r"code 7.*--workers 1"):
        list(Processes(2)(os._exit, [7, 7]))


def test_what_a_job_raises_arrives() -> None:
    with pytest.raises(ValueError, match="no number"):
        list(Processes(2)(int, ["1", "no number"]))

"""Units on workers: the same bits as in one process, whoever dies on the way."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from dataset_factory import LATENTS, voices, write_version

from auricle.loaders.reading.version import open_version
from auricle.pipelines.derived import fit_speech_units as fit_units
from auricle.pipelines.derived.fit_speech_units import Stored, fit_version
from auricle.pipelines.work import blocks as parts
from auricle.pipelines.work.blocks import Blocks
from auricle.schemas.errors import DatasetError, IntegrityError

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]


def ignore(*_: int) -> None:
    """Nobody watches."""


def test_a_fit_on_workers_equals_the_fit_in_one_process_although_a_worker_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_units, "BLOCK_S", 6.0)
    write_version(f"{tmp_path}/dataset", voices(40))
    version = open_version(f"{tmp_path}/dataset")
    read = Stored(version.store, version.representation(LATENTS.name))
    here, _ = fit_version(version, read, [4, 8], 5, 0, workers=1)

    class Deadly(Stored):
        """Kills its worker in the middle of a block, once in the first pass and once in a later one."""

        def __call__(self, block):
            for i, found in enumerate(super().__call__(block)):
                if i == 1 and os.getpid() != driver:
                    for pass_ in ("first", "later"):
                        mark = tmp_path / f"{pass_}.{block['clip'][0]}"
                        if not mark.exists():
                            mark.touch()
                            if len(list(tmp_path.glob(f"{pass_}.*"))) == 3:
                                os.kill(os.getpid(), signal.SIGKILL)
                            break
                yield found

    driver = os.getpid()
    monkeypatch.setattr(parts, "WORTH_S", 0.0)
    monkeypatch.setattr(Blocks.__init__, "__defaults__", (0.0,))
    there, _ = fit_version(version, Deadly(read.store, read.spec), [4, 8], 5, 0, workers=2)
    assert len(list(tmp_path.glob("later.*"))) >= 3, "the worker died in two passes"
    assert there.frames == here.frames
    assert there.inertia == here.inertia
    for size in (4, 8):
        assert np.array_equal(there.centroids[size], here.centroids[size])


def test_parts_come_in_the_order_of_their_blocks_and_errors_as_they_were_raised() -> None:
    driver = os.getpid()

    def make(block: int) -> int:
        if block == 13:
            raise IntegrityError("block 13 is damaged")
        if block == 99 and os.getpid() != driver:
            os.kill(os.getpid(), signal.SIGKILL)
        return block * block

    done: list[int] = []
    with Blocks(2, worth_s=0.0) as blocks:
        assert list(blocks.run(make, range(12), 1, done.append)) == [i * i for i in range(12)]
        assert sorted(done) == list(range(12))
        with pytest.raises(IntegrityError, match="block 13"):
            list(blocks.run(make, [1, 2, 13, 4], 1, ignore))
        with pytest.raises(DatasetError, match="ended its worker 6 times"):
            list(blocks.run(make, [1, 99], 1, ignore))

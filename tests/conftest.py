"""Makes modules beside this file importable in tests, and the test plugins visible to every process."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).parent
PLUGINS = HERE / "plugins"
sys.path[:0] = [str(HERE), str(PLUGINS)]
# Ray's workers and child processes find the plugins' entry points through the environment
os.environ["PYTHONPATH"] = os.pathsep.join([str(PLUGINS), *filter(None, [os.environ.get("PYTHONPATH")])])
os.environ["RAY_AUTH_MODE"] = "disabled"
os.environ["OMP_NUM_THREADS"] = "1"
# a slow machine is no defect of the code
settings.register_profile("auricle", deadline=None)
settings.load_profile("auricle")


@pytest.fixture(scope="session")
def local_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One Ray on this machine for all tests that run units."""
    from auricle.pipelines.work.cluster import ray_session

    with ray_session(2):
        yield


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Calls":
    """Counts what the test plugins do, in any process."""
    found = Calls(tmp_path / "calls.txt")
    found.clear()
    return found


class Calls:
    """Calls of models, by name, since the last `clear`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def clear(self) -> None:
        self.path.write_text("")

    def __getitem__(self, name: str) -> int:
        return self.path.read_text().split().count(name)

    def __str__(self) -> str:
        return self.path.read_text()

"""What travels to a cluster, and what names it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from auricle.jobs.cluster.client import Job, Jobs
from auricle.jobs.cluster.shipment import CONFIG, ship
from auricle.schemas.config import RunConfig
from auricle.schemas.errors import ConfigError


def config(**changes: object) -> RunConfig:
    raw = {"dataset": "s3://bucket/speech", "sources": [{"path": "recordings"}]}
    return RunConfig.model_validate(raw | changes)


def test_the_same_package_and_configuration_have_one_name(tmp_path: Path) -> None:
    names = []
    for i, settings in enumerate([config(), config(), config(shard_bytes=1 << 21)]):
        (tmp_path / str(i)).mkdir()
        names.append(ship(settings, tmp_path / str(i))[1])
    assert names[0] == names[1] != names[2]


def test_what_travels_runs_without_a_checkout_and_knows_its_version(tmp_path: Path) -> None:
    runtime_env, _ = ship(config(), tmp_path)
    settings = Path(runtime_env["working_dir"]) / CONFIG
    shipped = yaml.safe_load(settings.read_text())
    assert Path(shipped["sources"][0]["path"]).is_absolute()
    assert shipped["dataset"] == "s3://bucket/speech"
    # as on a node: each module's parent is on the path
    script = (
        "import auricle.schemas.config as c, importlib.metadata as m, sys; "
        f"assert c.__file__.startswith({str(tmp_path)!r}), c.__file__; print(m.version('auricle'))"
    )
    env = {"PYTHONPATH": str(tmp_path / "code"), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", script], env=env, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {Path(module).name.split("-")[0] for module in runtime_env["py_modules"]} == {"auricle"}


def test_a_file_that_is_no_wheel_of_auricle_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "other.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other/__init__.py", "")
    with pytest.raises(ConfigError, match="no wheel of auricle"):
        ship(config(), tmp_path / "a", wheel)


@pytest.mark.parametrize(
    ("status", "code", "lost"),
    [
        *(("SUCCEEDED", 0, False), ("FAILED", 20, False), ("FAILED", 2, False), ("STOPPED", None, False)),
        *(("FAILED", None, True), ("FAILED", -9, True), ("FAILED", 137, True)),
    ],
)
def test_only_a_driver_that_ended_without_a_word_is_lost(status: str, code: int | None, lost: bool) -> None:
    assert Job("j", status, code, "d", None, None, "").lost is lost


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="http://HOST:8265"):
        Jobs("head:6379")

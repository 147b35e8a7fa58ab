"""A night on a real cluster: Ray with a token on loopback, submitted, killed, submitted again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import yaml
from corpus import config, write_corpus

from auricle.loaders import open_version

pytestmark = pytest.mark.ray
HOST = "127.0.0.1"
BIN = Path(sys.executable).parent


@pytest.fixture
def cluster(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """(address, the environment of who talks to it)."""
    token = tmp_path / "token"
    token.write_text("0123456789abcdef0123456789abcdef")
    with suppress(KeyError):
        del os.environ["RAY_ADDRESS"]
    # Unix sockets have short names
    folder = Path("/tmp") / f"auricle-ray-{os.getpid()}"
    plugins = os.environ["PYTHONPATH"].split(os.pathsep)[0]
    env = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
        # its modules import for long on a busy machine
        "RAY_DASHBOARD_SUBPROCESS_MODULE_WAIT_READY_TIMEOUT": "180",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "CHEAP_SLEEP_S": "0.3",
    }
    ports = free_ports(5)
    names = ("port", "dashboard-port", "ray-client-server-port", "dashboard-agent-listen-port", "metrics-export-port")
    command = [str(BIN / "ray"), "start", "--head", "--block", "--num-cpus=2", f"--temp-dir={folder}"]
    command += [f"--node-ip-address={HOST}", f"--dashboard-host={HOST}", "--disable-usage-stats"]
    command += [f"--{name}={port}" for name, port in zip(names, ports, strict=True)]
    with (tmp_path / "ray.log").open("wb") as log:
        # the nodes have the test's plugins, and no auricle but what is shipped
        node_env = env | {"PYTHONPATH": plugins}
        head = subprocess.Popen(command, env=node_env, stdout=log, stderr=log, start_new_session=True)
    try:
        yield f"http://{HOST}:{ports[1]}", env
    finally:
        os.killpg(head.pid, signal.SIGTERM)
        try:
            head.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(head.pid, signal.SIGKILL)


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for s in held:
        s.bind((HOST, 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def auricle(env: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "auricle.jobs.cli", *arguments]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def drivers(config_name: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if b"auricle.jobs.cli" in words and b"run" in words and config_name.encode() in words:
                found.append(int(entry.name))
    return found


def wait_for(address: str) -> None:
    """Until the cluster's job server answers anything at all: its port is open before that."""
    up = time.monotonic() + 180
    while time.monotonic() < up:
        try:
            urlopen(f"{address}/api/jobs/", timeout=5).close()
        except HTTPError:
            return  # refused without a token
        except OSError:
            time.sleep(0.3)
        else:
            return
    raise TimeoutError(f"{address} does not answer")


def test_a_night_that_is_killed_goes_on_with_the_next_submission(
    cluster: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    address, env = cluster
    write_corpus(tmp_path / "audio", 12)
    settings = config(tmp_path / "audio", tmp_path / "data", workers={"num": 2, "unit_clips": 1})
    night = tmp_path / "mine.yaml"
    night.write_text(yaml.safe_dump(settings.model_dump(mode="json")))
    wait_for(address)

    # the wrong token says so, and what to give
    wrong = tmp_path / "wrong"
    wrong.write_text("f" * 32)
    refused = auricle(env, "jobs", "--address", address, "--token-file", str(wrong))
    _, said = refused.communicate(timeout=60)
    assert refused.returncode == 11, said
    assert "--token-file" in said

    first = auricle(env, "submit", str(night), "--address", address, "--tries", "2", "--python", sys.executable)
    ends = time.monotonic() + 90
    while not any((tmp_path / "data").rglob("extract/receipts/*/*.parquet")) and time.monotonic() < ends:
        assert first.poll() is None, first.communicate()
        time.sleep(0.1)
    [driver] = [pid for pid in drivers("night.yaml") if os.getpid() != pid][-1:]
    os.kill(driver, signal.SIGKILL)
    _, said = first.communicate(timeout=120)
    assert first.returncode == 0, said
    assert "was lost" in said
    assert "resuming run" in said
    version = open_version(str(tmp_path / "data"))
    assert version.document.counts.kept == 12

    listed = auricle(env, "jobs", "--address", address, "--json")
    out, said = listed.communicate(timeout=60)
    jobs = yaml.safe_load(out)["jobs"]
    assert [job["status"] for job in jobs] == ["FAILED", "SUCCEEDED"], said
    assert jobs[0]["id"].rsplit("-", 1)[0] == jobs[1]["id"].rsplit("-", 1)[0]

    # an exit code of the driver's own is the command's, and nothing is submitted again
    broken = tmp_path / "broken.yaml"
    broken.write_text(night.read_text().replace("num: 2", "num: null").replace("gpus: null", "gpus: 4"))
    write_corpus(tmp_path / "audio", 1, first=50)
    refused = auricle(env, "submit", str(broken), "--address", address, "--python", sys.executable)
    _, said = refused.communicate(timeout=90)
    assert refused.returncode == 11, said
    assert "4 GPUs" in said

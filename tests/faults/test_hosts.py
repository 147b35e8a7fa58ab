"""Three hosts with addresses of their own, one of which the network cuts off in the middle of a pass.

The hosts are network namespaces of this machine that a bridge connects; cut off, a host is taken from the bridge: its
packets vanish, nobody is told. Its workers go on for a while and write what they were at, as on a machine that lost its
network but not its storage.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
import yaml
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.loaders import open_version
from auricle.loaders.care.verify import verify
from auricle.pipelines.run import run

pytestmark = [pytest.mark.ray, pytest.mark.faults]
HOSTS = ("a", "b", "c")
NETWORK = "10.213.77"
PORT = 6399
RAY = Path(sys.executable).with_name("ray")
DEAD_AFTER = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "10",
}
"""Ray's own patience, half a minute and more, would only make the test longer."""


class Hosts:
    """Namespaces on a bridge, with Ray in each."""

    def __init__(self) -> None:
        self._id = f"au{os.getpid() % 100000}"
        self._rays: list[subprocess.Popen[bytes]] = []
        self._env = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | DEAD_AFTER
        self._env |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
        self._env |= {"OMP_NUM_THREADS": "1", "CHEAP_SLEEP_S": "0.4"}
        self._temp = f"/tmp/{self._id}"

    def connect(self) -> None:
        """Raises `CalledProcessError` or `FileNotFoundError` where that is not permitted."""
        _ip("link", "add", f"{self._id}br", "type", "bridge")
        _ip("link", "set", f"{self._id}br", "up")
        for number, host in enumerate(HOSTS, start=1):
            _ip("netns", "add", self.name(host))
            outside, inside = f"{self._id}{host}", f"{self._id}{host}i"
            _ip("link", "add", outside, "type", "veth", "peer", "name", inside)
            _ip("link", "set", inside, "netns", self.name(host))
            _ip("link", "set", outside, "master", f"{self._id}br", "up")
            _ip("-n", self.name(host), "addr", "add", f"{NETWORK}.{number}/24", "dev", inside)
            for link in ("lo", inside):
                _ip("-n", self.name(host), "link", "set", link, "up")
            # leads nowhere: Ray asks the kernel from which address it would leave
            _ip("-n", self.name(host), "route", "add", "default", "via", f"{NETWORK}.254")

    def start_ray(self, log: Path) -> None:
        Path(self._temp).mkdir()
        with log.open("wb") as out:
            for number, host in enumerate(HOSTS, start=1):
                where = ["--head", f"--port={PORT}", f"--temp-dir={self._temp}", "--include-dashboard=false"]
                if host != "a":
                    where = [f"--address={NETWORK}.1:{PORT}"]
                command = [str(RAY), "start", *where, f"--node-ip-address={NETWORK}.{number}", "--block"]
                command += ["--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats"]
                if host != "a":
                    # Ray keeps what it knows of its host there
                    command = ["sh", "-c", f'mount -t tmpfs none {self._temp} && exec "$@"', "sh", *command]
                self._rays.append(self.run(host, command, out))
                if host == "a":
                    _answers(self.name(host), f"{NETWORK}.1", PORT)

    def run(self, host: str, command: list[str], out: IO[bytes]) -> subprocess.Popen[bytes]:
        inside = ["ip", "netns", "exec", self.name(host), *command]
        return subprocess.Popen(inside, env=self._env, start_new_session=True, stdout=out, stderr=out)

    def cut_off(self, host: str) -> None:
        _ip("link", "set", f"{self._id}{host}", "nomaster")

    def name(self, host: str) -> str:
        return f"{self._id}-{host}"

    def close(self) -> None:
        for ray in self._rays:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(ray.pid, signal.SIGTERM)
        for ray in self._rays:
            try:
                ray.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(ray.pid, signal.SIGKILL)
        for host in HOSTS:
            # what is left in a namespace, by its process ids
            found = subprocess.run(["ip", "netns", "pids", self.name(host)], capture_output=True, text=True)
            for pid in found.stdout.split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", self.name(host)], capture_output=True)
        subprocess.run(["ip", "link", "del", f"{self._id}br"], capture_output=True)
        shutil.rmtree(self._temp, ignore_errors=True)


def _answers(namespace: str, address: str, port: int) -> None:
    """Wait until somebody listens there."""
    script = (
        "import socket, sys, time\n"
        "while True:\n"
        "    try: sys.exit(socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close())\n"
        "    except OSError: time.sleep(0.2)\n"
    )
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", script, address, str(port)]
    subprocess.run(command, check=True, timeout=60)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    made = Hosts()
    try:
        try:
            made.connect()
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", b"") or str(error).encode()
            pytest.skip(f"network namespaces are not to be had here: {said.decode(errors='replace').strip()}")
        made.start_ray(tmp_path / "ray.log")
        yield made
    finally:
        made.close()


def objects(dataset: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(dataset)): path.read_bytes()
        for folder in ("objects", "shards")
        for path in (dataset / folder).rglob("*")
        if path.is_file()
    }


def test_a_host_that_is_cut_off_in_the_middle_of_a_pass_changes_no_byte(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_corpus(tmp_path / "audio", 24)
    settings = config(tmp_path / "audio", tmp_path / "data", workers={"unit_clips": 1})
    night = tmp_path / "night.yaml"
    night.write_text(yaml.safe_dump(settings.model_dump(mode="json")))
    command = ["env", f"RAY_ADDRESS={NETWORK}.1:{PORT}", sys.executable, "-m", "auricle.jobs.cli", "run", str(night)]
    with (tmp_path / "log").open("wb") as log:
        driver = hosts.run("a", command, log)
    end = time.monotonic() + 120
    receipts = tmp_path / "data"
    while sum(1 for _ in receipts.rglob("extract/receipts/*/*.parquet")) < 4:
        assert driver.poll() is None, (tmp_path / "log").read_text()
        assert time.monotonic() < end, (tmp_path / "ray.log").read_text()[-3000:]
        time.sleep(0.05)
    hosts.cut_off("b")
    assert driver.wait(150) == 0, (tmp_path / "log").read_text()

    without_ray(monkeypatch)
    monkeypatch.delenv("CHEAP_SLEEP_S", raising=False)
    undisturbed = tmp_path / "undisturbed"
    run(config(tmp_path / "audio", undisturbed))
    assert objects(tmp_path / "data") == objects(undisturbed)
    assert verify(str(tmp_path / "data")) == []
    used = {s.name: s for s in open_version(str(tmp_path / "data")).document.stages}
    assert used["extract"].failed == 0

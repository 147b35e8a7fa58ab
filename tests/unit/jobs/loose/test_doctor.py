"""What the doctor sees."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from auricle.jobs.loose import doctor
from auricle.jobs.loose.doctor import EXTRAS, examine


def _by_name(dataset: str | None = None) -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in examine(dataset)}


def test_the_report_covers_the_machine_and_is_quick():
    started = time.process_time()
    found = _by_name()
    assert time.process_time() - started < 5
    assert {"python", "cores", "memory", "disk", "gpu", "ray", "weights of builtin", "weights of mimi"} <= set(found)
    assert {f"extra [{extra}]" for extra in EXTRAS} <= set(found)
    assert {f.status for f in found.values()} <= {"ok", "warn", "missing"}


def test_it_imports_neither_ray_nor_torch_where_there_is_no_gpu():
    code = (
        "import sys, auricle.jobs.loose.doctor as d; d._nvidia_names = lambda: []; d.examine(); "
        "print(sorted({'ray', 'torch', 'great_expectations'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if sys.platform != "darwin":
        assert answer.stdout.strip() == "[]"


def test_what_is_missing_comes_with_how_to_get_it(monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    monkeypatch.setattr(doctor, "_nvidia_names", lambda: ["H200, 139 GiB"])
    found = _by_name()
    for extra in EXTRAS:
        assert found[f"extra [{extra}]"].status == "missing"
        assert f"auricle[{extra}]" in found[f"extra [{extra}]"].hint
    assert found["ray"].status == found["audio files"].status == found["gpu"].status == "missing"


def test_absent_weights_say_which_file_belongs_where(monkeypatch, tmp_path):
    monkeypatch.setenv("AURICLE_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    absent = _by_name()["weights of encodec24"]
    assert absent.status == "missing"
    assert str(tmp_path / "encodec_24khz-d7cc33bc.th") in absent.hint
    (tmp_path / "encodec_24khz-d7cc33bc.th").write_bytes(b"weights")
    assert _by_name()["weights of encodec24"].status == "ok"


def test_the_disk_of_a_dataset_that_does_not_exist_yet_is_its_parents(tmp_path):
    assert str(tmp_path) in _by_name(str(tmp_path / "not" / "yet"))["disk"].detail
    assert "object store" in _by_name("s3://bucket/data")["disk"].detail


@pytest.mark.parametrize(("mode", "status"), [(None, "warn"), ("token", "ok")])
def test_a_cluster_without_a_stated_authentication_is_a_warning(monkeypatch, mode, status):
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    if mode:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    else:
        monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    assert _by_name()["ray authentication"].status == status


def test_a_check_that_breaks_is_a_finding_and_not_a_crash(monkeypatch):
    def broken() -> list[str]:
        raise OSError("strange driver")

    monkeypatch.setattr(doctor, "_nvidia_names", broken)
    gpu = _by_name()["gpu"]
    assert (gpu.status, "strange driver" in gpu.detail) == ("warn", True)


def test_a_configuration_with_a_score_that_no_curator_gives_is_not_ok(tmp_path):
    text = "dataset: {0}/data\nsources: [{{path: {0}}}]\nkeep: [{{score: {1}, min: 10, reason: noisy}}]\n"
    path = tmp_path / "speech.yaml"
    path.write_text(text.format(tmp_path, "snr"))
    found = _by_name(str(path))
    assert found["config"].status == "missing"
    assert "'snr', which no configured curator gives; did you mean 'snr_db'?" in found["config"].detail
    assert f"source {tmp_path.name}" in found, "what else the configuration needs is said as well"
    path.write_text(text.format(tmp_path, "snr_db"))
    assert _by_name(str(path))["config"].status == "ok"

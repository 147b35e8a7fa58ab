"""Manifests and DAGs, each read by what will read it: Kubernetes' schemas, Argo's models, a stand-in for Airflow."""

from __future__ import annotations

import sys
import types
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hera.workflows.models import CronWorkflow

from auricle.jobs.schedules.containers import MOUNT, Containers
from auricle.jobs.schedules.export import export
from auricle.schemas.errors import ConfigError

AROUND = Containers("example/auricle:1", namespace="speech", secret="bucket-keys", gpus=1)


def documents(config: Path, format_: str, given: Containers = AROUND) -> list[dict[str, Any]]:
    (text,) = export(format_, config, "Mon-Fri 02:30", "Europe/Berlin", containers=given).values()  # pyright: ignore[reportArgumentType]
    return list(yaml.safe_load_all(text))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    made = tmp_path / "Nightly speech!.yaml"
    made.write_text("dataset: s3://bucket/speech\nsources: [{path: s3://bucket/new}]\n")
    return made


@pytest.mark.parametrize("format_", ["k8s-cronjob", "kuberay", "argo"])
def test_kubernetes_own_schemas_accept_every_document_of_its_kinds(config, format_):
    seen = set()
    for document in documents(config, format_):
        seen.add(document["kind"])
        if "argoproj" not in document["apiVersion"]:
            kubernetes_validate.validate(document, "1.34", strict=True)
        assert document["metadata"]["namespace"] == "speech"
        assert document["metadata"]["name"] == "auricle-nightly-speech"
    assert {"ConfigMap"} < seen


def test_a_cron_job_names_its_zone_forbids_overlap_and_takes_secrets_by_name(config):
    held, job = documents(config, "k8s-cronjob")
    assert held["data"]["config.yaml"] == config.read_text()
    spec = job["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("30 2 * * MON,TUE,WED,THU,FRI", "Europe/Berlin")
    assert spec["concurrencyPolicy"] == "Forbid"
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == [
        "run", f"{MOUNT}/config.yaml", "--scheduled-for", "Mon,Tue,Wed,Thu,Fri 02:30 Europe/Berlin",
    ]  # fmt: skip
    assert container["envFrom"] == [{"secretRef": {"name": "bucket-keys"}}]
    (rule,) = spec["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert {2, 20, 75} <= set(rule["onExitCodes"]["values"])
    assert 1 not in rule["onExitCodes"]["values"]


def test_a_cluster_of_kuberay_lives_for_a_night_and_its_workers_come_when_work_waits(config):
    held, _, role, binding, job = documents(config, "kuberay")
    ray = yaml.safe_load(held["data"]["rayjob.yaml"])
    assert (ray["apiVersion"], ray["kind"]) == ("ray.io/v1", "RayJob")
    assert ray["spec"]["shutdownAfterJobFinishes"] is True
    assert "--scheduled-for" in ray["spec"]["entrypoint"]
    cluster = ray["spec"]["rayClusterSpec"]
    (workers,) = cluster["workerGroupSpecs"]
    assert cluster["enableInTreeAutoscaling"] is True
    assert (workers["minReplicas"], workers["maxReplicas"]) == (0, 2)
    (worker,) = workers["template"]["spec"]["containers"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "1"
    for spec in (workers["template"]["spec"], cluster["headGroupSpec"]["template"]["spec"]):
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}, "1.34", strict=True
        )
    # it may create ray jobs, and nothing else
    assert role["rules"] == [{"apiGroups": ["ray.io"], "resources": ["rayjobs"], "verbs": ["create"]}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"] == role["metadata"]["name"]


def test_argos_models_accept_the_workflow_and_it_says_which_night_it_is(config):
    _, document = documents(config, "argo")
    read = CronWorkflow.model_validate(document)
    assert read.spec.timezone == "Europe/Berlin"
    assert read.spec.concurrency_policy == "Forbid"
    (template,) = read.spec.workflow_spec.templates or []
    assert template.container is not None
    assert "{{workflow.scheduledTime}}" in (template.container.args or [])
    again = template.retry_strategy
    assert again is not None
    assert "!= 20" in str(again.expression)


def test_long_and_odd_names_stay_names_of_kubernetes(tmp_path):
    for stem in ("x" * 200, "ÄÖÜ", "a.b_c D"):
        made = tmp_path / f"{stem}.yaml"
        made.write_text("dataset: x\nsources: [{path: y}]\n")
        for document in documents(made, "k8s-cronjob"):
            kubernetes_validate.validate(document, "1.34", strict=True)
            assert len(document["metadata"]["name"]) <= 52


def test_an_image_is_needed_where_containers_run(config):
    with pytest.raises(ConfigError, match="--image"):
        export("argo", config, "02:30", "UTC")


class Skip(Exception):
    pass


class Fail(Exception):
    pass


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The few names of Airflow 3 that the DAG imports, and what it gave them."""
    seen: dict[str, Any] = {}

    def dag(**given: Any) -> Any:
        seen.update(given)
        return lambda made: made

    def task(**given: Any) -> Any:
        seen["task"] = given

        def wrap(function: Any) -> Any:
            seen["function"] = function
            return lambda: None

        return wrap

    sdk, exceptions = types.ModuleType("airflow.sdk"), types.ModuleType("airflow.exceptions")
    context = {"data_interval_end": None, "logical_date": datetime(2026, 3, 4, 1, 30, tzinfo=UTC)}
    sdk.dag, sdk.task, sdk.get_current_context = dag, task, lambda: context  # pyright: ignore[reportAttributeAccessIssue]
    exceptions.AirflowFailException, exceptions.AirflowSkipException = Fail, Skip  # pyright: ignore[reportAttributeAccessIssue]
    for name, module in (("airflow", types.ModuleType("airflow")), ("airflow.sdk", sdk)):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "airflow.exceptions", exceptions)
    return seen


@pytest.mark.parametrize(("code", "raised"), [(0, None), (75, Skip), (20, Fail), (5, Exception)])
def test_the_dag_names_the_night_and_tries_again_only_what_may_pass(tmp_path, config, airflow, code, raised):
    program = tmp_path / "auricle"
    program.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/ran"\nexit {code}\n')
    program.chmod(0o755)
    files = export("airflow", config, "Mon 02:30", "Europe/Berlin", str(program), tmp_path)
    ((name, text),) = files.items()
    assert name.endswith(".py")
    exec(compile(text, name, "exec"), {"__name__": "dags"})
    assert (airflow["schedule"], airflow["max_active_runs"], airflow["catchup"]) == ("30 2 * * MON", 1, False)
    assert str(airflow["start_date"].tzinfo) == "Europe/Berlin"
    if raised is None:
        airflow["function"]()
    else:
        with pytest.raises(raised) as error:
            airflow["function"]()
        assert isinstance(error.value, Skip | Fail) is (raised is not Exception)
    told = (tmp_path / "ran").read_text().strip()
    assert told == f"run {config} --quiet --scheduled-for 2026-03-04T01:30:00+00:00"

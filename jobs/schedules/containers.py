"""Manifests for a Kubernetes cluster: a CronJob, KubeRay's RayJob each night, Argo's CronWorkflow.

The configuration goes along as a ConfigMap, mounted at `/etc/auricle`. Secrets (keys of the object store, addresses of
hooks) are named, never written: all keys of the Secret become the environment of the run.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ...schemas.errors import BusyError, ConfigError
from .nightly_time import NightlyTime
from .no_retry import NO_RETRY

MOUNT = "/etc/auricle"
LATE_S = 6 * 3600
"""A night that could not start is still started this much later, seconds."""
MOST_BYTES = 900_000
"""Of a configuration: a ConfigMap holds 1 MiB."""


@dataclass(frozen=True)
class Containers:
    """Where the night runs."""

    image: str
    """With auricle installed; for KubeRay also ray, of the same version on all nodes."""
    namespace: str = "default"
    secret: str | None = None
    """Name of a Secret whose keys become environment variables."""
    cpus: int = 4
    """Of the run's container, or of each of KubeRay's workers."""
    memory_gb: int = 8
    gpus: int = 0
    workers: int = 2
    """KubeRay: workers at most; the autoscaler begins with none."""


def kubernetes(time: NightlyTime, config: Path, given: Containers) -> dict[str, str]:
    """A ConfigMap and a CronJob (Kubernetes 1.27 or newer)."""
    name = _name(config)
    pod = {"restartPolicy": "Never", "containers": [_container(time, given)], "volumes": [_volume(name)]}
    job = {
        "backoffLimit": 3,
        "podFailurePolicy": {"rules": [_fails(NO_RETRY)]},
        "template": {"metadata": {"labels": _labels(name)}, "spec": pod},
    }
    return _files(name, _config_map(name, config, given), _cron_job(name, time, given, job))


def kuberay(time: NightlyTime, config: Path, given: Containers) -> dict[str, str]:
    """A CronJob that creates a RayJob each night: a cluster of its own, which ends with it. KubeRay's own RayCronJob is
    in alpha and knows no time zone in all of its versions."""
    name = _name(config)
    ray = _ray_job(name, time, given)
    manifest = yaml.safe_dump(ray, sort_keys=False, width=1000)
    create = {
        "restartPolicy": "Never",
        "serviceAccountName": name,
        "containers": [
            {
                "name": "create",
                "image": "rancher/kubectl:v1.33.0",
                "command": ["kubectl", "create", "-f", f"{MOUNT}/rayjob.yaml"],
                "volumeMounts": [{"name": "config", "mountPath": MOUNT, "readOnly": True}],
            }
        ],
        "volumes": [_volume(name)],
    }
    job = {"backoffLimit": 2, "template": {"metadata": {"labels": _labels(name)}, "spec": create}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta(name, given)}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": _meta(name, given),
        "rules": [{"apiGroups": ["ray.io"], "resources": ["rayjobs"], "verbs": ["create"]}],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": _meta(name, given),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": given.namespace}],
    }
    held = _config_map(name, config, given, {"rayjob.yaml": manifest})
    return _files(name, held, account, role, binding, _cron_job(name, time, given, job))


def argo(time: NightlyTime, config: Path, given: Containers) -> dict[str, str]:
    """A ConfigMap and a CronWorkflow (Argo Workflows 3.6 or newer)."""
    name = _name(config)
    container = _container(time, given, night="{{workflow.scheduledTime}}")
    del container["name"]
    again = " && ".join(f"asInt(lastRetry.exitCode) != {code}" for code in NO_RETRY)
    workflow = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "CronWorkflow",
        "metadata": _meta(name, given),
        "spec": {
            "schedules": [time.cron],
            "timezone": time.timezone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": LATE_S,
            "workflowSpec": {
                "entrypoint": "run",
                "volumes": [_volume(name)],
                "templates": [
                    {
                        "name": "run",
                        "retryStrategy": {
                            "limit": 3,
                            "retryPolicy": "Always",
                            "backoff": {"duration": "5m"},
                            "expression": again,
                        },
                        "container": container,
                    }
                ],
            },
        },
    }
    return _files(name, _config_map(name, config, given), workflow)


def _ray_job(name: str, time: NightlyTime, given: Containers) -> dict[str, Any]:
    container = _container(time, given)
    entry = shlex.join([*container["command"], *container["args"]])
    shared = {key: container[key] for key in ("image", "env", "envFrom", "volumeMounts") if key in container}
    volumes = [_volume(name)]
    head = {"name": "ray-head", **shared, "resources": _resources(2, 8, 0)}
    worker = {"name": "ray-worker", **shared, "resources": container["resources"]}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"generateName": f"{name}-", "namespace": given.namespace},
        "spec": {
            "entrypoint": entry,
            "shutdownAfterJobFinishes": True,
            # the same command goes on where a lost cluster stopped; a refused gate is not asked again for hours
            "backoffLimit": 1,
            "ttlSecondsAfterFinished": 3600,
            "rayClusterSpec": {
                "enableInTreeAutoscaling": True,
                "headGroupSpec": {
                    # the driver has the head for itself
                    "rayStartParams": {"num-cpus": "0"},
                    "template": {"spec": {"containers": [head], "volumes": volumes}},
                },
                "workerGroupSpecs": [
                    {
                        "groupName": "workers",
                        "replicas": 0,
                        "minReplicas": 0,
                        "maxReplicas": given.workers,
                        "rayStartParams": {},
                        "template": {"spec": {"containers": [worker], "volumes": volumes}},
                    }
                ],
            },
        },
    }


def _container(time: NightlyTime, given: Containers, night: str | None = None) -> dict[str, Any]:
    """night: what the scheduler puts in; default: the newest moment of the schedule, which the run works out."""
    made: dict[str, Any] = {
        "name": "auricle",
        "image": given.image,
        "command": ["auricle"],
        "args": ["run", f"{MOUNT}/config.yaml", "--scheduled-for", night or time.text],
        "env": [{"name": "RAY_AUTH_MODE", "value": "disabled"}],
        "resources": _resources(given.cpus, given.memory_gb, given.gpus),
        "volumeMounts": [{"name": "config", "mountPath": MOUNT, "readOnly": True}],
    }
    if given.secret:
        made["envFrom"] = [{"secretRef": {"name": given.secret}}]
    return made


def _cron_job(name: str, time: NightlyTime, given: Containers, job: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": _meta(name, given),
        "spec": {
            "schedule": time.cron,
            "timeZone": time.timezone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": LATE_S,
            "jobTemplate": {"spec": job},
        },
    }


def _fails(codes: Sequence[int]) -> dict[str, Any]:
    """Ends the job at once. 75 too: what holds the dataset does the work."""
    values = sorted({*codes, BusyError.exit_code})
    return {"action": "FailJob", "onExitCodes": {"containerName": "auricle", "operator": "In", "values": values}}


def _resources(cpus: int, memory_gb: int, gpus: int) -> dict[str, Any]:
    held: dict[str, Any] = {"cpu": str(cpus), "memory": f"{memory_gb}Gi"}
    if gpus:
        held["nvidia.com/gpu"] = str(gpus)
    return {"requests": held, "limits": held}


def _config_map(name: str, config: Path, given: Containers, more: dict[str, str] | None = None) -> dict[str, Any]:
    text = config.read_text(encoding="utf-8")
    if len(text.encode()) > MOST_BYTES:
        raise ConfigError(f"{config}: {len(text):,} bytes do not fit into a ConfigMap")
    data = {"config.yaml": text, **(more or {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(name, given), "data": data}


def _volume(name: str) -> dict[str, Any]:
    return {"name": "config", "configMap": {"name": name}}


def _meta(name: str, given: Containers) -> dict[str, Any]:
    return {"name": name, "namespace": given.namespace, "labels": _labels(name)}


def _labels(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "auricle", "app.kubernetes.io/instance": name}


def _name(config: Path) -> str:
    """A name that Kubernetes takes, of at most 52 letters as a CronJob's must be."""
    plain = re.sub(r"[^a-z0-9]+", "-", config.stem.lower()).strip("-")
    name = f"auricle-{plain}" if plain else "auricle"
    if len(name) > 52:
        name = f"{name[:43]}-{hashlib.sha256(config.stem.encode()).hexdigest()[:8]}"
    return name


def _files(name: str, *documents: dict[str, Any]) -> dict[str, str]:
    return {f"{name}.yaml": yaml.safe_dump_all(documents, sort_keys=False, width=1000)}

"""What this machine has for auricle, what is missing, and how to get it. Starts nothing, downloads nothing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from ...curators.registry import build
from ...extractors.coding.registry import describe
from ...extractors.coding.weights import PUBLISHED, cached_path, locate
from ...schemas.config import RepresentationConfig, RunConfig
from ...schemas.counted import counted
from ...schemas.errors import AuricleError
from ..terminal.config_file import load_config

Status = Literal["ok", "warn", "missing"]

EXTRAS: dict[str, tuple[tuple[str, str], ...]] = {
    "train": (("torch", "torch"),),
    "curate": (
        ("av", "av"),
        ("duckdb", "duckdb"),
        ("encodec", "encodec"),
        ("espeakng_loader", "espeakng-loader"),
        ("great_expectations", "great-expectations"),
        ("moshi", "moshi"),
        ("onnxruntime", "onnxruntime"),
        ("pocketsphinx", "pocketsphinx"),
        ("ray", "ray"),
        ("safetensors", "safetensors"),
        ("silero_vad", "silero-vad"),
        ("soundfile", "soundfile"),
        ("speechmos", "speechmos"),
        ("torch", "torch"),
        ("torchaudio", "torchaudio"),
    ),
    "dashboard": (
        ("duckdb", "duckdb"),
        ("jinja2", "jinja2"),
        ("soundfile", "soundfile"),
        ("starlette", "starlette"),
        ("uvicorn", "uvicorn"),
    ),
    "export": (("datasets", "datasets"), ("deltalake", "deltalake"), ("webdataset", "webdataset")),
}
"""Optional extra to the modules it brings and the distributions they come in."""

GIB = 1 << 30
FEW_GIB_MEMORY, FEW_GIB_DISK, FEW_GIB_SHARED = 4, 10, 0.25
"""Below these a run of default settings with two workers gets tight: models take about 1.5 GiB per worker."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    status: Status
    detail: str
    """What was found, with numbers and units."""
    hint: str = ""
    """What to do about it; empty when all is well."""


def examine(subject: str | None = None) -> list[Finding]:
    """What is here, in the order of the report. Takes a second or two and never raises for what it finds.

    subject: a configuration file, whose sources, weights and disk are looked at; or a dataset (folder or s3://
    prefix), whose disk is; default: the disk of the current folder and the weights of every codec.
    """
    findings: list[Finding] = []
    config, dataset = None, subject
    if subject and "://" not in subject and (Path(subject).is_file() or subject.endswith((".yaml", ".yml"))):
        config, problem = _read_config(subject)
        dataset = config.dataset if config else None
        findings.append(Finding("config", "missing" if problem else "ok", problem or f"valid: {subject}"))
    for name, check in (
        ("python", _python),
        ("cores", _cores),
        ("memory", _memory),
        ("disk", lambda: _disk(dataset)),
        ("shared memory", _shared_memory),
        ("gpu", _gpus),
        ("extras", _extras),
        ("ray", _ray),
        ("audio", _audio),
        ("sources", lambda: _sources(config)),
        ("weights", lambda: _weights() if config is None else _needed_weights(config)),
    ):
        findings.extend(_guarded(name, check))
    return findings


def _guarded(name: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """A check that breaks on a strange machine is a finding too."""
    try:
        return list(check())
    except Exception as error:
        return [Finding(name, "warn", f"cannot be examined: {type(error).__name__}: {error}")]


def _read_config(path: str) -> tuple[RunConfig | None, str]:
    """The configuration, where it can be read, and why it cannot be run."""
    try:
        config = load_config(Path(path))
    except AuricleError as error:
        return None, str(error)
    try:
        from ...pipelines.policy.decide import check_rules  # with the database, which a base install lacks

        check_rules(config, build(config.score.curators, config.score.options))
    except AuricleError as error:
        return config, f"{path}: {error}"
    except ModuleNotFoundError:
        pass  # the line of the extra says so
    return config, ""


def _sources(config: RunConfig | None) -> Iterator[Finding]:
    for source in config.sources if config else ():
        name = f"source {source.name}"
        if "://" in source.path:
            yield Finding(name, "ok", f"{source.path} is an object store: it is checked by a run")
        elif Path(source.path).expanduser().exists():
            yield Finding(name, "ok", str(Path(source.path).expanduser().absolute()))
        else:
            hint = "`path` is relative to where the command runs"
            yield Finding(name, "missing", f"{Path(source.path).absolute()} does not exist", hint)


def _needed_weights(config: RunConfig) -> Iterator[Finding]:
    """Of the representations of a configuration."""
    for wanted in config.representations:
        name = f"weights of {wanted.codec} {wanted.kind}"
        try:
            spec = describe(wanted)
        except AuricleError as error:
            yield Finding(name, "missing", str(error))
            continue
        found = f"{spec.name}: {'trained' if spec.trained else 'untrained: the codes have no meaning'}"
        yield Finding(name, "ok" if spec.trained else "warn", found)


def _python() -> Iterator[Finding]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    fits = sys.version_info[:2] == (3, 11)
    yield Finding("python", "ok" if fits else "warn", found, "" if fits else "auricle is tested with Python 3.11")


def _cores() -> Iterator[Finding]:
    total = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else total
    detail = f"{usable} usable of {total}"
    quota = _cgroup_cores()
    if quota is not None and quota < usable:
        yield Finding("cores", "warn", f"{detail}, limited to {quota:g} by the container", "set workers.num to match")
    else:
        yield Finding("cores", "ok", detail)


def _cgroup_cores() -> float | None:
    """CPU limit of the control group (version 2), in cores; None without one."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def _memory() -> Iterator[Finding]:
    fields: dict[str, int] = {}
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            key, _, rest = line.partition(":")
            fields[key] = int(rest.split()[0]) * 1024
    except OSError:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
        fields = {"MemTotal": pages * size, "MemAvailable": pages * size}
    total, available = fields["MemTotal"], fields["MemAvailable"]
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        if limit != "max" and int(limit) < total:
            total, available = int(limit), min(available, int(limit) - used)
    except (OSError, ValueError):
        pass
    few = available < FEW_GIB_MEMORY * GIB
    hint = "each worker takes about 1.5 GiB with its models: set workers.num" if few else ""
    yield Finding("memory", "warn" if few else "ok", f"{available / GIB:.1f} GiB free of {total / GIB:.1f} GiB", hint)


def _disk(dataset: str | None) -> Iterator[Finding]:
    if dataset and "://" in dataset:
        yield Finding("disk", "ok", f"{dataset} is an object store: its free space is not checked")
    else:
        folder = Path(dataset or ".").expanduser().absolute()
        while not folder.exists():
            folder = folder.parent
        writable = os.access(folder, os.W_OK)
        yield _room("disk", folder, FEW_GIB_DISK, "" if writable else f"{folder} is not writable for you")
    yield _room("temporary files", Path(tempfile.gettempdir()), 2, "")


def _room(name: str, folder: Path, few_gib: float, trouble: str) -> Finding:
    usage = shutil.disk_usage(folder)
    detail = f"{usage.free / GIB:.1f} GiB free of {usage.total / GIB:.1f} GiB at {folder}"
    if trouble:
        return Finding(name, "missing", detail, trouble)
    few = usage.free < few_gib * GIB
    return Finding(name, "warn" if few else "ok", detail, "make room or choose another disk" if few else "")


def _shared_memory() -> Iterator[Finding]:
    folder = Path("/dev/shm")
    if folder.is_dir():
        finding = _room("shared memory", folder, FEW_GIB_SHARED, "")
        hint = "Ray keeps its object store there: start the container with --shm-size=1g" if finding.hint else ""
        yield Finding(finding.name, finding.status, finding.detail, hint)


def _gpus() -> Iterator[Finding]:
    """Driver first: torch takes seconds to import and is only asked when there is a device to ask about."""
    names = _nvidia_names()
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    if not names and not apple:
        yield Finding("gpu", "ok", "none; everything runs on the CPU, extraction many times slower than with one")
        return
    seen = ", ".join(names) or "Apple"
    if find_spec("torch") is None:
        yield Finding("gpu", "missing", f"{seen}, and no torch to use it", "pip install 'auricle[curate]'")
        return
    import torch

    if names and not torch.cuda.is_available():
        built = torch.version.cuda or "none"
        yield Finding(
            "gpu", "warn", f"{seen}, which torch {torch.__version__} (CUDA {built}) cannot use", "check the driver"
        )
    else:
        yield Finding("gpu", "ok", f"{seen}, torch {torch.__version__}")


def _nvidia_names() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=3, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()] if answer.returncode == 0 else []


def _extras() -> Iterator[Finding]:
    for extra, modules in EXTRAS.items():
        absent = [distribution for module, distribution in modules if find_spec(module) is None]
        name = f"extra [{extra}]"
        if not absent:
            yield Finding(name, "ok", f"{len(modules)} of {counted(len(modules), 'package')}")
        else:
            present = f"{len(modules) - len(absent)} of {counted(len(modules), 'package')}; without {', '.join(absent)}"
            yield Finding(name, "missing", present, f"pip install 'auricle[{extra}]'")


def _ray() -> Iterator[Finding]:
    found = _version("ray")
    if found is None or find_spec("ray") is None:
        yield Finding("ray", "missing", "not installed: nothing can be curated here", "pip install 'auricle[curate]'")
        return
    tested = found.startswith("2.53.")
    hint = "" if tested else "auricle is tested with Ray 2.53: later ones and moshi want different aiohttp"
    yield Finding("ray", "ok" if tested else "warn", f"version {found}", hint)
    address = os.environ.get("RAY_ADDRESS")
    mode = os.environ.get("RAY_AUTH_MODE")
    where = f"cluster at {address}" if address else "a local Ray is started when there is work"
    if mode is None and address:
        yield Finding(
            "ray authentication",
            "warn",
            f"{where}; RAY_AUTH_MODE is not set, so it depends on what ran here before",
            "set RAY_AUTH_MODE to token or disabled, the same on both sides",
        )
    else:
        yield Finding("ray authentication", "ok", f"{where}; RAY_AUTH_MODE={mode or 'disabled (our default)'}")


def _audio() -> Iterator[Finding]:
    if find_spec("soundfile") is None:
        yield Finding("audio files", "missing", "no soundfile: no audio can be read", "pip install 'auricle[curate]'")
        return
    import soundfile

    detail = f"libsndfile {soundfile.__libsndfile_version__}"
    if find_spec("av") is None:
        yield Finding("audio files", "warn", f"{detail}; m4a, aac, webm need av", "pip install 'auricle[curate]'")
    else:
        yield Finding(
            "audio files", "ok", f"{detail}, PyAV {_version('av')} for m4a, aac, webm; no ffmpeg program needed"
        )


def _weights() -> Iterator[Finding]:
    if describe(RepresentationConfig.model_validate({"codec": "builtin", "kind": "codes"})).trained:
        yield Finding("weights of builtin", "ok", "trained, in the package")
    else:
        yield Finding("weights of builtin", "warn", "untrained: the codes have no meaning")
    for codec, published in PUBLISHED.items():
        _, file = locate(codec, None)
        licence = f" ({published.licence})" if published.licence else ""
        if file is not None and file.is_file():
            yield Finding(f"weights of {codec}", "ok", f"{file}, {file.stat().st_size / 1e6:.0f} MB")
        else:
            yield Finding(
                f"weights of {codec}",
                "missing",
                f"{published.file}{licence} is not on this machine",
                f"auricle weights fetch {codec}, or put the file at {cached_path(codec, None)}",
            )


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None

"""A nightly `run` for the scheduler that is already there. We ship no daemon of our own.

Whatever starts a night, it may start it twice: the run holds a lease (the second ends with 75), and `--scheduled-for`
says which night it is, so that one that is done is not done again.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Literal, get_args

from ...schemas.errors import ConfigError
from . import cron, systemd
from .containers import Containers, argo, kuberay, kubernetes
from .nightly_time import NightlyTime

Format = Literal["cron", "systemd", "k8s-cronjob", "kuberay", "airflow", "argo"]
FORMATS: tuple[Format, ...] = get_args(Format)


def export(
    format: Format,
    config_path: str | Path,
    at: str,
    timezone: str,
    command: str = "auricle",
    directory: str | Path | None = None,
    containers: Containers | None = None,
) -> dict[str, str]:
    """File name to text: what the scheduler needs to run `command run config_path` each night.

    directory: where the command runs on this machine (cron, systemd, airflow), which relative paths in the
    configuration start from; default: here. The schedulers have a short PATH, so `command` is looked up now and
    written in full. containers: the image and its surroundings (k8s-cronjob, kuberay, argo); the configuration is
    read now and goes with the files. Raises `ConfigError` for what the format cannot express.
    """
    if format not in FORMATS:
        raise ConfigError(f"--format {format!r} is none of {', '.join(FORMATS)}")
    time = NightlyTime.parse(at, timezone)
    folder = Path(directory or ".").absolute()
    config = folder / Path(config_path).expanduser()
    if format in ("k8s-cronjob", "kuberay", "argo"):
        if containers is None:
            raise ConfigError(f"--format {format} needs --image, an image in which auricle is installed")
        write = {"k8s-cronjob": kubernetes, "kuberay": kuberay, "argo": argo}[format]
        return write(time, config, containers)
    # a virtual environment need not be on the PATH of whoever exports
    program = shutil.which(command) or shutil.which(command, path=str(Path(sys.executable).parent)) or command
    program = str(Path(program).absolute()) if "/" in program else program
    argv = [program, "run", str(config), "--scheduled-for", time.text, "--quiet"]
    for part in (*argv, str(folder)):
        if "\n" in part or "\r" in part:
            raise ConfigError(f"the path {part!r} contains a line break, which {format} cannot express")
    name = "auricle-" + re.sub(r"[^A-Za-z0-9_.-]+", "-", config.stem)
    if format == "cron":
        return {f"{name}.cron": cron.crontab(time, argv, config, folder)}
    if format == "systemd":
        return {f"{name}.service": systemd.service(argv, config, folder), f"{name}.timer": systemd.timer(time, config)}
    from .airflow import dag

    return {f"{name.replace('-', '_').replace('.', '_')}.py": dag(time, argv, name, folder)}

"""What a cluster gets of this machine for a run: the package as it is here, and the configuration.

Nodes need Ray and the packages of requirements.lock, but no auricle and no checkout. Ray would install a wheel with pip
and everything that it depends on; so a wheel travels unpacked.
"""

from __future__ import annotations

import shutil
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from ...schemas.config import RunConfig
from ...schemas.errors import ConfigError
from ...schemas.keys import digest, sha256_file

CONFIG = "night.yaml"
FOLDERS = ("curators", "dashboards", "diagnostics", "extractors", "jobs", "loaders", "pipelines", "schemas")
"""Of the package; beside them a checkout has more."""


def ship(config: RunConfig, into: Path, wheel: Path | None = None) -> tuple[dict[str, Any], str]:
    """(Ray's runtime environment, what names it): code and configuration, laid out in the folder `into`.

    The same package and configuration have the same name. wheel: an auricle wheel in place of the running package.
    Raises `ConfigError` for a wheel that is none of auricle.
    """
    code = into / "code"
    if wheel is not None:
        _unpack(wheel, code)
    else:
        _copy(code)
    settings = into / "settings"
    settings.mkdir()
    (settings / CONFIG).write_text(yaml.safe_dump(placed(config).model_dump(mode="json"), sort_keys=False))
    modules = sorted(str(path) for path in code.iterdir() if path.is_dir())
    files = sorted(path for path in into.rglob("*") if path.is_file())
    name = digest(*(f"{path.relative_to(into)}={sha256_file(path)}" for path in files))[:12]
    return {"py_modules": modules, "working_dir": str(settings)}, name


def placed(config: RunConfig) -> RunConfig:
    """The configuration with absolute paths: the driver on the cluster works in another folder."""
    sources = [source.model_copy(update={"path": _absolute(source.path)}) for source in config.sources]
    representations = [
        r.model_copy(update={"weights": _absolute(r.weights)}) if r.weights and Path(r.weights).exists() else r
        for r in config.representations
    ]
    changed = {"dataset": _absolute(config.dataset), "sources": sources, "representations": representations}
    return config.model_copy(update=changed)


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).absolute())


def _copy(into: Path) -> None:
    root = Path(__file__).parents[2]
    for folder in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / folder, into / "auricle" / folder, ignore=ignored)
    for loose in root.glob("__init__.py"):
        shutil.copy(loose, into / "auricle")
    try:
        number = version("auricle")
    except PackageNotFoundError:
        number = "0+source"
    about = into / f"auricle-{number}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: auricle\nVersion: {number}\n")


def _unpack(wheel: Path, into: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(into)
    except (OSError, zipfile.BadZipFile) as error:
        raise ConfigError(f"--wheel {wheel}: cannot be read ({error})") from error
    if not (into / "auricle" / "jobs").is_dir():
        raise ConfigError(f"--wheel {wheel}: is no wheel of auricle")

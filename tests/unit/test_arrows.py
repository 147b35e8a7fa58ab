"""Who may import whom: the folders' order, held by reading the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAY_IMPORT = {
    "schemas": set(),
    "curators": {"schemas"},
    "extractors": {"schemas"},
    "diagnostics": {"schemas"},
    "loaders": {"schemas"},
    "pipelines": {"schemas", "curators", "extractors", "diagnostics", "loaders"},
    "dashboards": {"schemas", "curators", "extractors", "diagnostics", "loaders"},
    "jobs": {"schemas", "curators", "extractors", "diagnostics", "loaders", "pipelines", "dashboards"},
}
RAY_ALLOWED = {"pipelines", "jobs"}
HEAVY = ("ray", "torch", "torchaudio", "moshi", "great_expectations", "onnxruntime", "duckdb")


def imports(path: Path) -> set[str]:
    """Top-level names that a file imports, ours by their folder."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".")
            if node.level == 1:
                found.add(path.parent.name)
            elif node.level == 2:
                found |= {module[0]} if node.module else {alias.name for alias in node.names}
            elif module[0] == "auricle":
                found.add(module[1] if len(module) > 1 else "auricle")
            else:
                found.add(module[0])
    return found


@pytest.mark.parametrize("folder", sorted(MAY_IMPORT))
def test_a_folder_imports_only_what_the_design_allows(folder: str) -> None:
    for path in sorted((ROOT / folder).glob("*.py")):
        ours = imports(path) & set(MAY_IMPORT)
        assert ours <= MAY_IMPORT[folder] | {folder}, path.name
        if folder not in RAY_ALLOWED:
            assert "ray" not in imports(path), path.name


def test_every_folder_with_code_is_packaged() -> None:
    import tomllib

    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(packages) == sorted(f"auricle.{folder}" for folder in MAY_IMPORT)
    for folder in MAY_IMPORT:
        assert not list((ROOT / folder).glob("*/*.py")), (
            f"{folder} is flat: a subfolder would be missing from the wheel"
        )


@pytest.mark.parametrize("module", ["auricle.schemas.config", "auricle.loaders", "auricle.jobs.cli"])
def test_the_light_parts_load_nothing_heavy(module: str) -> None:
    code = f"import {module}, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert found.stdout.strip() == "[]"

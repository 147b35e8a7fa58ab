"""What a trainer installs fits beside their stack: Python 3.10 to 3.13, any torch from 2.4, numpy 1.26 to 2."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEWER_THAN_310 = {
    "datetime": {"UTC"},
    "enum": {"StrEnum", "verify", "ReprEnum"},
    "typing": {"Self", "Never", "assert_never", "LiteralString", "Required", "NotRequired", "Unpack", "override"},
    "hashlib": {"file_digest"},
    "contextlib": {"chdir"},
    "itertools": {"batched"},
    "asyncio": {"TaskGroup", "timeout", "Runner"},
    "builtins": {"ExceptionGroup", "BaseExceptionGroup"},
}
NEWER_MODULES = {"tomllib"}


def newer(path: Path) -> list[str]:
    """Names in a file that came after Python 3.10."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(), feature_version=(3, 10))):
        if isinstance(node, ast.ImportFrom) and node.module in NEWER_THAN_310:
            found += [a.name for a in node.names if a.name in NEWER_THAN_310[node.module]]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found += [node.attr] if node.attr in NEWER_THAN_310.get(node.value.id, ()) else []
        elif isinstance(node, ast.Name) and node.id in NEWER_THAN_310["builtins"]:
            found.append(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [name for name in names if name in NEWER_MODULES]
        elif type(node).__name__ in ("TryStar", "TypeAlias"):
            found.append(type(node).__name__)
    return found


@pytest.mark.parametrize("folder", ["schemas", "loaders"])
def test_nothing_in_it_is_newer_than_python_310(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*.py")):
        assert newer(path) == [], path.relative_to(ROOT)


def test_what_is_newer_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "new.py"
    file.write_text("from enum import StrEnum\nimport hashlib, tomllib\nhashlib.file_digest(1, 2)\nExceptionGroup\n")
    assert sorted(newer(file)) == ["ExceptionGroup", "StrEnum", "file_digest", "tomllib"]


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize("extra", [(), ("--extra", "train")])
def test_base_and_train_resolve(python: str, extra: tuple[str, ...], tmp_path: Path) -> None:
    asked = tmp_path / "asked.txt"
    # the ends of what is promised; numpy 1.26 has no wheel for 3.13
    asked.write_text("" if python == "3.13" else "numpy<2\n")
    command = [
        os.path.join(os.path.dirname(sys.executable), "uv"), "pip", "compile", "--python-version", python,
        "--no-annotate", "--no-header", "--only-binary", ":all:", *extra, str(ROOT / "pyproject.toml"), str(asked),
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"nothing to resolve with: {error}")
    offline = ("Failed to fetch", "error sending request", "dns error", "not found in the cache", "Connection")
    if done.returncode and any(words in done.stderr for words in offline):
        pytest.skip("no package registry within reach")
    assert done.returncode == 0, done.stderr
    names = {line.partition("==")[0] for line in done.stdout.splitlines()}
    assert ("torch" in names) == bool(extra)
    assert not names & {"ray", "moshi", "onnxruntime"}

"""`auricle.loaders` as its users see it: one flat set of names, loaded when used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from auricle import loaders

INIT = Path(loaders.__file__)


@pytest.mark.parametrize("name", loaders.__all__)
def test_every_public_name_is_where_it_is_said_to_be_and_says_what_it_is(name: str) -> None:
    found = getattr(loaders, name)
    assert found is getattr(import_module(f"auricle.loaders.{loaders._HOME[name]}"), name)
    assert found.__doc__


def test_types_homes_and_public_names_are_the_same() -> None:
    tree = ast.parse(INIT.read_text())
    typed = {
        alias.name: node.module
        for block in ast.walk(tree)
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == loaders._HOME
    assert sorted(loaders.__all__) == sorted(loaders._HOME)
    assert set(loaders.__all__) <= set(dir(loaders))


def test_the_calls_of_the_docstring_are_public() -> None:
    called = set(re.findall(r"`(\w+)[(`]", loaders.__doc__ or ""))
    assert {"open_version", "diff", "verify", "pull", "export", "crop", "cropped", "tags"} <= called
    assert called <= set(loaders.__all__)


def test_an_unknown_name_is_told_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'open'; public: .*open_version"):
        loaders.open  # noqa: B018
    with pytest.raises(ImportError):
        exec("from auricle.loaders import nothing_of_the_kind")


def test_importing_the_package_loads_nothing_of_it() -> None:
    code = (
        "import sys; import auricle.loaders; "
        "print([m for m in sys.modules if m.startswith(('auricle.loaders.', 'auricle.schemas', 'pyarrow', 'numpy'))])"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert child.stdout.strip() == "[]"

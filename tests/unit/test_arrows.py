"""Who may import whom: the order of folders and of the rooms inside them, held by reading the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "schemas": set(),
    "curators": {"schemas"},
    "extractors": {"schemas"},
    "diagnostics": {"schemas"},
    "loaders": {"schemas"},
    "pipelines": {"schemas", "curators", "extractors", "diagnostics", "loaders"},
    "dashboards": {"schemas", "curators", "extractors", "diagnostics", "loaders"},
    "jobs": {"schemas", "curators", "extractors", "diagnostics", "loaders", "pipelines", "dashboards"},
}
"""What a folder may import besides itself."""
TOP = ""
"""The files of a folder that are in no room."""
ROOMS: dict[str, dict[str, set[str]]] = {
    "schemas": {},
    "curators": {
        "networks": {TOP},
        "signal": {TOP, "networks"},
        "words": {TOP, "signal"},
        "voices": {TOP, "signal"},
        "copies": {TOP},
        "training": {TOP, "signal", "words", "voices"},
        TOP: set(),
    },
    "extractors": {
        "coding": set(),
        "codecs": {"coding"},
        "features": {"coding"},
        "training": {"codecs"},
        TOP: {"coding"},
    },
    "diagnostics": {
        "estimates": set(),
        "known": set(),
        "ngrams": set(),
        "codes": {"estimates", "ngrams"},
        "latents": {"estimates", "ngrams"},
        "motion": {"estimates", "latents"},
        "pool": {"estimates", "ngrams", "codes"},
        "neural": {"ngrams", "codes", "estimates", "latents", "motion"},
        "outside": {"ngrams", "codes"},
        TOP: {"estimates", "codes", "latents", "motion"},
    },
    "loaders": {
        "storage": set(),
        "reading": {"storage"},
        "care": {"storage", "reading"},
        "copies": {"storage", "reading", "care"},
        "plan": {"storage", "reading"},
        "training": {"storage", "reading", "plan"},
        TOP: {"storage", "reading", "care", "copies", "plan", "training"},
    },
    "pipelines": {
        "nodes": set(),
        "work": {"nodes"},
        "archives": set(),
        "labels": {"archives"},
        "sources": {"labels", "archives"},
        "audio": {"work", "archives", "sources"},
        "cutting": {"audio"},
        "passes": {"audio", "cutting", "work", "nodes"},
        "listing": {"audio", "work", "labels", "archives", "sources"},
        "tables": {"listing", "passes", "audio", "work", "labels", "archives", "sources"},
        "policy": {"tables"},
        "publishing": {"tables", "audio", "work"},
        "upkeep": {"publishing", "work", "passes", "audio"},
        "spread": {"work", "nodes"},
        "derived": {"policy", "tables", "audio", "work"},
        "diagnosis": {"derived", "spread", "policy", "audio", "work"},
        "curricula": {"diagnosis", "policy"},
        "trial": {"policy", "passes", "audio", "work"},
        TOP: {
            "nodes",
            "work",
            "audio",
            "labels",
            "passes",
            "listing",
            "tables",
            "policy",
            "publishing",
            "upkeep",
            "trial",
        },
    },
    "dashboards": {"drawing": set(), "report": {"drawing"}, "explorer": {"drawing", "report"}, TOP: set()},
    "jobs": {
        "terminal": set(),
        "cluster": {"terminal"},
        "datasets": {"terminal"},
        "models": {"terminal", "datasets"},
        "judging": {"terminal", "datasets", "models"},
        "demo": {"terminal", "datasets", "judging"},
        "schedules": set(),
        "nights": {"terminal", "judging", "schedules"},
        "runs": {"terminal", "datasets", "demo", "schedules", "nights"},
        "loose": {"terminal", "runs"},
        TOP: {"terminal", "cluster", "datasets", "models", "judging", "schedules", "nights", "runs", "loose"},
    },
}
"""What a room may import besides itself, inside its folder. A room that is not listed fails the test."""
MOST_FILES = 14
"""Of one room, `__init__.py` not counted."""
RAY_ALLOWED = {"pipelines", "jobs"}
HEAVY = ("ray", "torch", "torchaudio", "moshi", "great_expectations", "onnxruntime", "duckdb")


def package(path: Path) -> tuple[str, ...]:
    """Folder and room of a file."""
    return path.relative_to(ROOT).parts[:-1]


def imports(path: Path) -> set[tuple[str, ...]]:
    """What a file imports: ours as (folder, room or module, ...), others as one name."""
    found: set[tuple[str, ...]] = set()
    here = package(path)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {(alias.name.split(".")[0],) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = tuple((node.module or "").split(".")) if node.module else ()
            if node.level:
                module = (*here[: len(here) - node.level + 1], *module)
            elif module[0] == "auricle":
                module = module[1:]
            else:
                module = module[:1]
            # `from . import a, b` names modules, `from .a import b` names what is in one
            found |= {(*module, alias.name) for alias in node.names} if len(module) < 2 else {module}
    return {name for name in found if name}


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_a_folder_imports_only_what_the_design_allows(folder: str) -> None:
    for path in files(folder):
        names = {name[0] for name in imports(path)}
        assert names & set(FOLDERS) <= FOLDERS[folder] | {folder}, path.relative_to(ROOT)
        if folder not in RAY_ALLOWED:
            assert "ray" not in names, path.relative_to(ROOT)


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_arrows_between_rooms_point_one_way(folder: str) -> None:
    rooms = ROOMS[folder]
    for path in files(folder):
        here = package(path)[1] if len(package(path)) > 1 else TOP
        if rooms or here != TOP:
            assert here in rooms, f"{path.relative_to(ROOT)}: room {here!r} has no arrows in ROOMS"
            inside = {name[1] if name[1] in rooms else TOP for name in imports(path) if name[0] == folder and name[1:]}
            assert inside - {here} <= rooms[here], path.relative_to(ROOT)


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_the_arrows_between_rooms_have_no_circle(folder: str) -> None:
    rest = {room: allowed - {room} for room, allowed in ROOMS[folder].items()}
    while rest:
        free = [room for room, allowed in rest.items() if not allowed & set(rest)]
        assert free, f"{folder}: a circle among {sorted(rest)}"
        for room in free:
            del rest[room]


def test_every_room_says_what_it_is_and_has_few_files() -> None:
    for folder, rooms in ROOMS.items():
        for room in rooms:
            init = ROOT / folder / room / "__init__.py"
            assert ast.get_docstring(ast.parse(init.read_text())), f"{init.relative_to(ROOT)} has no docstring"
            count = len([path for path in init.parent.glob("*.py") if path != init])
            assert count <= MOST_FILES, f"{folder}/{room} has {count} files: which two rooms is it?"


def test_every_folder_with_code_is_packaged() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    made = {".".join(("auricle", *package(path))) for folder in FOLDERS for path in files(folder)}
    assert sorted(packages) == sorted(made)


@pytest.mark.parametrize("module", ["auricle.schemas.config", "auricle.loaders", "auricle.jobs.cli"])
def test_the_light_parts_load_nothing_heavy(module: str) -> None:
    code = f"import {module}, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "mark", ["""replace("'", "''")""", """replace('"', '""')""", "read_parquet({", "read_parquet([{"]
)
def test_sql_is_quoted_and_parts_are_opened_in_one_place(mark: str) -> None:
    others = [path for folder in FOLDERS for path in files(folder) if mark in path.read_text()]
    assert [str(path.relative_to(ROOT)) for path in others] in ([], ["schemas/sql.py"])

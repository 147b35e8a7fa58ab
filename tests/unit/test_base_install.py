"""The base install, as a training machine has it: datasets are read, and a verb that needs more says which extra."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

GOLDEN = str(Path(__file__).parents[1] / "golden" / "v1")

CHILD = """
import contextlib, importlib.abc, io, json, sys
blocked, commands = json.load(sys.stdin)

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from auricle.jobs import cli
ends = []
for arguments in commands:
    sys.argv = ["auricle", *arguments]
    out, err, code = io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
    ends.append([code, err.getvalue()])
from auricle.loaders import open_version
version = open_version(commands[0][1])
samples = sum(1 for _ in version.samples("tone-codes"))
json.dump([ends, samples], sys.stdout)
"""


def base_modules() -> set[str]:
    """Top-level modules of the packages that `pip install auricle` brings."""
    todo, seen = ["auricle"], set()
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            needs = [Requirement(line) for line in requires(name) or ()]
            todo += [canonicalize_name(r.name) for r in needs if not r.marker or r.marker.evaluate({"extra": ""})]
    return {m for m, found in packages_distributions().items() if any(canonicalize_name(d) in seen for d in found)}


def in_base_install(commands: list[list[str]]) -> tuple[list[tuple[int, str]], int]:
    """Exit code and errors of each command where everything but the base packages is absent, and how many samples
    the loader reads there."""
    blocked = sorted(set(packages_distributions()) - base_modules() - {"auricle"})
    assert {"torch", "ray", "duckdb", "soundfile"} <= set(blocked)
    child = subprocess.run(
        [sys.executable, "-c", CHILD], input=json.dumps([blocked, commands]), capture_output=True, text=True, check=True
    )
    ends, samples = json.loads(child.stdout)
    return ends, samples


def test_the_base_install_reads_datasets_and_other_verbs_name_their_extra(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"dataset: {tmp_path}/d\nsources: [{{path: {tmp_path}}}]\n")
    reads = [
        ["versions", GOLDEN],
        ["show", GOLDEN],
        ["show", GOLDEN, "--files"],
        ["show", GOLDEN, "--clips"],
        ["pull", GOLDEN, str(tmp_path / "pulled"), "-r", "tone-codes", "--quiet"],
        ["verify", GOLDEN],
        ["plan-epoch", GOLDEN, "-r", "tone-codes", "-r", "tone-latents", "--curriculum", "0,1"],
        ["tag", GOLDEN],
        ["doctor", str(config)],
        ["config", "example"],
        ["weights", "list"],
        ["schedule", "export", str(config)],
        ["schemas", "check"],
    ]
    needs = {
        "curate": [
            ["demo", str(tmp_path / "demo")],
            ["run", str(config)],
            ["plan", str(config)],
            ["score", str(tmp_path)],
            ["diagnose", GOLDEN],
            ["decode", GOLDEN, "d6ba"],
            ["show", GOLDEN, "--clips", "--where", "tier = 'gold'"],
        ],
        "curate,dashboard": [["report", GOLDEN]],
        "dashboard": [["explore", GOLDEN]],
        "export": [["export", GOLDEN, str(tmp_path / "out"), "--to", "delta"]],
    }
    commands = [*reads, *(command for group in needs.values() for command in group)]
    ends, samples = in_base_install(commands)
    assert samples == 4
    found = {" ".join(command): end for command, end in zip(commands, ends, strict=True)}
    for command in reads:
        assert found[" ".join(command)] == [0, ""], command
    for extra, group in needs.items():
        for command in group:
            code, err = found[" ".join(command)]
            assert code == 3, command
            assert f"pip install 'auricle[{extra}]'" in err, command
            assert "Traceback" not in err


@pytest.mark.parametrize("package", ["torch", "ray", "duckdb", "onnxruntime", "soundfile"])
def test_nothing_heavy_is_in_the_base(package: str) -> None:
    assert package not in base_modules()

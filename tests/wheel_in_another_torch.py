"""The loader's tests from the built wheel, in an environment with another torch than the lock's.

    python tests/wheel_in_another_torch.py 2.13.0 --folder /tmp/another-torch

Builds the wheel, makes a virtual environment, installs `auricle[train]` from the wheel with that torch and what the
tests themselves need, and runs tests/unit/loaders there against the installed package, away from the
checkout.
The last line says what was installed and what the tests said. Not part of `make test`: it downloads a torch.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTERS = ("pytest", "pytest-timeout", "hypothesis", "jsonschema")
OTHER_EXTRAS = ("reading/test_listing.py", "storage/test_records_on_disk.py")
"""Tests of what the loader shares with the explorer and the pipeline, which need the packages of those."""
HELPERS = ("conftest.py", "dataset_factory.py", "plan_factory.py", "golden", "unit/loaders")


def call(*command: str | Path, cwd: Path | None = None) -> str:
    """What a command printed. Raises `SystemExit` with its end when it fails."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, cwd=cwd, env=env)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout[-6000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("torch", help="its version")
    parser.add_argument("--folder", type=Path, help="of the environment, kept for the next time")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="auricle-wheel-") as scratch:
        run(given.torch, Path(scratch), given.folder or Path(scratch) / "environment")


def run(torch: str, scratch: Path, environment: Path) -> None:
    """Build, install, test, print."""
    # from a copy, so that the checkout gets no build folder
    source = scratch / "source"
    unwanted = {".git", ".venv", "build", "dist", "demo", "shared"}
    shutil.copytree(ROOT, source, ignore=lambda folder, _: unwanted if Path(folder) == ROOT else {"__pycache__"})
    call(sys.executable, "-m", "uv", "build", "--wheel", "--no-build-isolation", "--python", sys.executable,
         "-o", scratch / "dist", source)  # fmt: skip
    wheel = next((scratch / "dist").glob("*.whl"))
    if not (environment / "bin/python").exists():
        venv.create(environment, with_pip=True)
    python = environment / "bin/python"
    call(python, "-m", "pip", "install", "-q", f"torch=={torch}", *TESTERS)
    call(python, "-m", "pip", "install", "-q", f"auricle[train] @ {wheel.as_uri()}")
    call(python, "-m", "pip", "install", "-q", "--force-reinstall", "--no-deps", wheel)
    tests = scratch / "tests"
    for name in HELPERS:
        copy = shutil.copytree if (ROOT / "tests" / name).is_dir() else shutil.copy
        (tests / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / "tests" / name, tests / name)
    shutil.copy(ROOT / "pyproject.toml", scratch)
    left_out = [f"--ignore=tests/unit/loaders/{name}" for name in OTHER_EXTRAS]
    options = ("-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider")
    said = call(python, "-m", "pytest", *options, *left_out, "tests/unit/loaders", cwd=scratch)
    about = (
        "import sys, numpy, torch, auricle.loaders as a; from importlib.metadata import version; "
        "print(f'Python {sys.version.split()[0]}, torch {torch.__version__}, numpy {numpy.__version__}, "
        "auricle from', a.__file__.split('lib/')[-1])"
    )
    passed = said.strip().splitlines()[-1]
    print(f"{call(python, '-c', about, cwd=scratch).strip()}: {passed}; without {', '.join(OTHER_EXTRAS)}")


if __name__ == "__main__":
    main()

"""The examples in docs/models.md, as packages that are installed beside auricle."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

DOC = Path(__file__).resolve().parents[3] / "docs" / "models.md"
USE = """
import numpy as np
from auricle.curators.registry import build
from auricle.schemas.clip import Clip
from auricle.schemas.score import Curator

(hum,) = build(["hum"], {"hum": {"mains_hz": 60}})
assert isinstance(hum, Curator)
(other,) = build(["hum"])
assert hum.fingerprint != other.fingerprint
t = np.arange(16000) / 16000
humming = Clip("a", np.sin(2 * np.pi * 60 * t).astype(np.float32), 16000)
hissing = Clip("b", np.random.default_rng(0).normal(size=16000).astype(np.float32), 16000)
silent = Clip("c", np.zeros(16000, dtype=np.float32), 16000)
rows = hum.score([humming, hissing, silent])
print(*(row["hum_share"] is not None and round(row["hum_share"], 2) for row in rows), rows[2]["reason"])
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)


def test_the_documented_curator_is_found_built_and_scores(tmp_path: Path) -> None:
    code, entry = blocks("python")[0], blocks("toml")[0]
    assert len(code.splitlines()) <= 30
    (tmp_path / "my_package.py").write_text(code)
    info = tmp_path / "my_package-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1\n")
    value = re.search(r'hum = "(.*)"', entry)
    assert value is not None
    (info / "entry_points.txt").write_text(f"[auricle.curators]\nhum = {value[1]}\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(USE)], capture_output=True, text=True, env=environment, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split("\n")[0] == "1.0 0.0 False unmeasurable: silence or broken samples"


def test_the_documented_recogniser_is_found_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from auricle.curators.words.relabel import Recogniser, recogniser
    from auricle.schemas.clip import Clip

    code, entry = blocks("python")[1], blocks("toml")[1]
    assert len(code.splitlines()) <= 30
    (tmp_path / "my_recogniser.py").write_text(code)
    info = tmp_path / "my_recogniser-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-recogniser\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        entry.replace("project.entry-points.", "").replace('"', "").replace("my_package", "my_recogniser")
    )
    monkeypatch.syspath_prepend(tmp_path)
    clip = Clip("a", np.zeros(1600, dtype=np.float32), 16000)
    program = f'{sys.executable} -c "import sys; print(sys.stdin.buffer.read(4).decode())"'
    mine = recogniser("command", {"command": program, "name": "mine-1"})
    assert isinstance(mine, Recogniser)
    assert mine.transcribe([clip, clip]) == ["RIFF", "RIFF"]
    assert recogniser("command", {"command": "false", "name": "mine-1"}).transcribe([clip]) == [""]


def test_the_documented_configuration_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    from auricle.schemas.config import RunConfig

    (text,) = blocks("yaml")
    settings = RunConfig.model_validate({"dataset": "d", "sources": [{"path": "a"}], **yaml.safe_load(text)})
    assert settings.keep[0].score == "hum_share"

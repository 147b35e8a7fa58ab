"""While a takedown is not done, every verb that opens the dataset finishes it, refuses with exit 8, or says it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import typer
from dataset_factory import CODES, Recording, voices, write_version

from auricle.jobs import cli, commands
from auricle.loaders import open_version
from auricle.loaders.reading.pending import pending
from auricle.loaders.storage.store import Store
from auricle.pipelines.upkeep import carry_out
from auricle.pipelines.upkeep.takedown import takedown

EVE = Recording("eve", speaker="eve")
FINISH = {
    "compact": [], "rollback": ["1"], "repair": [], "gc": ["--yes"], "takedown": [], "abandon": ["left", "--yes"],
    "relabel": [],
}  # fmt: skip
"""Verbs that hold the dataset, with what else they need; `relabel` then says that nothing can be judged."""
REFUSE = {
    "judge": [], "diagnose": [], "curriculum": [], "curriculum make": [],
    "pull": ["DEST", "-r", CODES.name], "decode": [EVE.key],
    "export": ["DEST", "--to", "manifest"], "train units": ["-o", "DEST"], "models compare": ["snr"],
    "models promote": ["snr"], "models rollback": [], "relabel --forget x": [],
}  # fmt: skip
SAY = {"versions": [], "show": [], "report": ["--no-diagnostics"], "verify": [], "diff": ["1", "2"], "tag": [],
       "curriculum list": [], "gate": [], "gc": [], "abandon": [], "models list": [],
       "plan-epoch": ["-r", CODES.name]}  # fmt: skip
ELSEWHERE = {
    "run": "tests/integration/test_takedown_nights.py", "plan": "the same", "explore": "a server: says it at its start",
    "curriculum diff": "reads as list does", "status": "its own tests", "submit": "the run that it starts",
    "estimate": "reads documents",
}  # fmt: skip


class Killed(BaseException):
    """Ends a verb where a kill would."""


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A purge is begun and not carried out."""
    url = str(tmp_path / "data")
    for recordings in (voices(3), [*voices(3), EVE]):
        write_version(url, recordings)
    Store(url).put_new("runs/left/score/attempts/x.0", b"")

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(carry_out, "_publish_without", killed)
        with pytest.raises(Killed):
            takedown(url, speaker="eve", purge=True)
    return url


def command(verb: str, url: str, rest: list[str], patch: pytest.MonkeyPatch, fd: pytest.CaptureFixture[str]) -> str:
    """Exit code, output and errors of `auricle VERB DATASET ...`, as one text."""
    words = [w.replace("DEST", f"{url}-out") for w in rest]
    head, *options = verb.split(" --")
    patch.setattr(sys, "argv", ["auricle", *head.split(), url, *words, *" --".join(["", *options]).split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = fd.readouterr()
    return f"exit {ended.value.code or 0}: {out}{err}"


@pytest.mark.parametrize("verb", FINISH)
def test_verbs_that_hold_the_dataset_finish_it(
    dataset: str, verb: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told = command(verb, dataset, FINISH[verb], monkeypatch, capfd)
    assert pending(Store(dataset)) == []
    assert EVE.key not in open_version(dataset).clips(["clip"])["clip"].to_pylist()
    assert "the purge is finished: newest version 3, 1 version retired" in told or verb == "abandon"


@pytest.mark.parametrize("verb", REFUSE)
def test_verbs_that_make_something_of_it_refuse(
    dataset: str, verb: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told = command(verb, dataset, REFUSE[verb], monkeypatch, capfd)
    assert told.startswith("exit 8: ")
    assert "a purge is not done" in told
    assert not Path(f"{dataset}-out").exists()


@pytest.mark.parametrize("verb", SAY)
def test_verbs_that_read_say_it(
    dataset: str, verb: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    told = command(verb, dataset, SAY[verb], monkeypatch, capfd)
    assert "a purge is not done" in told
    assert told.startswith("exit 0: ")
    assert len(pending(Store(dataset))) == 1


def test_versions_are_listed_between_retiring_and_sweeping(
    dataset: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(carry_out, "sweep", killed)
        with pytest.raises(Killed):
            takedown(dataset)
    assert Path(dataset, "versions/000002.purged").exists()
    told = command("versions", dataset, [], monkeypatch, capfd)
    assert told.startswith("exit 0: ")
    assert [line.split()[0] for line in told.splitlines() if "  off  " in line] == ["1", "3"]
    assert "a purge is not done" in told


def test_no_verb_over_a_dataset_is_forgotten() -> None:
    if not cli.app.registered_commands:
        commands.register(cli.app)
    found = set()

    def walk(app: typer.Typer, prefix: str) -> None:
        for registered in app.registered_commands:
            assert registered.callback is not None
            name = registered.name or registered.callback.__name__.replace("_", "-")
            if {"dataset", "config"} & set(registered.callback.__annotations__):
                found.add(f"{prefix}{name}")
        for group in app.registered_groups:
            assert group.typer_instance is not None
            walk(group.typer_instance, f"{prefix}{group.name} ")

    walk(cli.app, "")
    known = {verb.split(" --")[0] for verbs in (FINISH, REFUSE, SAY, ELSEWHERE) for verb in verbs}
    assert found - known - {"config check", "schedule export", "schedule status", "train codec", "score"} == set()

"""What every verb has in common: `--json`, `--quiet`, `--yes`, help that reads, and `auricle --version`."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from corpus import write_clip
from dataset_factory import Recording, write_version
from typer.testing import CliRunner

from auricle.jobs import cli, commands
from auricle.jobs.terminal.answer import plain
from auricle.loaders.reading.refs import tag
from auricle.loaders.reading.version import numbers
from auricle.loaders.storage.store import Store

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "command.md"
NO_TABLE = {
    "config example", "config check", "schedule export", "report", "explore", "decode", "weights fetch",
    "weights check", "train codec", "train curator", "train units", "schemas write", "schemas check",
}  # fmt: skip
"""Verbs that print a file, a path, a page or JSON in any case."""
LONG = {
    "demo", "plan", "run", "submit", "relabel", "report", "judge", "gate", "diff", "diagnose", "curriculum make",
    "pull", "export", "rollback",
    "verify", "repair", "gc", "compact", "takedown", "score", "weights fetch", "models compare", "train codec",
    "train curator", "train units",
    "plan-epoch",
}  # fmt: skip
DELETING = {"gc", "takedown", "abandon", "relabel"}


def leaves(command: Any, path: str = "") -> dict[str, Any]:
    """Every verb that does something, by name."""
    inner = getattr(command, "commands", None)
    if inner is None:
        return {path: command}
    return {n: c for name, child in inner.items() for n, c in leaves(child, f"{path} {name}".strip()).items()}


@pytest.fixture(scope="module")
def verbs() -> dict[str, Any]:
    app = typer.Typer()
    commands.register(app)
    return leaves(typer.main.get_command(app))


def options(verb: Any) -> set[str]:
    return {name for parameter in verb.params for name in parameter.opts if name.startswith("-")}


def test_every_verb_has_the_options_that_its_kind_promises(verbs: dict[str, Any]) -> None:
    assert {name for name, verb in verbs.items() if "--json" not in options(verb)} == NO_TABLE
    assert {name for name, verb in verbs.items() if {"--quiet", "-q"} <= options(verb)} == LONG
    assert {name for name, verb in verbs.items() if {"--yes", "-y", "--dry-run"} <= options(verb)} == DELETING


def test_every_option_and_argument_is_described_and_every_help_is_of_sentences(verbs: dict[str, Any]) -> None:
    for name, verb in verbs.items():
        for parameter in verb.params:
            if getattr(parameter, "hidden", False):
                continue
            assert getattr(parameter, "help", None), (name, parameter.name)
        first, *_ = (verb.help or "").split("\n\n")
        assert re.fullmatch(r"[A-Z].*[.]", first), (name, first)
        assert "\n" not in (verb.help or "").replace("\n\n", ""), name


def documented() -> dict[str, set[str]]:
    """Names in backticks in each verb's row of the document."""
    rows = [line.split("|")[1:3] for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    return {
        verb: set(re.findall(r"`([^`]+)`", keys)) for verbs, keys in rows for verb in re.findall(r"`([^`]+)`", verbs)
    }


def test_the_keys_of_every_verb_with_json_are_documented(verbs: dict[str, Any]) -> None:
    assert set(verbs) - NO_TABLE <= set(documented())


class Auricle:
    """Runs the command in this process; returns exit code, output and errors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capfd = monkeypatch, capfd

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["auricle", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = self._capfd.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err


@pytest.fixture
def auricle(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Auricle:
    return Auricle(monkeypatch, capfd)


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    """Three nights: each a recording goes and one comes; an unfinished run."""
    url = str(tmp_path / "data")
    for night in range(3):
        write_version(url, [Recording(f"r{i}", num_samples=16000 + i) for i in range(night, night + 3)], per_shard=1)
    tag(url, "paper", 3)
    Store(url).put_new("runs/20260101T000000-aaaaaa/score/plan.parquet", b"a plan")
    write_clip(tmp_path / "spoken" / "one.wav", 1)
    return url


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "DATA"],
        ["versions", "DATA"],
        ["show", "DATA", "--clips"],
        ["show", "DATA", "--files"],
        ["judge", "DATA"],
        ["diff", "DATA", "1"],
        ["pull", "DATA", "DATA-copy", "-r", "toy-codes"],
        ["export", "DATA", "DATA-manifest", "--to", "manifest"],
        ["tag", "DATA"],
        ["plan-epoch", "DATA", "-r", "toy-codes"],
        ["tag", "DATA", "paper", "--remove"],
        ["rollback", "DATA", "1"],
        ["verify", "DATA"],
        ["repair", "DATA"],
        ["compact", "DATA"],
        ["gc", "DATA", "--keep-last", "1", "--dry-run"],
        ["takedown", "DATA", "--speaker", "ann", "--purge", "--dry-run"],
        ["abandon", "DATA"],
        ["abandon", "DATA", "20260101T000000-aaaaaa", "--dry-run"],
        ["relabel", "DATA", "--forget", "nobody", "--dry-run"],
        ["inspect", "DATA/../spoken"],
        ["doctor", "DATA"],
        ["codecs"],
        ["weights", "list"],
        ["models", "list", "DATA"],
        ["models", "list"],
        ["curriculum", "list", "DATA"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_json_is_one_object_of_documented_keys_and_nothing_else(
    auricle: Auricle, dataset: str, arguments: list[str]
) -> None:
    code, out, _ = auricle(*(a.replace("DATA", dataset) for a in arguments), "--json")
    assert code == 0
    found = json.loads(out)
    verb = " ".join(arguments[:2]) if arguments[0] in ("models", "weights", "curriculum") else arguments[0]
    assert found
    assert set(found) <= documented()[verb]


def test_a_place_with_nothing_to_hear_is_refused_and_no_configuration_is_printed(
    auricle: Auricle, tmp_path: Path
) -> None:
    (tmp_path / "read.py").write_text("print('hello')\n")
    (tmp_path / "empty").mkdir()
    for path, why in (("read.py", "is no audio"), ("empty", "no audio files")):
        code, out, err = auricle("inspect", str(tmp_path / path))
        assert (code, out) == (2, "")
        assert why in err


def test_json_of_a_verb_that_fails_leaves_standard_output_empty(auricle: Auricle, dataset: str) -> None:
    code, out, err = auricle("show", f"{dataset}@9", "--json")
    assert (code, out) == (2, "")
    assert "no version 9" in err


def test_numbers_that_json_does_not_have_are_null() -> None:
    assert plain({"a": float("nan"), "b": (1.5, float("inf")), "c": {2}}) == {"a": None, "b": [1.5, None], "c": [2]}
    with pytest.raises(TypeError, match="object has no JSON form"):
        plain(object())


DELETIONS = [
    ["gc", "DATA", "--keep-last", "1"],
    ["takedown", "DATA", "--speaker", "ann"],
    ["takedown", "DATA", "--speaker", "ann", "--purge"],
    ["abandon", "DATA", "20260101T000000-aaaaaa"],
]


def files(url: str) -> set[str]:
    return {e.path for e in Store(url).list() if not e.path.startswith("lease/")}


@pytest.fixture
def old(dataset: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The dataset, whose objects are old enough to be collected."""
    monkeypatch.setattr("auricle.pipelines.upkeep.garbage.collect_garbage.__kwdefaults__", {
        "grace_s": 0.0, "wait": False, "notify": lambda _: None,
    })  # fmt: skip
    return dataset


@pytest.mark.parametrize("arguments", DELETIONS, ids=" ".join)
@pytest.mark.parametrize("extra", [[], ["--json"]], ids=["plain", "json"])
def test_without_a_terminal_and_without_yes_nothing_is_done_and_the_code_says_so(
    auricle: Auricle, old: str, arguments: list[str], extra: list[str]
) -> None:
    before = files(old)
    code, out, err = auricle(*(a.replace("DATA", old) for a in arguments), *extra)
    assert code == 10
    assert files(old) == before
    assert "nothing was done" in err
    assert "--yes" in err
    if extra:
        assert json.loads(out)["deleted"] is False
    else:
        assert out


@pytest.mark.parametrize("arguments", DELETIONS, ids=" ".join)
def test_a_dry_run_only_looks_and_yes_goes_ahead(auricle: Auricle, old: str, arguments: list[str]) -> None:
    before = files(old)
    words = [a.replace("DATA", old) for a in arguments]
    assert auricle(*words, "--dry-run")[0] == 0
    assert files(old) == before
    code, out, _ = auricle(*words, "--yes", "--json")
    assert code == 0
    assert json.loads(out)["deleted"] is True
    assert files(old) != before


@pytest.mark.parametrize("said", ["y\n", "n\n", "\n"], ids=["yes", "no", "enter"])
def test_on_a_terminal_the_answer_decides(dataset: str, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    app = typer.Typer()
    commands.register(app)
    monkeypatch.setattr("auricle.jobs.terminal.deletion.at_a_terminal", lambda: True)
    result = CliRunner().invoke(app, ["abandon", dataset, "20260101T000000-aaaaaa"], input=said)
    assert "Go ahead?" in result.stderr
    assert "holds 1 file, 0.0 MB" in result.stdout
    gone = not any(path.startswith("runs/") for path in files(dataset))
    assert gone == (said == "y\n")
    assert (result.exit_code == 0) == gone


def test_where_there_is_nothing_to_delete_nobody_is_asked(auricle: Auricle, dataset: str) -> None:
    code, out, _ = auricle("gc", dataset)
    assert (code, out.strip()) == (0, "there is nothing to delete")
    code, out, _ = auricle("relabel", dataset, "--forget", "parrot-1")
    assert (code, out.strip()) == (0, "there is nothing of 'parrot-1'")


def test_the_old_name_of_yes_is_accepted_with_a_notice(auricle: Auricle, old: str) -> None:
    code, _, err = auricle("gc", old, "--keep-last", "1", "--delete")
    assert (code, numbers(Store(old))) == (0, [3])
    assert "--delete is called --yes" in err.replace("gc ", "")


def test_options_of_forgetting_are_refused_where_nothing_is_forgotten(auricle: Auricle, dataset: str) -> None:
    code, _, err = auricle("relabel", dataset, "--yes")
    assert code == 2
    assert "--yes belongs to --forget MODEL" in err


def test_the_version_of_auricle_is_printed(auricle: Auricle) -> None:
    code, out, _ = auricle("--version")
    assert code == 0
    assert re.fullmatch(r"auricle \d+\.\d+\.\d+\n", out)


def test_the_help_begins_with_what_auricle_is_for_and_lists_every_exit_code(auricle: Auricle) -> None:
    code, out, _ = auricle("--help")
    assert code == 0
    assert "Curate weakly-labelled audio" in out
    assert "--version" in out
    told = (ROOT / "docs" / "operations.md").read_text()
    for number in re.findall(r"· (\d+) ", cli.EXITS):
        assert number in ("1", "130") or f"| {number} |" in told, number

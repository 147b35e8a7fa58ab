"""The documentation names files and functions that exist: a walk through the code must not lead into a wall."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from auricle.jobs import cli
from auricle.schemas import errors

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = "schemas|curators|extractors|diagnostics|loaders|pipelines|dashboards|jobs"
STOP = re.compile(rf"`((?:{FOLDERS})(?:\.\w+)+)`")
FILE = re.compile(r"`([\w/]+\.py)`")
OF_READERS = {"loudness.py"}
"""Files that a page tells its reader to write."""
WALKS = (ROOT / "docs" / "architecture.md").read_text().partition("## Three walks")[2]


def found(dotted: str) -> object:
    """What a dotted name below auricle stands for: a module, or something in one."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            thing: object = import_module(".".join(("auricle", *parts[:length])))
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("auricle"):
                raise
            continue
        for name in parts[length:]:
            thing = getattr(thing, name)
        return thing
    raise AttributeError(dotted)


@pytest.mark.parametrize("stop", sorted(set(STOP.findall(WALKS))))
def test_every_stop_of_the_walks_exists_and_says_what_it_does(stop: str) -> None:
    thing = found(stop)
    assert callable(thing) or isinstance(thing, property)
    assert thing.__doc__


def test_there_are_three_walks_with_stops() -> None:
    walks = re.split(r"\n\*\*One ", WALKS)[1:]
    assert [walk.split(",")[0] for walk in walks] == ["clip", "threshold", "key"]
    assert all(len(STOP.findall(walk)) > 8 for walk in walks)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    folders = [*FOLDERS.split("|"), "tests", "benchmarks"]
    files = ["/" + path.relative_to(ROOT).as_posix() for folder in folders for path in (ROOT / folder).rglob("*.py")]
    named = set(FILE.findall(page.read_text())) - OF_READERS
    absent = [name for name in named if not any(file.endswith(f"/{name}") for file in files)]
    assert not absent


def test_the_picture_of_the_house_shows_every_room() -> None:
    from tests.unit.test_arrows import ROOMS, TOP

    picture = (ROOT / "docs" / "architecture.md").read_text().partition("## The house")[2].partition("## The run")[0]
    rooms = {room for of_folder in ROOMS.values() for room in of_folder if room != TOP}
    assert {word for word in rooms if not re.search(rf"\b{word}\b", picture)} == set()


def test_the_functions_of_filters_are_listed() -> None:
    from auricle.loaders.reading.filters import FUNCTIONS

    section = (ROOT / "docs" / "operations.md").read_text().partition("## Filters")[2].partition("\n## ")[0]
    listed = re.search(r"these functions: `([^`]*)`", section)
    assert listed is not None
    assert set(listed[1].split()) == set(FUNCTIONS)


def test_the_page_of_the_curators_is_its_template_filled_in() -> None:
    template = (ROOT / "benchmarks" / "curators_document.md").read_text()
    between = re.split(r"\{\{\w+\}\}", template)
    assert re.fullmatch(".*?".join(map(re.escape, between)), (ROOT / "docs" / "curators.md").read_text(), re.DOTALL)


def test_the_rules_that_the_page_of_the_curators_recommends_are_accepted() -> None:
    import yaml

    from auricle.pipelines.policy.decide import check_rules
    from auricle.pipelines.tables.remaining import curators_of
    from auricle.schemas.config import RunConfig

    start = (ROOT / "docs" / "curators.md").read_text().partition("## Start here")[2].partition("\n## ")[0]
    blocks = re.findall(r"```yaml\n(.*?)```", start, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        config = RunConfig.model_validate(
            {"dataset": "./d", "sources": [{"path": "./r"}], "representations": [{"codec": "builtin", "kind": "codes"}]}
            | yaml.safe_load(block)
        )
        check_rules(config, curators_of(config))


def test_the_exit_codes_of_the_pages_and_of_the_help_are_those_of_the_code() -> None:
    ours = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.AuricleError)]
    raised = {kind.exit_code for kind in ours} | {0, 1, cli.INTERRUPTED, cli.PIPE_CLOSED}
    table = (ROOT / "docs" / "operations.md").read_text().partition("## By exit code")[2].partition("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == raised
    assert {int(code) for code in re.findall(r"(?:: |\u00b7 )(\d+) ", cli.EXITS)} == raised
    tree = {int(code) for code in re.findall(r"exit (\d+)$", errors.__doc__ or "", re.MULTILINE)}
    assert tree == {kind.exit_code for kind in ours} - {1}

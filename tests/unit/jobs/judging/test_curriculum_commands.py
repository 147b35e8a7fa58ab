"""`auricle curriculum`: it prints what docs/command.md says, and what it refuses leaves the dataset as it was."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from dataset_factory import CODES, voices, write_version
from typer.testing import CliRunner

from auricle.jobs import cli, commands
from auricle.loaders.storage.layout import derived_path
from auricle.loaders.storage.store import Store

ROWS = (Path(__file__).parents[4] / "docs" / "command.md").read_text().splitlines()
whole = typer.Typer()
commands.register(whole)
SPEC: dict[str, Any] = {"name": "mine", "strata": [], "stages": [{"name": "every", "tiers": ["gold"]}]}


class Auricle:
    """Runs the command in this process."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.url, self._monkeypatch, self._capfd = url, monkeypatch, capfd

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output and errors; DATA is the dataset."""
        words = [word.replace("DATA", self.url) for word in arguments]
        self._monkeypatch.setattr(sys, "argv", ["auricle", "curriculum", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = self._capfd.readouterr()
        return int(ended.value.code or 0), out, err

    def spec(self, **fields: Any) -> str:
        """The path of a spec with these fields."""
        path = Path(self.url).parent / f"{fields.get('name', 'mine')}.yaml"
        path.write_text(yaml.safe_dump(SPEC | fields))
        return str(path)


@pytest.fixture
def auricle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Auricle:
    write_version(str(tmp_path / "data"), voices(6))
    return Auricle(str(tmp_path / "data"), monkeypatch, capfd)


def keys(verb: str) -> set[str]:
    (row,) = [row for row in ROWS if row.startswith(f"| `curriculum {verb}` |")]
    return set(re.findall(r"`([^`]+)`", row.split("|")[2]))


def test_make_list_and_diff_answer_with_the_documented_keys(auricle: Auricle) -> None:
    code, out, _ = auricle("DATA", "--spec", auricle.spec(), "--json")
    made = json.loads(out)
    assert code == 0
    assert set(made) == {"version", "name", "id", "sha256", "path", "new", "stages", "phases", "left_out", "audit",
                         "small_strata", "difficulty_repeatability"} <= keys("make")  # fmt: skip
    assert set(made["stages"][0]) <= keys("make")
    assert made["stages"][0]["clips"] == 6
    assert Store(auricle.url).exists(made["path"])
    assert auricle("make", "DATA@1", "--spec", auricle.spec(name="other", seed=3))[0] == 0
    listed = json.loads(auricle("list", "DATA", "--json")[1])
    assert set(listed) | set(listed["curricula"][0]) <= keys("list")
    assert [each["id"].partition("-")[0] for each in listed["curricula"]] == ["mine", "other"]
    found = json.loads(auricle("diff", "DATA", "mine", "other@1", "--json")[1])
    assert set(found) <= keys("diff")
    assert found["spec"] == {"name": ["mine", "other"], "seed": [None, 3]}
    assert found["same_share"] == 1


def test_the_tables_say_what_json_says(auricle: Auricle) -> None:
    told = auricle("DATA", "--spec", auricle.spec(audit={"share": 0.1, "score": "duration_s"}))[1]
    assert re.search(r"every +5 ", told)
    assert "in no stage: 1 clip, set aside for audit" in told
    assert told.count("to hear: ") == 1
    assert "audit: 0.1 of 6 clips is 0.6, rounded up to 1 whole clip" in told
    half = auricle("DATA", "--spec", auricle.spec(audit={"share": 0.5, "score": "duration_s"}, name="half"))[1]
    assert "rounded up" not in half
    again = auricle("DATA", "--spec", auricle.spec(audit={"share": 0.1, "score": "duration_s"}))[1]
    assert "was there already, with the same content" in again
    auricle("DATA", "--spec", auricle.spec(name="other"))
    compared = auricle("diff", "DATA", "mine", "other")[1]
    assert "set aside for audit only by a: 1 clip" in compared
    assert re.search(r"out: audit +every +1", compared)


def test_the_example_is_printed_without_a_dataset(auricle: Auricle) -> None:
    code, out, _ = auricle("--example")
    assert code == 0
    assert yaml.safe_load(out)["name"] == "clean_first"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (
            {"stages": [{"name": "a", "rules": [{"score": "snr", "min": 1}]}]},
            "which the version does not have; there are",
        ),
        (
            {"stages": [{"name": "a", "quotas": {"by": "tier", "clips": {"gold": 7}}}]},
            "7 of 'gold', of which there are 6",
        ),
        ({"stages": [{"name": "a", "quantiles": [{"score": "duration_s", "max": 7}]}]}, "stages.0.quantiles.0.max"),
        ({"stage": []}, "did you mean 'stages'?"),
    ],
)
def test_what_cannot_be_made_ends_with_exit_2_and_nothing_written(
    auricle: Auricle, fields: dict[str, Any], why: str
) -> None:
    before = {entry.path for entry in Store(auricle.url).list()}
    code, out, err = auricle("DATA", "--spec", auricle.spec(**fields))
    assert (code, out) == (2, "")
    assert why in " ".join(err.split())
    assert {entry.path for entry in Store(auricle.url).list()} == before


def test_a_dataset_or_a_request_for_help_is_told_from_a_verb(auricle: Auricle) -> None:
    code, out, _ = auricle("--help")
    assert code == 0
    assert all(verb in out for verb in ("make", "list", "diff", "experimental", "--spec", "curriculum --example"))
    assert "a DATASET is required" in auricle("--opens", "0.5")[2]
    assert "no version 9" in auricle("DATA@9", "--spec", auricle.spec())[2]
    assert "has no curriculum 'nobody'" in " ".join(auricle("diff", "DATA", "nobody", "mine")[2].split())


def test_plan_epoch_counts_the_tokens_of_a_curriculum_as_codes_and_shows_the_stages(auricle: Auricle) -> None:
    stages = [{"name": "short", "rules": [{"score": "duration_s", "max": 1.1}]}, {"name": "rest"}]
    made = json.loads(auricle("DATA", "--spec", auricle.spec(stages=stages), "--json")[1])
    done = CliRunner().invoke(
        whole, ["plan-epoch", auricle.url, "-r", "toy-codes", "--curriculum", "mine", "--json"], catch_exceptions=False
    )
    found = json.loads(done.stdout)
    assert found["codes"] == sum(stage["tokens"] for stage in made["stages"])
    assert found["tokens"] == found["frames"] == found["codes"] // CODES.rows
    shown = [(share["value"], share["clips"], share["frames"] * CODES.rows) for share in found["shares"]["stage"]]
    assert shown == [(stage["name"], stage["clips"], stage["tokens"]) for stage in made["stages"]]
    said = CliRunner().invoke(whole, ["plan-epoch", auricle.url, "-r", "toy-codes", "--curriculum", "mine"]).stdout
    assert f"{found['codes']:,} codes (frames times codebooks: tokens of a curriculum)" in said
    latents = CliRunner().invoke(whole, ["plan-epoch", auricle.url, "-r", "toy-latents", "--json"])
    assert json.loads(latents.stdout)["codes"] is None


def test_what_no_difficulty_could_mend_is_refused_before_any_is_measured(
    auricle: Auricle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*_: object, **__: object) -> None:
        raise AssertionError("a difficulty was measured first")

    monkeypatch.setattr("auricle.pipelines.curricula.named.diagnose", measured)
    half = [{"score": "difficulty", "max": 0.5}]
    for stages, why in (
        ([{"name": "easy", "quantiles": half, "rules": [{"score": "snr_db", "min": 99}]}], "the stage 'easy' is empty"),
        ([{"name": "all"}, {"name": "easy", "quantiles": half}], "the stage 'easy' is empty: 0 of 6"),
        (
            [{"name": "easy", "quantiles": half, "quotas": {"by": "language", "clips": {"en": 7}}}],
            "7 of 'en', of which there are 6",
        ),
    ):
        code, _, err = auricle("DATA", "--spec", auricle.spec(stages=stages))
        assert code == 2
        assert why in " ".join(err.split())


def test_it_says_when_it_measures_difficulties_first(auricle: Auricle) -> None:
    easy = [{"name": "easy", "quantiles": [{"score": "difficulty", "max": 0.5}]}, {"name": "rest"}]
    err = auricle("DATA", "--spec", auricle.spec(stages=easy))[2]
    assert "measuring the difficulty of each clip in toy-codes-50hz" in err
    again = auricle("DATA", "--spec", auricle.spec(stages=easy, name="again"))[2]
    assert "measuring" not in again


EASY = [{"name": "easy", "quantiles": [{"score": "difficulty", "max": 0.5}]}, {"name": "rest"}]


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        (-0.05, "warning: difficulty: split-half repeatability -0.05, below 0.3"),
        (0.61, "difficulty: split-half repeatability 0.61"),
        (None, "warning: how repeatable the difficulty is is not known"),
    ],
)
def test_stages_by_difficulty_say_how_repeatable_it_is(auricle: Auricle, measured: float | None, said: str) -> None:
    auricle("DATA", "--spec", auricle.spec(stages=EASY))
    store = Store(auricle.url)
    path = derived_path(1, "diagnostics.json")
    record = json.loads(store.get(path))
    record["representations"][CODES.name]["difficulty"]["split_half_repeatability"] = measured
    store.put_derived(path, json.dumps(record).encode())
    spec = auricle.spec(stages=EASY, name="again")
    assert said in " ".join(auricle("DATA", "--spec", spec)[1].split())
    assert json.loads(auricle("DATA", "--spec", spec, "--json")[1])["difficulty_repeatability"] == measured
    assert said in " ".join(auricle("DATA")[1].split())
    assert json.loads(auricle("DATA", "--json")[1])["difficulty_repeatability"] == measured


def test_notes_that_do_not_apply_are_not_said(auricle: Auricle, tmp_path: Path) -> None:
    told = auricle("DATA", "--spec", auricle.spec(strata=["language", "duration"]))[1]
    assert "repeatab" not in told
    assert "strata of fewer" not in told
    ranked = [{"name": "short", "quantiles": [{"score": "duration_s", "max": 0.5}]}, {"name": "rest"}]
    asked = auricle.spec(strata=["language", "duration"], stages=ranked, name="ranked")
    assert "strata of fewer than 5" in auricle("DATA", "--spec", asked)[1]
    url = str(tmp_path / "nobody")
    write_version(url, [replace(voice, speaker=None) for voice in voices(6)])
    made = json.loads(auricle(url, "--spec", auricle.spec(), "--json")[1])
    assert made["stages"][0]["speakers"] == 0
    assert re.search(r"every +6 .* - ", auricle(url, "--spec", auricle.spec())[1])

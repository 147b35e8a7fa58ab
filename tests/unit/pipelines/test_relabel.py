"""New transcripts: proposed, judged, kept; applied by every later night, until the source corrects its own."""

import pickle
from pathlib import Path
from typing import Any, ClassVar

import pytest
from corpus import config, write_corpus, write_labels
from inprocess import without_ray

from auricle.curators import registry
from auricle.curators.words.relabel import RECOGNISERS
from auricle.loaders import Version
from auricle.loaders.care.relabels import forget_relabels, relabels
from auricle.pipelines.plan import plan
from auricle.pipelines.relabel import RelabelRecipe, relabel_dataset
from auricle.pipelines.run import run
from auricle.pipelines.upkeep.takedown import takedown
from auricle.pipelines.work.progress import Silent
from auricle.schemas.errors import ConfigError
from auricle.schemas.keys import fingerprint
from auricle.schemas.score import ScoreColumn

KEEP = [{"score": "transcript_trust", "min": 0.5, "reason": "transcript"}]
BAD = {"clip_0001": "wrong text", "clip_0002": "wrong text as well"}


class Truster:
    """Trusts every text but a wrong one."""

    name, version = "truster", 1
    columns = (ScoreColumn("transcript_trust", "float32", "1", "Trust"),)
    inputs = ("transcript",)
    parameters: ClassVar[dict[str, Any]] = {}
    fingerprint = fingerprint("truster", 1, {})

    def score(self, batch):
        return [
            {"transcript_trust": None, "reason": "not_applicable: no transcript"}
            if clip.transcript is None
            else {"transcript_trust": 0.1 if clip.transcript.startswith("wrong") else 0.9, "reason": None}
            for clip in batch
        ]


class Parrot:
    """Hears the same in every clip; counts what it was asked."""

    languages, asked, min_difference = None, 0, 0.0

    def __init__(self, says: str = "what was heard", version: int = 1):
        self.name, self.says = f"parrot-{version}", says

    def transcribe(self, batch):
        Parrot.asked += len(batch)
        return [self.says for _ in batch]


class Point:
    def load(self):
        return Truster


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six clips, two with a wrong transcript, and one version of them."""
    without_ray(monkeypatch)
    installed = {**registry._third_party(), "truster": Point()}
    monkeypatch.setattr(registry, "_third_party", lambda: installed)
    monkeypatch.setitem(RECOGNISERS, "parrot", Parrot)
    Parrot.asked = 0
    write_corpus(tmp_path / "audio", 6)
    write_labels(tmp_path / "audio", **BAD)
    night(tmp_path)
    return tmp_path


def settings(root: Path) -> Any:
    return config(root / "audio", root / "data", score={"curators": ["truster"]}, keep=KEEP)


def night(root: Path) -> Version:
    return run(settings(root)).version


def labels(version: Version) -> dict[str, tuple[str | None, str, str | None]]:
    rows = version.clips(["path", "transcript", "status", "label_source"]).to_pylist()
    return {r["path"][5:9]: (r["transcript"], r["status"], r["label_source"]) for r in rows}


def test_a_better_text_is_taken_in_by_the_next_run_and_not_undone_by_the_one_after(root: Path) -> None:
    found = relabel_dataset(str(root / "data"), "parrot")
    assert (found.model, found.asked, found.taken, found.failed) == ("parrot-1", 2, 2, 0)
    assert plan(settings(root)).to_score["truster"][0] == 2
    first = night(root)
    assert labels(first)["0001"] == ("what was heard", "kept", "relabel/parrot-1")
    assert labels(first)["0000"] == ("words of clip_0000", "kept", "corpus/clip_0000.wav")
    assert first.document.counts.kept == 6
    assert run(settings(root)).status == "unchanged"
    write_corpus(root / "audio", 1, first=6)
    write_labels(root / "audio", **BAD)
    later = night(root)
    assert labels(later)["0001"] == labels(first)["0001"]
    assert later.document.counts.kept == 7


def test_both_texts_both_trusts_and_the_model_stay(root: Path) -> None:
    relabel_dataset(str(root / "data"), "parrot")
    rows = relabels(night(root).store).to_pylist()
    assert {r["old_text"] for r in rows} == set(BAD.values())
    for row in rows:
        assert (row["new_text"], row["model"], row["taken"]) == ("what was heard", "parrot-1", True)
        assert (row["old_trust"], row["new_trust"]) == (pytest.approx(0.1), pytest.approx(0.9))


def test_a_text_that_is_no_better_is_not_taken_but_remembered(root: Path) -> None:
    says = {"says": "wrong again"}
    found = relabel_dataset(str(root / "data"), "parrot", says)
    assert (found.asked, found.taken) == (2, 0)
    again = relabel_dataset(str(root / "data"), "parrot", says)
    assert (again.asked, again.known, Parrot.asked) == (0, 2, 2)
    other = relabel_dataset(str(root / "data"), "parrot", {"version": 2})
    assert (other.asked, other.taken) == (2, 2)
    assert night(root).document.counts.kept == 6


def test_a_label_that_its_source_corrects_wins(root: Path) -> None:
    relabel_dataset(str(root / "data"), "parrot")
    night(root)
    write_labels(root / "audio", **{**BAD, "clip_0001": "what was really said"})
    found = labels(night(root))
    assert found["0001"] == ("what was really said", "kept", "corpus/clip_0001.wav")
    assert found["0002"][0] == "what was heard"


def test_clips_without_a_transcript_are_asked_about_on_request(root: Path) -> None:
    table = (root / "audio" / "transcripts.tsv").read_text().replace("words of clip_0003", "")
    (root / "audio" / "transcripts.tsv").write_text(table)
    night(root)
    assert relabel_dataset(str(root / "data"), "parrot").asked == 2
    assert relabel_dataset(str(root / "data"), "parrot", untranscribed=True).taken == 1
    assert labels(night(root))["0003"] == ("what was heard", "kept", "relabel/parrot-1")


def test_forgetting_a_model_gives_the_labels_back(root: Path) -> None:
    relabel_dataset(str(root / "data"), "parrot")
    version = night(root)
    assert forget_relabels(version.store, "parrot-9") == 0
    assert forget_relabels(version.store, "parrot-1") == 2
    assert labels(night(root))["0001"] == ("wrong text", "dropped", "corpus/clip_0001.wav")


def test_a_clip_whose_file_is_gone_is_counted_and_asked_again_another_time(root: Path) -> None:
    (root / "audio" / "clip_0001.wav").rename(root / "away.wav")
    found = relabel_dataset(str(root / "data"), "parrot")
    assert (found.asked, found.taken, found.failed) == (1, 1, 1)
    (root / "away.wav").rename(root / "audio" / "clip_0001.wav")
    assert relabel_dataset(str(root / "data"), "parrot").taken == 1
    assert night(root).store.exists("runs") is False


@pytest.mark.parametrize("redact", [False, True])
def test_a_takedown_purges_the_texts_too(root: Path, redact: bool) -> None:
    relabel_dataset(str(root / "data"), "parrot")
    version = night(root)
    clip = next(r["clip"] for r in version.clips(["clip", "path"]).to_pylist() if r["path"] == "clip_0001.wav")
    done = takedown(str(root / "data"), clips=[clip], purge=True, redact=redact)
    assert any(path.startswith("relabels/") for path, _ in done.removed)
    assert done.out_of_reach == takedown(str(root / "data"), speaker="speaker2", dry_run=True).out_of_reach
    assert [r["old_text"] for r in relabels(version.store).to_pylist()] == ["wrong text as well"]
    texts = {r["clip"]: r["transcript"] for r in night(root).clips(["clip", "transcript"]).to_pylist()}
    assert texts.get(clip) is None


def test_a_recipe_travels_to_workers_and_says_what_it_depends_on(root: Path) -> None:
    recipe = RelabelRecipe("parrot", {}, "truster", {}, 0.3, 0.5, None)
    assert pickle.loads(pickle.dumps(recipe)).fingerprint == recipe.fingerprint
    others = [
        RelabelRecipe("parrot", {"version": 2}, "truster", {}, 0.3, 0.5, None),
        RelabelRecipe("parrot", {}, "truster", {}, 0.2, 0.5, None),
        RelabelRecipe("parrot", {}, "truster", {}, 0.3, 0.5, 0.68),
    ]
    assert len({r.fingerprint for r in (recipe, *others)}) == 4


def test_a_version_without_trust_has_nothing_to_go_by(root: Path) -> None:
    run(config(root / "audio", root / "other"))
    with pytest.raises(ConfigError, match="transcript_trust"):
        relabel_dataset(str(root / "other"), "parrot")


def test_a_night_leaves_an_interrupted_relabel_to_the_next_relabel(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*given: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr("auricle.pipelines.relabel.put_relabels", interrupted)
        with pytest.raises(KeyboardInterrupt):
            relabel_dataset(str(root / "data"), "parrot")
    assert Parrot.asked == 2
    held = sorted((root / "data" / "runs").rglob("*.parquet"))
    assert held
    write_corpus(root / "audio", 1, first=6)
    write_labels(root / "audio", **BAD)
    said: list[str] = []
    assert run(settings(root), progress=Notes(said)).version.document.counts.clips == 7
    assert plan(settings(root)).unfinished == ()
    assert not [line for line in said if "resuming" in line]
    assert sorted((root / "data" / "runs").rglob("*.parquet")) == held
    assert relabel_dataset(str(root / "data"), "parrot").taken == 2
    assert Parrot.asked == 2, "what the interrupted pass had heard is not heard again"


def test_a_clip_that_makes_the_recogniser_raise_costs_only_itself(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Parrot, batch: Any) -> list[str]:
        if any(clip.transcript == BAD["clip_0001"] for clip in batch):
            raise ValueError("odd")
        return ["what was heard" for _ in batch]

    monkeypatch.setattr(Parrot, "transcribe", broken)
    found = relabel_dataset(str(root / "data"), "parrot")
    assert (found.taken, found.failed) == (1, 1)


class Notes(Silent):
    def __init__(self, said: list[str]) -> None:
        self.said = said

    def notice(self, text: str) -> None:
        self.said.append(text)

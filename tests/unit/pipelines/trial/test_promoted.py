"""A registry of models: compared in shadow, promoted, used by every later run, rolled back."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus import config, write_corpus, write_labels
from inprocess import without_ray

from auricle.curators.registry import build
from auricle.loaders import Version
from auricle.loaders.reading.models import model_numbers, publish_models, read_models
from auricle.loaders.reading.version import open_version
from auricle.loaders.storage.store import Store
from auricle.pipelines.plan import plan
from auricle.pipelines.run import run
from auricle.pipelines.trial.curator_cost import Timed
from auricle.pipelines.trial.promoted import candidate, promote, roll_back, with_promoted
from auricle.pipelines.trial.shadow import compare_codec, compare_curator, find_comparison
from auricle.pipelines.work.progress import Silent
from auricle.schemas.clip import Clip
from auricle.schemas.errors import ClipError, ConfigError, WeightsError
from auricle.schemas.models import ModelsDocument

FLOOR = {"floor_db": -20.0}
KEEP = [{"score": "loudness_db", "min": -26, "reason": "quiet"}]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve clips of two languages and one version of them, in which the quiet ones are dropped."""
    without_ray(monkeypatch)
    write_corpus(tmp_path / "audio", 12)
    table = (tmp_path / "audio" / "transcripts.tsv").read_text().replace("speaker1\ten", "speaker1\tde")
    (tmp_path / "audio" / "transcripts.tsv").write_text(table)
    night(tmp_path)
    return tmp_path


def settings(root: Path, **changes: Any) -> Any:
    return config(root / "audio", root / "data", **{"keep": KEEP, **changes})


class Notices(Silent):
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def notice(self, text: str) -> None:
        self.lines.append(text)


def night(root: Path, **changes: Any) -> Version:
    return run(settings(root, **changes)).version


def levels(version: Version) -> list[float]:
    return [row["loudness"]["loudness_db"] for row in version.clips(["clip", "loudness"]).sort_by("clip").to_pylist()]


def test_a_comparison_says_what_would_change_slice_by_slice(root: Path) -> None:
    version = night(root)
    record = compare_curator(version, candidate("loudness", options=FLOOR), 200)
    assert (record["clips"], record["failed"], record["version"]) == (12, 0, 1)
    rows = version.clips().to_pylist()
    before = np.array([r["loudness"]["loudness_db"] for r in rows])
    after = np.maximum(before, -20.0)
    everything = next(s for s in record["slices"] if s["slice"] == "all")
    assert everything["median_before"] == pytest.approx(np.median(before))
    assert everything["median_after"] == pytest.approx(np.median(after), abs=1e-4)
    assert everything["mean_change"] == pytest.approx((after - before).mean(), abs=1e-4)
    assert 0 < everything["rank_correlation"] <= 1
    quiet = int((before < -26).sum())
    assert record["flips"] == {"quiet": {"before": quiet, "after": 0, "flipped": quiet}}
    german = next(s for s in record["slices"] if s["slice"] == "language de")
    assert german["clips"] == 3
    assert {"status dropped", "status kept"} <= {s["slice"] for s in record["slices"]}
    assert version.document.number == night(root).document.number, "nothing is published"


def test_the_sample_is_bounded_and_the_same_every_time(root: Path) -> None:
    version, model = night(root), candidate("loudness", options=FLOOR)
    first, second = compare_curator(version, model, 5), compare_curator(version, model, 5)
    assert first["clips"] == 5
    timed = ("cpu_s", "current_cpu_s")
    assert {k: v for k, v in first.items() if k not in timed} == {k: v for k, v in second.items() if k not in timed}


def test_a_promoted_curator_is_what_runs_use_until_it_is_rolled_back(root: Path) -> None:
    store, model = Store(str(root / "data")), candidate("loudness", options=FLOOR)
    before = levels(night(root))
    compare_curator(night(root), model, 200)
    assert promote(store, model, "no floor").number == 1
    assert plan(settings(root)).to_score["loudness"][0] == 12
    version = night(root)
    assert levels(version) == pytest.approx(np.maximum(before, -20.0))
    assert version.document.curators["loudness"].parameters == FLOOR
    assert version.document.config["score"]["options"] == {"loudness": FLOOR}
    assert version.document.counts.dropped == 0
    assert run(settings(root)).status == "unchanged"
    assert roll_back(store).models == {}
    assert levels(night(root)) == pytest.approx(before)
    assert model_numbers(store) == [1, 2]
    assert roll_back(store, 1).models["loudness"] == model
    assert levels(night(root)) == pytest.approx(np.maximum(before, -20.0))


def test_another_curator_can_take_the_place_of_one(root: Path) -> None:
    store, model = Store(str(root / "data")), candidate("loudness", "words")
    compare_curator(night(root), model, 200)
    promote(store, model)
    resolved = with_promoted(store, settings(root, score={"curators": ["loudness"]}, keep=[]))
    assert resolved.score.curators == ["words"]
    unconcerned = settings(root, score={"curators": ["words"]}, keep=[])
    told: list[str] = []
    assert with_promoted(store, unconcerned, told.append) == unconcerned
    assert told == [
        "words with default options is promoted for loudness, which the configuration does not name: not used"
    ]


def test_a_run_and_a_plan_say_once_what_is_promoted_and_has_no_place_in_them(root: Path) -> None:
    store, model = Store(str(root / "data")), candidate("loudness", options=FLOOR)
    compare_curator(night(root), model, 200)
    promote(store, model)
    heard = Notices()
    without = settings(root, score={"curators": ["words"]}, keep=[])
    run(without, progress=heard)
    line = "loudness with floor_db=-20.0 is promoted for loudness, which the configuration does not name: not used"
    assert heard.lines.count(line) == 1
    assert plan(without).notices == (line,)
    codec = model.model_copy(update={"kind": "codec", "slot": "mimi", "name": "mimi", "options": {}})
    publish_models(store, lambda newest: ModelsDocument(number=0, created="", models={"mimi": codec}))
    told: list[str] = []
    with_promoted(store, settings(root), told.append)
    assert "promoted for mimi, which the configuration does not name" in told[0]


def test_a_slot_without_scores_is_said_to_have_nothing_to_compare_with(root: Path) -> None:
    version = night(root, score={"curators": ["words"]}, keep=[])
    record = compare_curator(version, candidate("loudness"), 200)
    assert record["uncompared"] == "nothing to compare with: version 2 has no scores of loudness"
    assert (record["flips"], record["current"], record["current_cpu_s"]) == (None, None, None)
    assert {s["null_before"] for s in record["slices"] if s["slice"] == "all"} == {12}
    swapped = compare_curator(version, candidate("words", "loudness"), 200)
    assert "loudness gives none of the scores that version 2 has of words" in swapped["uncompared"]
    assert swapped["flips"] is None


def test_what_was_promoted_in_the_place_of_a_curator_is_what_the_next_candidate_is_compared_with(root: Path) -> None:
    store, words = Store(str(root / "data")), candidate("loudness", "words")
    compare_curator(night(root), words, 200)
    promote(store, words)
    version = night(root, score={"curators": ["loudness"]}, keep=[])
    record = compare_curator(version, words, 200)
    assert (record["current"], record["uncompared"], record["flips"]) == ("words", None, {})


def test_the_cost_is_that_of_warm_models_beside_the_current_curator_on_the_same_clips(root: Path) -> None:
    class Loading:
        """Takes long until it has given a score, and that is not for the first clip."""

        name, version, inputs, fingerprint = "loading", 1, (), "0"
        parameters: dict[str, Any] = {}  # noqa: RUF012
        columns = build(["loudness"])[0].columns

        def __init__(self) -> None:
            self.loaded, self.seen = False, list[int]()

        def score(self, batch: Any) -> Any:
            self.seen.append(len(batch))
            rows = [{"loudness_db": None if clip.transcript is None else 1.0, "reason": None} for clip in batch]
            if not self.loaded and any(row["loudness_db"] for row in rows):
                begun, self.loaded = time.process_time(), True
                while time.process_time() - begun < 0.3:
                    pass
            return rows

    clips = [Clip("", np.zeros(160, np.float32), 16000, text) for text in (None, "a", "b")]
    loading = Loading()
    timed = Timed(loading)
    assert [row["loudness_db"] for row in timed.score(clips)] == [None, 1.0, 1.0]
    assert timed.score(clips[:1]) == [{"loudness_db": None, "reason": None}]
    assert loading.seen == [1, 1, 3, 1]
    assert timed.cpu_s < 0.1
    record = compare_curator(night(root), candidate("loudness", options=FLOOR), 200)
    assert record["current"] == "loudness"
    assert record["current_cpu_s"] is not None
    assert record["current_not_run"] is None
    assert record["audio_s"] == pytest.approx(6.0)


def test_speech_that_a_run_finds_once_for_all_is_no_part_of_the_cost(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[tuple[str, ...]] = []
    loudness = type(build(["loudness"])[0])
    score = loudness.score

    def watched(self: Any, batch: Any) -> Any:
        found.extend(tuple(clip.memo) for clip in batch)
        for clip in batch:
            clip.memo["own"] = True
        return score(self, batch)

    version = night(root, score={"curators": ["loudness", "vad"]})
    monkeypatch.setattr(loudness, "score", watched)
    compare_curator(version, candidate("loudness", options=FLOOR), 4)
    assert len(found) == 2 * (1 + 4)
    assert all("speech_probabilities" in memo and "own" not in memo for memo in found)


def test_a_clip_that_makes_a_candidate_raise_lacks_its_score_and_the_comparison_goes_on(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loudness = type(build(["loudness"])[0])
    score = loudness.score

    def broken(self: Any, batch: Any) -> Any:
        if any((clip.transcript or "").endswith("0003") for clip in batch):
            raise ValueError("odd")
        return score(self, batch)

    version = night(root)
    monkeypatch.setattr(loudness, "score", broken)
    record = compare_curator(version, candidate("loudness", options=FLOOR), 200)
    everything = next(s for s in record["slices"] if s["slice"] == "all")
    assert (record["clips"], everything["null_before"], everything["null_after"]) == (12, 0, 1)


def test_a_current_curator_that_cannot_be_run_here_costs_nothing_known(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from auricle.pipelines.trial import curator_cost

    def absent(*_: Any) -> Any:
        raise WeightsError("its weights are not on this machine")

    monkeypatch.setattr(curator_cost, "build", absent)
    record = compare_curator(night(root), candidate("loudness", options=FLOOR), 200)
    assert record["current_cpu_s"] is None
    assert record["current_not_run"] == "its weights are not on this machine"
    assert record["flips"]["quiet"]["before"] > 0


def test_a_comparison_of_few_clips_is_refused_unless_the_version_has_no_more(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, model = Store(str(root / "data")), candidate("loudness", options=FLOOR)
    compare_curator(night(root), model, 6)
    with pytest.raises(
        ConfigError,
        match=r"loudness with floor_db=-20.0 for loudness was compared on 6 clips, 30 are required.*--clips 200",
    ):
        promote(store, model)
    (root / "audio" / "clip_0000.wav").unlink()
    record = compare_curator(open_version(str(root / "data")), model, 12)
    assert (record["clips"], record["failed"], record["available"]) == (11, 1, 12)
    assert promote(store, model).number == 1
    monkeypatch.setattr("auricle.pipelines.trial.promoted.LEAST_CLIPS", 5)
    compare_curator(open_version(str(root / "data")), model, 6)
    assert promote(store, model).compared["clips"] >= 5


def test_rolling_back_again_goes_one_promotion_further_back(root: Path) -> None:
    store, floors = Store(str(root / "data")), [-20.0, -21.0, -22.0, -23.0]

    def floor() -> float | None:
        model = read_models(store).models.get("loudness")
        return model.options["floor_db"] if model else None

    def promoted(floor_db: float) -> None:
        model = candidate("loudness", options={"floor_db": floor_db})
        publish_models(store, lambda newest: ModelsDocument(number=0, created="", models={"loudness": model}))

    for floor_db in floors[:3]:
        promoted(floor_db)
    assert (roll_back(store).again, floor()) == (2, -21.0)
    assert (roll_back(store).again, floor()) == (1, -20.0)
    promoted(floors[3])
    assert (roll_back(store).again, floor()) == (1, -20.0), "what was rolled back does not come again"
    assert (roll_back(store, 4).again, floor()) == (2, -21.0), "the number of a rollback stands for its promotion"
    assert (roll_back(store).again, floor()) == (1, -20.0)
    assert (roll_back(store).again, floor()) == (0, None)
    with pytest.raises(ConfigError, match="what configurations say holds already"):
        roll_back(store)


def test_what_was_not_compared_is_not_promoted(root: Path) -> None:
    store = Store(str(root / "data"))
    compare_curator(night(root), candidate("loudness", options=FLOOR), 200)
    with pytest.raises(ConfigError, match="models compare"):
        promote(store, candidate("loudness", options={"floor_db": -21.0}))
    assert find_comparison(store, candidate("loudness")) is None
    with pytest.raises(ConfigError, match="nothing was promoted"):
        roll_back(store)
    with pytest.raises(ConfigError, match="neither a curator"):
        candidate("loudnes")
    with pytest.raises(ConfigError, match="no promotion 7"):
        read_models(store, 7)


def test_a_configuration_that_disagrees_is_refused(root: Path) -> None:
    store, model = Store(str(root / "data")), candidate("loudness", options=FLOOR)
    compare_curator(night(root), model, 200)
    promote(store, model)
    own = {"curators": ["loudness", "words"], "options": {"loudness": {"floor_db": -90.0}}}
    with pytest.raises(ConfigError, match=r"score.options.loudness is set.*rollback"):
        night(root, score=own)
    same = {"curators": ["loudness", "words"], "options": {"loudness": FLOOR}}
    assert levels(night(root, score=same)) == levels(night(root))


def test_other_code_or_weights_than_were_compared_are_refused(root: Path) -> None:
    store, model = Store(str(root / "data")), candidate("loudness", options=FLOOR)
    compare_curator(night(root), model, 200)
    promote(store, model)
    stale = model.model_copy(update={"fingerprint": "0" * 32})
    publish_models(store, lambda newest: ModelsDocument(number=0, created="", models={"loudness": stale}))
    with pytest.raises(ConfigError, match="was promoted with fingerprint 000000000000"):
        night(root)


def test_sources_that_are_gone_are_counted_and_none_at_all_is_refused(root: Path) -> None:
    version = night(root)
    for path in sorted((root / "audio").glob("*.wav"))[1:]:
        path.unlink()
    assert compare_curator(version, candidate("loudness"), 200)["failed"] == 11
    (root / "audio" / "clip_0000.wav").unlink()
    with pytest.raises(ConfigError, match="none of the 12 clips"):
        compare_curator(version, candidate("loudness"), 200)


def test_a_codec_is_compared_promoted_and_resolved_by_its_weights(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from auricle.pipelines.trial import promoted

    store, version = Store(str(root / "data")), night(root)
    spec = promoted.describe(promoted.codes_of("cheap", {}))
    monkeypatch.setattr(promoted, "describe", lambda config: spec.model_copy(update={"fingerprint": config.weights}))
    model = candidate("cheap", options={"weights": "new.safetensors"})

    def measured(clip: Any) -> dict[str, float]:
        if clip.duration_s < 0.4:
            raise ClipError("extraction", "too short")
        return {"si_sdr_db": float(np.mean(clip.waveform**2))}

    record = compare_codec(version, measured, lambda clip: {"si_sdr_db": 1.0}, model, 12)
    assert {s["score"] for s in record["slices"]} == {"si_sdr_db"}
    promote(store, model)
    resolved = with_promoted(store, settings(root))
    assert [(r.codec, r.weights) for r in resolved.representations] == [("cheap", "new.safetensors")]
    mine = settings(root, representations=[{"codec": "cheap", "kind": "codes", "weights": "mine.safetensors"}])
    with pytest.raises(ConfigError, match="weights of the representation cheap codes"):
        with_promoted(store, mine)
    with pytest.raises(ConfigError, match="'speed' is not weights"):
        candidate("cheap", options={"speed": 2})


def test_labels_change_nothing_about_what_was_promoted(root: Path) -> None:
    store, model = Store(str(root / "data")), candidate("words")
    compare_curator(night(root), model, 12)
    promote(store, model)
    write_labels(root / "audio", clip_0001="other words than before")
    assert night(root).document.curators["words"].fingerprint == model.fingerprint

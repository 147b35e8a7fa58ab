"""The share of wrong texts, estimated without labels: planted shares are found, and bounds on a trust follow them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import auricle_test_plugins as plugins
import numpy as np
import pytest
from corpus import config, write_corpus
from hypothesis import given
from hypothesis import strategies as st
from inprocess import without_ray

from auricle.jobs.datasets.show import print_version
from auricle.pipelines.policy.decide import check_rules
from auricle.pipelines.policy.judge_clip import Judge
from auricle.pipelines.policy.wrong_texts import BINS, MOST_LOGIT, estimate, estimate_each, stepped
from auricle.pipelines.run import run
from auricle.pipelines.tables.remaining import curators_of, score_recipe
from auricle.schemas.condition import Condition, Rule
from auricle.schemas.errors import ConfigError
from auricle.schemas.score import ScoreColumn


def calibrated(rng: np.random.Generator, clips: int, wrong_share: float) -> tuple[np.ndarray, np.ndarray]:
    """Log odds of calibrated trusts for even odds, and which texts are wrong, both `[clips]`."""
    wrong = np.arange(clips) < round(wrong_share * clips)
    # a ratio of two normal densities of one width d is itself normal about +-d^2 / 2
    return rng.normal(np.where(wrong, -4.5, 4.5), 3.0), wrong


def counts(logits: np.ndarray) -> np.ndarray:
    return np.histogram(np.clip(logits, -MOST_LOGIT + 1e-9, MOST_LOGIT - 1e-9), BINS, (-MOST_LOGIT, MOST_LOGIT))[0]


@pytest.mark.parametrize("planted", [0.05, 0.25, 0.5])
def test_a_planted_share_is_found_and_its_interval_covers_it(planted: float) -> None:
    found = [estimate(counts(calibrated(np.random.default_rng(k), 400, planted)[0]), 0.5, 4) for k in range(20)]
    assert abs(np.mean([f.mean for f in found]) - planted) < 0.02
    assert sum(f.low <= planted <= f.high for f in found) >= 17
    assert all(f.high - f.low < 0.15 for f in found)


def test_where_no_text_is_wrong_or_all_are_the_share_says_so() -> None:
    rng = np.random.default_rng(0)
    none, all_ = (estimate(counts(calibrated(rng, 400, share)[0]), 0.5, 4) for share in (0.0, 1.0))
    assert none.mean < 0.02
    assert all_.mean > 0.98


def test_a_source_with_few_clips_is_drawn_to_the_others_as_far_as_they_are_alike() -> None:
    def found(*shares: float) -> float:
        rng = np.random.default_rng(0)
        others = {f"other {k}": counts(calibrated(rng, 200, share)[0]) for k, share in enumerate(shares)}
        return estimate_each({"few": counts(calibrated(rng, 3, 1.0)[0]), **others})["few"].mean

    alike, unlike = found(0.05, 0.05, 0.06, 0.04, 0.05), found(0.05, 0.9, 0.02, 0.6, 0.1)
    assert alike < 0.3 < 0.6 < unlike
    assert estimate(np.zeros(BINS), 0.1, 20).mean == pytest.approx(0.1, abs=0.005)


@pytest.mark.parametrize("planted", [0.05, 0.25, 0.5])
def test_a_bound_for_the_estimated_share_decides_no_worse_than_one_for_even_odds(planted: float) -> None:
    logits, wrong = calibrated(np.random.default_rng(1), 20_000, planted)
    share = stepped(estimate(counts(logits), 0.5, 4).mean)
    rule = Rule(score="transcript_trust", min=0.5, reason="transcript")
    trust = 1 / (1 + np.exp(-logits))

    def errors(min_: float | None) -> float:
        return float(np.mean((trust >= min_) == wrong))

    assert errors(rule.for_share(share).min) <= errors(0.5) + 1e-3
    if planted == 0.05:
        assert errors(rule.for_share(share).min) < 0.7 * errors(0.5)


@given(st.floats(0.001, 0.999), st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_a_bound_means_the_same_posterior_whatever_the_share(trust: float, bound: float, share: float) -> None:
    odds = trust / (1 - trust) * (1 - share) / share
    moved = Condition(score="transcript_trust", min=bound).for_share(share)
    assert moved.min is not None
    if abs(odds / (1 + odds) - bound) > 1e-5:
        assert (odds / (1 + odds) >= bound) == (trust >= moved.min)
    assert Condition(score="x", min=0, max=1).for_share(share) == Condition(score="x", min=0, max=1)


def test_a_run_estimates_the_share_of_each_source_and_keeps_what_is_likelier_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_ray(monkeypatch)
    for name in ("clean", "bad"):
        write_corpus(tmp_path / name, 60, first=0 if name == "clean" else 100)

    def score(self: Any, batch: Any) -> Any:
        return [{"trust": 0.3 if _number(c.transcript) % 100 == 7 else _trust(_number(c.transcript))} for c in batch]

    monkeypatch.setattr(plugins.Words, "columns", (ScoreColumn("trust", "float32", "1", "Trust", even_odds=True),))
    monkeypatch.setattr(plugins.Words, "score", score)
    keep = [{"score": "trust", "min": 0.5, "reason": "transcript"}]
    sources = [
        {"path": str(tmp_path / name), "name": name, "transcripts": "transcripts.tsv"} for name in ("clean", "bad")
    ]
    settings = config(tmp_path, tmp_path / "data", sources=sources, keep=keep)
    version = run(settings).version
    shares = version.document.wrong_texts["trust"]
    assert shares["clean"].share < 0.05 < 0.7 < shares["bad"].share
    assert shares["clean"].clips == 60
    kept = {row["path"]: row["status"] for row in version.clips(["path", "status"]).to_pylist()}
    # a trust of 0.3 is enough where hardly any text is wrong
    assert (kept["clip_0007.wav"], kept["clip_0107.wav"]) == ("kept", "dropped")
    print_version(version)
    said = " ".join(capsys.readouterr().out.split())
    assert "wrong texts by trust, estimated: bad" in said
    assert "transcript: trust min 0.5 moved to 0." in said
    assert "there are too few clips to tell" not in said
    few = {"clean": shares["clean"].model_copy(update={"low": 0.02, "high": 0.36})}
    document = version.document.model_copy(update={"wrong_texts": {"trust": few}})
    print_version(replace(version, document=document))
    assert "mostly an assumption: there are too few clips to tell" in " ".join(capsys.readouterr().out.split())
    fixed = [keep[0] | {"wrong_share": 0.5}]
    version = run(config(tmp_path, tmp_path / "data", sources=sources, keep=fixed)).version
    assert version.document.wrong_texts == {}
    kept = {row["path"]: row["status"] for row in version.clips(["path", "status"]).to_pylist()}
    assert kept["clip_0007.wav"] == "dropped"
    early = {"curators": ["loudness", "words"], "early_exit": True}
    assert score_recipe(settings.model_copy(update={"score": settings.score.model_validate(early)})).early_exit == ()


def _number(text: str) -> int:
    return int(text[-4:])


def _trust(number: int) -> float:
    return 0.98 if number < 100 or number % 10 == 0 else 0.02


def test_a_wrong_share_of_a_score_that_is_no_trust_is_refused(tmp_path: Path) -> None:
    rule = {"score": "loudness_db", "min": -20, "reason": "quiet", "wrong_share": 0.1}
    settings = config(tmp_path, tmp_path / "data", keep=[rule])
    with pytest.raises(ConfigError, match="only a trust in texts"):
        check_rules(settings, curators_of(settings))


@pytest.mark.parametrize(
    ("bound", "unsure", "written"),
    [
        ("min", "keep", "write `min: 0.1`, which drops only texts that are 0.9 sure to be wrong"),
        ("min", "drop", "write `min: 0.9`, which keeps only texts that are 0.9 sure to be right"),
        ("min", "tier", "write `min: 0.1`, and in `tiers` one with `when: [{score: trust, min: 0.9}]`"),
        ("max", "keep", "write `max: 0.9`, which drops only texts that are 0.9 sure to be right"),
        ("max", "drop", "write `max: 0.1`, which keeps only texts that are 0.9 sure to be wrong"),
    ],
)
def test_a_confidence_on_a_trust_is_refused_with_the_bounds_that_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, unsure: str, written: str
) -> None:
    monkeypatch.setattr(plugins.Words, "columns", (ScoreColumn("trust", "float32", "1", "Trust", even_odds=True),))
    rule = {"score": "trust", bound: 0.5, "reason": "transcript", "confidence": 0.9, "unsure": unsure}
    settings = config(tmp_path, tmp_path / "data", keep=[rule], score={"curators": ["words"]})
    with pytest.raises(ConfigError, match="needs none of") as run_refused:
        check_rules(settings, curators_of(settings))
    with pytest.raises(ConfigError, match="needs none of") as loose_refused:
        Judge(settings.keep, (), curators_of(settings))
    assert written in str(run_refused.value)
    assert str(loose_refused.value) == str(run_refused.value)


@pytest.mark.parametrize("planted", [0.05, 0.25, 0.5])
def test_the_two_bounds_are_as_sure_as_the_confidence_would_be(planted: float) -> None:
    logits, wrong = calibrated(np.random.default_rng(1), 20_000, planted)
    trusts = 1 / (1 + np.exp(-logits))

    def holding(bound: float) -> np.ndarray:
        rule = Rule(score="trust", min=bound, reason="transcript").for_share(planted)
        return np.array([rule.holds(trust, "float32") for trust in trusts])

    right, not_wrong = holding(0.9), holding(0.1)
    # at the bound itself the share is the confidence: near it, on either side, it is close to that
    odds = np.log((1 - planted) / planted)
    near = [np.abs(logits + odds - np.log(p / (1 - p))) < 0.3 for p in (0.9, 0.1)]
    assert [wrong[n].mean() for n in near] == pytest.approx([0.1, 0.9], abs=0.06)
    assert wrong[right].mean() < 0.1
    assert wrong[~not_wrong].mean() > 0.9
    assert 0.1 < wrong[not_wrong & ~right].mean() < 0.9


def test_a_loose_clip_is_judged_at_the_share_that_the_rule_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    column = ScoreColumn("trust", "float32", "1", "Trust", even_odds=True)
    monkeypatch.setattr(plugins.Words, "columns", (column,))
    rule = Rule(score="trust", min=0.5, reason="transcript")
    row = {"trust": 0.3, "words_reason": None}
    even, given_ = Judge([rule], [], [plugins.Words()]), rule.model_copy(update={"wrong_share": 0.05})
    assert (even(row).status, even.at_even_odds) == ("dropped", ["trust"])
    judge = Judge([given_], [], [plugins.Words()])
    assert (judge(row).status, judge.at_even_odds) == ("kept", [])

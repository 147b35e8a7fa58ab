"""Bad groups and quotas: pure functions of the live set, whatever order the clips came in."""

import random
from pathlib import Path
from typing import Any

import pytest
from corpus import config, write_clip, write_corpus, write_labels
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inprocess import without_ray

from auricle.loaders import Version, open_version
from auricle.loaders.storage.store import Store
from auricle.pipelines.policy.decide import check_rules, decide
from auricle.pipelines.run import run
from auricle.pipelines.tables.declarations import known
from auricle.pipelines.tables.remaining import curators_of
from auricle.pipelines.tables.state import open_state
from auricle.schemas.config import GroupRule, Quota, RunConfig
from auricle.schemas.errors import ConfigError

Clip = dict[str, Any]
SPAN_S = (0.5, 1.0, 7.25)
POLICY: dict[str, Any] = {
    "sources": [{"path": "x", "name": "a"}, {"path": "y", "name": "b"}],
    "keep": [
        {"score": "loudness_db", "min": -50, "reason": "quiet"},
        {"score": "num_words", "min": 2, "reason": "few_words", "missing": "drop"},
    ],
    "tiers": [{"name": "gold", "when": [{"score": "loudness_db", "min": -20}]}, {"name": "rest"}],
}


def decided(clips: list[Clip], tmp: Path, **policy: Any) -> dict[str, tuple[str, list[str], str | None]]:
    """Clip -> status, reasons, tier, by the tables that a run decides on."""
    settings_ = RunConfig.model_validate({**config(tmp, tmp / "data").model_dump(), **POLICY, **policy})
    curators = curators_of(settings_)
    check_rules(settings_, curators)
    with open_state(Store(str(tmp / "data"), create=True)) as state:
        state.sql(
            'CREATE TABLE clips_now (clip VARCHAR, "group" VARCHAR, recording VARCHAR, pcm_sha256 VARCHAR, '
            "duration_s DOUBLE, source VARCHAR, source_rank INTEGER, speaker VARCHAR, language VARCHAR, "
            "transcript VARCHAR)"
        )
        for curator, column in (("loudness", "loudness_db"), ("words", "num_words")):
            kind = "FLOAT" if curator == "loudness" else "INTEGER"
            state.sql(
                f'CREATE TABLE "{known(curator)}" (clip VARCHAR, val STRUCT(fingerprint VARCHAR, inputs VARCHAR, '
                f"reason VARCHAR, {column} {kind}))"
            )
        state.sql("CREATE TABLE failures (clip VARCHAR, reason VARCHAR, message VARCHAR)")
        state.sql("CREATE TABLE clip_notes (clip VARCHAR, message VARCHAR)")
        for c in clips:
            source = "ab"[c["source"]]
            state.sql(
                "INSERT INTO clips_now VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'text')",
                [c["clip"], c.get("group", c["clip"]), f"file of {c['clip']}", c["pcm"], c["duration_s"], source,
                 c["source"], c["speaker"], c["language"]],
            )  # fmt: skip
            if c["failed"]:
                state.sql("INSERT INTO failures VALUES (?, 'corrupt', '')", [c["clip"]])
                continue
            state.sql(f"INSERT INTO \"{known('loudness')}\" VALUES (?, row('', '', NULL, ?))", [c["clip"], c["db"]])
            state.sql(f"INSERT INTO \"{known('words')}\" VALUES (?, row('', '', NULL, ?))", [c["clip"], c["words"]])
        decide(state, settings_, curators)
        rows = state.sql("SELECT clip, status, reasons, tier FROM decided").fetchall()
    return {clip: (status, reasons, tier) for clip, status, reasons, tier in rows}


def clip(name: str, **facts: Any) -> Clip:
    return {"clip": name, "pcm": name, "duration_s": 1.0, "source": 0, "speaker": "s", "language": "en",
            "failed": False, "db": -30.0, "words": 5} | facts  # fmt: skip


def kept(found: dict[str, tuple[str, list[str], str | None]]) -> set[str]:
    return {name for name, (status, _, _) in found.items() if status == "kept"}


def test_a_bad_source_is_dropped_whole_and_a_good_one_is_not(tmp_path: Path) -> None:
    clips = [clip(f"a{i:02d}", db=-60.0 if i < 12 else -30.0) for i in range(20)]
    clips += [clip(f"b{i:02d}", source=1, db=-60.0 if i < 2 else -30.0) for i in range(20)]
    found = decided(clips, tmp_path, drop_groups=[{"max_share": 0.3, "reason": "bad_source"}])
    assert {name[0] for name in kept(found)} == {"b"}
    assert found["a00"][1] == ["quiet", "bad_source"]
    assert found["a19"] == ("dropped", ["bad_source"], None)


def test_one_bad_clip_of_one_condemns_nobody(tmp_path: Path) -> None:
    clips = [clip("a1", db=-60.0), *(clip(f"b{i}", source=1) for i in range(3))]
    found = decided(clips, tmp_path, drop_groups=[{"max_share": 0.5}])
    assert found["a1"][1] == ["quiet"]


def test_only_the_reasons_that_are_counted_make_a_group_bad(tmp_path: Path) -> None:
    clips = [clip(f"a{i}", db=-60.0, words=5) for i in range(30)]
    clips += [clip(f"b{i}", speaker="t", failed=i < 25) for i in range(30)]
    by_speaker = {"by": "speaker", "max_share": 0.5}
    words = decided(clips, tmp_path, drop_groups=[{**by_speaker, "counting": ["few_words"]}])
    assert words["a0"][1] == ["quiet"]
    assert words["b29"][0] == "kept"
    failing = decided(clips, tmp_path, drop_groups=[{**by_speaker, "counting": ["failed"]}])
    assert failing["b29"][1] == ["bad_group"]
    assert failing["b0"][:2] == ("failed", ["corrupt"])


def test_the_copy_in_a_bad_source_does_not_take_the_good_one_with_it(tmp_path: Path) -> None:
    clips = [clip(f"a{i}", db=-60.0) for i in range(9)] + [clip("a9", pcm="same"), clip("b0", pcm="same", source=1)]
    found = decided(clips, tmp_path, drop_groups=[{"max_share": 0.3}])
    assert kept(found) == {"b0"}


def test_a_quota_is_filled_by_tier_then_source_then_key(tmp_path: Path) -> None:
    clips = [clip("1"), clip("2", source=1), clip("3", db=-10.0, source=1), clip("4"), clip("5", speaker=None)]
    found = decided(clips, tmp_path, quotas=[{"by": "speaker", "max_clips": 2}])
    assert kept(found) == {"3", "1", "5"}
    assert found["4"] == ("dropped", ["quota"], None)


def test_hours_are_at_most_what_the_quota_says_and_a_clip_too_long_alone_blocks_nobody(tmp_path: Path) -> None:
    clips = [clip("0", duration_s=7.25), clip("1"), clip("2"), clip("3")]
    assert kept(decided(clips, tmp_path, quotas=[{"by": "source", "max_hours": 2 / 3600}])) == {"1", "2"}


def test_a_later_quota_counts_what_the_earlier_one_left(tmp_path: Path) -> None:
    clips = [clip(f"{s}{i}", speaker=s) for s in "st" for i in range(3)]
    quotas = [{"by": "speaker", "max_clips": 1, "reason": "talkative"}, {"by": "language", "max_clips": 2}]
    found = decided(clips, tmp_path, quotas=quotas)
    assert kept(found) == {"s0", "t0"}
    assert {reasons[0] for status, reasons, _ in found.values() if status == "dropped"} == {"talkative"}


def test_the_channels_of_a_conversation_stay_or_go_together(tmp_path: Path) -> None:
    sides = [clip(f"{n}{side}", group=n, speaker=f"speaker {side}") for n in "123" for side in "ab"]
    assert kept(decided(sides, tmp_path, quotas=[{"by": "source", "max_clips": 3}])) == {"1a", "1b"}
    assert kept(decided(sides, tmp_path, quotas=[{"by": "language", "max_hours": 4 / 3600}])) == {
        "1a",
        "1b",
        "2a",
        "2b",
    }
    busy = [clip("0", speaker="speaker b"), *sides]
    assert kept(decided(busy, tmp_path, quotas=[{"by": "speaker", "max_clips": 2}])) == {"0", "1a", "1b"}


def test_a_conversation_that_never_fits_stands_in_no_others_way(tmp_path: Path) -> None:
    clips = [clip("1a", group="1"), clip("1b", group="1"), clip("2"), clip("3")]
    assert kept(decided(clips, tmp_path, quotas=[{"by": "source", "max_clips": 1}])) == {"2"}


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"drop_groups": [{"max_share": 0.3, "counting": ["loud"]}]}, "few_words, quiet"),
        ({"quotas": [{"by": "speaker"}]}, "max_hours or max_clips"),
    ],
)
def test_a_policy_that_cannot_mean_anything_is_refused(tmp_path: Path, policy: Any, words: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=words):
        decided([clip("1")], tmp_path, **policy)


clips_of = st.builds(
    lambda i, **facts: clip(f"{i:04x}", **facts),
    st.integers(0, 0xFFFF),
    pcm=st.sampled_from("pqrstuvwxyz"),
    duration_s=st.sampled_from(SPAN_S),
    source=st.integers(0, 1),
    group=st.sampled_from("ghijk"),
    speaker=st.sampled_from(["s", "t", None]),
    language=st.sampled_from(["en", "de", None]),
    failed=st.booleans(),
    db=st.sampled_from([-60.0, -30.0, -10.0]),
    words=st.integers(0, 4),
)
groups = st.sampled_from(["source", "speaker", "language"])
rules = st.lists(st.builds(GroupRule, by=groups, max_share=st.floats(0, 0.9)), max_size=2)
quotas = st.lists(
    st.builds(Quota, by=groups, max_clips=st.integers(1, 4), max_hours=st.sampled_from([None, 2 / 3600])), max_size=2
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(clips_of, max_size=30, unique_by=lambda c: c["clip"]), rules, quotas, st.randoms())
def test_the_order_of_arrival_settles_nothing(
    tmp_path: Path, clips: list[Clip], rules: list[GroupRule], quotas: list[Quota], order: random.Random
) -> None:
    policy = {"drop_groups": rules, "quotas": quotas}
    first = decided(clips, tmp_path, **policy)
    order.shuffle(clips)
    assert decided(clips, tmp_path, **policy) == first
    for number in {c["group"] for c in clips}:
        judged = [first[c["clip"]] for c in clips if c["group"] == number]
        # of a group, a quota takes all that every other rule keeps
        assert not {"kept", "quota"} <= {"quota" if "quota" in reasons else status for status, reasons, _ in judged}
    for quota in quotas:
        held = [c for c in clips if c["clip"] in kept(first)]
        for member in {c[quota.by] or c["clip"] for c in held}:
            own = [c for c in held if (c[quota.by] or c["clip"]) == member]
            if quota.by != "language" or member in ("en", "de"):
                assert len(own) <= (quota.max_clips or 99)


def test_nights_of_increments_give_the_same_corpus_as_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bad speaker, a quota that later clips compete for, and a file that goes away again."""
    without_ray(monkeypatch)
    audio = tmp_path / "audio"
    policy = {
        "keep": [{"score": "num_words", "min": 3, "reason": "few_words"}],
        "drop_groups": [{"by": "speaker", "max_share": 0.2, "reason": "bad_speaker"}],
        "quotas": [{"by": "speaker", "max_clips": 2}],
    }
    for night, first in enumerate((8, 0, 4)):
        write_corpus(audio, 4, first=first)
        write_clip(audio / "clip_0099.wav", 99) if night == 1 else (audio / "clip_0099.wav").unlink(missing_ok=True)
        write_labels(audio, clip_0001="two words", clip_0005="two words")
        run(config(audio, tmp_path / "nightly", **policy))
    at_once = run(config(audio, tmp_path / "at_once", **policy)).version

    def corpus(version: Version) -> list[dict[str, Any]]:
        return version.clips(["clip", "path", "status", "reasons", "tier"]).sort_by("clip").to_pylist()

    assert corpus(open_version(str(tmp_path / "nightly"))) == corpus(at_once)
    assert at_once.document.dropped_by_reason == {"quota": 3, "bad_speaker": 3, "few_words": 2}
    assert at_once.document.counts.kept == 6

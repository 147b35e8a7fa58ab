"""The page says of each curriculum what is in it, what epochs draw, what is to be heard and how two of them differ."""

from __future__ import annotations

import html.parser
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from auricle.dashboards.report.curricula import differences, heard, shown
from auricle.dashboards.report.report import render
from auricle.loaders.reading.curricula import NamedCurriculum
from auricle.schemas.curriculum import NAMED, CurriculumDocument

HOSTILE = "<script>alert(1)</script>"


def curriculum(
    name: str, stages: Sequence[int | None], pacing: list[dict[str, Any]], audit: list[str]
) -> NamedCurriculum:
    """Ten clips of 36 s with these stages; null is set aside."""
    rows = [
        {"clip": f"{i:032x}", "stage": stage, "left_out": None if stage is not None else "audit", "duration_s": 36.0,
         "difficulty": 100.0 + i, "tokens": 10}
        for i, stage in enumerate(stages)
    ]  # fmt: skip
    facts = [
        {"name": label, "clips": stages.count(i), "hours": stages.count(i) / 100, "tokens": 10, "speakers": 1}
        for i, label in enumerate(("easy", "rest"))
    ]
    spec_stages: list[dict[str, Any]] = [
        {"name": "easy", "tiers": ["gold"], "rules": [{"score": "snr_db", "min": 15.0}],
         "quantiles": [{"score": "difficulty", "max": 0.5}], "quotas": {"by": "language", "clips": {"en": 4}}},
        {"name": "rest"},
    ]  # fmt: skip
    document = CurriculumDocument.model_validate(
        {
            "schema": "auricle.curriculum_document/1",
            "name": name,
            "spec": {"name": name, "stages": spec_stages},
            "inputs": {"version": 7, "version_sha256": "", "representation": "builtin-codes", "fingerprint": ""},
            "stages": facts,
            "phases": pacing,
            "left_out": {"audit": len(audit)},
            "audit": audit,
        }
    )
    return NamedCurriculum(document, pa.Table.from_pylist(rows, schema=NAMED), name * 16, b"")


PACING = [{"epoch": 0, "repeats": {"easy": 1}}, {"epoch": 2, "repeats": {"easy": 1, "rest": 0.5}}]
A = curriculum("aaaa", [0] * 4 + [1] * 4 + [None] * 2, PACING, [f"{9:032x}", f"{8:032x}"])
B = curriculum("bbbb", [0] * 2 + [1] * 8, [{"epoch": 0, "shares": {"easy": 0.3, "rest": 0.7}}], [])


def test_phases_are_shares_of_the_audio_of_an_epoch() -> None:
    a, b = shown([A, B], {})
    assert [(phase["first"], phase["last"]) for phase in a.phases] == [(0, 1), (2, None)]
    assert [[share for share, _ in phase["shares"]] for phase in a.phases] == [[1, 0], pytest.approx([2 / 3, 1 / 3])]
    assert [share for share, _ in b.phases[0]["shares"]] == pytest.approx([0.3, 0.7])


def test_conditions_are_said_in_words() -> None:
    assert shown([A], {})[0].stages[0]["conditions"] == [
        "tier gold", "snr_db >= 15.0", "difficulty in the quantiles 0 to 0.5", "exactly 4 of en",
    ]  # fmt: skip


def test_two_curricula_are_compared_by_where_their_clips_are() -> None:
    (pair,) = differences([A, B])
    # two of the easy and all four of the rest are where they were
    assert pair["same"] == pytest.approx(0.6)
    assert [(m.a, m.b, m.clips) for m in pair["moves"]] == [("easy", "rest", 2), ("out: audit", "rest", 2)]
    assert differences([A]) == []


class Text(html.parser.HTMLParser):
    """The words of the section, and the tags of the page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words, self.tags = "", set[str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.words += " " + " ".join(data.split())


def test_the_page_lists_what_is_to_be_heard_and_lets_nothing_run(sample: Any) -> None:
    clips = {key: {"path": HOSTILE, "transcript": HOSTILE} for key in heard([A, B])}
    page = render(sample.document, sample.profile, sample.diagnostics, [], curricula=[A, B], audited=clips)
    found = Text(page)
    assert "script" not in found.tags
    section = re.sub(r"\s+", " ", found.words.split("Stages that a training may ask for by name.")[1])
    for words in ("aaaa-aaaaaaaaaaaa", "2 clips set aside to be heard", f"{9:032x}", HOSTILE, "109", "2 and later",
                  "How far they agree", "2 from easy to rest"):  # fmt: skip
        assert words in section, words


@pytest.mark.parametrize(
    ("sha256", "repeatability", "said"),
    [
        ("ab", -0.05, "warning: difficulty: split-half repeatability -0.05, below 0.3: its order says little"),
        ("ab", 0.5, "difficulty: split-half repeatability 0.50."),
        ("ab", None, "warning: how repeatable the difficulty is is not known"),
        (None, None, ""),
    ],
)
def test_the_page_says_how_repeatable_a_difficulty_is(
    sample: Any, sha256: str | None, repeatability: float | None, said: str
) -> None:
    asked = {"difficulty_sha256": sha256, "difficulty_repeatability": repeatability}
    inputs = A.document.inputs.model_copy(update=asked)
    made = replace(A, document=A.document.model_copy(update={"inputs": inputs}))
    section = render(sample.document, sample.profile, None, [], curricula=[made]).split('id="curricula"')[1]
    assert said in section
    assert ("repeatab" in section) == bool(said)


def test_a_version_without_curricula_says_how_to_make_one(sample: Any) -> None:
    found = Text(render(sample.document, sample.profile, None, []))
    assert "auricle curriculum --example" in re.sub(r"\s+", " ", found.words)

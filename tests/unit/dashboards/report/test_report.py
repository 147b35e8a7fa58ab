from __future__ import annotations

import html.parser
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auricle.dashboards.drawing.profile import profile
from auricle.dashboards.report.decoded import Decoded
from auricle.dashboards.report.examples import MAX_EXAMPLES, card, choose, evenly
from auricle.dashboards.report.report import Example, render
from auricle.schemas.condition import Rule
from auricle.schemas.version import GateResult, VersionDocument, WrongTexts

VOID = {"meta", "link", "img", "br", "audio"}


class Page(html.parser.HTMLParser):
    """What a browser would see: elements, ids, links, text per element."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text.append(data)

    def of(self, name: str) -> list[str]:
        """Every value of an attribute."""
        return [value for _, attribute, value in self.attributes if attribute == name]


def test_where_the_losses_are_is_said_of_sources_languages_and_speakers(sample: Any) -> None:
    page = render(sample.document, sample.profile, None, [], judgement=sample.judgement)
    text = " ".join(" ".join(Page(page).text).split())
    assert "Sources, worst first (1 of 3)" in text
    assert "phone worse 24 of 40 (60.0 %)" in text.replace("\u2009", " ")
    assert "noisy 55.0 % , duplicate 10.0 %" in text.replace("\u2009", " ")
    assert "median snr_db" in text
    assert "7.2 dB" in text.replace("\u00a0", " ")
    assert "eo scarce 24 of 40" in text
    assert "abababababab recording" in text
    assert "identified by recording" in text
    assert "no clip to judge" in render(sample.document, sample.profile, None, [])


@pytest.fixture(scope="module")
def source(sample: Any) -> str:
    return render(sample.document, sample.profile, sample.diagnostics, sample.examples, sample.previous_profile)


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    return Page(source)


def test_the_page_is_small_and_says_what_the_version_is(source: str, page: Page, sample: Any) -> None:
    assert len(source.encode()) < 2_000_000
    text = " ".join(" ".join(page.text).split())
    kept = sample.document.counts.kept
    assert f"{kept} of 420 clips are kept" in text
    assert "speech-dataset version 7" in text
    assert "untrained: builtin-codes-12.5hz" in text
    assert "gate passed with 1 warning" in text
    assert "every missing score says why" in text
    assert "unresolved" in text
    assert "4 speakers where an interval needs 5 needed: audio of at least 5 speakers" in text
    for reason, rule in (("noisy", "snr_db >= 10"), ("clipped", "clip_ratio <= 0.001")):
        assert reason in text
        assert rule in text
    for name, score in sample.profile["scores"].items():
        assert name in text
        assert score["description"] in text


def test_nothing_is_fetched_and_nothing_runs(source: str, page: Page) -> None:
    assert page.tags["script"] == page.tags["iframe"] == page.tags["object"] == page.tags["form"] == 0
    for value in page.of("src") + page.of("href"):
        assert value.startswith(("data:", "#")), value
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]
    css = re.findall(r"<style>(.*?)</style>", source, re.DOTALL)
    assert len(css) == 1
    assert "url(" not in css[0]
    assert "@import" not in css[0]
    (policy,) = [v for v in page.of("content") if v.startswith("default-src")]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy


def test_hostile_labels_stay_text(source: str, page: Page, sample: Any) -> None:
    text = "".join(page.text)
    shown = {example.transcript for example in sample.examples if example.transcript}
    for transcript in shown:
        if "\0" in transcript or "\u202e" in transcript or len(transcript) > 600:
            continue
        assert transcript in text
    assert "nul ␀ bell ␇ escape ␛[31m" in text
    assert "⟨U+202E⟩" in text
    assert "[… 4\u202f400 more characters]" in text
    assert not re.search("[\0\x07\x1b\u202a-\u202e\u2066-\u2069]", source)
    assert "onerror" not in page.of("name")
    assert "49" not in [t.strip() for t in page.text if "{{" in t]
    assert page.tags["svg"] == source.count("<svg ")


PIECES = [*"<>&\"'{}%#;/\\=\0\n\u202e\u2066 ax", "\ud800", "</", "-->", "<!--", "]]>", "&lt;", "{{", "{%"]
nasty = st.lists(st.sampled_from(PIECES), max_size=20).map("".join)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=nasty)
def test_any_text_anywhere_leaves_the_structure_of_the_page_alone(sample: Any, text: str) -> None:
    document = sample.document
    example = Example("0" * 32, text or "r", text, text, {text: text, "n": 1.0}, b"", 16000)
    changed = document.model_copy(
        update={
            "note": text, "dropped_by_reason": {text: 1}, "failed_by_reason": {text: 1}, "kept_by_tier": {text: 1},
            "code": {text: text},
            "config": {"dataset": text, "keep": [{"score": text, "equals": text, "reason": text}]},
        }
    )  # fmt: skip
    card = {"curator": text, "dtype": "string", "unit": text, "description": text, "nulls": {"kept": 1},
            "null_reasons": {text: 1}, "values": {text: {"kept": 1, "dropped": 0}}}  # fmt: skip
    made = {**sample.profile, "scores": {text: card},
            "co_occurrence": {"reasons": [text, "b"], "counts": [[1, 1], [1, 1]]}}  # fmt: skip
    dead = {"status": "unresolved", "reason": text, "remedy": text}
    judged = sample.judgement[0] | {"member": text, "reasons": [(text, 0.5)], "kind": text}
    diagnosed = {text: {"kind": "codes", "code_rate": dead, "group_kind": text}}
    source = render(changed, made, diagnosed, [example], judgement=[judged])
    source.encode()
    plain = Page(source)
    assert not plain.open
    assert plain.tags["script"] == 0
    assert not re.search("[\0\u202e\u2066]", source)


def test_everything_optional_may_be_missing(sample: Any) -> None:
    bare = VersionDocument(number=1, created="2026-11-20T00:00:00+00:00", gate=GateResult(verdict="off"))
    text = " ".join(Page(render(bare, profile([], {}), None, [])).text)
    for words in ("gate off", "No clip was dropped", "Not measured yet", "No examples", "none, this is the first"):
        assert words in text
    assert render(bare, {}, {}, [])


def test_a_critical_gate_and_a_ledger_that_does_not_add_up_are_marked(sample: Any) -> None:
    counts = sample.document.counts.model_copy(update={"kept": 1})
    checks = [sample.document.gate.checks[0].model_copy(update={"success": False})]
    changed = sample.document.model_copy(
        update={"counts": counts, "gate": GateResult(verdict="critical", checks=checks)}
    )
    text = " ".join(Page(render(changed, sample.profile, None, [])).text)
    assert "does not add up" in text
    assert "gate: critical" in text


def test_the_page_can_be_read_without_seeing_it(page: Page) -> None:
    ids = page.of("id")
    assert len(ids) == len(set(ids))
    for reference in page.of("aria-labelledby"):
        assert reference in ids
    for target in page.of("href"):
        assert target.removeprefix("#") in ids or target == "data:,"
    assert page.tags["h1"] == 1
    assert page.tags["caption"] == page.tags["table"]
    assert len(page.of("alt")) == page.tags["img"]
    hidden = [(t, n) for t, n, v in page.attributes if t == "svg" and n in ("aria-hidden", "aria-label")]
    assert len(hidden) == page.tags["svg"]
    assert all(kind in ("row", "col") for kind in page.of("scope"))


def test_the_same_version_gives_the_same_bytes(sample: Any, source: str) -> None:
    again = render(sample.document, sample.profile, sample.diagnostics, sample.examples, sample.previous_profile)
    assert again == source


def test_clips_to_listen_to_are_chosen_by_key_for_every_reason(sample: Any) -> None:
    chosen = choose(sample.parts, 2)
    for reason in ("kept", "noisy", "narrow", "clipped", "transcript"):
        mine = [row for row in chosen if row["reason"] == reason]
        able = [
            row
            for row in sample.rows
            if row["duration_s"] <= 60 and (reason in row["reasons"] or row["status"] == reason == "kept")
        ]
        assert [row["clip"] for row in mine] == [
            row["clip"] for row in sorted(able, key=lambda row: row["clip_hash64"])[:2]
        ]
        assert mine[0]["snr"]["fingerprint"] == "0" * 32
    assert not [row for row in chosen if row["status"] == "failed"]
    assert choose([], 2) == []


def test_examples_are_taken_evenly_over_reasons() -> None:
    assert evenly([[1, 2, 3], [4], [5, 6]], 4) == [[1, 2], [4], [5]]
    assert evenly([], 4) == []
    assert sum(map(len, evenly([list(range(99))] * 3, MAX_EXAMPLES))) == MAX_EXAMPLES


def test_a_card_leads_with_what_broke_the_rule_or_could_not_be_measured() -> None:
    rules = [
        Rule(score="snr_db", reason="noisy", min=10.0),
        Rule(score="bandwidth_hz", reason="narrow", min=4200.0),
    ]
    scores = {"speech_s": 2.0, "bandwidth_hz": 3000.0, "snr_db": 4.0, "note": ""}
    found = card(Example("c", "noisy", "p", None, scores, b"", 16000), rules, 1000)
    assert found["scores"] == [("snr_db", 4.0, True), ("bandwidth_hz", 3000.0, False)]
    assert found["further"] == [("speech_s", 2.0, False)]
    silent = card(Example("c", "noisy", "p", None, {"bandwidth_hz": 5000.0}, b"", 16000), rules, 1000)
    assert silent["scores"] == [("snr_db", "no value", True), ("bandwidth_hz", 5000.0, False)]


def test_a_page_of_many_long_sounds_stays_below_two_megabytes(sample: Any) -> None:
    long = [e for e in sample.examples if e.audio_wav.startswith(b"RIFF") and len(e.audio_wav) > 100] * 3
    assert len(long) > MAX_EXAMPLES
    source = render(sample.document, sample.profile, sample.diagnostics, long, sample.previous_profile)
    assert len(source.encode()) < 2_000_000
    assert Page(source).tags["audio"] == len(re.findall("<audio ", source)) >= 20


def test_clips_before_and_after_the_codec_can_be_heard_and_the_page_stays_small(sample: Any) -> None:
    codes = next(entry.spec for entry in sample.document.representations.values() if entry.spec.is_codes)
    sounds = [e for e in sample.examples if e.audio_wav.startswith(b"RIFF") and len(e.audio_wav) > 100]
    clips = [Decoded(e.clip, e.path, e.audio_wav, b"" if i == 1 else e.audio_wav) for i, e in enumerate(sounds[:5])]
    source = render(sample.document, sample.profile, None, sounds * 3, decoded=(codes, clips))
    plain = render(sample.document, sample.profile, None, sounds * 3)
    found, without = Page(source), Page(plain)
    assert "Before and after the codec" in " ".join(found.text)
    assert "Before and after the codec" not in " ".join(without.text)
    assert found.tags["audio"] - without.tags["audio"] == 2 * 3 - 1
    assert "No sound: the recording is not there any more" in source
    assert len(source.encode()) < 2_000_000


def test_undecided_clips_are_counted_with_what_either_choice_costs(sample: Any) -> None:
    found = {
        "rule": "snr_db >= 10, 0.9 sure, unsure: tier", "reason": "noisy", "unsure": "tier", "clips": 42, "hours": 2.0,
        "open_clips": 40, "open_hours": 1.9, "good_clips": 27.2, "good_hours": 1.2,
        "curve": [(0.5, 0.0, 0.93), (0.9, 0.1, 0.98)],
    }  # fmt: skip
    page = Page(render(sample.document, sample.profile | {"undecided": [found]}, None, []))
    text = " ".join(page.text)
    source = render(sample.document, sample.profile | {"undecided": [found]}, None, [])
    assert "from 93.0\u2009% at 0\u2009% to 98.0\u2009% at 10.0\u2009%" in source
    for words in ("Undecided", "kept in a tier of their own", "about 13", "about 27"):
        assert words in text
    assert "t-undecided" not in render(sample.document, sample.profile, None, [])


def test_the_share_of_wrong_texts_is_shown_with_the_bound_that_it_gave(sample: Any) -> None:
    found = WrongTexts(clips=50, share=0.041, low=0.01, high=0.09, used=0.05)
    document = sample.document.model_copy(update={"wrong_texts": {"transcript_trust": {"library": found}}})
    text = " ".join(Page(render(document, sample.profile, None, [])).text)
    for words in ("Wrong texts", "library", "4.1\u2009%", "transcript_trust >= 0.05"):
        assert words in text
    assert "t-wrong-texts" not in render(sample.document, sample.profile, None, [])


def test_the_bounds_of_tiers_are_listed_with_what_the_share_of_wrong_texts_made_of_them(sample: Any) -> None:
    when = [{"score": "transcript_trust", "min": 0.9}, {"score": "snr_db", "min": 20}]
    tiers = [{"name": "gold", "when": when}, {"name": "silver", "when": []}]
    shares = {"library": WrongTexts(clips=50, share=0.05, low=0.01, high=0.1, used=0.05)}
    document = sample.document.model_copy(
        update={"config": sample.document.config | {"tiers": tiers}, "wrong_texts": {"transcript_trust": shares}}
    )
    page = render(document, sample.profile, None, [])
    moved = "min 0.9 moved to 0.3214, by each source&#39;s share of wrong texts"
    table = page[page.index('id="t-tiers"') :]
    table = table[: table.index("</table>")]
    assert f'<code>transcript_trust &gt;= 0.9</code> <span class="small muted">{moved}</span>' in table
    assert "<code>snr_db &gt;= 20</code></td>" in table
    assert f"tier gold: {moved}" in page
    assert "gold: transcript_trust &gt;= 0.3214" in page
    even = render(document.model_copy(update={"wrong_texts": {}}), sample.profile, None, [])
    assert "0.3214" not in even
    assert "<code>transcript_trust &gt;= 0.9</code>" in even


def test_a_chart_draws_the_bound_that_the_share_of_wrong_texts_moved_and_says_so(sample: Any) -> None:
    def shown(**used: float) -> tuple[str, str]:
        shares = {name: WrongTexts(clips=50, share=u, low=0.01, high=0.9, used=u) for name, u in used.items()}
        document = sample.document.model_copy(update={"wrong_texts": {"transcript_trust": shares} if used else {}})
        page = render(document, sample.profile, None, [])
        chart = page[page.index("Distribution of transcript_trust") :]
        return chart[: chart.index("</svg>")], page

    chart, page = shown(library=0.05)
    assert re.findall(r"min ([\d.]+)<", chart) == ["0.05"]
    assert "min 0.5 moved to 0.05, by each source&#39;s share of wrong texts" in page
    chart, page = shown(library=0.05, radio=0.2, street=0.1)
    assert re.findall(r"min ([\d.]+)<", chart) == ["0.05", "0.2"]
    heights = re.findall(r'class="limit-label"[^>]* y="(\d+)"', chart)
    assert len(set(heights)) == 2
    assert "min 0.5 moved to 0.05 to 0.2" in page
    for words in ("transcript_trust &gt;= 0.1192", "min 0.5 moved to 0.1192, by"):
        assert words in shown(library=0.119203)[1]
    assert "0.119203" not in shown(library=0.119203)[1]
    chart, page = shown()
    assert re.findall(r"min ([\d.]+)<", chart) == ["0.5"]
    assert " means " not in page

"""The report in a real browser: it draws, plays, asks for nothing and lets nothing run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from auricle.dashboards.report.report import render

pytestmark = pytest.mark.browser


def made_up_version(folder: Path) -> Any:
    """The sample that the unit tests of the dashboards use."""
    path = Path(__file__).parents[1] / "unit/dashboards/conftest.py"
    spec = importlib.util.spec_from_file_location("dashboard_sample", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.make_sample(folder)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any]:
    """(URL of the page, the sample)."""
    folder = tmp_path_factory.mktemp("report")
    sample = made_up_version(folder)
    page = folder / "report.html"
    page.write_text(
        render(
            sample.document,
            sample.profile,
            sample.diagnostics,
            sample.examples,
            sample.previous_profile,
            sample.judgement,
        )
    )
    return page.as_uri(), sample


def test_the_page_asks_for_nothing_but_itself_and_complains_of_nothing(browser: Any, report: tuple[str, Any]) -> None:
    browser.resize(1280)
    browser.open(report[0])
    assert browser.requests() == [report[0]]
    assert browser.complaints() == []
    assert browser.evaluate("document.title") == "speech-dataset version 7 · auricle report"


def test_every_chart_is_drawn_with_the_style_applied(browser: Any, report: tuple[str, Any]) -> None:
    browser.resize(1280)
    browser.open(report[0])
    histograms = sum("histogram" in score for score in report[1].profile["scores"].values())
    drawn = """[...document.querySelectorAll('svg.histogram')].filter(s => {
        const box = s.querySelector('path.kept').getBBox(); return box.width > 1 && box.height > 50 }).length"""
    assert browser.evaluate(drawn) == histograms
    assert browser.evaluate("getComputedStyle(document.querySelector('path.kept')).fill") == "rgb(43, 122, 111)"
    # the content policy must not have blocked pictures
    assert browser.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")


def test_every_sound_can_be_played(browser: Any, report: tuple[str, Any]) -> None:
    browser.resize(1280)
    browser.open(report[0])
    play = """Promise.all([...document.querySelectorAll('audio')].map(a => new Promise(done => {
        const say = () => done([a.duration, a.currentTime, a.error && a.error.message]);
        a.muted = true; a.ontimeupdate = () => a.currentTime > 0.1 && say(); a.onerror = say;
        setTimeout(say, 15000); a.play().catch(say) })))"""
    found = browser.evaluate(play)
    playable = [example for example in report[1].examples if len(example.audio_wav) > 100]
    assert len(found) == len(playable)
    for duration, current, error in found:
        assert error is None
        assert 1 < duration < 20
        assert current > 0.1


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_no_width_makes_the_page_scroll_sideways(browser: Any, report: tuple[str, Any], width: int) -> None:
    browser.resize(width)
    browser.open(report[0])
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    outside = """[...document.querySelectorAll('main *')]
        .filter(e => !e.closest('.scroll, pre, blockquote, svg') && !e.classList.contains('skip'))
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 90))"""
    assert browser.evaluate(outside) == []


CONTRAST = """(() => {
    const parse = c => { const n = c.match(/[\\d.]+/g).map(Number);
        return c.startsWith('color(') ? [...n.slice(0, 3).map(v => 255 * v), ...n.slice(3)] : n };
    const linear = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    const luminance = c => .2126 * linear(c[0]) + .7152 * linear(c[1]) + .0722 * linear(c[2]);
    const over = (a, b) => { const t = a.length > 3 ? a[3] : 1; return [0, 1, 2].map(i => a[i] * t + b[i] * (1 - t)) };
    const ground = e => { const own = parse(getComputedStyle(e).backgroundColor);
        return own.length === 3 ? own : over(own, e.parentElement ? ground(e.parentElement) : [255, 255, 255]) };
    const low = new Set();
    for (const e of document.querySelectorAll('body *')) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.getClientRects().length) continue;
        const style = getComputedStyle(e), back = ground(e);
        const ink = over(parse(e.closest('svg') ? style.fill : style.color), back);
        const [bright, dim] = [luminance(ink), luminance(back)].sort((a, b) => b - a);
        if ((bright + .05) / (dim + .05) < 4.5) low.add(e.tagName + ' ' + e.textContent.slice(0, 40));
    }
    return [...low] })()"""


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_its_ground_in_both_schemes(browser: Any, report: tuple[str, Any], dark: bool) -> None:
    """WCAG 2.1, success criterion 1.4.3: a contrast ratio of 4.5 or more."""
    browser.resize(1280, dark=dark)
    browser.open(report[0])
    brightness = sum(
        map(int, browser.evaluate("getComputedStyle(document.body).backgroundColor").strip("rgb()").split(","))
    )
    assert (brightness < 150) == dark
    assert browser.evaluate(CONTRAST) == []


def test_the_keyboard_reaches_everything_and_shows_where_it_is(browser: Any, report: tuple[str, Any]) -> None:
    browser.resize(1280)
    browser.open(report[0])
    seen = []
    for _ in range(16):
        for kind in ("keyDown", "keyUp"):
            browser.send("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        seen.append(
            browser.evaluate(
                "[document.activeElement.textContent.trim().slice(0, 20), "
                "getComputedStyle(document.activeElement).outlineStyle, document.activeElement.getAttribute('href')]"
            )
        )
    assert seen[0][0] == "Skip to the content"
    sections = ["ledgers", "reasons", "scores", "losses", "gate", "representations", "diagnostics"]
    sections += ["curricula", "timings", "listen"]
    assert [href for _, _, href in seen[1:11]] == [f"#{name}" for name in sections]
    assert all(outline != "none" for _, outline, _ in seen)


def test_lines_of_the_diagnostics_are_drawn_inside_their_chart(browser: Any, report: tuple[str, Any]) -> None:
    browser.resize(1280)
    browser.open(report[0])
    drawn = """[...document.querySelectorAll('svg.lines')].map(s => {
        const outer = s.getBoundingClientRect(), line = s.querySelector('path.curve');
        const inner = line.getBoundingClientRect();
        return [outer.width > 200, inner.width > 50, inner.left >= outer.left && inner.right <= outer.right,
                getComputedStyle(line).fill === 'none', getComputedStyle(line).stroke !== 'none'].every(Boolean) })"""
    found = browser.evaluate(drawn)
    assert found
    assert all(found)

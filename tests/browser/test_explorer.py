"""The explorer in a real browser: pages that need no script, sounds that play, a filter that submits."""

from __future__ import annotations

import hashlib
import importlib.util
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from auricle.dashboards.explorer.explorer import application

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(address, key of a clip that can be heard) of an explorer in a thread."""
    path = Path(__file__).parents[1] / "unit/dashboards/conftest.py"
    spec = importlib.util.spec_from_file_location("dashboard_sample", path)
    assert spec is not None
    assert spec.loader is not None
    made = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    folder = tmp_path_factory.mktemp("explorer")
    rows = made.make_rows(120, 1)
    row = next(row for row in rows if row["status"] == "kept")
    sound = folder / row["path"]
    sound.parent.mkdir(parents=True)
    sound.write_bytes(made.make_sound("kept", row["duration_s"]))
    row["recording"] = hashlib.sha256(sound.read_bytes()).hexdigest()
    parts, document = made.write_parts(rows, folder / "parts"), made.make_document(rows)
    sources = [{"name": name, "path": str(folder)} for name in ("library", "radio", "phone")]

    class Version:
        def __init__(self, number: int) -> None:
            changed = {"number": number, "parent": number - 1 or None, "config": document.config | {"sources": sources}}
            self.document = document.model_copy(update=changed)

        def files(self) -> list[Path]:
            return parts

        def derived(self, name: str) -> bytes | None:
            return None

    class Dataset:
        name = made.HOSTILE[0]

        def numbers(self) -> list[int]:
            return [1, 2]

        def open(self, number: int) -> Version:
            return Version(number)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(application(Dataset()), port=port, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}", row["clip"]
    server.should_exit = True
    thread.join(timeout=30)


@pytest.mark.parametrize(
    "page", ["/", "/v/2", "/v/2/clip/{key}", "/compare/1/2", "/v/2/report", "/v/2?where=nonsense+("]
)
@pytest.mark.parametrize("width", [360, 1280])
def test_pages_stay_at_home_complain_of_nothing_and_fit(
    browser: Any, site: tuple[str, str], page: str, width: int
) -> None:
    browser.resize(width)
    browser.open(site[0] + page.format(key=site[1]))
    assert all(url.startswith(site[0]) for url in browser.requests())
    assert [c for c in browser.complaints() if "400 (Bad Request)" not in c] == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert "owned" not in browser.evaluate("document.title").split(" · ")


def test_a_filter_typed_and_sent_narrows_the_list(browser: Any, site: tuple[str, str]) -> None:
    browser.resize(1280)
    browser.open(f"{site[0]}/v/2")
    everything = browser.evaluate("document.querySelectorAll('tbody a').length")
    browser.evaluate("document.querySelector('input[name=where]').value = \"list_contains(reasons, 'noisy')\"")
    browser.events.clear()
    browser.evaluate("document.querySelector('form button').click()")
    deadline = time.monotonic() + 30
    while (
        "noisy" not in (browser.evaluate("location.search") or "")
        or browser.evaluate("document.readyState") != "complete"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    found = browser.evaluate("document.querySelectorAll('tbody a').length")
    assert 0 < found < everything
    assert browser.evaluate("[...document.querySelectorAll('tbody tr')].every(r => r.textContent.includes('noisy'))")


def test_a_clip_can_be_heard_seen_and_skipped_through(browser: Any, site: tuple[str, str]) -> None:
    browser.resize(1280)
    browser.open(f"{site[0]}/v/2/clip/{site[1]}")
    assert browser.evaluate("document.querySelector('.sound img').naturalWidth") == 960
    heard = browser.evaluate(
        """new Promise(done => { const a = document.querySelector('audio'); a.muted = true;
            const say = () => done([a.duration, a.currentTime, a.error && a.error.message]);
            a.onerror = say; a.onseeked = say; setTimeout(say, 20000);
            a.onplaying = () => { a.onplaying = null; a.currentTime = a.duration - 0.3 };
            a.play().catch(say) })"""
    )
    duration, current, error = heard
    assert error is None
    assert duration > 0.5
    assert current >= duration - 0.35

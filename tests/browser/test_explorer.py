"""The explorer in a real browser: pages that need no script, sounds that play, a filter that submits."""

from __future__ import annotations

import hashlib
import importlib.util
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from auricle.dashboards.explorer.explorer import application

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def made() -> Any:
    """The made-up version of the unit tests of the dashboards."""
    path = Path(__file__).parents[1] / "unit/dashboards/conftest.py"
    spec = importlib.util.spec_from_file_location("dashboard_sample", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def explored(made: Any, rows: list[dict[str, Any]], folder: Path) -> Iterator[str]:
    """Address of an explorer in a thread that shows two versions of `rows`; sounds lie in `folder`."""
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
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=30)


@pytest.fixture(scope="module")
def site(made: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(address, key of a clip that can be heard) of an explorer in a thread."""
    folder = tmp_path_factory.mktemp("explorer")
    rows = made.make_rows(120, 1)
    row = next(row for row in rows if row["status"] == "kept")
    sound = folder / row["path"]
    sound.parent.mkdir(parents=True)
    sound.write_bytes(made.make_sound("kept", row["duration_s"]))
    row["recording"] = hashlib.sha256(sound.read_bytes()).hexdigest()
    with explored(made, rows, folder) as address:
        yield address, row["clip"]


@pytest.fixture(scope="module")
def wide_site(made: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """(address, key of a clip) of an explorer whose texts are long and hold no space, broken for several reasons."""
    rows = made.make_rows(120, 1)
    for row in rows:
        row["path"] = f"{row['source']}/" + "a_folder-of-recordings/" * 6 + row["path"].rsplit("/", 1)[1]
        row["transcript"] = "\u6211\u4eec\u4eca\u5929" * 40 if row["start"] % 2 else "transcriptwithoutaspace" * 12
        row["speaker"] = f"librivox-reader-{row['speaker']}".replace(" ", "-")
        if row["status"] == "dropped":
            row["reasons"] = ["transcript", "noisy", "narrow", "clipped", "a-rather-long-reason-of-a-user"]
    with explored(made, rows, tmp_path_factory.mktemp("wide")) as address:
        yield address, rows[0]["clip"]


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


@pytest.mark.parametrize("page", ["/", "/v/2", "/v/2/clip/{key}", "/compare/1/2"])
@pytest.mark.parametrize("width", [1024, 1280])
def test_tables_of_long_paths_and_texts_without_a_space_end_inside_the_window(
    browser: Any, wide_site: tuple[str, str], page: str, width: int
) -> None:
    browser.resize(width, 800)
    browser.open(wide_site[0] + page.format(key=wide_site[1]))
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # nor is there anything to scroll to inside the page
    regions = browser.evaluate(
        "[...document.querySelectorAll('.scroll')].map(r => [r.innerText.slice(0, 40), r.scrollWidth - r.clientWidth])"
    )
    assert regions
    assert [region for region in regions if region[1] > 0] == []


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

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import numpy as np
import pytest
import soundfile

from auricle.dashboards.drawing.profile import profile
from auricle.dashboards.explorer.catalog import Catalog, StoredDataset
from auricle.dashboards.explorer.explorer import EXPORT_ROWS, _csv_line, application
from auricle.schemas.errors import IntegrityError


@dataclass
class FakeVersion:
    """What `open_version` gives, made of the sample."""

    document: Any
    parts: list[Path]
    extra: dict[str, bytes]

    def files(self) -> list[Path]:
        return self.parts

    def derived(self, name: str) -> bytes | None:
        return self.extra.get(name)


class FakeDataset:
    """Versions 1 and 2; 3 is listed and cannot be read."""

    name = 'speech <set> "x"'

    def __init__(self, versions: dict[int, FakeVersion]) -> None:
        self.versions, self.opened = versions, []

    def numbers(self) -> list[int]:
        return [1, 2]

    def open(self, number: int) -> FakeVersion:
        self.opened.append(number)
        if number not in self.versions:
            raise IntegrityError(f"version {number} is damaged")
        return self.versions[number]


class Site:
    """A browser without a network: requests go straight to the application."""

    def __init__(self, dataset: Any) -> None:
        self.application = application(dataset)

    def get(self, path: str, host: str = "127.0.0.1", method: str = "GET", **headers: str) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.application, raise_app_exceptions=True)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def dataset(sample: Any, tmp_path_factory: pytest.TempPathFactory) -> FakeDataset:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("explorer")
    rows = [dict(row) for row in sample.rows]
    sound = folder / "library" / "tone.wav"
    sound.parent.mkdir()
    soundfile.write(sound, 0.5 * np.sin(np.arange(32000) / 10), 16000)
    rows[0] |= {
        "source": "library", "path": "tone.wav", "recording": hashlib.sha256(sound.read_bytes()).hexdigest(),
        "end": 32000, "duration_s": 2.0, "transcript": "</td><script>alert(1)</script>", "group": "g",
        "speaker": "=1+1",
    }  # fmt: skip
    rows[1] |= {"group": "g", "path": "<img src=x onerror=alert(1)>", "channel": 1}
    schema = pq.read_schema(sample.parts[0])
    versions = {}
    for number, chosen in ((1, rows[::2] + rows[1:2]), (2, rows)):
        part = folder / f"{number}.parquet"
        pq.write_table(pa.Table.from_pylist(chosen, schema=schema), part)
        sources = [{"name": name, "path": str(folder / name)} for name in ("library", "radio", "phone")]
        document = sample.document.model_copy(
            update={
                "number": number,
                "parent": number - 1 or None,
                "config": sample.document.config | {"sources": sources},
            }
        )
        versions[number] = FakeVersion(document, [part], {})
    return FakeDataset(versions)


@pytest.fixture(scope="module")
def site(dataset: FakeDataset) -> Site:
    return Site(dataset)


@pytest.fixture(scope="module")
def key(sample: Any) -> str:
    return sample.rows[0]["clip"]


def test_every_page_answers_with_its_policy(site: Site, key: str) -> None:
    pages = ["/", "/v/2", f"/v/2/clip/{key}", "/compare/1/2", "/v/2/report", "/style.css", "/v/1?where=snr_db+%3C+10"]
    for path in pages:
        answer = site.get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "<script" not in answer.text
        assert not re.search(r"""(?:src|href|action)=["']?(?:https?:)?//""", answer.text)
        assert " style=" not in answer.text


def test_versions_are_listed_newest_first(site: Site) -> None:
    text = site.get("/").text
    assert text.index("/v/2") < text.index("/v/1")
    assert "/compare/1/2" in text
    assert "speech &lt;set&gt; &#34;x&#34;" in text


def test_following_the_pages_shows_every_clip_once(site: Site, sample: Any) -> None:
    path, seen = "/v/2?sort=snr_db&down=1", []
    for _ in range(20):
        text = site.get(path).text
        seen += re.findall(r"/v/2/clip/([0-9a-f]{32})", text)
        following = re.search(r'rel="next" href="([^"]+)"', text)
        if not following:
            break
        path = following[1].replace("&amp;", "&")
    assert len(seen) == len(sample.rows)
    assert set(seen) == {row["clip"] for row in sample.rows}


def test_a_filter_narrows_the_list_and_stays_in_the_links(site: Site, sample: Any) -> None:
    where = "list_contains(reasons, 'narrow') and status = 'dropped'"
    text = site.get(f"/v/2?{urlencode({'where': where})}").text
    assert f"{sum('narrow' in row['reasons'] for row in sample.rows)} clips" in text
    assert f'value="{where}"'.replace("'", "&#39;") in text
    assert f"clips.csv?{urlencode({'where': where})}" in text


@pytest.mark.parametrize(
    "ask",
    [
        {"where": "getenv('HOME') = 'x'"},
        {"where": "1) union select (1"},
        {"where": '"><script>alert(1)</script>'},
        {"where": "path > 5"},
        {"sort": "nope"},
        {"sort": "reasons"},
        {"after": "damaged"},
    ],
)
def test_a_bad_question_is_answered_with_what_is_wrong(site: Site, ask: dict[str, str]) -> None:
    answer = site.get(f"/v/2?{urlencode(ask)}")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "<script>" not in answer.text


def test_a_clip_shows_its_sound_scores_rules_and_neighbours(site: Site, key: str, sample: Any) -> None:
    text = site.get(f"/v/2/clip/{key}").text
    assert f"/v/2/clip/{key}/audio.wav" in text
    assert "&lt;/td&gt;&lt;script&gt;" in text
    assert "Active speech power over mean noise power" in text
    assert "bandwidth_hz &gt;= 4200" in text
    assert f"/v/2/clip/{sample.rows[1]['clip']}" in text
    other = site.get(f"/v/2/clip/{sample.rows[1]['clip']}").text
    assert "No sound:" in other
    assert "&lt;img src=x" in other


def test_sound_is_served_whole_and_in_ranges(site: Site, key: str) -> None:
    whole = site.get(f"/v/2/clip/{key}/audio.wav")
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/wav")
    samples, rate = soundfile.read(io.BytesIO(whole.content))
    assert (len(samples), rate) == (32000, 16000)
    part = site.get(f"/v/2/clip/{key}/audio.wav", Range="bytes=100-199")
    assert part.status_code == 206
    assert part.content == whole.content[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert site.get(f"/v/2/clip/{key}/audio.wav", Range="bytes=99999999-").status_code == 416
    picture = site.get(f"/v/2/clip/{key}/spectrogram.png")
    assert picture.content.startswith(b"\x89PNG")


def test_what_is_not_there_is_a_page_that_says_so(site: Site, key: str) -> None:
    for path in (
        "/v/9", "/v/9/report", f"/v/2/clip/{'0' * 32}", "/v/2/clip/%27%20or%20true", "/compare/9/2", "/compare/2/9",
        "/v/2/clip/..%2f..%2fetc%2fpasswd", "/static/..%2f..%2fetc%2fpasswd", "/v/2/clip/" + "a" * 5000, "/nope",
    ):  # fmt: skip
        answer = site.get(path)
        assert answer.status_code == 404, path
        assert "<h1>" in answer.text
        assert "root:" not in answer.text


def test_other_host_names_and_other_methods_are_refused(site: Site) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0"):
        assert site.get("/", host=host).status_code == 400
    assert site.get("/", host="localhost").status_code == 200
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert site.get("/v/2", method=method).status_code == 405
    assert site.get("/v/2", method="HEAD").status_code == 200


def test_a_damaged_version_is_told_and_not_a_traceback(dataset: FakeDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "numbers", lambda: [1, 2, 3])
    answer = Site(dataset).get("/v/3")
    assert answer.status_code == 400
    assert "version 3 is damaged" in answer.text


def test_the_export_is_the_filtered_table_and_harmless_in_a_spreadsheet(site: Site, sample: Any) -> None:
    answer = site.get(f"/v/2/clips.csv?{urlencode({'where': chr(39) + 'narrow' + chr(39) + ' in reasons'})}")
    assert 'filename="version-2-clips.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["clip"] for row in rows} == {row["clip"] for row in sample.rows if "narrow" in row["reasons"]}
    first = next(csv.DictReader(io.StringIO(site.get("/v/2/clips.csv?where=speaker+%3D+%27%3D1%2B1%27").text)))
    assert first["speaker"] == "'=1+1"
    assert float(first["snr_db"]) == pytest.approx(sample.rows[0]["snr"]["snr_db"], rel=1e-5)
    assert site.get("/v/2/clips.csv?where=getenv()").status_code == 400
    assert len(sample.rows) <= EXPORT_ROWS
    assert _csv_line(["-1", -1, "@x", 'a"b', None]) == '\'-1,-1,\'@x,"a""b",\r\n'


def test_a_comparison_counts_what_moved(site: Site, sample: Any) -> None:
    text = site.get("/compare/1/2").text
    assert "From version 1 to version 2" in text
    assert "No clip flipped between kept and dropped" in text
    assert "<polyline" not in text
    assert text.count('class="previous"') >= 5


def test_a_stored_profile_and_report_are_used_and_a_report_is_inert(dataset: FakeDataset, sample: Any) -> None:
    version = dataset.versions[2]
    own = profile(version.parts, version.document.curators)
    own["reasons"] = {"invented": {"clips": 3, "hours": 0.1, "only": 3}}
    version.extra |= {
        "profile.json": json.dumps(own).encode(),
        "report.html": b"<script>alert(1)</script>stored",
        "diagnostics.json": b"not json",
    }
    try:
        site = Site(dataset)
        assert "invented" in site.get("/v/2").text
        answer = site.get("/v/2/report")
        assert "stored" in answer.text
        assert answer.headers["content-security-policy"].startswith("sandbox;")
        version.extra |= {"profile.json": b'{"schema": "auricle.profile/999"}'}
        del version.extra["report.html"]
        site = Site(dataset)
        assert "invented" not in site.get("/v/2").text
        assert "auricle report" in site.get("/v/2/report").text
    finally:
        version.extra.clear()


def test_a_version_is_opened_once_and_the_oldest_is_let_go(dataset: FakeDataset) -> None:
    dataset.opened.clear()
    catalog = Catalog(dataset, keep=1)
    first = catalog.version(1)
    assert catalog.version(1) is first
    assert catalog.version(2) is not None
    assert catalog.version(1) is not first
    assert dataset.opened == [1, 2, 1]
    assert catalog.version(7) is None


def test_a_dataset_on_disk_is_explored_through_the_loaders(sample: Any, tmp_path: Path) -> None:
    layout = pytest.importorskip("auricle.loaders.storage.layout")
    from auricle.schemas.keys import sha256_file
    from auricle.schemas.version import Object

    parts = []
    for part in sample.parts:
        sha = sha256_file(part)
        target = tmp_path / "corpus" / layout.clips_path(sha)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(part.read_bytes())
        parts.append(Object(sha256=sha, num_bytes=target.stat().st_size, rows=210))
    document = sample.document.model_copy(update={"number": 1, "parent": None, "clips": parts})
    published = tmp_path / "corpus" / layout.version_path(1)
    published.parent.mkdir()
    published.write_bytes(document.to_json())
    stored = StoredDataset(str(tmp_path / "corpus"))
    assert (stored.name, stored.numbers()) == ("corpus", [1])
    text = Site(stored).get("/v/1").text
    assert f"{len(sample.rows)} clips" in text

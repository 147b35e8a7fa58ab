"""Off loopback the explorer answers whoever has its token, by whatever name they call it, and nobody else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from dataset_factory import voices, write_version

from auricle.dashboards.explorer.catalog import StoredDataset
from auricle.dashboards.explorer.explorer import LOOPBACK, allowed_hosts, application
from auricle.dashboards.explorer.sounds import SoundError, read_span
from auricle.jobs.models import hearing

TOKEN = "a-word"


@pytest.fixture
def url(tmp_path: Path) -> str:
    write_version(str(tmp_path / "data"), voices(1))
    return str(tmp_path / "data")


def get(
    url: str, path: str, *, host: str = "0.0.0.0", name: str = "laptop.example", cookie: str = ""
) -> httpx.Response:
    """What it answers when it listens on `host` and is called `name`."""
    token = None if host in LOOPBACK else TOKEN
    app = application(StoredDataset(url), allowed_hosts(host, ()), token=token)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{name}") as client:
            return await client.get(path, headers={"Cookie": cookie} if cookie else {})

    return asyncio.run(ask())


def test_every_name_is_answered_once_the_token_was_shown(url: str) -> None:
    opened = get(url, f"/v/1?sort=clip&token={TOKEN}")
    assert (opened.status_code, opened.headers["location"]) == (303, "/v/1?sort=clip")
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    for name in ("laptop.example", "10.0.0.7", "localhost"):
        assert get(url, "/", name=name, cookie=cookie.partition(";")[0]).status_code == 200


def test_without_the_token_nothing_is_shown(url: str) -> None:
    for path in ("/", "/v/1", "/style.css", "/?token=another", "/v/1/clips.csv"):
        answer = get(url, path)
        assert answer.status_code == 401
        assert "token" in answer.text
    assert get(url, "/", cookie="auricle=another").status_code == 401


def test_on_loopback_only_loopback_names_are_answered_and_no_token_is_asked_for(url: str) -> None:
    assert get(url, "/", host="127.0.0.1", name="localhost").status_code == 200
    assert get(url, "/", host="127.0.0.1", name="evil.example").status_code == 400


def test_names_that_were_given_are_the_only_ones(url: str) -> None:
    assert allowed_hosts("0.0.0.0", ["box.lan"]) == [*LOOPBACK, "box.lan"]
    assert allowed_hosts("10.0.0.7", ["box.lan"]) == [*LOOPBACK, "box.lan", "10.0.0.7"]


def test_clips_of_formats_that_libsndfile_lacks_are_heard(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    noise = np.random.default_rng(0).normal(0, 0.1, (1, 48_000)).astype(np.float32)
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
        frame.sample_rate = 48_000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    with pytest.raises(SoundError):
        read_span(path, 0, 0, 1000)
    read = hearing.hearing().read
    waveform, rate = read(path, 0, 1000, 21_000)
    assert (waveform.shape, rate) == ((20_000,), 48_000)
    with pytest.raises(SoundError, match="has 1 channel"):
        read(path, 1, 0, 1000)
    with pytest.raises(SoundError, match="ends at sample"):
        read(path, 0, 0, 10_000_000)


def test_what_both_readers_open_sounds_alike(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, (48_000, 2)), 48_000)
    assert np.array_equal(read_span(path, 1, 500, 9000)[0], hearing.read_any(path, 1, 500, 9000)[0])

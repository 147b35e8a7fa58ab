"""The end state is right although the object store answers with errors, resets, half bodies and stalls."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from dataset_factory import CODES, voices, write_version
from flaky_proxy import KINDS, FlakyProxy
from object_store import s3_server, use_s3

import auricle.loaders.storage.store
from auricle.loaders import open_version
from auricle.loaders.care.verify import verify
from auricle.loaders.copies.pull import pull
from auricle.loaders.reading.refs import tag
from auricle.loaders.storage.store import Store
from auricle.pipelines.publishing.lease import lease
from auricle.pipelines.publishing.publish import publish
from auricle.pipelines.upkeep.compact import compact
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.errors import StorageError

BUCKET = "auricle-faults"
Flaky = Callable[..., FlakyProxy]


@pytest.fixture(scope="module")
def upstream() -> Iterator[tuple[str, int]]:
    with s3_server() as url:
        host, _, port = url.removeprefix("http://").partition(":")
        yield host, int(port)


@pytest.fixture
def dataset(upstream: tuple[str, int], monkeypatch: pytest.MonkeyPatch, tmp_path, request) -> str:
    """A prefix of a bucket on the object store itself."""
    use_s3(f"http://{upstream[0]}:{upstream[1]}", BUCKET, tmp_path / "cache", monkeypatch)
    return f"s3://{BUCKET}/{abs(hash(request.node.name)):x}"


@pytest.fixture
def flaky(upstream: tuple[str, int], dataset: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flaky]:
    """From its call on, stores that are opened go through a proxy that fails."""
    made: list[FlakyProxy] = []

    def start(**settings) -> FlakyProxy:
        made.append(FlakyProxy(upstream, **settings))
        monkeypatch.setenv("AWS_ENDPOINT_URL", made[-1].url)
        return made[-1]

    yield start
    for proxy in made:
        proxy.close()


@pytest.fixture
def direct(upstream: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Back to the store itself."""
    return lambda: monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{upstream[0]}:{upstream[1]}")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the store logged."""
    return [r.getMessage() for r in caplog.records if r.name == "auricle.loaders.storage.store"]


@pytest.mark.faults
@pytest.mark.parametrize("kind", KINDS)
def test_a_life_of_a_dataset_ends_right_through_every_kind_of_fault(
    dataset: str, flaky: Flaky, direct: Callable[[], None], tmp_path, kind: str
) -> None:
    proxy = flaky(rate=0.15, kinds=(kind,), seed=7)
    write_version(Store(dataset), voices(4))
    write_version(Store(dataset), [*voices(4), *voices(2, "w", speaker="bob")])
    tag(dataset, "paper", 1)
    assert compact(dataset) is not None
    takedown(dataset, speaker="bob", purge=True)
    pull(dataset, str(tmp_path / "pulled"), ["toy-codes"])
    assert proxy.faults[kind] >= 5
    direct()
    assert verify(dataset) == []
    assert open_version(dataset).document.number == 4
    assert {s.key for s in open_version(dataset).samples(CODES.name)} == {r.key for r in voices(4)}
    assert verify(str(tmp_path / "pulled")) == []


@pytest.mark.faults
def test_a_publish_whose_answer_was_lost_knows_that_it_won(dataset: str, flaky: Flaky) -> None:
    document = write_version(Store(dataset), voices(2))
    proxy = flaky(rate=1.0, kinds=("reset_after",), in_a_row=1)
    assert publish(Store(dataset), document.model_copy(update={"number": 2, "note": "mine"}))
    assert proxy.faults["reset_after"] > 1
    assert open_version(dataset).document.note == "mine"


@pytest.mark.faults
def test_a_lease_whose_answer_was_lost_is_held_by_who_asked(dataset: str, flaky: Flaky) -> None:
    flaky(rate=1.0, kinds=("reset_after",), in_a_row=1)
    with lease(Store(dataset), wait=False):
        pass


@pytest.mark.faults
def test_half_a_body_is_never_taken_for_the_whole(dataset: str, flaky: Flaky) -> None:
    data = bytes(range(256)) * 4096
    Store(dataset).put_new("object", data)
    flaky(rate=1.0, kinds=("truncated",), in_a_row=1)
    store = Store(dataset)
    assert store.get("object") == data
    assert store.get_ranges("object", [5, 700_000], [10, 20]) == [data[5:15], data[700_000:700_020]]


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["error500", "error503", "reset_before"])
def test_retries_are_bounded_backed_off_and_logged_and_the_error_names_the_object(
    dataset: str, flaky: Flaky, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    monkeypatch.setattr(auricle.loaders.storage.store, "ATTEMPTS", 4)
    proxy = flaky(rate=1.0, kinds=(kind,), in_a_row=1_000_000)
    started = time.monotonic()
    with caplog.at_level("WARNING"), pytest.raises(StorageError, match="versions/000001"):
        Store(dataset).get("versions/000001.json")
    assert proxy.requests == 4
    assert 1.4 < time.monotonic() - started < 15
    told = said(caplog)
    assert [line.rpartition("; ")[2].partition(" in ")[0] for line in told] == [f"try {n} of 4" for n in (2, 3, 4)]
    assert all("versions/000001.json" in line for line in told)
    pauses = [float(line.rpartition(" in ")[2].removesuffix(" s")) for line in told]
    assert 0.2 <= pauses[0] <= 0.6
    assert 0.8 <= pauses[2] <= 2.4


@pytest.mark.faults
def test_a_stall_of_ten_seconds_is_waited_for_and_a_longer_one_is_given_up_and_tried_again(
    dataset: str, flaky: Flaky, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Store(dataset).put_new("object", b"whole")
    flaky(rate=1.0, kinds=("stall",), in_a_row=1, stall_s=10)
    started = time.monotonic()
    assert Store(dataset).get("object") == b"whole"
    assert time.monotonic() - started > 9
    assert not said(caplog)
    monkeypatch.setattr(auricle.loaders.storage.store, "STALLED", timedelta(seconds=2))
    flaky(rate=1.0, kinds=("stall",), in_a_row=1, stall_s=10)
    started = time.monotonic()
    with caplog.at_level("WARNING"):
        assert Store(dataset).get("object") == b"whole"
    assert time.monotonic() - started < 9
    assert len(said(caplog)) == 1


@pytest.mark.faults
def test_a_long_listing_asks_again_only_for_the_page_that_failed(
    dataset: str, flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auricle.loaders.storage.store, "PAGE", 3)
    names = [f"folder/{i:02d}" for i in range(12)]
    for name in names:
        Store(dataset).put_new(name, b"x")
    proxy = flaky(rate=1.0, in_a_row=1, kinds=("error503",))
    assert [e.path for e in Store(dataset).list("folder")] == names
    assert proxy.requests <= 2 * 5
    assert list(Store(dataset).list("elsewhere")) == []


@pytest.mark.faults
def test_a_refusal_is_not_repeated(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong bucket is no fault in passing."""
    started = time.monotonic()
    with pytest.raises(StorageError, match="no-such-bucket"):
        Store(dataset.replace(BUCKET, "no-such-bucket")).put_new("object", b"x")
    assert time.monotonic() - started < 3

"""Torn receipts, flipped plans and payloads of runs that were killed: named, not believed, not in the way."""

from __future__ import annotations

import contextlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus import config, write_corpus
from damage import flip, killed

from auricle.loaders.care.verify import verify
from auricle.loaders.reading.version import numbers
from auricle.loaders.storage.store import Store
from auricle.pipelines.run import run
from auricle.pipelines.upkeep.garbage import abandon, unfinished
from auricle.schemas.errors import AuricleError, IntegrityError
from auricle.schemas.keys import sha256_file


def _cut(data: bytes) -> bytes:
    return data[:-20]


def _flipped_in_a_score(data: bytes) -> bytes:
    """One that still decodes: the reader of receipts checks no page."""
    table = pq.read_table(io.BytesIO(data))
    for at in range(4, len(data)):
        flipped = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with contextlib.suppress(OSError, pa.ArrowException):
            if not pq.read_table(io.BytesIO(flipped)).equals(table):
                return flipped
    raise AssertionError("no bit of it can be flipped unseen")


@pytest.mark.parametrize("damaged", [_cut, _flipped_in_a_score])
def test_a_damaged_receipt_is_named_and_the_run_goes_on_without_it(
    two_nights: Path, monkeypatch: pytest.MonkeyPatch, damaged: Callable[[bytes], bytes]
) -> None:
    write_corpus(two_nights / "audio", 2, first=12)
    with monkeypatch.context() as patch:
        patch.setattr("auricle.pipelines.run.decide", killed)
        with pytest.raises(RuntimeError, match="killed"):
            run(config(two_nights / "audio", two_nights / "data"))
    receipts = sorted((two_nights / "data/runs").rglob("score/receipts/**/*.parquet"))
    assert receipts
    receipts[0].write_bytes(damaged(receipts[0].read_bytes()))
    with pytest.raises(AuricleError) as caught:
        run(config(two_nights / "audio", two_nights / "data"))
    assert receipts[0].name in str(caught.value)
    receipts[0].unlink()
    outcome = run(config(two_nights / "audio", two_nights / "data"))
    assert outcome.version.document.counts.kept == 14
    assert verify(str(two_nights / "data")) == []


def test_a_plan_of_another_code_version_is_neither_believed_nor_in_the_way(
    two_nights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run was killed, auricle was upgraded: the plan on disk has other columns under the same names, receipts have
    another shape. The run plans anew, keeps what fits, and its bytes are those of an undisturbed run."""
    write_corpus(two_nights / "audio", 4, first=12)
    undisturbed = Path(shutil.copytree(two_nights / "data", two_nights / "undisturbed"))
    with monkeypatch.context() as patch:
        patch.setattr("auricle.pipelines.run.extract", killed)
        with pytest.raises(RuntimeError, match="killed"):
            run(config(two_nights / "audio", two_nights / "data"))
    plans = sorted((two_nights / "data/runs").rglob("plan/*.parquet"))
    assert len(plans) == 2
    for plan in plans:
        older = pq.read_table(plan, columns=["key"])
        pq.write_table(older.append_column("waveform_path", older["key"]), plan.with_name("older.parquet"))
        plan.with_name("older.parquet").rename(
            plan.with_name(f"{sha256_file(plan.with_name('older.parquet'))[:32]}.parquet")
        )
        plan.unlink()
    for receipt in sorted((two_nights / "data/runs").rglob("score/receipts/*/*.parquet")):
        old_shape = receipt.parent.with_name("0123456789ab-0123456789ab")
        old_shape.mkdir(exist_ok=True)
        receipt.rename(old_shape / receipt.name)
    outcome = run(config(two_nights / "audio", two_nights / "data"))
    assert {s.name: s.done for s in outcome.version.document.stages if s.name in ("probe", "score", "extract")} == {
        "probe": 0,
        "score": 4,
        "extract": 4,
    }
    run(config(two_nights / "audio", undisturbed))
    assert objects_of(two_nights / "data") == objects_of(undisturbed)
    assert verify(str(two_nights / "data")) == []


def objects_of(data: Path) -> dict[str, bytes]:
    files = [p for top in ("objects", "shards") for p in (data / top).rglob("*") if p.is_file()]
    return {p.relative_to(data).as_posix(): p.read_bytes() for p in files}


def test_a_damaged_plan_is_named_with_what_to_do(two_nights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_corpus(two_nights / "audio", 2, first=12)
    with monkeypatch.context() as patch:
        patch.setattr("inprocess.OneProcess.run", killed)
        with pytest.raises(RuntimeError, match="killed"):
            run(config(two_nights / "audio", two_nights / "data"))
    [plan] = (two_nights / "data/runs").rglob("plan/*.parquet")
    flip(plan)
    with pytest.raises(IntegrityError, match=r"plan.*auricle abandon"):
        run(config(two_nights / "audio", two_nights / "data"))
    [left] = unfinished(str(two_nights / "data"))
    abandon(str(two_nights / "data"), left.run)
    assert run(config(two_nights / "audio", two_nights / "data")).version.document.counts.kept == 14


def test_a_flipped_payload_of_an_unfinished_run_is_not_packed(
    two_nights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = two_nights / "data"
    write_corpus(two_nights / "audio", 2, first=12)
    with monkeypatch.context() as patch:
        patch.setattr("auricle.pipelines.run.build", killed)
        with pytest.raises(RuntimeError, match="killed"):
            run(config(two_nights / "audio", data))
    payload = min(p for p in (data / "runs").rglob("payloads/*/*") if p.is_file())
    flip(payload, 0.5)
    with pytest.raises(IntegrityError, match="auricle abandon"):
        run(config(two_nights / "audio", data))
    assert numbers(Store(str(data))) == [1, 2]
    [left] = unfinished(str(data))
    abandon(str(data), left.run)
    assert run(config(two_nights / "audio", data)).version.document.counts.kept == 14
    assert verify(str(data)) == []

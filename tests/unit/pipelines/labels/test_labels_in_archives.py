"""Labels that lie in archives beside their recordings: read by other processes where there are many."""

from __future__ import annotations

import io
import json
import tarfile
from functools import partial
from pathlib import Path

import pytest

from auricle.pipelines.labels.read import Packed, Spread, Tally, read_labels, read_packed
from auricle.pipelines.tables import source_labels
from auricle.pipelines.work import own_process
from auricle.schemas.config import Source

COUNT = own_process.MANY + 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(COUNT):
        with tarfile.open(tmp_path / f"{number:03d}.tar", "w") as tar:
            for name in ("a", "b"):
                text = json.dumps({"text": f"{name} of {number}", "speaker": f"s{number}"})
                if number == 5 and name == "b":
                    text = text[:-3]
                for ending, data in ((".wav", bytes(600)), (".json", text.encode())):
                    item = tarfile.TarInfo(f"{name}{ending}")
                    item.size = len(data)
                    tar.addfile(item, io.BytesIO(data))
    for name in ("000", "zz"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "loose.wav").write_bytes(b"RIFF")
        (tmp_path / name / "loose.json").write_text(json.dumps({"text": f"loose in {name}"}))
    return tmp_path


def read(folder: Path, spread: Spread) -> tuple[list[dict[str, object]], list[str]]:
    paths = [f"{number:03d}.tar/{name}.wav" for number in range(COUNT) for name in ("a", "b")]
    paths = sorted([*paths, "000/loose.wav", "zz/loose.wav"])
    source, tallies = Source(path=str(folder), transcripts="*.json"), list[Tally]()
    rows = [row for b in read_labels([source], lambda _: paths, tallies, spread=spread) for row in b.to_pylist()]
    return rows, [tally.notice() for tally in tallies]


def test_other_processes_read_what_one_reads_in_the_same_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, notices = read(folder, partial(map, read_packed))
    assert len(rows) == 2 * COUNT - 1 + 2
    assert [row["transcript"] for row in rows[:4]] == ["a of 0", "b of 0", "loose in 000", "a of 1"]
    assert rows[-1]["transcript"] == "loose in zz"
    assert rows[1]["path"] == "000.tar/b.wav"
    assert len(notices) == 1
    assert "1 line of *.json cannot be used" in notices[0]
    monkeypatch.setattr(own_process, "HERE_S", 0.0)
    handed: list[int] = []
    run_each = own_process.run_each

    def counted(work, jobs, *rest):
        handed.append(len(jobs))
        return run_each(work, jobs, *rest)

    monkeypatch.setattr(source_labels, "run_each", counted)
    assert read(folder, source_labels.spread) == (rows, notices)
    assert handed == [COUNT - 1]


def test_an_archive_whose_labels_end_the_process_is_told_of() -> None:
    packed = Packed(Source(path="/nowhere", transcripts="*.txt"), "far/a.tar", ("far/a.tar/x.wav",))
    batches, tally = source_labels.ended(packed, -9, None)
    assert batches == []
    assert "1 line of *.txt cannot be used" in tally.notice()
    assert "code -9 (far/a.tar)" in tally.notice()

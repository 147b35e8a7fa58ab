"""Every label line ends as a clip, a failed clip with a reason, or a counted notice; labels belong to spans."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from corpus import config, write_clip, write_corpus
from inprocess import without_ray

from auricle.loaders import Version
from auricle.loaders.care.verify import verify
from auricle.pipelines.run import run
from auricle.schemas.config import RunConfig

DATA = Path(__file__).resolve().parents[5] / "shared" / "data" / "reports"


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ray(monkeypatch)


def settings(audio: Path, data: Path, transcripts: str = "m.jsonl", **changes: Any) -> RunConfig:
    return config(audio, data, sources=[{"path": str(audio), "name": "s", "transcripts": transcripts}], **changes)


def manifest(audio: Path, *rows: dict[str, Any] | str) -> None:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (audio / "m.jsonl").write_text("".join(f"{line}\n" for line in lines))


def span(start: Any, duration: Any, text: str | None = None, file: str = "a.wav") -> dict[str, Any]:
    return {"audio_filepath": file, "offset": start, "duration": duration, "text": text}


class Notes(list[str]):
    """Progress that keeps its notices."""

    def __bool__(self) -> bool:
        return True

    def notice(self, text: str) -> None:
        self.append(text)

    def begin(self, stage: str, items: int, audio_s: float, units: int) -> None: ...

    def unit(self, outcome: Any) -> None: ...

    def end(self, stage: str) -> None: ...


def clips(version: Version) -> dict[tuple[float, float], dict[str, Any]]:
    rows = version.clips().to_pylist()
    return {(r["start"] / r["sample_rate"], r["end"] / r["sample_rate"]): r for r in rows}


def adds_up(notes: Notes) -> int:
    """Lines of the ledger, after checking that its parts are the whole."""
    (line,) = (note for note in notes if "label lines =" in note)
    total, parts = re.search(r": ([\d,]+) label lines = (.*)", line).groups()  # type: ignore[union-attr]
    numbers = [int(part.split(" ", 1)[0].replace(",", "")) for part in parts.split(" + ")]
    assert sum(numbers) == int(total.replace(",", ""))
    return sum(numbers)


def test_corrected_labels_are_seen_though_every_line_is_there_twice(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    write_corpus(audio, 2)
    table = audio / "transcripts.tsv"
    header, *lines = table.read_text().splitlines()
    wrong, right = [f"{line} wrong" for line in lines], [f"{line} right" for line in lines]
    table.write_text("\n".join([header, *wrong, *wrong]) + "\n")
    given = config(audio, tmp_path / "data")
    run(given)
    table.write_text("\n".join([header, *reversed(wrong), *wrong]) + "\n")
    assert run(given).status == "unchanged", "the order of lines says nothing"
    table.write_text("\n".join([header, *right, *right]) + "\n")
    outcome = run(given)
    assert outcome.status == "published"
    assert {t.split()[-1] for t in outcome.version.clips(["transcript"])["transcript"].to_pylist()} == {"right"}


def test_two_labels_with_one_start_and_different_ends_are_two_clips_each_with_its_text(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    write_clip(audio / "a.wav", 1, seconds=4)
    manifest(audio, span(1.0, 1.0, "one"), span(1.0, 2.0, "one and two"), span(1.0, None, "all the rest"))
    found = clips(run(settings(audio, tmp_path / "data")).version)
    assert {key: row["transcript"] for key, row in found.items()} == {
        (1.0, 2.0): "one",
        (1.0, 3.0): "one and two",
        (1.0, 4.0): "all the rest",
    }
    assert not any(row["label_conflict"] for row in found.values())


NO_TIMES = ("NaN", "Infinity", "-Infinity", "1e300", "1e9", '"nan"', "-1", "true", "[1]", '"x"', "1" * 400)


def test_numbers_that_are_no_times_make_a_line_unusable_and_no_more(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    write_clip(audio / "a.wav", 1, seconds=2)
    bad = [f'{{"audio_filepath": "a.wav", "offset": {n}, "duration": 1, "text": "bad"}}' for n in NO_TIMES]
    bad += [f'{{"audio_filepath": "a.wav", "offset": 1, "duration": {n}, "text": "bad"}}' for n in NO_TIMES]
    manifest(audio, span(0.5, 1.0, "good"), *bad)
    notes = Notes()
    found = clips(run(settings(audio, tmp_path / "data"), progress=notes).version)
    assert {row["transcript"] for row in found.values()} == {"good"}
    assert any(f"{len(bad)} lines of m.jsonl cannot be used" in note and "line 2" in note for note in notes), notes
    assert adds_up(notes) == 1 + len(bad)


def test_a_span_beyond_the_end_is_a_failed_clip_that_says_so_and_stays_one(tmp_path: Path) -> None:
    audio, data = tmp_path / "audio", tmp_path / "data"
    write_clip(audio / "a.wav", 1, seconds=2)
    manifest(audio, span(0.5, 1.0, "good"), span(99.0, 1.0, "beyond"), span(2.5, None, "after"), span(1.0, 5.0, "long"))
    notes = Notes()
    version = run(settings(audio, data), progress=notes).version
    counts = version.document.counts
    assert (counts.clips, counts.kept, counts.failed) == (4, 1, 3)
    assert version.document.failed_by_reason == {"past_end": 3}
    found = clips(version)
    assert found[99.0, 100.0]["message"].startswith("a.wav: the label asks for 99.000 s to 100.000 s")
    assert "truncated: accept" in found[1.0, 6.0]["message"]
    assert found[1.0, 6.0]["duration_s"] == 1.0, "what is there"
    assert found[1.0, 6.0]["transcript"] == "long"
    assert adds_up(notes) == 4
    assert verify(str(data)) == []
    assert run(settings(audio, data)).status == "unchanged"
    write_clip(audio / "b.wav", 2, seconds=1)
    again = run(settings(audio, data)).version.document
    assert again.failed_by_reason == {"past_end": 3}
    assert again.counts.clips == 5


def test_a_corrected_span_takes_the_place_of_the_failed_one(tmp_path: Path) -> None:
    audio, data = tmp_path / "audio", tmp_path / "data"
    write_clip(audio / "a.wav", 1, seconds=2)
    manifest(audio, span(1.0, 5.0, "long"))
    run(settings(audio, data))
    manifest(audio, span(1.0, 1.0, "long"))
    document = run(settings(audio, data)).version.document
    assert (document.counts.clips, document.counts.failed) == (1, 0)


def test_a_span_that_reaches_past_the_end_is_taken_and_marked_on_request(tmp_path: Path) -> None:
    audio, data = tmp_path / "audio", tmp_path / "data"
    write_clip(audio / "a.wav", 1, seconds=2)
    manifest(audio, span(1.0, 5.0, "long"), span(0.0, 2.3, "rounded"), span(9.0, 1.0, "beyond"))
    found = clips(run(settings(audio, data, segment={"truncated": "accept"})).version)
    assert found[1.0, 2.0]["status"] == "kept"
    assert found[1.0, 2.0]["transcript"] == "long"
    assert found[1.0, 2.0]["message"] == "cut at the end of the recording: its label asks for 1.000 to 6.000 s"
    assert found[0.0, 2.0]["message"] is None, "half a second is how rounding and padding make it"
    assert found[9.0, 10.0]["status"] == "failed"


def test_half_a_second_past_the_end_is_a_clip(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    write_clip(audio / "a.wav", 1, seconds=2)
    manifest(audio, span(1.0, 1.5, "to the half second"), span(1.5, 1.01, "beyond it"))
    found = clips(run(settings(audio, tmp_path / "data")).version)
    assert {key: row["status"] for key, row in found.items()} == {(1.0, 2.0): "kept", (1.5, 2.51): "failed"}
    assert found[1.0, 2.0]["transcript"] == "to the half second"


def test_a_label_of_a_channel_that_is_not_there_is_counted(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    write_clip(audio / "a.wav", 1, seconds=2, channels=2)
    manifest(audio, span(0.5, 1.0, "left") | {"channel": 0}, span(1.0, 9.0, "third") | {"channel": 2})
    notes = Notes()
    version = run(settings(audio, tmp_path / "data"), progress=notes).version
    assert adds_up(notes) == 2
    assert any("1 of channels that are not there (a.wav)" in note for note in notes)
    texts = {row["channel"]: row["transcript"] for row in version.clips().to_pylist()}
    assert texts == {0: "left", 1: None}


def test_a_window_does_not_get_the_text_of_the_whole_recording(tmp_path: Path) -> None:
    audio = tmp_path / "audio"
    write_clip(audio / "clip_0001.wav", 1, seconds=2)
    write_clip(audio / "clip_0002.wav", 2, seconds=0.8)
    (audio / "t.tsv").write_text("file\tspeaker\ttranscript\nclip_0001.wav\tann\ta b c\nclip_0002.wav\tbob\td e\n")
    notes = Notes()
    version = run(
        settings(audio, tmp_path / "data", "t.tsv", segment={"method": "fixed", "max_s": 1.0}), progress=notes
    ).version
    rows = version.clips().to_pylist()
    long = [row for row in rows if row["path"] == "clip_0001.wav"]
    assert len(long) == 2
    assert {row["transcript"] for row in long} == {None}
    assert {row["speaker"] for row in long} == {"ann"}, "what is true of the whole is true of its parts"
    assert all("no text: its label is of the whole recording" in row["message"] for row in long)
    (short,) = (row for row in rows if row["path"] == "clip_0002.wav")
    assert short["transcript"] == "d e", "one window that is the whole recording"
    assert any("1 label of a whole recording gives the windows no text" in note for note in notes), notes


pytestmark_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data beside the checkout")


def nemo(tmp_path: Path, name: str, **changes: Any) -> tuple[list[dict[str, Any]], Notes]:
    notes = Notes()
    given = [{"path": str(DATA / "nemo"), "name": "nemo", "transcripts": f"{name}.jsonl"}]
    outcome = run(config(DATA, tmp_path / "data", sources=given, **changes), progress=notes)
    rows = sorted(outcome.version.clips().to_pylist(), key=lambda row: row["start"])
    return rows, notes


@pytest.mark.data
@pytestmark_data
@pytest.mark.parametrize("name", ["nan_duration", "infinite_duration", "huge_offset"])
def test_reported_numbers_that_are_none_cost_their_line_only(tmp_path: Path, name: str) -> None:
    rows, notes = nemo(tmp_path, name)
    assert [(row["transcript"], row["status"]) for row in rows] == [("first words", "kept")]
    assert any("1 line of" in note and "line 2" in note for note in notes)
    assert adds_up(notes) == 2


@pytest.mark.data
@pytestmark_data
def test_reported_spans_beyond_the_end_fail_and_say_so(tmp_path: Path) -> None:
    rows, notes = nemo(tmp_path, "beyond_the_end")
    assert [(row["transcript"], row["status"]) for row in rows] == [("first words", "kept"), ("beyond", "failed")]
    assert adds_up(notes) == 2


@pytest.mark.data
@pytestmark_data
def test_a_reported_span_that_is_far_too_long_fails_or_is_marked(tmp_path: Path) -> None:
    rows, _ = nemo(tmp_path / "fail", "too_long")
    assert [row["status"] for row in rows] == ["kept", "failed"]
    rows, _ = nemo(tmp_path / "accept", "too_long", segment={"truncated": "accept"})
    assert [row["status"] for row in rows] == ["kept", "kept"]
    assert "cut at the end" in rows[1]["message"]


@pytest.mark.data
@pytestmark_data
def test_reported_rounding_past_the_end_is_cut_there(tmp_path: Path) -> None:
    rows, _ = nemo(tmp_path, "slightly_too_long")
    assert [(row["transcript"], row["status"]) for row in rows] == [("first words", "kept"), ("slightly", "kept")]
    assert rows[1]["duration_s"] < 2.2


@pytest.mark.data
@pytestmark_data
def test_reported_numbers_as_text_are_numbers(tmp_path: Path) -> None:
    rows, _ = nemo(tmp_path, "string_numbers")
    assert [(row["duration_s"], row["transcript"]) for row in rows] == [(1.5, None), (2.0, "first words")]


@pytest.mark.data
@pytestmark_data
def test_a_reported_manifest_of_windows_is_read_and_names_what_is_not_there(tmp_path: Path) -> None:
    rows, notes = nemo(tmp_path, "bom_crlf")
    assert [row["transcript"] for row in rows] == ["first words"]
    assert any("for example missing.flac" in note for note in notes)
    assert adds_up(notes) == 2

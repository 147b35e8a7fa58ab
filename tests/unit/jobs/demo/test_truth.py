"""The judge of the demo, on tables whose verdict is known."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from auricle.jobs.demo.planted import Defect, Planted, Truth
from auricle.jobs.demo.truth import compare, describe, snr_error
from auricle.schemas.tables import CLIP_CORE, RECORDINGS

SNR = pa.struct([pa.field("snr_db", pa.float32())])


def _file(path: str, defect: Defect, **facts: Any) -> Planted:
    return Planted(path, defect, "ben", "en", 16000, **facts)


def _tables(rows: dict[str, dict[str, Any]]) -> tuple[pa.Table, pa.Table]:
    """Tables of one clip per path: kept, unless the path's facts say otherwise; `recording` joins aliases."""
    clips: list[dict[str, Any]] = []
    recordings: dict[str, dict[str, Any]] = {}
    for path, facts in rows.items():
        name = facts.get("recording", path)
        failed = facts.get("recording_failed", False)
        recording = recordings.setdefault(
            name, {"recording": name, "aliases": [], "status": "failed" if failed else "decoded"}
        )
        recording["aliases"].append({"source": "demo", "path": path})
        if failed or len(recording["aliases"]) > 1:
            continue
        for channel in range(facts.get("channels", 1)):
            clips.append(
                {
                    "clip": f"clip of {path} {channel}".strip(),
                    "group": f"group of {path}",
                    "recording": name,
                    "channel": channel,
                    "status": facts.get("status", "dropped" if facts.get("reasons") else "kept"),
                    "reasons": facts.get("reasons", []),
                    "duplicate_of": facts.get("duplicate_of"),
                    "snr": {"snr_db": facts.get("snr_db")},
                }
            )
    schema = CLIP_CORE.append(pa.field("snr", SNR))
    return pa.Table.from_pylist(clips, schema=schema), pa.Table.from_pylist(list(recordings.values()), RECORDINGS)


def _judge(files: list[Planted], rows: dict[str, dict[str, Any]]):
    truth = Truth(0, tuple(files))
    return {r.defect: r for r in compare(truth, *_tables(rows))}


@pytest.mark.parametrize(
    ("defect", "reason"),
    [
        (Defect.SILENT, "silent"),
        (Defect.NOISY, "noisy"),
        (Defect.CLIPPED, "clipped"),
        (Defect.NARROWBAND, "narrowband"),
        (Defect.WRONG_TRANSCRIPT, "transcript"),
        (Defect.FOREIGN_TRANSCRIPT, "speaking_rate"),
    ],
)
def test_a_defect_is_found_only_for_a_reason_that_fits(defect, reason):
    files = [_file("a.wav", defect), _file("b.wav", defect), _file("c.wav", defect)]
    rows = {"a.wav": {"reasons": [reason, "other"]}, "b.wav": {"reasons": ["other"]}, "c.wav": {}}
    result = _judge(files, rows)[defect.value]
    assert (result.planted, result.found, result.accused) == (3, 1, 0)


def test_a_planted_file_that_the_version_has_lost_is_not_found():
    result = _judge([_file("a.wav", Defect.SILENT)], {})["silent"]
    assert (result.found, result.ok) == (0, False)


def test_a_clean_clip_counts_against_the_reason_that_it_was_dropped_for():
    files = [_file("a.wav", Defect.CLEAN), _file("b.wav", Defect.CLEAN), _file("n.wav", Defect.NOISY)]
    results = _judge(files, {"a.wav": {"reasons": ["noisy"]}, "b.wav": {}, "n.wav": {"reasons": ["noisy"]}})
    assert results["noisy"].accused == 1
    assert (results["clean"].planted, results["clean"].accused, results["clean"].ok) == (2, 1, False)


def test_one_accused_in_twenty_is_still_fine_and_two_are_not():
    files = [_file(f"{i}.wav", Defect.CLEAN) for i in range(20)]
    for accused, fine in ((1, True), (2, False)):
        rows = {f"{i}.wav": {"reasons": ["clipped"] if i < accused else []} for i in range(20)}
        assert _judge(files, rows)["clean"].ok is fine


def test_a_clean_clip_that_is_lost_or_failed_is_accused():
    files = [_file("a.wav", Defect.CLEAN), _file("b.wav", Defect.CLEAN)]
    results = _judge(files, {"b.wav": {"status": "failed", "reasons": ["corrupt"]}})
    assert results["clean"].accused == 2


@pytest.mark.parametrize("dropped", ["copy.flac", "first.wav"])
def test_a_copy_is_found_whichever_of_the_two_stays(dropped):
    files = [_file("first.wav", Defect.CLEAN), _file("copy.flac", Defect.SAME_SAMPLES, original="first.wav")]
    kept = ({"copy.flac", "first.wav"} - {dropped}).pop()
    rows: dict[str, dict[str, Any]] = {kept: {}}
    rows[dropped] = {"reasons": ["duplicate"], "duplicate_of": f"clip of {kept} 0"}
    results = _judge(files, rows)
    assert (results["same_samples"].found, results["clean"].accused) == (1, 0)


def test_a_copy_that_lost_its_place_to_an_unrelated_clip_is_not_found():
    files = [
        _file("first.wav", Defect.CLEAN),
        _file("other.wav", Defect.CLEAN),
        _file("copy.mp3", Defect.REENCODED, original="first.wav"),
    ]
    duplicate = {"reasons": ["duplicate"], "duplicate_of": "clip of other.wav 0"}
    assert _judge(files, {"first.wav": {}, "other.wav": {}, "copy.mp3": duplicate})["reencoded"].found == 0


def test_a_clean_clip_called_the_duplicate_of_another_is_accused():
    files = [
        _file("a.wav", Defect.CLEAN),
        _file("b.wav", Defect.CLEAN),
        _file("c.mp3", Defect.REENCODED, original="b.wav"),
    ]
    duplicate = {"reasons": ["duplicate"], "duplicate_of": "clip of b.wav 0"}
    results = _judge(files, {"a.wav": duplicate, "b.wav": {}, "c.mp3": duplicate})
    assert (results["reencoded"].found, results["reencoded"].accused, results["clean"].accused) == (1, 1, 1)


def test_the_same_bytes_are_found_as_one_recording_with_two_paths():
    files = [_file("a.wav", Defect.CLEAN), _file("b.wav", Defect.SAME_BYTES, original="a.wav")]
    assert _judge(files, {"a.wav": {"recording": "r"}, "b.wav": {"recording": "r"}})["same_bytes"].found == 1
    assert _judge(files, {"a.wav": {}, "b.wav": {}})["same_bytes"].found == 0


def test_broken_files_are_found_by_failing_or_by_saying_less_than_their_text():
    files = [_file(f"{name}.wav", Defect.TRUNCATED_FILE) for name in "abc"]
    rows = {"a.wav": {"recording_failed": True}, "b.wav": {"reasons": ["transcript"]}, "c.wav": {}}
    assert _judge(files, rows)["truncated_file"].found == 2
    assert _judge([_file("x.wav", Defect.NOT_AUDIO)], {"x.wav": {"reasons": ["silent"]}})["not_audio"].found == 0


def test_a_stereo_file_is_two_clips_of_one_group():
    files = [_file("s.wav", Defect.STEREO), _file("m.wav", Defect.STEREO)]
    assert _judge(files, {"s.wav": {"channels": 2}, "m.wav": {}})["stereo"].found == 1


def test_the_error_of_the_snr_is_over_noisy_clips_and_counts_the_unmeasured():
    files = (
        _file("a.wav", Defect.NOISY, snr_db=5.0),
        _file("b.wav", Defect.SLIGHTLY_NOISY, snr_db=20.0),
        _file("c.wav", Defect.NOISY, snr_db=0.0),
        _file("d.wav", Defect.CLEAN, snr_db=40.0),
    )
    rows = {"a.wav": {"snr_db": 6.0}, "b.wav": {"snr_db": 17.0}, "c.wav": {}, "d.wav": {"snr_db": 10.0}}
    error = snr_error(Truth(0, files), *_tables(rows))
    assert (error.clips, error.unmeasured) == (3, 1)
    assert error.mean_abs_db == pytest.approx(2.0)
    assert error.bias_db == pytest.approx(-1.0)


def test_the_printed_table_marks_what_was_missed():
    truth = Truth(0, (_file("a.wav", Defect.SILENT), _file("b.wav", Defect.CLEAN), _file("c.wav", Defect.NOISY)))
    tables = _tables({"a.wav": {}, "b.wav": {}, "c.wav": {}})
    lines = describe(compare(truth, *tables), snr_error(truth, *tables))
    assert next(line for line in lines if line.startswith("silent")).endswith("MISSED")
    assert not any("MISSED" in line for line in lines if line.startswith(("clean", "noisy")))

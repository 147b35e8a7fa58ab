"""The real curators over real and broken recordings: both ledgers add up, every failure has a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from auricle.pipelines.run import run
from auricle.schemas.config import RunConfig
from auricle.schemas.tables import FailureReason

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
pytestmark = [
    pytest.mark.ray,
    pytest.mark.data,
    pytest.mark.skipif(not (DATA / "awkward").is_dir(), reason="needs ../shared/data beside the checkout"),
    pytest.mark.usefixtures("local_ray"),
]


def test_awkward_files_are_scored_or_fail_with_a_reason(tmp_path: Path) -> None:
    config = RunConfig.model_validate(
        {
            "dataset": str(tmp_path / "dataset"),
            "sources": [
                {"path": str(DATA / "awkward"), "language": "en"},
                {"path": str(DATA / "speech" / "ljspeech"), "transcripts": "transcripts.tsv"},
            ],
            "keep": [{"score": "speech_s", "min": 0.3, "reason": "silent"}],
            "representations": [{"codec": "builtin", "kind": "codes"}],
        }
    )
    version = run(config).version
    counts, document = version.document.counts, version.document
    files = sum(1 for f in (DATA / "awkward").iterdir() if f.suffix != ".md") + 10
    assert counts.files == files == counts.decoded + counts.aliases + counts.failed_files
    assert counts.clips == counts.kept + counts.dropped + counts.failed
    recordings = {r["aliases"][0]["path"]: r for r in version.recordings().to_pylist()}
    clips = version.clips()
    scored = set(clips["path"].to_pylist())
    for path, recording in recordings.items():
        if recording["status"] == "failed":
            assert recording["reason"] in set(FailureReason), path
            assert Path(path).name in recording["message"], path
        else:
            assert path in scored, path
    assert recordings["digital_silence.wav"]["status"] == "decoded"
    assert recordings["float32_nan_inf.wav"]["reason"] == "not_finite"
    assert recordings["text_named.wav"]["reason"] == "not_audio"
    rows = {(r["path"], r["channel"]): r for r in clips.to_pylist()}
    assert "silent" in rows["digital_silence.wav", 0]["reasons"]
    assert sum(1 for path, _ in rows if path == "six_channels.wav") == 6
    assert "failed:" not in str(clips.to_pylist()), "no curator raised"
    failed = {path: r["reason"] for path, r in recordings.items() if r["status"] == "failed"}
    assert failed["ps_null.wav"] == failed["wav_data_len_zero.wav"] == "no_samples"
    assert failed["wav_data_len_too_long.wav"] == failed["truncated_40pct.flac"] == "corrupt"
    assert failed["empty_0_bytes.wav"] == "empty_file"
    assert sum(document.failed_by_reason.values()) == counts.failed_files + counts.failed

"""A run that cuts at pauses: clips and gaps add up to the samples, and the same run again does nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from corpus import config
from inprocess import without_ray

from auricle.pipelines.cutting import listening
from auricle.pipelines.passes.probe import probe_file
from auricle.pipelines.run import run
from auricle.pipelines.work.progress import Silent
from auricle.schemas.clip import Clip
from auricle.schemas.config import Segmentation

RATE = 16_000


class Notes(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def notice(self, text: str) -> None:
        self.lines.append(text)


def loud_is_speech(clip: Clip) -> np.ndarray:
    """Stands for the detector: what is loud is speech."""
    frames = -(-clip.waveform.shape[0] * 16_000 // (clip.sample_rate * 512))
    size = clip.sample_rate * 512 // 16_000
    padded = np.pad(clip.waveform, (0, frames * size - clip.waveform.shape[0] + size))
    power = np.square(padded[: frames * size]).reshape(frames, size).mean(axis=1)
    return (power > 1e-4).astype(np.float32)


def recording(path: Path, *parts: tuple[float, float], rate: int = RATE, channels: int = 1) -> Path:
    """Pauses and noise in turn, seconds of each."""
    rng = np.random.default_rng(len(parts))
    pieces = []
    for pause_s, speech_s in parts:
        pieces += [np.zeros(int(pause_s * rate)), 0.1 * rng.standard_normal(int(speech_s * rate))]
    x = np.concatenate(pieces)
    soundfile.write(path, np.stack([x] * channels, axis=1), rate)
    return path


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    without_ray(monkeypatch)
    monkeypatch.setattr(listening, "speech_probabilities", loud_is_speech)
    monkeypatch.setattr(listening, "LEAST_ROOM_S", 1e9)
    audio = tmp_path / "audio"
    audio.mkdir()
    recording(audio / "a.wav", (1, 8), (5, 12), (0.5, 25), (10, 0.5), (4, 0))
    recording(audio / "b.wav", (0, 4), (0.4, 4), rate=8000, channels=2)
    recording(audio / "silence.wav", (20, 0))
    return tmp_path


def speech(corpus: Path, **more: Any):
    return config(corpus / "audio", corpus / "data", segment={"method": "speech", **more}, keep=[])


def test_clips_and_gaps_add_up_to_the_samples_of_every_recording(corpus: Path) -> None:
    (corpus / "audio" / "transcripts.tsv").write_text("file\tspeaker\na.wav\tann\n")
    notes = Notes()
    version = run(speech(corpus), progress=notes).version
    counts = version.document.counts
    assert (counts.files, counts.decoded, counts.failed_files) == (3, 3, 0)
    clips = version.clips().to_pylist()
    total = 0
    for row in version.recordings().to_pylist():
        spans = {(c["start"], c["end"]) for c in clips if c["recording"] == row["recording"]}
        gaps = [(g["start"], g["end"]) for g in row["cutting"]["gaps"]]
        at = 0
        for start, end in sorted([*spans, *gaps]):
            assert start == at
            at = end
        assert at == row["num_samples"]
        total += at
    ledger = version.document.cut_samples
    assert ledger["samples"] == total
    assert ledger["clips"] + ledger["gap_no_speech"] + ledger["taken_down"] == total
    assert ledger["taken_down"] == 0
    assert any("recordings cut at pauses" in line for line in notes.lines)
    assert any("1 recording has no clip" in line for line in notes.lines)


def test_the_same_run_again_is_unchanged_and_another_length_cuts_anew(corpus: Path) -> None:
    (corpus / "audio" / "transcripts.tsv").write_text("file\tspeaker\na.wav\tann\n")
    first = run(speech(corpus))
    assert run(speech(corpus)).status == "unchanged"
    again = run(speech(corpus, max_s=20))
    assert again.status == "published"
    assert again.version.document.stages[0].done == 3
    assert max(c["duration_s"] for c in again.version.clips().to_pylist()) <= 20
    whole = run(config(corpus / "audio", corpus / "data", keep=[]))
    assert whole.version.document.cut_samples == {}
    assert "aligned" not in whole.version.clips().schema.names
    assert run(speech(corpus)).version.document.cut_samples == first.version.document.cut_samples


def test_both_channels_have_the_same_spans(corpus: Path) -> None:
    facts = probe_file(corpus / "audio" / "b.wav", "r", Segmentation(method="speech"))
    spans = [{(c["start"], c["end"]) for c in facts["clips"] if c["channel"] == k} for k in (0, 1)]
    assert spans[0] == spans[1]
    assert spans[0]

"""Who counts as one speaker: the label, else the voice, else the recording; and every user of it says which."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.curators import registry
from auricle.curators.voices.voice_embedding import DIMENSIONS, to_bytes
from auricle.pipelines.derived.judge import judge
from auricle.pipelines.diagnosis.diagnose import diagnose
from auricle.pipelines.policy.speakers import SPEAKERS, describe_speaker_kinds, group_by_speaker, version_speakers
from auricle.pipelines.run import run
from auricle.schemas.keys import fingerprint
from auricle.schemas.score import ScoreColumn

ROWS = pa.schema([("clip", pa.string()), ("recording", pa.string()), ("speaker", pa.string()), ("voice", pa.binary())])


def voice(k: int) -> bytes:
    return to_bytes(np.eye(DIMENSIONS)[k])


class TwoVoices:
    """Hears one voice in quiet clips and another in loud ones, nothing in the quietest."""

    name, version = "voice", 1
    columns = (ScoreColumn("voice_embedding", "binary", "1", "Voice"),)
    inputs: tuple[str, ...] = ()
    fingerprint = fingerprint("voice", 1, {})

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}

    def score(self, batch: Any) -> list[dict[str, Any]]:
        levels = [float(np.std(clip.waveform)) for clip in batch]
        return [
            {"voice_embedding": None, "reason": "unmeasurable: quiet"}
            if level < 0.04
            else {"voice_embedding": voice(int(level > 0.12)), "reason": None}
            for level in levels
        ]


def test_the_label_wins_then_the_voice_then_the_recording() -> None:
    rows = [
        {"clip": "a", "recording": "r1", "speaker": "ann", "voice": voice(0)},
        {"clip": "b", "recording": "r2", "speaker": None, "voice": voice(0)},
        {"clip": "c", "recording": "r3", "speaker": None, "voice": voice(0)},
        {"clip": "d", "recording": "r4", "speaker": None, "voice": voice(1)},
        {"clip": "e", "recording": "r5", "speaker": None, "voice": None},
    ]
    found = group_by_speaker(pa.Table.from_pylist(rows, ROWS))
    assert found.schema.equals(SPEAKERS)
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("a", "ann", "speaker"),
        ("b", "voice b", "voice"),
        ("c", "voice b", "voice"),
        ("d", "voice d", "voice"),
        ("e", "r5", "recording"),
    ]
    assert describe_speaker_kinds(found["kind"]) == "speaker, else voice, else recording"
    assert describe_speaker_kinds(found["kind"].slice(0, 1)) == "speaker"
    assert group_by_speaker(ROWS.empty_table()).num_rows == 0


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Twenty clips without speakers, heard by a curator of two voices, at most three kept of each."""
    without_ray(monkeypatch)
    monkeypatch.setitem(registry.CURATORS, "voice", "two_voices:TwoVoices")
    monkeypatch.setattr(registry, "curator_class", lambda name: TwoVoices)
    write_corpus(tmp_path / "audio", 20)
    (tmp_path / "audio" / "transcripts.tsv").write_text("file\ttranscript\n")
    quotas = [{"by": "speaker", "max_clips": 3}]
    settings = config(tmp_path / "audio", tmp_path / "data", score={"curators": ["voice"]}, keep=[], quotas=quotas)
    return run(settings).version


def test_quotas_judgement_and_diagnostics_use_the_voices_and_say_so(made: Any) -> None:
    groups = version_speakers(made).to_pylist()
    assert {g["kind"] for g in groups} == {"voice", "recording"}
    of = {g["clip"]: g["speaker"] for g in groups}
    kept: dict[str, int] = {}
    for row in made.clips(["clip", "status"]).to_pylist():
        if row["status"] == "kept":
            kept[of[row["clip"]]] = kept.get(of[row["clip"]], 0) + 1
    voices = {name: n for name, n in kept.items() if name.startswith("voice ")}
    assert list(voices.values()) == [3, 3]
    assert all(n == 1 for name, n in kept.items() if name not in voices)
    judged = [row for row in judge(made).to_pylist() if row["by"] == "speaker"]
    assert {row["kind"] for row in judged} == {"voice", "recording"}
    assert {row["member"]: row["kept"] for row in judged} == kept
    record = diagnose(made)["representations"]["cheap-codes-100hz"]
    assert record["group_kind"] == "voice, else recording"
    assert record["num_groups"] == len(kept)

"""Manifests of Kaldi and lhotse in their true shape: made here, as the tools write them."""

from __future__ import annotations

from pathlib import Path

from label_reading import AUDIO, lines, read, source, spans, texts, words, write


def test_kaldi_with_and_without_segments_and_its_commands_are_never_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    write(
        tmp_path,
        {
            "audio/rec1.wav": AUDIO,
            "audio/rec2.wav": AUDIO,
            "train/wav.scp": f"rec1 /old/place/audio/rec1.wav\nrec2 audio/rec2.wav\nrec3 touch {ran} |\n",
            "train/segments": "ann-1 rec1 0.50 1.75\nann-2 rec2 2.0 nan\nbob-1 rec2 1.0 2.0\ncy-1 rec3 0 1\n",
            "train/text": "ann-1 hello there\nbob-1 good day\ncy-1 never\n",
            "train/utt2spk": "ann-1 ann\nbob-1 bob\n",
            "train/spk2gender": "ann f\n",
            "train/reco2file_and_channel": "rec1 rec1 A\n",
            "flat/wav.scp": "rec1 audio/rec1.wav\n",
            "flat/text": "rec1 the whole of it\n",
        },
    )
    given = source(tmp_path, transcripts="train", carry=["gender"])
    assert spans(given) == [
        ("audio/rec1.wav", 0.5, 1.75, "hello there"),
        ("audio/rec2.wav", 1.0, 2.0, "good day"),
    ]
    rows, notices = read(given)
    assert (rows[0]["speaker"], rows[0]["channel"], dict(rows[0]["carried"])) == ("ann", 0, {"gender": "f"})
    assert "1: its recording is a command in wav.scp, which is never run" in notices[0]
    assert "1: its end is not a finite number" in notices[0]
    assert not ran.exists()
    rows, _ = read(source(tmp_path, transcripts="flat/wav.scp"))
    assert [(r["path"], r["start_s"], r["transcript"]) for r in rows] == [("audio/rec1.wav", None, "the whole of it")]


RECORDING = {
    "id": "rec1",
    "sources": [{"type": "file", "channels": [0], "source": "audio/rec1.wav"}],
    "sampling_rate": 16000,
    "num_samples": 160000,
    "duration": 10.0,
    "channel_ids": [0],
}
COMMAND = RECORDING | {"id": "rec2", "sources": [{"type": "command", "channels": [0], "source": "touch ran |"}]}
SUPERVISION = {
    "id": "sup1",
    "recording_id": "rec1",
    "start": 0.5,
    "duration": 2.0,
    "channel": 0,
    "text": "hello there",
    "language": "English",
    "speaker": "ann",
    "custom": {"licence": "cc0"},
    "alignment": {"word": [["hello", 0.5, 0.4, 0.9], ["there", 1.0, 0.5, 0.8]]},
}


def test_lhotse_cuts_supervisions_and_recordings(tmp_path: Path) -> None:
    cut = {
        "id": "cut1",
        "start": 4.0,
        "duration": 5.0,
        "channel": 0,
        "supervisions": [SUPERVISION],
        "recording": RECORDING,
        "type": "MonoCut",
    }
    bare = cut | {"id": "cut2", "supervisions": [], "start": 9.0, "duration": 1.0}
    mixed = {"id": "cut3", "tracks": [{"cut": cut, "offset": 0.0}], "type": "MixedCut"}
    broken = cut | {"id": "cut4", "supervisions": [SUPERVISION | {"start": float("nan")}]}
    write(
        tmp_path,
        {
            "audio/rec1.wav": AUDIO,
            "cuts.jsonl.gz": lines(cut, bare, mixed, broken, cut | {"recording": COMMAND}),
            "recordings_train.jsonl.gz": lines(RECORDING, COMMAND),
            "supervisions_train.jsonl.gz": lines(SUPERVISION, SUPERVISION | {"id": "s2", "recording_id": "rec2"}),
        },
    )
    given = source(tmp_path, transcripts="cuts.jsonl.gz", carry=["licence"])
    assert spans(given) == [
        ("audio/rec1.wav", 4.5, 6.5, "hello there"),
        ("audio/rec1.wav", 9.0, 10.0, None),
    ]
    rows, notices = read(given)
    assert words(rows[0]) == [("hello", 4.5, 4.9), ("there", 5.0, 5.5)]
    assert dict(rows[0]["carried"]) == {"licence": "cc0"}
    assert "3 lines of cuts.jsonl.gz" in notices[0]
    for reason in ("a MixedCut is several recordings", "its start is not a finite number", "a command, which is never"):
        assert reason in notices[0]
    given = source(tmp_path, transcripts="supervisions_train.jsonl.gz")
    assert spans(given) == [("audio/rec1.wav", 0.5, 2.5, "hello there")]
    assert "a command, which is never run" in read(given)[1][0]
    assert texts(source(tmp_path, transcripts="recordings_train.jsonl.gz")) == [("audio/rec1.wav", None)]


def test_lhotse_shar_names_its_members_by_cut(tmp_path: Path) -> None:
    recording = RECORDING | {"sources": [{"type": "shar", "channels": [0], "source": ""}], "id": "rec1"}
    cut = {
        "id": "rec1-0",
        "start": 4.0,
        "duration": 2.0,
        "channel": 0,
        "supervisions": [SUPERVISION | {"start": 0.0}],
        "recording": recording,
        "type": "MonoCut",
    }
    write(tmp_path, {"recording.000000/rec1-0.flac": AUDIO, "cuts.000000.jsonl.gz": lines(cut)})
    rows, _ = read(source(tmp_path, transcripts="cuts.*.jsonl.gz"))
    assert [(r["path"], r["start_s"], r["transcript"]) for r in rows] == [
        ("recording.000000/rec1-0.flac", None, "hello there")
    ]

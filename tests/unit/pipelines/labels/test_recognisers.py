"""What recognisers write, with the times of words: made here, as they write it."""

from __future__ import annotations

import json
from pathlib import Path

from label_reading import AUDIO, lines, read, source, spans, words, write


def test_whisper_whisperx_and_whisper_cpp(tmp_path: Path) -> None:
    whisper = {
        "text": " Hello there. Bye.",
        "segments": [
            {
                "id": 0,
                "seek": 0,
                "start": 0.0,
                "end": 1.5,
                "text": " Hello there.",
                "tokens": [1],
                "no_speech_prob": 0.1,
            },
            {"id": 1, "seek": 0, "start": 1.5, "end": 1.5, "text": " Bye."},
        ],
        "language": "en",
    }
    whisperx = {
        "segments": [
            {
                "start": 0.2,
                "end": 1.4,
                "text": " Hello 5",
                "words": [{"word": "Hello", "start": 0.2, "end": 0.6, "score": 0.9, "speaker": "S0"}, {"word": "5"}],
                "speaker": "SPEAKER_00",
            }
        ],
        "word_segments": [],
        "language": "de",
    }
    cpp = {
        "systeminfo": "x",
        "result": {"language": "en"},
        "transcription": [
            {
                "timestamps": {"from": "00:00:00,000", "to": "00:00:03,500"},
                "offsets": {"from": 0, "to": 3500},
                "text": " And so",
            }
        ],
    }
    write(
        tmp_path,
        {
            "a.mp3": AUDIO,
            "a.json": json.dumps(whisper, indent=2),
            "b.mp3": AUDIO,
            "b.json": json.dumps(whisperx),
            "c.mp3": AUDIO,
            "c.json": json.dumps(cpp, indent=1),
        },
    )
    given = source(tmp_path, transcripts="*.json")
    assert spans(given) == [
        ("a.mp3", 0.0, 1.5, "Hello there."),
        ("b.mp3", 0.2, 1.4, "Hello 5"),
        ("c.mp3", 0.0, 3.5, "And so"),
    ]
    rows, notices = read(given)
    assert [(r["language"], r["speaker"]) for r in rows] == [("en", None), ("de", "SPEAKER_00"), ("en", None)]
    assert words(rows[1]) == [("Hello", 0.2, 0.6)]
    assert "1: it ends where it starts" in notices[0]
    assert spans(source(tmp_path, transcripts="b.json")) == [("b.mp3", 0.2, 1.4, "Hello 5")]


def test_moshi_lists_and_their_alignments(tmp_path: Path) -> None:
    alignments = [
        ["hello", [0.5, 0.9], "SPEAKER_MAIN"],
        ["yes", [0.7, 0.8], "SPEAKER_01"],
        ["there", [0.9, 1.3], "SPEAKER_MAIN"],
        ["nan", [float("nan"), 1.3], "SPEAKER_MAIN"],
    ]
    write(
        tmp_path,
        {
            "data.jsonl": lines({"path": "stereo/1.wav", "duration": 24.5}, {"path": "stereo/2.wav", "duration": 9.1}),
            "stereo/1.wav": AUDIO,
            "stereo/2.wav": AUDIO,
            "stereo/1.json": json.dumps({"alignments": alignments}),
        },
    )
    rows, notices = read(source(tmp_path, transcripts="data.jsonl"))
    assert [(r["path"], r["channel"], r["transcript"]) for r in rows] == [
        ("stereo/1.wav", 0, "hello there"),
        ("stereo/1.wav", 1, "yes"),
        ("stereo/2.wav", None, None),
    ]
    assert words(rows[0]) == [("hello", 0.5, 0.9), ("there", 0.9, 1.3)]
    assert "1: its start is not a finite number" in notices[0]

"""Corpora as they are published: each in its true shape, made here."""

from __future__ import annotations

import json
from pathlib import Path

from label_reading import AUDIO, lines, read, source, spans, texts, write


def test_librispeech_and_libritts(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "84/121550/84-121550-0000.flac": AUDIO,
            "84/121550/84-121550.trans.txt": "84-121550-0000 BUT WITH FULL RAVISHMENT\n",
            "tts/84/121550/84_121550_000007_000000.wav": AUDIO,
            "tts/84/121550/84_121550_000007_000000.normalized.txt": "But with full ravishment",
            "tts/84/121550/84_121550_000007_000000.original.txt": "But with full ravishment",
        },
    )
    rows, _ = read(source(tmp_path, transcripts="*.trans.txt"))
    assert [(r["path"], r["transcript"], r["speaker"]) for r in rows] == [
        ("84/121550/84-121550-0000.flac", "BUT WITH FULL RAVISHMENT", "84")
    ]
    rows, _ = read(source(tmp_path, transcripts="*.normalized.txt"))
    assert [(r["path"], r["transcript"], r["speaker"]) for r in rows] == [
        ("tts/84/121550/84_121550_000007_000000.wav", "But with full ravishment", "84")
    ]


def test_vctk_gives_both_microphones_the_text(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "wav48_silence_trimmed/p225/p225_001_mic1.flac": AUDIO,
            "wav48_silence_trimmed/p225/p225_001_mic2.flac": AUDIO,
            "wav48_silence_trimmed/p225/p225_002_mic1.flac": AUDIO,
            "txt/p225/p225_001.txt": "Please call Stella.\n",
        },
    )
    rows, _ = read(source(tmp_path, labels={"format": "vctk"}))
    assert [(r["path"][-9:], r["transcript"], r["speaker"]) for r in rows] == [
        ("mic1.flac", "Please call Stella.", "p225"),
        ("mic2.flac", "Please call Stella.", "p225"),
    ]


def test_emilia_clips_lists_and_segments(tmp_path: Path) -> None:
    clip = {"id": "EN_B0_S0_W0", "wav": "EN_B0/mp3/EN_B0_S0_W0.mp3", "text": " You can help", "duration": 9.06}
    clip |= {"speaker": "EN_B0_S0", "language": "en", "dnsmos": 3.29}
    segments = [{"text": "eins", "start": 0.0, "end": 2.5, "speaker": "p_0", "language": "de", "dnsmos": 3.1}]
    write(
        tmp_path,
        {
            "EN_B0/mp3/EN_B0_S0_W0.mp3": AUDIO,
            "EN_B0/mp3/EN_B0_S0_W0.json": json.dumps(clip),
            "EN_B0.jsonl": lines(clip),
            "talk/talk_000000.mp3": AUDIO,
            "talk/talk.json": json.dumps(segments),
            "long/talk2.mp3": AUDIO,
            "long/talk2.json": json.dumps(segments),
        },
    )
    row = ("EN_B0/mp3/EN_B0_S0_W0.mp3", "You can help")
    assert texts(source(tmp_path, transcripts="EN_B0.jsonl")) == [row]
    rows, _ = read(source(tmp_path, transcripts="EN_B0/mp3/EN_B0_S0_W0.json", carry=["dnsmos"]))
    assert (rows[0]["path"], rows[0]["transcript"], rows[0]["start_s"]) == (*row, None)
    assert dict(rows[0]["carried"]) == {"dnsmos": "3.29"}
    assert texts(source(tmp_path, transcripts="talk/talk.json")) == [("talk/talk_000000.mp3", "eins")]
    assert spans(source(tmp_path, transcripts="long/talk2.json")) == [("long/talk2.mp3", 0.0, 2.5, "eins")]


def test_a_text_beside_each_recording(tmp_path: Path) -> None:
    write(tmp_path, {"x/a.wav": AUDIO, "x/a.txt": "\ufeffone line\nand another\r\n", "x/b.wav": AUDIO, "c.wav": AUDIO})
    assert texts(source(tmp_path, transcripts="*.txt")) == [("x/a.wav", "one line and another")]
    assert texts(source(tmp_path, transcripts="x/a.txt")) == [("x/a.wav", "one line and another")]

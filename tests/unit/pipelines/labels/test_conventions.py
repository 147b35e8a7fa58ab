"""Each convention in its true shape: made here, as the tools that write it do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from label_reading import read, source, spans, texts, write

AUDIO = b"x"


def lines(*rows: Any) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def words(row: dict[str, Any]) -> list[tuple[str, float, float]]:
    return [(w["word"], w["start_s"], round(w["end_s"], 6)) for w in row["words"]]


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


LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 2.3
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "%s"
        xmin = 0
        xmax = 2.3
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.25
            text = "she said ""no"" 3 times"
        intervals [3]:
            xmin = 1.25
            xmax = 2.3
            text = "yes"
    item [2]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 2.3
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 2.3
            text = "S"
    item [3]:
        class = "TextTier"
        name = "bell"
        xmin = 0
        xmax = 2.3
        points: size = 1
        points [1]:
            number = 0.9
            mark = "ding"
"""
SHORT = (
    'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n2\n<exists>\n1\n'
    '"IntervalTier"\n"utt"\n0\n2\n1\n0\n1.5\n"kurz"\n'
)


def test_text_grids_long_short_and_of_words(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.wav": AUDIO,
            "a.TextGrid": (LONG % "utterances").encode("utf-16"),
            "b.wav": AUDIO,
            "b.TextGrid": SHORT,
            "c.wav": AUDIO,
            "c.TextGrid": LONG % "ann - words",
            "d.wav": AUDIO,
            "d.TextGrid": SHORT[:-20],
        },
    )
    rows, notices = read(source(tmp_path, transcripts="*.TextGrid"))
    assert [(r["path"], r["start_s"], r["transcript"], r["speaker"]) for r in rows] == [
        ("a.wav", 0.5, 'she said "no" 3 times', None),
        ("a.wav", 1.25, "yes", None),
        ("b.wav", 0.0, "kurz", None),
        ("c.wav", None, 'she said "no" 3 times yes', "ann"),
    ]
    assert words(rows[3])[1] == ("yes", 1.25, 2.3)
    assert "1: the TextGrid ends too early (d.TextGrid)" in notices[0]


def test_ctm_stm_and_rttm(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "talk.wav": AUDIO,
            "other.wav": AUDIO,
            "eval.ctm": (
                ";; comment\ntalk 1 0.10 0.30 hello 0.99\ntalk A 0.50 0.40 there\ntalk 2 0.2 0.1 yes\nother 1 x 1 bad\n"
            ),
            "eval.stm": (
                ";; LABEL\ntalk 1 ann 0.00 2.50 <o,f0,female> good morning\n"
                "talk 1 inter_segment_gap 2.5 3.0 <o,,> ignore_time_segment_in_scoring\nother B bob 1.0 0.5 backwards\n"
            ),
            "eval.rttm": (
                "SPKR-INFO talk 1 <NA> <NA> <NA> unknown ann <NA> <NA>\n"
                "SPEAKER talk 1 0.50 1.25 <NA> <NA> ann <NA> <NA>\nSPEAKER talk 1 9 nan <NA> <NA> bob <NA> <NA>\n"
            ),
        },
    )
    rows, notices = read(source(tmp_path, transcripts="eval.ctm"))
    assert [(r["path"], r["channel"], r["transcript"]) for r in rows] == [
        ("talk.wav", 0, "hello there"),
        ("talk.wav", 1, "yes"),
    ]
    assert words(rows[0]) == [("hello", 0.1, 0.4), ("there", 0.5, 0.9)]
    assert "1: its start is not a number" in notices[0]
    rows, notices = read(source(tmp_path, transcripts="eval.stm"))
    assert [(r["path"], r["channel"], r["speaker"], r["duration_s"], r["transcript"]) for r in rows] == [
        ("talk.wav", 0, "ann", 2.5, "good morning")
    ]
    assert "2 lines of eval.stm" in notices[0]
    rows, notices = read(source(tmp_path, transcripts="eval.rttm"))
    assert [(r["path"], r["speaker"], r["start_s"], r["duration_s"], r["transcript"]) for r in rows] == [
        ("talk.wav", "ann", 0.5, 1.25, None)
    ]
    assert "1 line of eval.rttm" in notices[0]


YOUTUBE = """WEBVTT
Kind: captions
Language: en

00:00:00.080 --> 00:00:02.389 align:start position:0%
~
hello<00:00:00.400><c> and</c><00:00:00.560><c> welcome</c>

00:00:02.389 --> 00:00:02.399 align:start position:0%
hello and welcome
~

00:00:02.399 --> 00:00:04.630 align:start position:0%
hello and welcome
to<00:00:02.560><c> the</c><00:00:02.720><c> show</c>

00:00:04.630 --> 00:00:04.640 align:start position:0%
to the show
~

""".replace("~", " ")


def test_subtitles_with_rolling_repeats_voices_and_broken_times(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.mp4": AUDIO,
            "a.en.vtt": YOUTUBE,
            "b.mp3": AUDIO,
            "b.vtt": (
                "WEBVTT\n\nNOTE this --> is a note\n\nSTYLE\n::cue { color: red }\n\nintro\n00:01.000 --> 00:02.500\n"
                "<v Ann>Yes &amp; no</v>\n\n00:03.000 --> 00:04.000\nYes.\n\n00:05.000 --> 00:06.000\nYes.\n"
            ),
            "c.mp3": AUDIO,
            "c.srt": (
                "\ufeff1\r\n00:00:01,000 --> 00:00:02,500\r\n<i>Hello</i>\r\nthere\r\n\r\n"
                "2\r\n00:00:05,000 --> 00:00:04,000\r\nbackwards\r\n\r\n3\r\n00:00:04,000 --> nan\r\nnever\r\n"
                "4\r\n01:00:00,000 --> 01:00:01,000\r\nlate\r\n"
            ),
        },
    )
    rows, _ = read(source(tmp_path, transcripts="*.vtt"))
    assert [(r["path"], r["start_s"], r["transcript"], r["speaker"], r["language"]) for r in rows] == [
        ("a.mp4", 0.08, "hello and welcome", None, "en"),
        ("a.mp4", 2.399, "to the show", None, "en"),
        ("b.mp3", 1.0, "Yes & no", "Ann", None),
        ("b.mp3", 3.0, "Yes.", None, None),
        ("b.mp3", 5.0, "Yes.", None, None),
    ]
    given = source(tmp_path, transcripts="*.srt")
    assert spans(given) == [("c.mp3", 1.0, 2.5, "Hello there"), ("c.mp3", 3600.0, 3601.0, "late")]
    notice = read(given)[1][0]
    assert "2 lines of *.srt" in notice
    assert "1: it ends where it starts, or before (line 7 of c.srt" in notice


TTML = """<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xml:lang="de-DE"
 ttp:frameRate="25" ttp:tickRate="10000000"><body><div begin="10s">
<p begin="00:00:01.500" end="00:00:02.500">Guten<br/>Tag</p><p begin="25000000t" dur="500ms">eins <span>zwei</span></p>
<p begin="00:00:04:05" end="00:00:05:00">drei</p><p begin="9s" end="8s">rückwärts</p></div></body></tt>"""


def test_ttml_with_frames_ticks_and_times_of_its_parents(tmp_path: Path) -> None:
    write(tmp_path, {"a.wav": AUDIO, "a.ttml": TTML, "b.wav": AUDIO, "b.ttml": '<!DOCTYPE a [<!ENTITY b "c">]><tt/>'})
    given = source(tmp_path, transcripts="*.ttml")
    assert spans(given) == [
        ("a.wav", 11.5, 12.5, "Guten Tag"),
        ("a.wav", 12.5, 13.0, "eins zwei"),
        ("a.wav", 14.2, 15.0, "drei"),
    ]
    rows, notices = read(given)
    assert {row["language"] for row in rows} == {"de"}
    assert "1: it is no TTML document (b.ttml: it declares entities" in notices[0]


def test_a_text_beside_each_recording(tmp_path: Path) -> None:
    write(tmp_path, {"x/a.wav": AUDIO, "x/a.txt": "\ufeffone line\nand another\r\n", "x/b.wav": AUDIO, "c.wav": AUDIO})
    assert texts(source(tmp_path, transcripts="*.txt")) == [("x/a.wav", "one line and another")]
    assert texts(source(tmp_path, transcripts="x/a.txt")) == [("x/a.wav", "one line and another")]

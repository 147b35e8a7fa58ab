"""Texts with times: Praat, NIST and subtitles, made here as the tools write them."""

from __future__ import annotations

from pathlib import Path

from label_reading import AUDIO, read, source, spans, words, write

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

"""Scores of a transcript without its audio: speaking rate, language, signs of a recogniser, boilerplate."""

from __future__ import annotations

import re
import zlib

from pydantic import Field

from ...schemas.clip import Clip
from ...schemas.config import Strict
from ...schemas.score import NOT_APPLICABLE, UNMEASURABLE, Row, ScoreColumn
from ..models import weights_sha256
from ..perclip import PerClip
from ..signal.vad import speech_seconds, vad_weights
from .language import SCRIPT_OF_LANGUAGE, WEIGHTS, Detection, detect, fold

MIN_SPEECH_S = 0.1
UNSPACED = frozenset({"zh", "ja", "th", "lo", "km", "my"})
"""Languages written without spaces between words: they have characters per second, not words."""
MARKS = dict.fromkeys(map(ord, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~¡¿«»“”„‘’‚–—…。、，！？；：「」『』（）・।؟،؛♪"))
SENTENCE_MARKS = re.compile(r"[.,;:!?¿¡…。、，！？؟।]")
RECOGNISER_TOKEN = re.compile(
    r"<unk>|\[unk\]|<\|[^|>]{1,30}\|>|\[blank_audio\]|\[inaudible\]"
    r"|\[(?:background )?(?:music|noise|applause|laughter)\]|\((?:inaudible|music)\)|♪",
    re.IGNORECASE,
)
BOILERPLATE = (
    *("thanks for watching", "thank you for watching", "please subscribe", "like and subscribe", "share and subscribe"),
    *("subscribe to my", "subscribe to our", "subscribe to the channel", "subtitles by", "subtitle by", "captions by"),
    *("captioned by", "transcribed by", "transcription by", "transcript provided", "amara.org", "opensubtitles"),
    *("rev.com", "otter.ai", "all rights reserved", "©", "http://", "https://", "www.", "librivox recording"),
    *("librivox.org", "untertitel der", "untertitel von", "untertitel im auftrag", "sous-titres", "sous-titrage"),
    *("subtítulos por", "subtítulos realizados", "legendas pela", "sottotitoli creati", "sottotitoli a cura"),
    *("редактор субтитров", "субтитры", "ご視聴ありがとう", "字幕", "謝謝觀看", "谢谢观看", "請訂閱", "请订阅", "구독"),
)
"""Phrases, in lower case, of credits and channels: plain substrings, ten times faster than one expression."""
LOOP_UNIT = 12
"""Words of the longest phrase that is looked for in a loop."""
LOOP_REPEATS = 3
LOOP_SHARE = 0.3
MAX_COMPRESSION = 2.4
"""Text over its zlib size; Whisper's own gate against loops."""
COMPRESSION_FROM = 120
"""Characters below which zlib's overhead hides repetition."""
PLAIN_WORDS = 12
"""Words from which the absence of both case and punctuation says something."""
CASED = frozenset({"latin", "cyrillic", "greek"})
MIN_LETTERS = 25
MAX_MISMATCH_NATS = -6.0
"""The claimed language must be this much less likely than all of its script's others together to be contradicted."""


def loop_share(words: list[str]) -> float:
    """Largest share of the words that lies in one phrase of up to `LOOP_UNIT` words said `LOOP_REPEATS` times or
    more in a row; 0.0 without such a loop."""
    n = len(words)
    longest = 0
    if len(set(words)) == n:
        return 0.0
    for unit in range(1, min(LOOP_UNIT, n // LOOP_REPEATS) + 1):
        run = 0
        for k in range(unit, n):
            run = run + 1 if words[k] == words[k - unit] else 0
            if run >= unit * (LOOP_REPEATS - 1):
                longest = max(longest, run + unit)
    return longest / n if n else 0.0


def machine_signs(text: str, words: list[str], script: str | None) -> tuple[list[str], list[str]]:
    """Strong and weak signs that no person wrote `text`: "loop", "compresses", "token"; "one case", "no marks"."""
    strong, weak = [], []
    if loop_share([word.lower() for word in words]) >= LOOP_SHARE:
        strong.append("loop")
    if len(text) >= COMPRESSION_FROM:
        data = _one_byte_each(text)
        if len(data) / len(zlib.compress(data, 6)) > MAX_COMPRESSION:
            strong.append("compresses")
    if RECOGNISER_TOKEN.search(text):
        strong.append("token")
    if len(words) >= PLAIN_WORDS:
        if script in CASED and (text.islower() or text.isupper()):
            weak.append("one case")
        if not SENTENCE_MARKS.search(text):
            weak.append("no marks")
    return strong, weak


def _one_byte_each(text: str) -> bytes:
    """A byte per character, as Latin has in UTF-8: the lead bytes of other scripts would pass for repetition."""
    codes = {character: code for code, character in enumerate(dict.fromkeys(text))}
    return bytes(map(codes.__getitem__, text)) if len(codes) <= 256 else text.encode("utf-8", "replace")


def language_matches(claimed: str, found: Detection, letters: int) -> bool | None:
    """Whether the text can be in the language claimed; None when that cannot be said."""
    if found.script is None:
        return None
    script = SCRIPT_OF_LANGUAGE.get(claimed)
    if script is None:
        return None
    if script != found.script and {script, found.script} != {"kana", "han"}:
        return False
    if script == found.script and letters >= MIN_LETTERS:
        return found.log_probability[claimed] >= MAX_MISMATCH_NATS
    return True


class TextOptions(Strict):
    """Parameters of `text`."""

    min_language_probability: float = Field(
        0.6, gt=0, le=1, description="Probability from which the detected language is named; null below"
    )


class TextCurator(PerClip):
    """Transcripts read, not listened to, apart from the rate, which needs the seconds of speech."""

    name = "text"
    version = 2
    columns = (
        ScoreColumn(
            "chars_per_speech_s", "float32", "1/s", "Characters, without spaces and marks, per second of speech"
        ),
        ScoreColumn(
            "words_per_speech_s", "float32", "1/s", "Words per second of speech; null where words have no spaces"
        ),
        ScoreColumn("text_empty", "bool", "1", "No letter or digit in the transcript"),
        ScoreColumn("text_language", "string", "text", "ISO 639-1 code that script and character n-grams speak for"),
        ScoreColumn("text_language_match", "bool", "1", "False when script or n-grams contradict the claimed language"),
        ScoreColumn(
            "text_machine",
            "float32",
            "1",
            "Machine-made: 1 loops, recogniser tokens; .5 neither case nor marks; else 0",
        ),
        ScoreColumn("text_machine_signs", "string", "text", "The signs behind text_machine, comma-separated"),
        ScoreColumn("text_boilerplate", "bool", "1", "Credits, calls to subscribe, addresses: not what is said"),
    )
    inputs = ("transcript", "language")
    Options = TextOptions
    needs_signal = False

    def weights(self) -> str:
        """The n-gram table's and the speech detector's."""
        return f"{weights_sha256(WEIGHTS)}+{vad_weights()}"

    def measure(self, clip: Clip) -> Row:
        """All columns of one clip."""
        if clip.transcript is None:
            return {"reason": f"{NOT_APPLICABLE}: no transcript"}
        characters, words, row = self.read(clip.transcript, clip.language)
        if not characters:
            return {**row, "reason": f"{NOT_APPLICABLE}: no words in the transcript"}
        speech_s = speech_seconds(clip)
        if speech_s < MIN_SPEECH_S:
            return {**row, "reason": f"{UNMEASURABLE}: no speech to relate the text to"}
        row["chars_per_speech_s"] = characters / speech_s
        reason = None
        if row["text_language"] is None:
            reason = f"{UNMEASURABLE}: the text does not tell its language"
        if (row["text_language"] or clip.language) in UNSPACED:
            reason = reason or f"{NOT_APPLICABLE}: words are not spaced in this language"
        else:
            row["words_per_speech_s"] = words / speech_s
        if row["text_language_match"] is None:
            reason = reason or f"{NOT_APPLICABLE}: no language is claimed, or none that can be told by its text"
        return {**row, "reason": reason}

    def read(self, transcript: str, language: str | None) -> tuple[int, int, Row]:
        """Characters, words, and every column that the text alone decides."""
        text = fold(transcript).strip()
        plain = [word for token in text.split() if (word := token.translate(MARKS))]
        characters = sum(map(len, plain))
        if not characters:
            return 0, 0, {"text_empty": True}
        found = detect(text)
        lower = text.lower()
        strong, weak = machine_signs(text, plain, found.script)
        claimed = language.split("-")[0].lower() if language else None
        sure = found.language is not None and found.probability >= self.options.min_language_probability
        row: Row = {
            "text_empty": False,
            "text_language": found.language if sure else None,
            "text_language_match": None if claimed is None else language_matches(claimed, found, characters),
            "text_machine": 1.0 if strong else 0.5 if len(weak) == 2 else 0.0,
            "text_machine_signs": ", ".join(strong + weak),
            "text_boilerplate": any(phrase in lower for phrase in BOILERPLATE),
        }
        return characters, len(plain), row

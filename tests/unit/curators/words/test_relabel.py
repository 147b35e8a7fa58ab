from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from auricle.curators.words.relabel import (
    PocketsphinxRecogniser,
    Recogniser,
    Relabelled,
    recogniser,
    recognisers,
    relabel,
)
from auricle.schemas.clip import Clip
from auricle.schemas.errors import ConfigError

SPEECH = Path(__file__).resolve().parents[4].parent / "shared/data/speech/librispeech_test_other"
needs_speech = pytest.mark.skipif(not SPEECH.is_dir(), reason="the development recordings are not beside the checkout")


@dataclass
class Parrot:
    """Says the same of every clip, and remembers which it was asked."""

    text: str = "new text"
    languages: tuple[str, ...] | None = ("en",)
    name: str = "parrot-1"
    min_difference: float = 0.0
    asked: list[str] = field(default_factory=list)

    def transcribe(self, batch):
        self.asked += [clip.key for clip in batch]
        return [self.text for _ in batch]


class Judge:
    """Trusts each text as told."""

    def __init__(self, **trust):
        self.trust = trust

    def score(self, batch):
        return [{"transcript_trust": self.trust.get((clip.transcript or "").replace(" ", "_"))} for clip in batch]


def clip(key="a", text="old text", language="en"):
    return Clip(key, np.zeros(16000, dtype=np.float32), 16000, transcript=text, language=language)


def test_a_new_text_that_beats_the_old_by_the_margin_is_taken():
    (row,) = relabel([clip()], Parrot(), Judge(old_text=0.2, new_text=0.6))
    assert row == Relabelled("a", "old text", "new text", 0.2, 0.6, "parrot-1", True, "new trust 0.60 beats 0.20")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (0.4, 0.6, "does not beat 0.40 by 0.30"),
        (0.1, 0.45, "below 0.50"),
        (0.1, None, "new text has no trust"),
        (0.71, 1.0, "old text is trusted"),
    ],
)
def test_anything_less_keeps_the_old_text(old, new, reason):
    (row,) = relabel([clip()], Parrot(), Judge(old_text=old, new_text=new))
    assert not row.taken
    assert reason in row.reason
    assert row.old_text == "old text"


def test_a_weak_recogniser_does_not_replace_a_text_that_it_partly_hears():
    judge = Judge(we_saw_a_house=0.1, we_saw_the_mouse=0.9)
    (row,) = relabel([clip(text="we saw a house")], Parrot("we saw the mouse", min_difference=0.65), judge)
    assert not row.taken
    assert "of the old text was heard" in row.reason
    (row,) = relabel([clip(text="we saw a house")], Parrot("we saw the mouse"), judge)
    assert row.taken
    (row,) = relabel(
        [clip()], Parrot("we saw the mouse", min_difference=0.65), Judge(we_saw_the_mouse=0.9, old_text=0.1)
    )
    assert row.taken


def test_a_trusted_clip_is_not_even_recognised():
    parrot = Parrot()
    relabel([clip("bad"), clip("good", "good text")], parrot, Judge(old_text=0.1, good_text=0.9, new_text=0.8))
    assert parrot.asked == ["bad"]


def test_a_clip_without_a_transcript_takes_one_that_is_trusted():
    (row,) = relabel([clip(text=None)], Parrot(), Judge(new_text=0.55))
    assert row.taken
    assert row.old_text is None
    assert row.old_trust is None


def test_nothing_recognised_is_no_proposal():
    (row,) = relabel([clip()], Parrot(text="  "), Judge(old_text=0.1))
    assert (row.new_text, row.taken, row.reason) == (None, False, "nothing was recognised")


def test_other_languages_are_left_alone():
    parrot = Parrot()
    (row,) = relabel([clip(language="de")], parrot, Judge(new_text=0.9))
    assert parrot.asked == []
    assert row.reason == "'de' is no language of the recogniser"
    (row,) = relabel([clip(language="de")], Parrot(languages=None), Judge(new_text=0.9))
    assert row.taken


def test_a_region_of_a_language_is_that_language():
    parrot = Parrot()
    (row,) = relabel([clip(language="en-US")], parrot, Judge(new_text=0.9))
    assert (parrot.asked != [], row.taken) == (True, True)


def test_a_bad_text_of_another_language_is_not_called_trusted():
    (row,) = relabel([clip(language="de")], Parrot(), Judge(old_text=0.1))
    assert row.reason == "'de' is no language of the recogniser"


def test_clips_are_not_changed_and_order_is_kept():
    clips = [clip(str(k), f"text {k}") for k in range(5)]
    found = relabel(clips, Parrot(), Judge(new_text=0.9, **{f"text_{k}": 0.1 for k in range(5)}))
    assert [row.key for row in found] == list("01234")
    assert [c.transcript for c in clips] == [f"text {k}" for k in range(5)]
    assert not any(c.memo for c in clips)


def test_pocketsphinx_is_there_and_an_unknown_recogniser_is_refused():
    assert "pocketsphinx" in recognisers()
    assert isinstance(recogniser("pocketsphinx"), Recogniser)
    with pytest.raises(ConfigError, match="pocketsphinx"):
        recogniser("whisper-99")
    with pytest.raises(ConfigError, match="beam"):
        recogniser("pocketsphinx", {"beam": 3})


def test_silence_and_broken_audio_recognise_as_nothing():
    model = PocketsphinxRecogniser()
    broken = clip()
    broken.waveform = np.full(16000, np.nan, dtype=np.float32)
    tiny = clip()
    tiny.waveform = np.ones(3, dtype=np.float32)
    assert model.transcribe([clip(), broken, tiny]) == ["", "", ""]


@needs_speech
@pytest.mark.data
def test_pocketsphinx_hears_half_of_the_words_of_a_clear_reader():
    import soundfile

    folder = SPEECH.parent / "pocketsphinx_librivox"
    path = sorted(folder.glob("*0880.wav"))[0]
    x, rate = soundfile.read(path, dtype="float32")
    (text,) = PocketsphinxRecogniser().transcribe([Clip("", x, rate)])
    said = {"he", "was", "not", "an", "ill", "disposed", "young", "man"}
    assert len(said & set(text.split())) >= 4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.curators.training.transcript_cases import FOREIGN
from auricle.curators.words.language import SCRIPT_LANGUAGES, detect

SENTENCES = {
    "en": "she sells fresh bread and cheese at the market every morning",
    "de": "wir gehen heute Abend mit den Kindern ins Kino",
    "fr": "nous avons mangé une soupe avec du pain hier soir",
    "es": "mañana vamos a la playa con nuestros amigos de la escuela",
    "it": "questa mattina abbiamo bevuto un caffè vicino alla stazione",
    "nl": "morgen gaan we met de trein naar het strand",
    "pl": "jutro pojedziemy pociągiem nad morze z przyjaciółmi",
    "tr": "yarın sabah erkenden denize gideceğiz ve yüzeceğiz",
    "fi": "huomenna menemme junalla meren rannalle ystävien kanssa",
    "ru": "завтра мы поедем на поезде к морю вместе с друзьями",
    "uk": "завтра ми поїдемо потягом до моря разом із друзями",
    "el": "αύριο θα πάμε με το τρένο στη θάλασσα",
    "he": "מחר ניסע ברכבת לים עם החברים",
    "ar": "غدا سوف نذهب بالقطار إلى البحر مع الأصدقاء",
    "fa": "فردا با قطار به دریا خواهیم رفت و با دوستان خود شنا می‌کنیم",
    "hi": "कल हम दोस्तों के साथ रेलगाड़ी से समुद्र तट पर जाएंगे",
    "th": "พรุ่งนี้เราจะไปทะเลโดยรถไฟ",
    "ko": "내일 우리는 기차를 타고 바다에 갈 거예요",
    "ja": "明日は友達と電車で海に行きます",
    "zh": "明天我们和朋友一起坐火车去海边",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_tells_its_language(language):
    found = detect(SENTENCES[language])
    assert found.language == language
    assert found.probability > 0.6


def test_the_declaration_of_human_rights_is_told_apart_in_nine_languages():
    assert [detect(text).language for text in FOREIGN] == ["de", "fr", "es", "it", "nl", "pl", "sv", "pt", "ru"]


def test_case_and_marks_do_not_change_the_language():
    text = SENTENCES["de"]
    assert detect(text.upper()).language == detect(f"»{text}!«").language == "de"


def test_the_probabilities_of_a_script_sum_to_one():
    found = detect(SENTENCES["nl"])
    assert set(found.log_probability) == set(SCRIPT_LANGUAGES["latin"].split())
    assert np.exp(list(found.log_probability.values())).sum() == pytest.approx(1)


@pytest.mark.parametrize("text", ["", "  ", "1234", "...", "♪♪", "\U0001f600"])
def test_a_text_without_letters_has_no_language(text):
    assert detect(text).language is None
    assert detect(text).script is None


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_without_an_exception(text):
    found = detect(text)
    assert 0 <= found.probability <= 1 + 1e-9
    assert (found.language is None) == (found.script is None)

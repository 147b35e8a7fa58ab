import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.curators.words.spoken_words import ONES, TENS, cardinal, ordinal, spoken_words


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Hello, World!", "hello world"),
        ("It’s Mr. Smith's dog", "it's mister smith's dog"),
        ("1,200.5", "one thousand two hundred point five"),
        ("in 1886", "in eighteen eighty six"),
        ("1905 and 2000 and 2024", "nineteen oh five and two thousand and twenty twenty four"),
        ("the 4th, 21st, 12th and 30th", "the fourth twenty first twelfth and thirtieth"),
        ("agent 007", "agent zero zero seven"),
        ("$3 & £1,000", "three dollars and one thousand pounds"),
        ("100%", "one hundred percent"),
        ("well-known co-op", "well known co op"),
        ("[noise] <unk> yes {laugh}", "yes"),
        ("1,2,3", "one two three"),
        ("Straße и 中文", "straße и 中文"),
        ("¿qué?", "qué"),
        ("12345678901234", "one two three four five six seven eight nine zero one two three four"),
        ("", ""),
        ("...?!", ""),
    ],
)
def test_text_becomes_what_is_said(written, said):
    assert " ".join(spoken_words(written)) == said


@given(st.integers(0, 10**12 - 1))
def test_numbers_read_back_to_themselves(n):
    units = {word: k for k, word in enumerate(ONES)}
    tens = {word: 10 * k for k, word in enumerate(TENS) if word}
    scales = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
    total = part = 0
    for word in cardinal(n):
        if word in scales:
            total, part = total + part * scales[word], 0
        else:
            part = part * 100 if word == "hundred" else part + (units | tens)[word]
    assert total + part == n


@given(st.integers(1, 10**6))
def test_ordinals_differ_from_cardinals_in_the_last_word_only(n):
    assert ordinal(n)[:-1] == cardinal(n)[:-1]
    assert ordinal(n)[-1] != cardinal(n)[-1]


@given(st.text(max_size=100))
def test_words_have_no_spaces_digits_or_marks(text):
    for word in spoken_words(text):
        assert word
        assert not any(c.isspace() or c in '.,!?0123456789"' for c in word)

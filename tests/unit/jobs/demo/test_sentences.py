"""What the voices say."""

from __future__ import annotations

import numpy as np
import pytest

from auricle.jobs.demo.sentences import sentences


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_sentences_are_distinct_and_written_like_sentences(language):
    made = sentences(language, 90, np.random.default_rng(0))
    assert len({s.text for s in made}) == 90
    assert all(s.text[0].isupper() and s.text.endswith(".") for s in made)
    assert all(5 <= len(s.text.split()) <= 24 for s in made)


def test_a_phrase_returns_only_after_all_the_others():
    made = sentences("en", 20, np.random.default_rng(1))
    places = [s.phrases[-1] for s in made]
    assert len(set(places)) == 20
    assert not made[0].shares_phrase(made[1])
    assert made[0].shares_phrase(made[0])


def test_every_other_english_sentence_goes_without_an_opening():
    made = sentences("en", 10, np.random.default_rng(2))
    assert [("," in s.text) for s in made] == [True, False] * 5


def test_a_seed_gives_the_same_sentences_again():
    first, again, other = (sentences("fr", 30, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first == again
    assert first != other

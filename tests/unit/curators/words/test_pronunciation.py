import pytest

from auricle.curators.training.train_pronunciation import aligned, learn
from auricle.curators.words.acoustic_model import acoustic_model
from auricle.curators.words.edit_distance import edit_distance
from auricle.curators.words.pronunciation import RULES, dictionary, known, pronunciations


def test_the_dictionary_comes_first_with_all_its_ways():
    assert known("read")
    assert sorted(map(tuple, pronunciations("read"))) == [("R", "EH", "D"), ("R", "IY", "D")]


@pytest.mark.parametrize(
    ("word", "end"), [("harbour's", "Z"), ("qwertyboat's", "S"), ("foxglove's", "Z"), ("bookshop's", "S")]
)
def test_a_possessive_ends_as_it_sounds(word, end):
    assert pronunciations(word)[0][-1] == end


@pytest.mark.parametrize(
    ("word", "phones"), [("blorptown", "B L AO R P T AW N"), ("glim", "G L IH M"), ("würde", "W ER D"), ("naïve", None)]
)
def test_unknown_words_are_said_by_rule(word, phones):
    assert not known(word)
    (way,) = pronunciations(word)
    assert phones is None or " ".join(way) == phones


@pytest.mark.parametrize("word", ["людей", "中文", "ab中", "'", "x" * 41])
def test_what_has_no_latin_letters_is_not_said(word):
    assert pronunciations(word) == []


def test_every_phone_is_one_of_the_acoustic_model():
    phones = set(acoustic_model().phones)
    assert {p for ways in dictionary().values() for way in ways for p in way.split()} <= phones
    assert {p for line in RULES.read_text().splitlines() for p in line.split("\t")[1].split()} <= phones


def test_letters_are_aligned_to_none_one_or_two_phones():
    cost = {("x", ("K", "S")): 0.1, ("f", ("F",)): 0.1, ("o", ("AA",)): 0.1, ("e", ()): 0.1}
    assert aligned("foxe", ["F", "AA", "K", "S"], cost) == [("F",), ("AA",), ("K", "S"), ()]
    assert aligned("a", ["F", "AA", "K"], cost) is None


def test_a_rule_is_learned_only_where_it_corrects_a_narrower_one():
    words = [("ca", [("K",), ("AE",)])] * 5 + [("ce", [("S",), ("IY",)])] * 4
    rules = learn(words)
    assert rules["0c"] == "K"
    assert rules["1ce"] == "S"
    assert not any(key.startswith("1ca") for key in rules)


def test_edit_distance_is_levenshteins():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == 3

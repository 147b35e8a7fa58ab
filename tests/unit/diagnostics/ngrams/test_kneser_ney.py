import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.diagnostics.known.sources import SparseMarkov
from auricle.diagnostics.ngrams.counts import NgramCounts, merge, pack
from auricle.diagnostics.ngrams.kneser_ney import KneserNey, discounts


def ngrams(clips, cardinality, order):
    """Packed n-grams of clips `[N, T]`, with "before the clip" in front."""
    padded = np.concatenate((np.full((clips.shape[0], order), cardinality), clips), axis=1)
    return pack([padded[:, i : i + clips.shape[1]].ravel() for i in range(order + 1)], cardinality)


def counted(clips, cardinality, order):
    return NgramCounts.of(ngrams(clips, cardinality, order), cardinality, order)


@given(st.lists(st.integers(0, 6), min_size=0, max_size=80), st.integers(0, 3), st.integers(0, 8**3 - 1))
def test_probabilities_sum_to_one_in_every_context(sequence, order, context):
    model = KneserNey(counted(np.array(sequence, dtype=np.int64)[None, :], 7, order))
    keys = (context % 8**order) * 8 + np.arange(7)
    probability = model.probability(keys)
    assert probability.min() > 0
    assert probability.sum() == pytest.approx(1, abs=1e-12)


def test_a_bigram_model_agrees_with_the_formula_worked_by_hand():
    # a b a b a a: bigrams from three symbols, "before" is symbol 3; counts of counts have gaps, so one discount
    model = KneserNey(counted(np.array([[0, 1, 0, 1, 0, 0]]), 3, 1))
    bigrams = {(3, 0): 1, (0, 1): 2, (1, 0): 2, (0, 0): 1}
    discount_2 = 2 / (2 + 2 * 2)  # two seen once, two seen twice
    preceding = {0: 3, 1: 1}  # "before", b and a stand before a; a stands before b
    taken = {0: 1.0, 1: 0.98}  # the discount 1 / (1 + 2 * 0), kept below a count of one
    lower = sum(taken.values()) / 4 / 3
    base = {w: (preceding.get(w, 0) - taken.get(w, 0)) / 4 + lower for w in range(3)}
    for context, total, kinds in ((0, 3, 2), (1, 2, 1)):
        for w in range(3):
            count = bigrams.get((context, w), 0)
            expected = max(count - discount_2, 0) / total + kinds * discount_2 / total * base[w]
            assert model.probability(np.array([context * 4 + w]))[0] == pytest.approx(expected, abs=1e-12)


def test_discounts_follow_chen_and_goodman_and_stay_below_the_count():
    counts = np.repeat([1, 2, 3, 4, 9], [100, 40, 20, 10, 5])
    y = 100 / 180
    assert discounts(counts) == pytest.approx([0, 1 - 2 * y * 0.4, 2 - 3 * y * 0.5, 3 - 4 * y * 0.5])
    for regular in (np.ones(50, int), np.full(50, 7), np.array([], int)):
        limits = discounts(regular)
        assert np.all(limits[1:] > 0)
        assert np.all(limits[1:] < [1, 2, 3])


def test_an_empty_table_gives_the_uniform_distribution():
    model = KneserNey(NgramCounts.of(np.zeros(0, np.int64), 16, 2))
    assert model.bits(np.array([5, 300])) == pytest.approx([4, 4])
    assert not model.knows_context(np.array([5])).any()


def test_a_model_of_merged_shards_equals_one_of_a_single_pass():
    clips = SparseMarkov.random(64, 1, 8, seed=1).sample(16, 500, seed=2)
    single = KneserNey(counted(clips, 64, 2))
    merged = KneserNey(merge(counted(clips[i::8], 64, 2) for i in range(8)))
    keys = ngrams(clips, 64, 2)
    assert np.array_equal(single.probability(keys), merged.probability(keys))


@pytest.mark.parametrize(
    ("cardinality", "order", "successors", "tokens", "gate"),
    [(64, 1, 16, 200_000, 0.015), (1024, 1, 16, 400_000, 0.05), (64, 2, 8, 400_000, 0.12)],
)
def test_held_out_code_length_of_a_markov_source_is_just_above_its_entropy_rate(
    cardinality, order, successors, tokens, gate
):
    source = SparseMarkov.random(cardinality, order, successors, seed=1)
    clips, oracle = source.sample_with_bits(100, tokens // 100, seed=2)
    model = KneserNey(counted(clips[:90], cardinality, order))
    bits = model.bits(ngrams(clips[90:], cardinality, order)).reshape(10, -1)
    excess = (bits - oracle[90:]).mean(axis=1)
    assert excess.mean() >= -3 * excess.std() / np.sqrt(10)
    assert bits.mean() <= source.entropy_rate() * (1 + gate)


def test_a_uniform_source_costs_its_log_cardinality():
    clips = np.random.default_rng(0).integers(0, 1024, (100, 2000))
    model = KneserNey(counted(clips[:90], 1024, 0))
    assert 10 <= model.cross_entropy(counted(clips[90:], 1024, 0)) <= 10.01


def test_cross_entropy_over_a_table_equals_the_mean_over_its_tokens():
    clips = SparseMarkov.random(64, 1, 8, seed=3).sample(10, 300, seed=4)
    model = KneserNey(counted(clips[:8], 64, 2))
    held_out = ngrams(clips[8:], 64, 2)
    assert model.cross_entropy(NgramCounts.of(held_out, 64, 2)) == pytest.approx(model.bits(held_out).mean())

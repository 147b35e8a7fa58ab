from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.diagnostics.ngrams.counts import NgramCounts, max_order, merge, pack

symbols = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 4)), max_size=60)


def table(rows):
    columns = [np.array([r[i] for r in rows], dtype=np.uint16) for i in range(3)]
    return NgramCounts.of(pack(columns, 5), 5, 2)


def as_counter(counts):
    return dict(zip(counts.keys.tolist(), counts.counts.tolist(), strict=True))


@given(symbols)
def test_counting_agrees_with_a_counter(rows):
    expected = Counter((a * 6 + b) * 6 + c for a, b, c in rows)
    assert as_counter(table(rows)) == expected


@given(st.lists(symbols, min_size=1, max_size=6), st.randoms())
def test_any_split_merged_in_any_order_equals_one_pass(parts, random):
    whole = table([row for part in parts for row in part])
    tables = [table(part) for part in parts]
    random.shuffle(tables)
    assert merge(tables) == whole


@given(symbols, symbols)
def test_subtracting_a_fold_equals_refitting_without_it(kept, fold):
    assert table(kept + fold) - table(fold) == table(kept)


@given(symbols)
def test_shortening_equals_counting_shorter_contexts(rows):
    expected = Counter(b * 6 + c for _, b, c in rows)
    assert as_counter(table(rows).shorten(1)) == expected


def test_subtracting_what_was_never_counted_is_refused():
    with pytest.raises(ValueError, match="not in the table"):
        _ = table([(0, 0, 1)]) - table([(0, 0, 2)])
    with pytest.raises(ValueError, match="negative"):
        _ = table([(0, 0, 1)]) - table([(0, 0, 1)] * 2)


def test_tables_of_different_kinds_do_not_mix():
    with pytest.raises(ValueError, match="differ in kind"):
        merge([table([(0, 0, 1)]), table([(0, 0, 1)]).shorten(1)])


@pytest.mark.parametrize("cardinality", [2, 64, 1024, 2048, 65535])
def test_the_longest_ngram_packs_and_one_symbol_more_is_refused(cardinality):
    top = np.array([cardinality - 1], dtype=np.uint16)
    columns = [top] * (max_order(cardinality) + 1)
    assert pack(columns, cardinality)[0] > 0
    with pytest.raises(ValueError, match="63-bit"):
        pack([*columns, top], cardinality)


def test_miller_madow_of_a_uniform_source_is_its_log_cardinality():
    rng = np.random.default_rng(0)
    counts = NgramCounts.of(rng.integers(0, 1024, 200_000), 1024, 0)
    assert counts.conditional_entropy() == pytest.approx(10, abs=0.001)
    assert counts.missing_mass() == 0


def test_missing_mass_predicts_how_often_the_next_symbol_is_new():
    rng = np.random.default_rng(0)
    draws = rng.zipf(1.4, 40_000) % 60_000
    counts = NgramCounts.of(draws[:20_000], 60_000, 0)
    new = np.mean(~np.isin(draws[20_000:], counts.keys))
    assert counts.missing_mass() > 0.02
    # singletons hold for the very next symbol; over as many again the share of new ones is a little lower
    first = np.mean(~np.isin(draws[20_000:22_000], counts.keys))
    assert first == pytest.approx(counts.missing_mass(), abs=0.015)
    assert new <= counts.missing_mass() + 0.005

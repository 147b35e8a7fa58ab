from hypothesis import given
from hypothesis import strategies as st

from auricle.diagnostics.estimates.folds import folds_of_clips, make_folds, sample_clips

clips = st.lists(
    st.tuples(st.uuids().map(str), st.sampled_from("abcdefgh"), st.integers(1, 500)),
    min_size=1,
    max_size=60,
    unique_by=lambda clip: clip[0],
)


@given(clips, st.randoms())
def test_folds_do_not_depend_on_the_order_of_clips(index, random):
    shuffled = random.sample(index, len(index))
    assert folds_of_clips(index, group_kind="speaker") == folds_of_clips(shuffled, group_kind="speaker")


@given(st.dictionaries(st.text(min_size=1), st.integers(1, 1000), min_size=5, max_size=40))
def test_every_fold_has_groups_and_none_outweighs_the_others_by_more_than_one_group(sizes):
    folds = make_folds(sizes, group_kind="speaker")
    load = [sum(size for group, size in sizes.items() if folds.of[group] == fold) for fold in range(5)]
    assert min(load) > 0
    assert max(load) - min(load) <= max(sizes.values())


def test_the_seed_changes_which_equal_groups_meet():
    sizes = {f"speaker {i}": 1.0 for i in range(20)}
    assignments = {tuple(make_folds(sizes, group_kind="speaker", seed=seed).of.items()) for seed in range(4)}
    assert len(assignments) == 4


def test_with_fewer_than_three_groups_single_clips_are_held_out_and_it_says_so():
    index = [(f"clip {i}", "anna" if i % 2 else "bert", 10) for i in range(12)]
    folds = folds_of_clips(index, group_kind="speaker")
    assert folds.describe() == "5 folds by clip (12 clips)"
    assert {folds.fold_of(key, group) for key, group, _ in index} == set(range(5))
    assert folds_of_clips([*index, ("x", "carl", 10)], group_kind="speaker").describe() == (
        "3 folds by speaker (3 speakers)"
    )
    mixed = folds_of_clips([*index, ("x", "carl", 10)], group_kind="speaker, else recording")
    assert mixed.describe() == "3 folds by speaker, else recording (3 groups)"


@given(clips, st.integers(1, 5000), st.randoms())
def test_a_sample_of_clips_respects_the_limit_whatever_the_order(index, limit, random):
    chosen = sample_clips(index, limit)
    assert sum(frames for key, _, frames in index if key in chosen) <= max(limit, 0)
    assert chosen == sample_clips(random.sample(index, len(index)), limit)


def test_a_sample_takes_from_every_group_in_turn():
    index = [(f"{group}{i}", group, 10) for group in "ab" for i in range(100)]
    index += [("c0", "c", 10)]
    chosen = sample_clips(index, 210)
    assert len(chosen) == 21
    assert {key[0] for key in chosen} == {"a", "b", "c"}
    assert sum(key[0] == "a" for key in chosen) == 10

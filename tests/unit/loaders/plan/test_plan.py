"""A plan holds every clip as often as it should, in an order that nothing but its settings decides."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import chain, pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_factory import make_index, read

from auricle.loaders.plan.buckets import bucket_edges
from auricle.loaders.plan.hashing import seed_of, splitmix64, words_of
from auricle.loaders.plan.packing import pack
from auricle.loaders.plan.plan import make_plan
from auricle.loaders.plan.settings import Mixing, Settings, fingerprint, read_state, require_same
from auricle.schemas.errors import ConfigError

BUDGET = Settings(batch_tokens=4096)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 400),
    seed=st.integers(0, 5),
    mode=st.sampled_from(["tokens", "rows", "packed"]),
    crop=st.sampled_from([None, 100]),
    worlds=st.lists(st.sampled_from([1, 2, 3, 4, 6, 12]), min_size=1, max_size=5),
    stops=st.lists(st.integers(0, 6), min_size=5, max_size=5),
)
def test_every_step_slot_and_clip_exactly_once_through_any_worlds_and_restarts(
    count: int, seed: int, mode: str, crop: int | None, worlds: list[int], stops: list[int]
) -> None:
    index = make_index(count, seed)
    chosen = {
        "tokens": Settings(seed=seed, microbatches=12, batch_tokens=2000, crop_frames=crop, window_shards=3),
        "rows": Settings(seed=seed, microbatches=12, batch_rows=5, crop_frames=crop, window_shards=3),
        "packed": Settings(
            seed=seed, microbatches=12, batch_tokens=3200, row_tokens=800, crop_frames=crop, window_shards=None
        ),
    }[mode]
    plan = make_plan(index, chosen, 2)
    undisturbed = read(plan, 1)
    assert [(step, slot) for step, slot, _ in undisturbed] == [
        (step, slot) for step in range(plan.steps) for slot in range(12)
    ]
    assert sorted(chain.from_iterable(clips for _, _, clips in undisturbed)) == list(range(count))
    found, step = [], 0
    for world, stop in zip(worlds, stops, strict=False):
        # each start makes the plan again, as another process would
        found += read(make_plan(index, chosen, 2), world, step, stop)
        step = min(step + stop, plan.steps)
    found += read(make_plan(index, chosen, 2), worlds[-1], step)
    assert found == undisturbed


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 900), seed=st.integers(0, 9), ratio=st.sampled_from([1.02, 1.05, 1.3]))
def test_no_microbatch_exceeds_its_padded_budget(count: int, seed: int, ratio: float) -> None:
    plan = make_plan(
        make_index(count, seed), Settings(batch_tokens=1000, bucket_ratio=ratio, microbatches=4, token_extra=3), 0
    )
    assert plan.padded_tokens().max() <= 1000
    assert (plan.tokens == plan.frames + 3).all()
    # an empty microbatch is only where clips ran out
    assert plan.empty == 0 or len(plan.draws) < 4 * 4


def test_buckets_waste_less_than_a_twentieth() -> None:
    plan = make_plan(make_index(20_000), Settings(batch_tokens=16_384, microbatches=8), 0)
    assert plan.efficiency() > 0.95
    packed = make_plan(make_index(20_000), Settings(batch_tokens=16_384, row_tokens=2048, microbatches=8), 0)
    assert packed.efficiency(2048) > 0.97


def test_packed_rows_hold_whole_clips_and_never_too_much() -> None:
    plan = make_plan(make_index(3000), Settings(batch_tokens=8192, row_tokens=2048), 0)
    assert plan.row_tokens.max() <= 2048
    assert sorted(plan.draws.tolist()) == list(range(3000))
    assert np.diff(plan.draw_starts).max() > 1


def test_packing_places_every_draw_once_whatever_the_lengths() -> None:
    for lengths in ([10] * 9000, [1], [7, 3, 7, 3], list(range(1, 101)) * 50):
        order, counts = pack(np.array(lengths), 100)
        assert sorted(order.tolist()) == list(range(len(lengths)))
        starts = np.concatenate([[0], np.cumsum(counts)])
        rows = [sum(lengths[i] for i in order[a:b]) for a, b in pairwise(starts)]
        assert max(rows) <= 100


def test_the_order_of_rows_and_parts_changes_nothing_and_seed_and_epoch_do() -> None:
    index = make_index(500)
    plan = make_plan(index, BUDGET, 0)
    assert np.array_equal(plan.draws, make_plan(index, BUDGET, 0).draws)
    # the same shards under other places
    names = index.pointers[0].shards
    turned = replace(index.pointers[0], shards=names[::-1], shard=(len(names) - 1 - index.pointers[0].shard))
    assert np.array_equal(plan.draws, make_plan(replace(index, pointers=(turned,)), BUDGET, 0).draws)
    assert not np.array_equal(plan.draws, make_plan(index, BUDGET, 1).draws)
    assert not np.array_equal(plan.draws, make_plan(index, replace(BUDGET, seed=1), 0).draws)


def test_a_plan_is_the_same_on_every_machine_and_release() -> None:
    index = make_index(300)
    whole = splitmix64(np.arange(600, dtype=np.uint64)).reshape(300, 2)
    pointers = replace(
        index.pointers[0],
        frames=(20 + whole[:, 1] % 700).astype(np.int32),
        shard=(whole[:, 1] % 7).astype(np.int32),
        shards=tuple(f"{i:064x}" for i in range(7)),
    )
    index = replace(index, key=whole[np.argsort(whole[:, 0])], pointers=(pointers,))
    chosen = Settings(seed=7, batch_tokens=3000, microbatches=2, crop_frames=200, window_shards=2)
    plan = make_plan(index, chosen, 3)
    assert plan.crop_starts is not None
    seen = splitmix64(plan.draws.astype(np.uint64) + np.arange(300, dtype=np.uint64) * 1000)
    # changes only with PLANNER, which states carry
    assert (plan.steps, int(np.bitwise_xor.reduce(seen)), int(plan.crop_starts.sum())) == GOLDEN


GOLDEN = (10, 13155257340486276111, 28122)


def test_few_shards_are_open_at_a_time() -> None:
    index = make_index(8000, shards=40)
    plan = make_plan(index, Settings(batch_rows=10, window_shards=4), 0)
    shards = index.pointers[0].shard[plan.draws].reshape(-1, 10)
    spans = [len(set(shards[i : i + 20].ravel().tolist())) for i in range(0, len(shards) - 20, 20)]
    assert max(spans) <= 8
    assert np.median(spans) == 4


@settings(max_examples=40, deadline=None)
@given(
    weights=st.tuples(*[st.sampled_from([0, 0.1, 0.5, 1, 1.5, 2.3])] * 3).filter(any),
    epochs=st.integers(1, 12),
    seed=st.integers(0, 3),
)
def test_quotas_of_repeats_are_exact_over_any_number_of_epochs(
    weights: tuple[float, ...], epochs: int, seed: int
) -> None:
    index = make_index(60, seed, ("a", "b", "c"))
    mixing = Mixing("source", repeats=dict(zip("abc", weights, strict=True)))
    drawn: Counter[int] = Counter()
    for epoch in range(epochs):
        try:
            drawn.update(make_plan(index, Settings(batch_rows=7, seed=seed, mixing=mixing), epoch).draws.tolist())
        except ConfigError:
            # small weights leave some early epochs empty
            assert max(Fraction(str(w)) * 60 for w in weights) < epochs + 60
    for group, weight in enumerate(weights):
        members = np.flatnonzero(index.group == group).tolist()
        counts = [drawn[m] for m in members]
        assert sum(counts) == int(Fraction(str(weight)) * len(members) * epochs)
        # no clip is drawn again before all others of its group had their turn
        assert not counts or max(counts) - min(counts) <= 1


def test_shares_are_exact_and_spread_evenly_over_the_epoch() -> None:
    index = make_index(9000, groups=("a", "b", "c"))
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    plan = make_plan(index, Settings(batch_rows=100, mixing=Mixing("language", shares=shares)), 0)
    groups = index.group[plan.draws]
    for group, share in enumerate(shares.values()):
        assert abs(int((groups == group).sum()) - share * 9000) <= 1
        for start in range(0, 9000 - 1000, 1000):
            assert abs(int((groups[start : start + 1000] == group).sum()) - share * 1000) <= 3
    by_frames = Mixing("language", shares=shares, measure="frames")
    plan = make_plan(index, Settings(batch_rows=100, mixing=by_frames), 0)
    frames = np.bincount(index.group[plan.draws], weights=plan.frames)
    assert np.allclose(frames / frames.sum(), list(shares.values()), atol=0.02)


def test_stages_open_as_the_pacing_says() -> None:
    index = make_index(300)
    assert index.stage is not None
    paced = Settings(batch_rows=10, pacing=(0, 2, 3))
    for epoch, stage in ((0, 0), (1, 0), (2, 1), (3, 2), (9, 2)):
        plan = make_plan(index, paced, epoch)
        assert sorted(plan.draws.tolist()) == np.flatnonzero(index.stage <= stage).tolist()
        assert plan.left_out["not_open_yet"] == int((index.stage > stage).sum())


def test_crops_stay_inside_their_clip_and_change_with_the_epoch() -> None:
    index = make_index(400)
    cropped = Settings(batch_rows=8, crop_frames=64)
    plans = [make_plan(index, cropped, epoch) for epoch in (0, 1)]
    for plan in plans:
        assert plan.crop_starts is not None
        lengths = index.pointers[0].frames[plan.draws]
        assert (plan.frames == np.minimum(lengths, 64)).all()
        assert (plan.crop_starts >= 0).all()
        assert (plan.crop_starts + plan.frames <= lengths).all()
    first, second = (dict(zip(p.draws.tolist(), p.crop_starts.tolist(), strict=True)) for p in plans)
    assert first != second
    fixed = make_plan(index, replace(cropped, crop="start"), 0)
    assert fixed.crop_starts is not None
    assert not fixed.crop_starts.any()


def test_what_does_not_fit_is_left_out_and_counted() -> None:
    index = make_index(200)
    plan = make_plan(index, Settings(batch_tokens=300, min_frames=40), 0)
    frames = index.pointers[0].frames
    assert plan.left_out == {"too_short": int((frames < 40).sum()), "too_long": int((frames > 300).sum())}
    assert len(plan.draws) == 200 - sum(plan.left_out.values())
    with pytest.raises(ConfigError, match="none of the 200 clips"):
        make_plan(index, Settings(batch_tokens=3000, min_frames=5000), 0)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({}, "one of batch_tokens"),
        ({"batch_tokens": 5, "batch_rows": 5}, "one of batch_tokens"),
        ({"batch_rows": 0}, "at least 1"),
        ({"batch_rows": 4, "row_tokens": 10}, "packing"),
        ({"batch_rows": 4, "bucket_ratio": 1.0}, "above 1"),
        ({"batch_rows": 4, "crop": "end"}, "random and start"),
        ({"batch_rows": 4, "stage": 1, "pacing": (0,)}, "not both"),
        ({"batch_rows": 4, "pacing": (1, 2)}, "stage 0 opens in epoch 0"),
    ],
)
def test_settings_that_cannot_be_planned_are_refused(bad: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Settings(**bad)  # pyright: ignore[reportArgumentType]


def test_mixing_that_names_what_is_not_there_is_refused() -> None:
    index = make_index(50, groups=("a", "b"))
    with pytest.raises(ConfigError, match=r"no clip has 'c'; there are 'a', 'b'"):
        make_plan(index, Settings(batch_rows=4, mixing=Mixing("source", repeats={"c": 2})), 0)
    with pytest.raises(ConfigError, match="either repeats or shares"):
        Mixing("source")


def test_a_world_that_does_not_divide_a_step_is_refused_with_those_that_do() -> None:
    plan = make_plan(make_index(50), Settings(batch_rows=4, microbatches=6), 0)
    with pytest.raises(ConfigError, match="take 1, 2, 3, 6 ranks"):
        list(plan.slots(0, 4))


def test_a_state_of_another_plan_says_what_differs() -> None:
    own = fingerprint(Settings(batch_rows=4), {"version": "aa"})
    other = fingerprint(Settings(batch_rows=4, seed=3), {"version": "bb"})
    require_same(own, own)
    with pytest.raises(ConfigError, match=r"seed: saved 3, here 0; version: saved 'bb', here 'aa'"):
        require_same(other, own)
    assert read_state({"fingerprint": own, "epoch": 2, "step": 5}, own) == (2, 5)
    with pytest.raises(ConfigError, match="lacks step"):
        read_state({"fingerprint": own, "epoch": 2}, own)
    with pytest.raises(ConfigError, match="not one of a plan"):
        read_state({"fingerprint": "x", "epoch": 2, "step": 5}, own)


def test_names_become_numbers_as_they_read() -> None:
    names = pa.chunked_array([["00000000000000ff" * 2], ["0123456789abcdef" + "fedcba9876543210"]])
    assert words_of(names, 2).tolist() == [[255, 255], [0x0123456789ABCDEF, 0xFEDCBA9876543210]]
    assert words_of(names.slice(1), 1).tolist() == [[0x0123456789ABCDEF]]
    with pytest.raises(ValueError, match="fewer than 16"):
        words_of(pa.array(["abc"]), 1)
    with pytest.raises(ValueError, match="no hexadecimal"):
        words_of(pa.array(["G" * 16]), 1)


def test_mixing_of_bits_is_the_published_one() -> None:
    # the first outputs of SplitMix64 from state 1234567
    states = np.array([1234567 + i * 0x9E3779B97F4A7C15 & (1 << 64) - 1 for i in range(3)], np.uint64)
    assert splitmix64(states).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert len({int(seed_of(a, b)) for a in range(50) for b in range(50)}) == 2500


def test_edges_cover_all_lengths() -> None:
    assert bucket_edges(1, 5, 1.05).tolist() == [1, 2, 3, 4, 5]
    edges = bucket_edges(100, 1000, 1.1)
    assert (edges[0], edges[-1]) == (100, 1000)
    assert (edges[1:] / edges[:-1]).max() < 1.11

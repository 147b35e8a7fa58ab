"""The epochs of a named curriculum draw what its pacing, shares and quotas say, exactly and resumably."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import chain, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plan_factory import make_index, read

from auricle.loaders.plan.index import Index
from auricle.loaders.plan.plan import make_plan
from auricle.loaders.plan.schedule import Schedule
from auricle.loaders.plan.settings import Mixing, Settings, fingerprint
from auricle.schemas.curriculum import CurriculumDocument
from auricle.schemas.errors import ConfigError

NAMES = ("a", "b", "c")
ROWS = Settings(batch_rows=7, microbatches=4)
Phases = list[tuple[int, str, dict[str, float]]]


def schedule(phases: Phases, quotas: dict[str, dict[str, int]] | None = None, measure: str = "clips") -> Schedule:
    """Three stages with this pacing; quotas: stage -> value -> clips."""
    facts = {"clips": 0, "hours": 0.0, "tokens": 0, "speakers": 0}
    document = {
        "schema": "auricle.curriculum_document/1",
        "name": "mine",
        "spec": {},
        "inputs": {"version": 1, "version_sha256": "", "representation": "", "fingerprint": ""},
        "stages": [facts | {"name": name, "quotas": (quotas or {}).get(name, {})} for name in NAMES],
        "phases": [{"epoch": epoch, kind: weights, "measure": measure} for epoch, kind, weights in phases],
        "left_out": {},
        "audit": [],
    }
    return Schedule.of(CurriculumDocument.model_validate(document))


def index_of(count: int, made: Schedule, seed: int = 0, sizes: dict[int, int] | None = None) -> Index:
    """An index whose clips are in groups at random, or, group by group, as many as `sizes` says."""
    groups = tuple(made.label(i) for i in range(len(made.groups)))
    index = make_index(count, seed, groups=groups)
    if sizes:
        group = np.concatenate([np.full(size, g, np.int16) for g, size in sizes.items()])
        index = replace(index, group=np.random.default_rng(seed).permutation(group))
    return replace(index, stage=None, schedule=made, curriculum="5" * 64)


def drawn(index: Index, epoch: int, chosen: Settings = ROWS) -> Counter[str]:
    """Draws of each group in an epoch."""
    return Counter(index.groups[g] for g in index.group[make_plan(index, chosen, epoch).draws])


weights = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0]), min_size=1
).filter(lambda found: sum(found.values()) > 0)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(30, 200),
    seed=st.integers(0, 4),
    kinds=st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from(["repeats", "shares"]), weights), min_size=1, max_size=3
    ),
)
def test_each_epoch_draws_of_each_stage_what_its_phase_says_and_no_fraction_is_lost(
    count: int, seed: int, kinds: list[tuple[int, str, dict[str, float]]]
) -> None:
    starts = [0, *np.cumsum([length for length, _, _ in kinds])[:-1].tolist()]
    phases = [(start, kind, found) for start, (_, kind, found) in zip(starts, kinds, strict=True)]
    index = index_of(count, schedule(phases), seed)
    size = np.bincount(index.group, minlength=3)
    assume(size.min() > 0)
    exact, total = [Fraction(0)] * 3, [0] * 3
    for epoch in range(starts[-1] + 3):
        _, kind, found = max(phase for phase in phases if phase[0] <= epoch)
        for g, name in enumerate(NAMES):
            weight = Fraction(str(found.get(name, 0)))
            if kind == "shares":
                named = [i for i, n in enumerate(NAMES) if found.get(n)]
                weight *= Fraction(int(size[named].sum()), 1) / sum(Fraction(str(w)) for w in found.values())
            else:
                weight *= int(size[g])
            exact[g] += weight
        if all(int(e) == t for e, t in zip(exact, total, strict=True)):
            continue
        counts = drawn(index, epoch)
        for g, name in enumerate(NAMES):
            total[g] += counts[name]
            # all epochs so far together are the exact amount, rounded down once
            assert total[g] == int(exact[g])


@settings(max_examples=40, deadline=None)
@given(
    quotas=st.lists(st.integers(1, 30), min_size=3, max_size=3),
    share=st.sampled_from([None, 0.25, 0.5, 0.9]),
    epoch=st.integers(0, 5),
    seed=st.integers(0, 3),
    mode=st.sampled_from(["rows", "tokens", "packed"]),
)
def test_quotas_are_drawn_exactly_in_every_epoch(
    quotas: list[int], share: float | None, epoch: int, seed: int, mode: str
) -> None:
    phase = {"a": 1.0, "b": 1.0, "c": 1.0} if share is None else {"a": 1.0, "b": share, "c": share}
    made = schedule([(0, "repeats", phase)], {"a": {"en": quotas[0], "de": quotas[1]}})
    sizes = {0: quotas[0], 1: quotas[1], 2: quotas[2], 3: 9}
    index = index_of(sum(sizes.values()), made, seed, sizes)
    chosen = {
        "rows": ROWS,
        "tokens": Settings(batch_tokens=2000, microbatches=4, seed=seed),
        "packed": Settings(batch_tokens=3200, row_tokens=800, microbatches=4, seed=seed),
    }[mode]
    plan = make_plan(index, chosen, epoch)
    counts = Counter(index.groups[g] for g in index.group[plan.draws])
    assert counts["a (en)"] == quotas[0]
    assert counts["a (de)"] == quotas[1]
    # of a whole pass, each clip once
    first = plan.draws[index.group[plan.draws] == 0]
    assert len(set(first.tolist())) == quotas[0]


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(40, 200),
    seed=st.integers(0, 3),
    epoch=st.integers(0, 4),
    worlds=st.lists(st.sampled_from([1, 2, 3, 4, 6, 12]), min_size=1, max_size=4),
    stops=st.lists(st.integers(0, 4), min_size=4, max_size=4),
)
def test_an_epoch_of_a_curriculum_is_the_same_through_any_worlds_and_restarts(
    count: int, seed: int, epoch: int, worlds: list[int], stops: list[int]
) -> None:
    made = schedule([(0, "repeats", {"a": 1}), (2, "shares", {"a": 0.3, "b": 0.5, "c": 0.2})])
    index = index_of(count, made, seed)
    assume(np.bincount(index.group, minlength=3).min() > 0)
    chosen = Settings(seed=seed, microbatches=12, batch_tokens=2000, window_shards=3)
    undisturbed = read(make_plan(index, chosen, epoch), 1)
    found, step = [], 0
    for world, stop in zip(worlds, stops, strict=False):
        plan = make_plan(index, chosen, epoch)
        found += read(plan, world, step, stop)
        step = min(step + stop, plan.steps)
    found += read(make_plan(index, chosen, epoch), worlds[-1], step)
    assert found == undisturbed
    assert list(chain.from_iterable(clips for _, _, clips in undisturbed))


def test_what_a_phase_draws_half_goes_on_in_the_next_before_anything_comes_again() -> None:
    made = schedule([(0, "repeats", {"a": 0.5, "b": 1, "c": 1}), (1, "repeats", {"a": 0.5, "c": 1})])
    index = index_of(60, made, sizes={0: 20, 1: 20, 2: 20})
    rows = [make_plan(index, ROWS, epoch).draws for epoch in range(2)]
    of_a = [set(draws[index.group[draws] == 0].tolist()) for draws in rows]
    assert [len(found) for found in of_a] == [10, 10]
    assert not of_a[0] & of_a[1]


def test_shares_by_frames_are_shares_of_frames() -> None:
    made = schedule([(0, "shares", {"a": 0.7, "b": 0.2, "c": 0.1})], measure="frames")
    index = index_of(6000, made)
    plan = make_plan(index, Settings(batch_tokens=4000, microbatches=2), 0)
    frames = np.bincount(index.group[plan.draws], weights=plan.frames)
    assert frames / frames.sum() == pytest.approx([0.7, 0.2, 0.1], abs=0.01)


def test_a_quota_that_the_settings_make_impossible_is_refused_with_the_reason() -> None:
    made = schedule([(0, "repeats", {"a": 1, "b": 1, "c": 1})], {"a": {"en": 20}})
    index = index_of(40, made, sizes={0: 20, 1: 10, 2: 10})
    with pytest.raises(ConfigError, match=r"demands 20 clips of a \(en\), and \d+ can be read.*too long"):
        make_plan(index, Settings(batch_rows=4, max_frames=60), 0)
    filtered = replace(index, group=np.where(np.arange(40) == np.flatnonzero(index.group == 0)[0], 1, index.group))
    with pytest.raises(ConfigError, match=r"and 19 can be read.*the filter leaves others out"):
        make_plan(filtered, ROWS, 0)


def test_clips_of_closed_stages_are_counted() -> None:
    made = schedule([(0, "repeats", {"a": 1}), (1, "repeats", {"a": 1, "b": 1, "c": 1})])
    index = index_of(40, made, sizes={0: 20, 1: 15, 2: 5})
    assert make_plan(index, ROWS, 0).left_out["not_drawn_in_this_epoch"] == 20
    assert make_plan(index, ROWS, 1).left_out["not_drawn_in_this_epoch"] == 0


@pytest.mark.parametrize("own", [{"stage": 1}, {"pacing": (0, 1)}, {"mixing": Mixing("language", repeats={"en": 2})}])
def test_a_named_curriculum_takes_no_other_stages_or_shares(own: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"leave {next(iter(own))} out"):
        Settings(batch_rows=4, curriculum="mine", **own)


def test_states_saved_before_curricula_had_names_still_fit() -> None:
    subject = {"version": "x", "curriculum": ""}
    assert '"curriculum":""' in fingerprint(ROWS, subject)
    named = fingerprint(replace(ROWS, curriculum="mine"), {"version": "x", "curriculum": "5" * 64})
    assert '"curriculum":"' + "5" * 64 in named
    assert "mine" not in named, "the content counts, whatever it is called by"


def test_orders_of_different_epochs_differ() -> None:
    made = schedule([(0, "repeats", {"a": 1, "b": 1, "c": 1})])
    index = index_of(90, made)
    plans = [make_plan(index, ROWS, epoch).draws.tolist() for epoch in range(3)]
    assert all(a != b for a, b in pairwise(plans))
    assert all(sorted(plan) == list(range(90)) for plan in plans)

import numpy as np
import pytest

from auricle.diagnostics.ngrams.code_store import CodeStore
from auricle.diagnostics.ngrams.contexts import describe, is_past_only, portfolio


def filled(memory_bytes=1 << 20):
    rng = np.random.default_rng(0)
    clips = [rng.integers(0, 16, (3, n)) for n in (5, 1, 40, 7)]
    store = CodeStore(16, memory_bytes=memory_bytes)
    for i, codes in enumerate(clips):
        assert store.add(f"clip {i}", "anna", codes) == ""
    store.close()
    return store, clips


def test_ngrams_are_the_codes_after_their_context_and_never_cross_clips():
    store, clips = filled()
    positions, clip, frame = store.frames([2, 0])
    assert list(zip(clip.tolist(), frame.tolist(), strict=True)) == [(2, t) for t in range(40)] + [
        (0, t) for t in range(5)
    ]
    keys = store.ngrams(1, ((0, 0), (1, 2)), positions)
    expected = []
    for c in (clips[2], clips[0]):
        for t in range(c.shape[1]):
            before = c[1, t - 2] if t >= 2 else 16
            expected.append((before * 17 + c[0, t]) * 17 + c[1, t])
    assert keys.tolist() == expected


def test_codes_beyond_the_memory_limit_read_the_same_from_a_file():
    store, _ = filled()
    spilled, _ = filled(memory_bytes=64)
    positions, _, _ = store.frames(range(4))
    assert np.array_equal(store.ngrams(2, ((1, 0), (2, 1)), positions), spilled.ngrams(2, ((1, 0), (2, 1)), positions))
    assert np.array_equal(store.entries(0), spilled.entries(0))


def test_entries_are_counted_without_the_symbol_before_the_clip():
    store, clips = filled()
    assert store.entries(1).tolist() == np.bincount(np.concatenate([c[1] for c in clips]), minlength=16).tolist()


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        (np.zeros((3, 4)), "not_codes"),
        (np.zeros((3, 0), int), "empty"),
        (np.zeros((2, 4), int), "other_codebooks"),
        (np.full((3, 4), 16), "out_of_range"),
        (np.full((3, 4), -1), "out_of_range"),
        (np.zeros(4, int), "not_codes"),
    ],
)
def test_codes_that_are_not_what_they_should_be_are_left_out_with_a_reason(codes, reason):
    store = CodeStore(16)
    assert store.add("a", "anna", np.zeros((3, 2), np.uint16)) == ""
    assert store.add("b", "anna", codes) == reason
    store.close()
    assert store.keys == ["a"]


def test_contexts_look_only_at_what_is_known_before_the_code():
    for codebook in range(8):
        for chain in portfolio(codebook, 8, 2048):
            assert all(lag > 0 or above < codebook for above, lag in chain)
        assert any(is_past_only(chain) for chain in portfolio(codebook, 8, 2048))


def test_contexts_of_huge_codebooks_are_cut_to_what_fits_a_key():
    assert max(len(chain) for chain in portfolio(0, 1, 2**30)) == 1
    assert max(len(chain) for chain in portfolio(0, 1, 2**20)) == 2


def test_contexts_are_described_nearest_first():
    assert describe(((1, 0), (2, 1))) == "c1[t] c2[t-1]"
    assert describe(()) == "nothing"

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from auricle.diagnostics.codes.code_gates import fall_at_ten_times
from auricle.diagnostics.known.sources import HiddenMarkov, ResidualQuantiser, SparseMarkov
from auricle.diagnostics.summary import diagnose_codes


def diagnose(codes, cardinality, groups=20, frame_rate=10.0, **options):
    """codes `[N, K, T]`; clip i belongs to group i % groups."""
    samples = [(f"clip {i:04}", f"speaker {i % groups:02}", clip) for i, clip in enumerate(codes)]
    return diagnose_codes(samples, frame_rate, cardinality, group_kind="speaker", **options)


@pytest.fixture(scope="module")
def quantiser():
    codes, oracle = ResidualQuantiser.random(3, 64, 8, seed=1).sample_with_bits(100, 500, seed=2)
    return codes, oracle, diagnose(codes, 64)


def test_a_uniform_source_has_the_raw_rate_and_uses_every_entry():
    codes = np.random.default_rng(0).integers(0, 1024, (100, 1, 1000))
    result = diagnose(codes, 1024)
    assert result.rate_raw == pytest.approx(100)
    assert 100 <= result.code_rate.value <= 100.2
    book = result.codebooks[0]
    assert set(book.contexts) <= {"nothing", "uniform"}
    assert (book.use, book.entropy, book.perplexity) == (
        1.0,
        pytest.approx(10, abs=0.002),
        pytest.approx(1024, rel=2e-3),
    )


def test_a_markov_source_is_within_two_percent_and_never_below_the_oracle():
    source = SparseMarkov.random(64, 1, 16, seed=1)
    symbols, oracle = source.sample_with_bits(100, 1000, seed=2)
    result = diagnose(symbols[:, None], 64, frame_rate=1.0)
    assert result.code_rate.relation == "<="
    assert oracle.mean() < result.code_rate.value < 1.02 * source.entropy_rate()
    excess = result.bits - oracle.sum(1)
    assert excess.mean() >= -3 * excess.std() / 10
    # the plug-in entropy of order one passes its gate and brackets the truth from below, up to sampling noise
    assert result.codebooks[0].entropy_1 == pytest.approx(source.entropy_rate(), rel=0.005)


def test_the_chain_rule_within_a_frame_finds_what_parallel_prediction_misses(quantiser):
    _, oracle, result = quantiser
    truth = oracle.mean() * 10
    assert truth < result.code_rate.value < 1.03 * truth
    # the first codebook comes from the past, the two others from the one above, of which the past says next to nothing
    assert result.chain_gain.low > 0.6 * truth
    assert result.chain_gain.high < result.rate_raw
    assert [max(book.contexts, key=book.contexts.__getitem__) for book in result.codebooks] == [
        "c0[t-1]",
        "c0[t]",
        "c1[t]",
    ]


def test_bits_of_clips_add_up_and_follow_the_oracle(quantiser):
    codes, oracle, result = quantiser
    assert result.clip_keys == [f"clip {i:04}" for i in range(100)]
    assert result.bits.sum() / result.total_seconds == pytest.approx(result.code_rate.value)
    for halves, seconds in (
        (result.clips.split_half, result.clips.split_half_seconds),
        (result.clips.blocks, result.clips.block_seconds),
    ):
        assert halves.sum(1) == pytest.approx(result.bits)
        assert seconds.sum(1) == pytest.approx(result.seconds)
    assert sum(book.bits for book in result.codebooks) * codes.shape[2] * 100 == pytest.approx(result.bits.sum())
    assert spearmanr(result.bits, oracle.sum(1))[0] > 0.95


def test_difficulty_ranks_noisy_clips_like_the_oracle_even_with_contexts_long_enough_to_memorise():
    source = SparseMarkov.random(64, 1, 8, seed=3)
    symbols = source.sample(300, 150, seed=4)
    rng = np.random.default_rng(5)
    noise = rng.beta(1.2, 3, 300)
    replaced = rng.random(symbols.shape) < noise[:, None]
    symbols[replaced] = rng.integers(0, 64, replaced.sum())
    result = diagnose(symbols[:, None], 64)
    assert spearmanr(result.bits, noise)[0] > 0.97


def test_a_corpus_far_too_small_for_its_source_is_unresolved_and_says_what_would_help():
    symbols = SparseMarkov.random(1024, 2, 8, seed=1).sample(100, 500, seed=2)
    result = diagnose(symbols[:, None], 1024)
    assert result.code_rate.value is None
    assert result.code_rate.computed > 90
    assert "is missing" in result.code_rate.reason
    assert "longer corpus" in result.code_rate.remedy
    assert str(result.code_rate).startswith("unresolved (")
    assert result.efficiency.value is None


def test_a_rate_that_still_falls_is_unresolved():
    symbols = SparseMarkov.random(1024, 1, 16, seed=1).sample(100, 1000, seed=2)
    result = diagnose(symbols[:, None], 1024)
    assert result.code_rate.value is None
    assert "per doubling of data" in result.code_rate.reason
    falling = [rate for _, rate in result.learning_curve]
    assert falling == sorted(falling, reverse=True)


def test_reaching_back_two_frames_gains_what_the_second_order_of_the_source_is_worth():
    source = SparseMarkov.random(32, 2, 8, seed=1)
    result = diagnose(source.sample(100, 2000, seed=2)[:, None], 32)
    seconds, rates = zip(*result.context_gain, strict=True)
    assert seconds == pytest.approx([0, 0.1, 0.2, 0.3])
    book = result.codebooks[0]
    assert rates[0] == pytest.approx(10 * book.entropy, rel=0.01)
    assert rates[1] == pytest.approx(10 * book.entropy_1, rel=0.01)
    assert rates[2] == pytest.approx(10 * source.entropy_rate(), rel=0.1)
    assert rates[3] == pytest.approx(rates[2], rel=0.01)


def test_a_curve_that_converges_is_extrapolated_and_one_that_does_not_is_not():
    source = SparseMarkov.random(128, 1, 16, seed=1)
    converging = diagnose(source.sample(100, 1000, seed=2)[:, None], 128)
    assert converging.learning_exponent >= 0.5
    assert abs(converging.learning_limit - 10 * source.entropy_rate()) < 0.04 * converging.learning_limit
    hopeless = SparseMarkov.random(1024, 2, 8, seed=1).sample(100, 200, seed=2)
    assert diagnose(hopeless[:, None], 1024).learning_limit is None


def test_what_a_codebook_repeats_from_the_frame_before_is_no_gain_of_the_chain():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 64, (60, 1001))
    delayed = np.stack((first[:, 1:], first[:, :-1]), axis=1)
    result = diagnose(delayed, 64, frame_rate=1.0)
    assert result.code_rate.value == pytest.approx(6, rel=0.02)
    assert abs(result.chain_gain.value) < 0.05
    together = np.stack((first, first), axis=1)
    result = diagnose(together, 64, frame_rate=1.0)
    assert result.chain_gain.computed == pytest.approx(6, rel=0.02)
    assert result.codebooks[1].past_only_bits == pytest.approx(6, rel=0.02)


def test_a_hidden_state_is_never_undercut():
    source = HiddenMarkov.random(16, 64, seed=1)
    symbols = source.sample(100, 500, seed=2)
    excess = diagnose(symbols[:, None], 64, frame_rate=1.0).bits - source.bits(symbols).sum(1)
    assert excess.mean() >= -3 * excess.std() / 10


def test_shuffled_frames_cost_what_single_codes_cost(quantiser):
    codes, _, _ = quantiser
    rng = np.random.default_rng(0)
    flat = codes[:, :1].ravel()
    shuffled = rng.permutation(flat).reshape(codes.shape[0], 1, -1)
    book = diagnose(shuffled, 64).codebooks[0]
    assert book.bits >= book.entropy - 0.002
    assert book.bits == pytest.approx(book.entropy, rel=0.005)


def test_too_few_speakers_give_bits_but_no_rate():
    symbols = SparseMarkov.random(64, 1, 16, seed=1).sample(20, 1000, seed=2)
    result = diagnose(symbols[:, None], 64, groups=2)
    assert result.folds == "5 folds by clip (20 clips)"
    assert "2 speakers" in result.code_rate.reason
    assert np.isfinite(result.bits).all()


def test_one_clip_or_none_is_unresolved_without_an_error():
    for count in (0, 1, 2):
        result = diagnose(np.zeros((count, 2, 5), np.uint16), 16)
        assert result.code_rate.value is None
        assert result.bits.shape == (count,)
        assert np.isnan(result.bits).all()
        assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["code_rate"]["status"] == "unresolved"


def test_clips_of_one_frame_and_unused_codebooks_do_no_harm():
    rng = np.random.default_rng(0)
    samples = [(f"{i}", f"s{i % 7}", rng.integers(0, 2, (2, 1 + i % 3)) * [[1], [0]]) for i in range(60)]
    result = diagnose_codes(samples, 12.5, 32, group_kind="speaker")
    assert np.isfinite(result.bits).all()
    assert result.codebooks[1].use == 1 / 32


def test_bad_clips_are_left_out_and_counted():
    good = np.random.default_rng(0).integers(0, 16, (10, 2, 50))
    samples = [(f"{i}", f"s{i}", clip) for i, clip in enumerate(good)]
    samples += [("0", "s0", good[0]), ("bad", "s1", good[0] + 99), ("empty", "s1", good[0][:, :0])]
    result = diagnose_codes(lambda: iter(samples), 12.5, 16, group_kind="recording")
    assert result.skipped == {"duplicate_key": 1, "out_of_range": 1, "empty": 1}
    assert result.num_clips == 10


def test_the_order_of_clips_changes_nothing(quantiser):
    codes, _, result = quantiser
    samples = [(f"clip {i:04}", f"speaker {i % 20:02}", codes[i]) for i in reversed(range(100))]
    turned = diagnose_codes(samples, 10.0, 64, group_kind="speaker")
    assert turned.code_rate.value == pytest.approx(result.code_rate.value, rel=1e-4)


def test_counting_on_fewer_frames_still_scores_every_clip(quantiser):
    codes, _, result = quantiser
    fewer = diagnose(codes, 64, max_train_frames=10_000)
    assert np.isfinite(fewer.bits).all()
    assert result.bits.sum() < fewer.bits.sum() < 1.4 * result.bits.sum()


def test_training_on_next_to_nothing_costs_about_the_raw_rate(quantiser):
    codes, _, _ = quantiser
    blind = diagnose(codes[:20], 64, max_train_frames=10)
    assert blind.code_rate.value is None
    assert blind.code_rate.computed == pytest.approx(blind.rate_raw, rel=0.001)


def test_one_entry_takes_no_bits():
    result = diagnose(np.zeros((10, 2, 100), np.uint16), 1)
    assert (result.rate_raw, result.code_rate.computed) == (0, pytest.approx(0, abs=1e-9))


def test_the_record_is_json_and_names_what_was_held_out(quantiser):
    _, _, result = quantiser
    record = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert record["folds"] == "5 folds by speaker (20 speakers)"
    assert record["code_rate"]["status"] == "resolved"
    assert len(record["codebooks"]) == 3
    assert "bits" not in record


def test_what_level_explains_is_taken_out_and_the_rest_comes_back_in_the_other_half():
    rng = np.random.default_rng(0)
    loud = rng.random((200, 100)) < 0.5
    # loud frames are drawn from more entries than quiet ones; some clips from more than others, throughout
    hard = np.repeat([10, 16], 100)
    entries = np.where(loud, 16 + rng.integers(0, 48, loud.shape), rng.integers(0, 16, loud.shape) % hard[:, None])
    # how much of a clip is loud says nothing about its other half
    loudness = np.where(loud, -20.0, -60.0) + rng.normal(size=loud.shape)
    sound = {f"clip {i:04}": np.stack((level, loud[i])) for i, level in enumerate(loudness)}
    result = diagnose(entries[:, None], 64, sound=sound)
    assert result.clips.explained > 0.3
    assert result.clips.split_half_repeatability > result.clips.raw_repeatability + 0.1
    assert result.clips.hard_bits.sum() == pytest.approx(result.bits.sum(), rel=0.02)
    assert result.clips.voiced_seconds == pytest.approx(loud.sum(1) / 10)
    assert diagnose(entries[:20, None], 64).clips.explained is None


def test_noise_has_little_that_a_better_model_could_take_away():
    learnable = SparseMarkov.random(64, 1, 8, seed=1).sample(50, 1000, seed=2)
    noise = np.random.default_rng(0).integers(0, 64, (50, 1000))
    result = diagnose(np.concatenate((learnable, noise))[:, None], 64)
    saved = result.clips.reducible_bits / result.seconds
    assert saved[:50].min() > 10
    assert np.abs(saved[50:]).max() < 5


def test_what_ten_times_the_data_would_save_follows_the_curve_of_the_fall():
    for b in (0.2, 0.5, 1.0):
        curve = 100 + 10 * np.array([1 / 4, 1 / 2, 1.0, 10.0]) ** -b
        expected = (curve[2] - curve[3]) / curve[2]
        assert fall_at_ten_times(curve[:3], b) == pytest.approx(expected)
    assert fall_at_ten_times(np.array([120.0, 110.0, 100.0]), None) == pytest.approx(0.1 * np.log2(10))
    assert fall_at_ten_times(np.array([100.0, 100.0, 101.0]), None) == 0


def test_a_slow_fall_is_not_called_resolved_within_what_the_next_doubling_saves():
    symbols = SparseMarkov.random(64, 2, 8, seed=1).sample(100, 400, seed=2)[:, None]
    small, large = diagnose(symbols[:, :, :40], 64), diagnose(symbols, 64)
    fell = 1 - large.code_rate.computed / small.code_rate.computed
    assert small.within.total > 0.5 * fell

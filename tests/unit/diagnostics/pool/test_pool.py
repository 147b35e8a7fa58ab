import numpy as np
import pytest

from auricle.diagnostics.known.sources import HiddenMarkov, SparseMarkov
from auricle.diagnostics.ngrams.code_store import CodeStore
from auricle.diagnostics.ngrams.counts import NgramCounts, pack
from auricle.diagnostics.ngrams.kneser_ney import KneserNey
from auricle.diagnostics.pool.kmeans import NestedClasses
from auricle.diagnostics.pool.log_linear import fit_weights, nats
from auricle.diagnostics.pool.pool_member import Pool
from auricle.diagnostics.pool.sound_classes import SoundClasses
from auricle.diagnostics.pool.tables import count, log_probabilities
from auricle.diagnostics.summary import diagnose_codes


def filled(codes, cardinality, groups=10):
    store = CodeStore(cardinality)
    for i, clip in enumerate(codes):
        store.add(f"clip {i:04}", f"speaker {i % groups:02}", clip)
    store.close()
    return store


def diagnose(codes, cardinality, vectors=None, groups=10):
    samples = [(f"clip {i:04}", f"speaker {i % groups:02}", clip) for i, clip in enumerate(codes)]
    members = {"pool": Pool(vectors)}
    return diagnose_codes(samples, 10.0, cardinality, group_kind="speaker", members=members)


def quantised_sound(num_clips, num_frames, entries, seed):
    """Codes `[N, 2, T]` of a slowly turning sound of 6 dimensions by two residual codebooks, and their vectors."""
    rng = np.random.default_rng(seed)
    vectors = np.stack((rng.normal(size=(entries, 6)), 0.4 * rng.normal(size=(entries, 6))))
    sound = np.empty((num_clips, num_frames, 6))
    state = rng.normal(size=(num_clips, 6))
    for t in range(num_frames):
        state = 0.9 * state + np.sqrt(1 - 0.81) * rng.normal(size=state.shape)
        sound[:, t] = state
    first = np.square(sound[:, :, None] - vectors[0]).sum(-1).argmin(-1)
    rest = sound - vectors[0][first]
    second = np.square(rest[:, :, None] - vectors[1]).sum(-1).argmin(-1)
    return np.stack((first, second), axis=1), vectors


def test_a_table_gives_what_kneser_ney_of_one_symbol_gives():
    codes = SparseMarkov.random(16, 1, 4, seed=1).sample(5, 80, seed=2)
    before, code = codes[:, :-1].ravel(), codes[:, 1:].ravel()
    model = KneserNey(NgramCounts.of(pack([before, code], 16), 16, 1))
    everything = np.indices((17, 16)).reshape(2, -1)
    table = log_probabilities(count(before, code, 17, 16))
    assert np.exp(table).ravel() == pytest.approx(model.probability(pack(list(everything), 16)), rel=1e-5)
    assert np.exp(table).sum(1) == pytest.approx(np.ones(17), rel=1e-5)
    assert np.exp(log_probabilities(np.zeros((3, 4), np.int32))) == pytest.approx(np.full((3, 4), 0.25))


def test_tables_merge_and_subtract_exactly():
    rng = np.random.default_rng(0)
    context, codes, fold = rng.integers(0, 9, 5000), rng.integers(0, 7, 5000), rng.integers(0, 5, 5000)
    whole = count(context, codes, 9, 7)
    parts = [count(context[fold == f], codes[fold == f], 9, 7) for f in range(5)]
    assert np.array_equal(sum(parts), whole)
    assert np.array_equal(whole - parts[2], count(context[fold != 2], codes[fold != 2], 9, 7))


def test_the_pool_is_normalised_and_finds_the_product_of_two_independent_hints():
    rng = np.random.default_rng(0)
    one, two = rng.dirichlet(np.full(8, 0.5), (2, 5))
    contexts = rng.integers(0, 5, (2, 4000))
    both = one[contexts[0]] * two[contexts[1]]
    both /= both.sum(1, keepdims=True)
    codes = (both.cumsum(1) > rng.random((4000, 1))).argmax(1)
    tables = [np.full((1, 8), -np.log(8), np.float32), *(np.log(t).astype(np.float32) for t in (one, two))]
    rows = [np.zeros(4000, np.int64), *contexts]
    weights = fit_weights(tables, rows, codes)
    assert weights[1:] == pytest.approx([1, 1], abs=0.1)
    assert nats(tables, rows, codes, weights).mean() <= -np.log(both[np.arange(4000), codes]).mean() + 1e-6
    every = [nats(tables, [r[:50] for r in rows], np.full(50, k), weights) for k in range(8)]
    assert np.exp(-np.stack(every)).sum(0) == pytest.approx(np.ones(50), rel=1e-5)
    assert fit_weights(tables, [r[:0] for r in rows], codes[:0]).tolist() == [1, 0, 0]


def test_coarser_classes_are_unions_of_finer_ones():
    points = np.random.default_rng(0).normal(size=(500, 3))
    classes = NestedClasses(points, (32, 8, 2), 0)
    fine, middle, coarse = classes.labels(points)
    assert classes.sizes == [32, 8, 2]
    for finer, coarser in ((fine, middle), (middle, coarse)):
        assert all(np.unique(coarser[finer == c]).size == 1 for c in np.unique(finer))


def test_no_class_of_a_frame_knows_its_own_code_or_what_follows():
    codes, vectors = quantised_sound(20, 60, 16, seed=1)
    clips = [clip.T for clip in codes]
    classes = SoundClasses(vectors, clips)
    changed = [clip.copy() for clip in clips]
    changed[0][30:] = 15 - changed[0][30:]
    changed[1][30, 1:] = 15 - changed[1][30, 1:]
    before, after = classes.labels(clips), classes.labels(changed)
    for name, labels in before.items():
        known = slice(0, 30 if name.startswith("above") else 31)
        assert np.array_equal(labels[known], after[name][known]), name
        if name.startswith("above1"):
            assert np.array_equal(labels[60:120], after[name][60:120]), "the sum above codebook 1 has codebook 0 only"


def test_on_a_uniform_source_it_adds_nothing_and_the_rate_is_the_raw_one():
    rng = np.random.default_rng(0)
    codes, vectors = rng.integers(0, 64, (50, 2, 200)), rng.normal(size=(2, 64, 6))
    result = diagnose(codes, 64, vectors)
    assert result.portfolio.members["pool"] <= 12 * 1.001
    assert result.portfolio.mixed == pytest.approx(12, rel=1e-3)
    assert abs(result.portfolio.saved) < 12 * 1e-3


@pytest.fixture(scope="module")
def sound():
    codes, vectors = quantised_sound(80, 100, 128, seed=2)
    return codes, vectors, diagnose(codes, 128, vectors)


def test_where_a_hidden_sound_moves_classes_of_vectors_beat_contexts_of_symbols(sound):
    codes, vectors, result = sound
    portfolio = result.portfolio
    symbols_only = diagnose(codes, 128)
    assert portfolio.best == "pool"
    assert portfolio.members["pool"] < 0.97 * portfolio.members["counts"]
    assert portfolio.members["pool"] < 0.985 * symbols_only.portfolio.members["pool"]
    assert "symbols only" in symbols_only.portfolio.notes["pool"]
    assert portfolio.saved_low <= portfolio.saved <= portfolio.saved_high
    # vectors that have nothing to do with the sound are no help
    shuffled = np.random.default_rng(3).permuted(vectors, axis=1)
    blind = diagnose(codes, 128, shuffled).portfolio.members["pool"]
    assert blind > 0.995 * symbols_only.portfolio.members["pool"]


def test_nothing_that_scores_a_clip_depends_on_any_clip_of_its_fold():
    codes, vectors = quantised_sound(40, 50, 32, seed=3)
    fold = np.arange(40) % 10 % 5
    before = Pool(vectors)(filled(codes, 32), fold)
    changed = codes.copy()
    # another clip of the same speaker, of fold 0
    changed[10] = np.random.default_rng(0).integers(0, 32, codes[10].shape)
    after = Pool(vectors)(filled(changed, 32), fold)
    assert np.array_equal(before.bits[:50], after.bits[:50])
    assert not np.array_equal(before.bits[50:100], after.bits[50:100]), "other folds are fitted on it"


def test_a_speaker_who_only_repeats_himself_is_not_predicted_from_his_own_clips():
    rng = np.random.default_rng(0)
    phrases = rng.integers(0, 64, (10, 1, 200))
    codes = np.stack([phrases[i % 10] for i in range(60)])
    result = diagnose(codes, 64, rng.normal(size=(1, 64, 4)))
    assert result.portfolio.mixed > 5.95, "of 6 bits raw"


def test_on_a_hidden_markov_source_it_stays_above_the_truth_and_nearer_to_it_than_counts():
    source = HiddenMarkov.random(8, 128, seed=1)
    symbols = source.sample(60, 200, seed=2)
    # each symbol's vector: which states it comes from
    vectors = (source.emission / source.emission.sum(0)).T[None]
    portfolio_of = diagnose(symbols[:, None], 128, vectors)
    oracle = source.bits(symbols)
    portfolio = portfolio_of.portfolio
    excess = {name: bits - oracle.mean() for name, bits in portfolio.members.items()}
    assert excess["pool"] < 0.8 * excess["counts"]
    over = portfolio_of.bits - oracle.sum(1)
    assert over.mean() >= -3 * over.std() / np.sqrt(60)
    without = diagnose(symbols[:, None], 128).portfolio.members["pool"] - oracle.mean()
    assert excess["pool"] < 0.9 * without, "classes of vectors, not only more contexts"

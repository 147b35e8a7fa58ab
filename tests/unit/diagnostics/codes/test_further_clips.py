import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from auricle.diagnostics.codes import codes_diagnosis
from auricle.diagnostics.codes.code_rate import code_rate
from auricle.diagnostics.codes.members import Scored, check_clips
from auricle.diagnostics.estimates.folds import folds_of_clips
from auricle.diagnostics.estimates.pieces import Corpus
from auricle.diagnostics.known.sources import ResidualQuantiser, SparseMarkov
from auricle.diagnostics.neural.language_model import LanguageModel
from auricle.diagnostics.ngrams.code_store import CodeStore
from auricle.diagnostics.pool.pool_member import Pool
from auricle.diagnostics.summary import diagnose_codes

RATE = 10.0


@dataclass(frozen=True)
class InMemory:
    clips: dict[str, np.ndarray]
    sounds: dict[str, np.ndarray] | None = None

    def arrays(self, clips):
        return ((key, self.clips[key]) for key in sorted(clips))

    def sound(self, clips):
        return None if self.sounds is None else {key: self.sounds[key] for key in clips}


def corpus_of(codes, groups=20, sounds=None):
    """codes `[N, K, T]`; clip i belongs to group i % groups."""
    arrays = {f"clip {i:04}": clip for i, clip in enumerate(codes)}
    index = [(key, f"speaker {i % groups:02}", each.shape[1]) for i, (key, each) in enumerate(arrays.items())]
    return Corpus(index, InMemory(arrays, sounds))


def diagnose(corpus, cardinality, held, **options):
    """held: the first so many clips."""
    samples = [(key, group, corpus.source.clips[key]) for key, group, _ in corpus.index[:held]]
    sound = corpus.source.sounds
    options = {
        "group_kind": "speaker",
        "sound": sound,
        "corpus": corpus if held < len(corpus.index) else None,
    } | options
    return diagnose_codes(samples, RATE, cardinality, **options)


def test_clips_that_were_held_cost_the_same_when_they_come_again():
    codes = ResidualQuantiser.random(3, 32, 8, seed=1).sample_with_bits(40, 120, seed=2)[0]
    store = CodeStore(32)
    for key, group, _ in (corpus := corpus_of(codes)).index:
        store.add(key, group, corpus.source.clips[key])
    store.close()
    folds = folds_of_clips(corpus.index, group_kind="speaker")
    vectors = np.random.default_rng(0).standard_normal((3, 32, 8))
    for members in ({}, {"pool": Pool(vectors), "neural": LanguageModel(60.0, vectors, max_steps=8, hidden=32)}):
        found = code_rate(store, folds, RATE, group_kind="speaker", members=members)
        fitted = pickle.loads(pickle.dumps(found.fitted))
        starts = np.cumsum(store.lengths) - store.lengths
        for fold in range(folds.num_folds):
            again, clips = CodeStore(32), np.flatnonzero(found.fold_of_clip == fold)
            for clip in clips:
                again.add(store.keys[clip], store.groups[clip], codes[clip])
            again.close()
            bits, small_bits = fitted.bits(again, fold)
            frames = np.concatenate([np.arange(starts[c], starts[c] + store.lengths[c]) for c in clips])
            np.testing.assert_allclose(bits.sum(1), found.frame_bits[frames], rtol=1e-6)
            np.testing.assert_array_equal(small_bits, found.small_bits[clips])


def test_a_corpus_of_which_a_part_is_held_has_the_rate_of_the_whole_and_every_clip_is_scored_once():
    source = SparseMarkov.random(64, 1, 16, seed=1)
    symbols, oracle = source.sample_with_bits(160, 600, seed=2)
    corpus, said = corpus_of(symbols[:, None]), []
    whole, part = diagnose(corpus, 64, 160), diagnose(corpus, 64, 80, say=said.append)
    assert sorted(part.clip_keys) == [key for key, _, _ in corpus.index]
    assert (part.num_clips, part.num_frames, part.held_frames) == (160, 160 * 600, 80 * 600)
    told = [line for line in said if "further" in line]
    assert told == [f"{n} of 5 further pieces of the corpus scored" for n in range(1, 6)]
    assert part.code_rate.value == pytest.approx(part.bits.sum() / part.total_seconds)
    assert oracle.mean() * RATE < part.code_rate.value < 1.01 * whole.code_rate.value
    # of clips that were not held, too, the bound is one
    number = np.array([int(key[-4:]) for key in part.clip_keys])
    excess = part.bits - oracle.sum(1)[number]
    later = number >= 80
    assert later.sum() == 80
    assert 0 <= excess[later].mean() < 1.3 * excess[~later].mean()


def test_a_clip_costs_as_much_whether_or_not_its_twin_of_the_same_speaker_is_held():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 64, (60, 1, 200))
    # random, so a model that had heard the twin would know what nobody can know
    codes[59] = codes[39]
    corpus = corpus_of(codes)
    found = diagnose(corpus, 64, 40)
    bits = dict(zip(found.clip_keys, found.bits, strict=True))
    assert bits["clip 0059"] == bits["clip 0039"]
    assert bits["clip 0059"] > 0.99 * 200 * 6


def test_pieces_of_any_size_come_to_the_same(monkeypatch):
    codes = ResidualQuantiser.random(2, 16, 8, seed=1).sample_with_bits(60, 100, seed=2)[0]
    rng = np.random.default_rng(3)
    sounds = {f"clip {i:04}": np.stack([-30 + 5 * rng.standard_normal(100), rng.random(100)]) for i in range(60)}
    corpus = corpus_of(codes, sounds=sounds)
    found = []
    for most in (10**6, 250):
        monkeypatch.setattr(codes_diagnosis, "PIECE_FRAMES", most)
        found.append(diagnose(corpus, 16, 30))
    one, many = found
    assert one.clip_keys == many.clip_keys
    np.testing.assert_array_equal(one.bits, many.bits)
    np.testing.assert_allclose(one.clips.hard_bits, many.clips.hard_bits, rtol=1e-9)
    assert one.clips.explained is not None
    assert np.isfinite(one.clips.hard_bits).all()
    assert np.isfinite(one.clips.voiced_seconds).all()


def test_sound_of_further_clips_is_taken_out_as_of_those_held():
    codes = ResidualQuantiser.random(2, 16, 8, seed=1).sample_with_bits(60, 100, seed=2)[0]
    rng = np.random.default_rng(3)
    sounds = {f"clip {i:04}": np.stack([-30 + 5 * rng.standard_normal(100), rng.random(100)]) for i in range(60)}
    sounds["clip 0059"], codes[59] = sounds["clip 0039"], codes[39]
    found = diagnose(corpus_of(codes, sounds=sounds), 16, 40)
    hard = dict(zip(found.clip_keys, found.clips.hard_bits, strict=True))
    assert hard["clip 0059"] == pytest.approx(hard["clip 0039"], rel=1e-9)
    assert hard["clip 0059"] != hard["clip 0058"]


def test_what_is_no_clip_of_codes_is_counted_and_left_out():
    codes = list(SparseMarkov.random(16, 1, 4, seed=1).sample(40, 100, seed=2)[:, None])
    codes[38], codes[39] = np.full((1, 100), 16), np.zeros((2, 100), np.int64)
    found = diagnose(corpus_of(codes), 16, 30)
    assert found.skipped == {"out_of_range": 1, "other_codebooks": 1}
    assert found.num_clips == 38


def test_a_member_that_knows_only_what_it_was_fitted_with_is_refused():
    def uniform(store, fold_of_clip):
        check = sum(int(store.lengths[clips].sum()) for clips in check_clips(store, fold_of_clip))
        four = np.float32(4)
        return Scored(np.full((int(store.lengths.sum()), 1), four), np.full((check, 1), four))

    codes = SparseMarkov.random(16, 1, 4, seed=1).sample(40, 100, seed=2)[:, None]
    with pytest.raises(ValueError, match="uniform: scores no clips but those it was fitted with"):
        diagnose(corpus_of(codes), 16, 30, members={"uniform": uniform})
    assert diagnose(corpus_of(codes), 16, 40, members={"uniform": uniform}).num_clips == 40

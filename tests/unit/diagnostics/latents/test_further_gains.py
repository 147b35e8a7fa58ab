"""Gains of clips beyond those that predictions are fitted on."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest

from auricle.diagnostics.estimates.folds import folds_of_clips, held_clips
from auricle.diagnostics.known.processes import VectorAutoregression
from auricle.diagnostics.latents import further_gains
from auricle.diagnostics.latents.further_gains import GainsJob, score_gains
from auricle.diagnostics.latents.predictive_gain import measure
from auricle.diagnostics.summary import diagnose_latents

DIM, FRAMES, RATE = 8, 150, 12.5


@dataclass(frozen=True)
class InMemory:
    clips: dict[str, np.ndarray]

    def arrays(self, clips):
        return ((key, self.clips[key]) for key in sorted(clips))


class Elsewhere:
    """Jobs whose parts and results are pickled, as those of other processes are."""

    workers, one_disk = 2, True

    def __call__(self, work, jobs):
        return (pickle.loads(pickle.dumps(work(pickle.loads(pickle.dumps(job))))) for job in jobs)


@pytest.fixture(scope="module")
def process():
    return VectorAutoregression.random(DIM, 0.9, seed=1)


@pytest.fixture(scope="module")
def clips(process):
    return {f"clip {i:03}": clip for i, clip in enumerate(process.sample(240, FRAMES, seed=2))}


def index_of(clips):
    return [(key, f"speaker {i % 20:02}", each.shape[-1]) for i, (key, each) in enumerate(clips.items())]


def diagnose(clips, max_frames, **options):
    index = index_of(clips)
    group = {key: name for key, name, _ in index}
    samples = [(key, group[key], each) for key, each in clips.items()]
    options = {"further": InMemory(clips), "orders": (1,)} | options
    return diagnose_latents(samples, RATE, group_kind="speaker", max_frames=max_frames, index=index, **options)


def test_every_clip_is_scored_once_and_the_gain_is_the_analytic_one(process, clips):
    said = []
    some = diagnose(clips, 60 * FRAMES, say=said.append)
    assert (some.num_clips, some.num_frames, some.fitted_frames) == (240, 240 * FRAMES, 60 * FRAMES)
    assert some.clip_keys == sorted(clips)
    assert np.isfinite(some.nats).all()
    assert some.pred_gain.low <= process.gain <= some.pred_gain.high
    assert said[-1] == "latents: 5 of 5 further pieces of the corpus scored"
    alone = diagnose(clips, 60 * FRAMES, further=None)
    assert (alone.num_clips, alone.num_frames, alone.fitted_frames) == (60, 60 * FRAMES, 60 * FRAMES)
    # what was fitted on is scored as it is without the others
    found = dict(zip(some.clip_keys, some.nats, strict=True))
    assert [found[key] for key in alone.clip_keys] == alone.nats.tolist()
    every = diagnose(clips, None)
    assert every.fitted_frames == 240 * FRAMES
    assert np.corrcoef(every.nats, some.nats)[0, 1] > 0.97


def test_frames_in_another_order_have_no_gain_beyond_the_sample_either(process):
    inside = np.zeros(4, int)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        every = process.sample(240, FRAMES, seed=100 + seed)
        mixed = {f"clip {i:03}": clip[:, rng.permutation(FRAMES)] for i, clip in enumerate(every)}
        result = diagnose(mixed, 60 * FRAMES)
        found = [result.pred_gain, *(horizon.info for horizon in result.lagged_mutual_information)]
        # an estimate that is surely below zero has no interval
        inside += [each.low is not None and each.low <= 0 <= each.high for each in found]
    assert (inside >= 8).all(), "95 % intervals hold the truth"


def test_a_clip_that_was_held_is_scored_the_same_when_it_comes_again(clips):
    index = index_of(clips)
    folds = folds_of_clips(index, group_kind="speaker")
    samples = [(key, group, clips[key]) for key, group, _ in index]
    models = []
    result = measure(
        lambda: samples,
        DIM,
        folds,
        RATE,
        group_kind="speaker",
        orders=(1, 2),
        further=lambda of_folds: models.extend(of_folds) or (),
    )
    for fold in range(folds.num_folds):
        own = {key: group for key, group, _ in index if folds.fold_of(key, group) == fold}
        job = pickle.loads(pickle.dumps(GainsJob(models[fold], DIM, InMemory(clips), own)))
        again = score_gains(job).clips
        places = [result.clips.keys.index(key) for key in again.keys]
        assert again.groups == [result.clips.groups[i] for i in places]
        for name in ("lengths", "nats", "frames", "lagged_nats", "lagged_frames"):
            np.testing.assert_array_equal(getattr(again, name), getattr(result.clips, name)[places])


def test_pieces_of_any_size_here_or_elsewhere_come_to_the_same(clips, monkeypatch):
    whole = diagnose(clips, 60 * FRAMES)
    monkeypatch.setattr(further_gains, "PIECE_VALUES", 7 * FRAMES * DIM)
    said = []
    small = diagnose(clips, 60 * FRAMES, say=said.append)
    assert "latents: 30 of 30 further pieces of the corpus scored" in said
    spread = diagnose(clips, 60 * FRAMES, jobs=Elsewhere())
    for found in (small, spread):
        assert found.to_dict() == whole.to_dict()
        assert found.nats.tolist() == whole.nats.tolist()


def test_what_is_no_clip_of_latents_is_counted_and_left_out(clips):
    broken = next(iter(clips.values())).copy()
    broken[3, 7] = np.inf
    bad = {"inf": broken, "none": broken[:, :0], "codes": np.zeros((DIM, 5), int), "thin": broken[:4]}
    short = {"short": clips["clip 000"][:, :2]}
    every = clips | bad | short
    held = held_clips(index_of(every), 60 * FRAMES, group_kind="speaker")
    left = [key for key in (*bad, *short) if key not in held]
    assert left, "some of them are beyond the sample"
    result = diagnose(every, 60 * FRAMES)
    assert result.skipped == {"not_finite": 1, "empty": 1, "not_latents": 1, "other_dimension": 1}
    assert result.num_clips == 241
    assert np.isfinite(dict(zip(result.clip_keys, result.nats, strict=True))["short"]), "one frame has a past"

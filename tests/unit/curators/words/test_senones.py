"""Families of senones: each senone once, and a bound above all of a family."""

import numpy as np
import pytest

from auricle.curators.words.acoustic_model import acoustic_model
from auricle.curators.words.senones import families, grouped, mixtures


def test_the_families_hold_every_senone_once():
    model = acoustic_model()
    for phone, members in enumerate(model.members):
        own = families(model, phone)
        assert sum(family.weights.shape[2] for family in own) == len(members)
        assert np.sort(np.concatenate([f.weights[0].sum(0) for f in own])) == pytest.approx(
            np.sort(model.weights[phone][0].sum(0))
        )


def test_nothing_of_a_family_is_above_its_bound():
    model, rng = acoustic_model(), np.random.default_rng(0)
    share = rng.random((3, 50, 128)).astype(np.float32) ** 8
    for family in families(model, 10):
        reached = mixtures(share, family.weights)
        bound = mixtures(share, family.most[:, :, None])
        assert (reached <= bound * np.float32(1.00001)).all()


def test_groups_with_rivals_hold_what_is_asked_and_the_rivals():
    model = acoustic_model()
    wanted, rivals = np.array([7, 300, 301, 4000]), np.array([0, 300, 5000])
    groups = grouped(model, wanted, rivals)
    assert sorted(np.concatenate([g.columns for g in groups]).tolist()) == [0, 1, 2, 3]
    assert sum(f.weights.shape[2] for g in groups for f in g.families) == len(np.union1d(wanted, rivals))

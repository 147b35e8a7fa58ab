import numpy as np
import pytest

from auricle.curators.perclip import PerClip, Unmeasurable
from auricle.schemas.clip import Clip
from auricle.schemas.errors import ConfigError, MissingExtraError, WeightsError
from auricle.schemas.score import ScoreColumn


class Probe(PerClip):
    name = "probe"
    version = 1
    columns = (ScoreColumn("probe_db", "float32", "dB", "Probe"), ScoreColumn("probe_hz", "float32", "Hz", "Probe"))

    def measure(self, clip):
        return clip.memo["do"]()


def score(do, samples=(0.1, 0.2)):
    clip = Clip("", np.array(samples, dtype=np.float32), 8000)
    clip.memo["do"] = do
    return Probe().score([clip])[0]


def fail(error):
    raise error


def test_a_measured_row_has_every_column_and_no_reason():
    assert score(lambda: {"probe_db": 1.0, "probe_hz": 2.0}) == {"probe_db": 1.0, "probe_hz": 2.0, "reason": None}


def test_a_clip_too_bad_to_measure_is_null_with_what_is_wrong():
    row = score(lambda: fail(Unmeasurable("no speech")))
    assert row == {"probe_db": None, "probe_hz": None, "reason": "unmeasurable: no speech"}


def test_any_error_becomes_a_row():
    assert score(lambda: fail(ZeroDivisionError("x")))["reason"] == "failed: ZeroDivisionError: x"


def test_a_value_that_is_not_finite_becomes_null():
    row = score(lambda: {"probe_db": float("nan"), "probe_hz": 2.0})
    assert row == {"probe_db": None, "probe_hz": 2.0, "reason": "failed: probe_db is not finite"}


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        ((), "no samples"),
        ((0.0, 0.0), "digital silence"),
        ((0.1, float("nan")), "not finite"),
        ((1e20, 0.0), "no audio"),
    ],
)
def test_samples_that_no_curator_can_use_are_refused_before_it_runs(samples, reason):
    row = score(lambda: fail(AssertionError("must not run")), samples)
    assert row["reason"].startswith("unmeasurable: ")
    assert reason in row["reason"]


def test_a_broken_installation_is_not_blamed_on_the_clip():
    with pytest.raises(WeightsError):
        score(lambda: fail(WeightsError("gone")))
    with pytest.raises(MissingExtraError, match="curate"):
        score(lambda: fail(ImportError("no scipy", name="scipy")))


def test_options_of_a_curator_without_any_are_refused():
    with pytest.raises(ConfigError, match=r"curator 'probe', option 'loud'.*none"):
        Probe(loud=1)

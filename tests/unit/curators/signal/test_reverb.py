import numpy as np
import pytest

from auricle.curators.signal.content import ContentCurator
from auricle.curators.signal.quality import QualityCurator
from auricle.curators.signal.reverb import ReverbCurator
from auricle.schemas.clip import Clip


def clip(probability, seconds=3.0, rate=16000):
    x = np.random.default_rng(0).normal(0, 0.1, int(seconds * rate)).astype(np.float32)
    made = Clip("", x, rate)
    made.memo["speech_probabilities"] = np.full(-(-x.size // 512), probability, dtype=np.float32)
    return made


@pytest.mark.parametrize("kind", [ReverbCurator, QualityCurator])
def test_without_speech_there_is_a_reason(kind):
    (row,) = kind().score([clip(0.0)])
    assert row["reason"] == "unmeasurable: no speech"


def test_one_pass_of_the_network_serves_all_that_ask():
    shared = clip(0.9)
    rows = [kind().score([shared])[0] for kind in (ReverbCurator, QualityCurator, ContentCurator)]
    assert all(row["reason"] is None for row in rows)
    assert "acoustics" in shared.memo


def test_shares_lie_between_0_and_1_and_silence_has_none():
    (row,) = ContentCurator().score([clip(0.5)])
    assert all(0 <= row[name] <= 1 for name in ("speech_share", "music_share", "noise_share"))
    (row,) = ContentCurator().score([Clip("", np.zeros(1000, dtype=np.float32), 16000)])
    assert row["reason"] == "unmeasurable: digital silence"

"""Whatever the samples are: every column or a reason, never an exception, never a warning."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auricle.curators.registry import build
from auricle.schemas.clip import Clip

AWKWARD = Path(__file__).resolve().parents[3].parent / "shared/data/awkward"
NAMES = ("signal", "vad", "snr", "channels", "reverb", "content", "quality", "voice")
CURATORS = build(NAMES)
REASONS = ("not_applicable: ", "unmeasurable: ")


def check(clip, curators=CURATORS):
    for curator in curators:
        (row,) = curator.score([clip])
        assert set(row) == {column.name for column in curator.columns} | {"reason"}
        missing = [column.name for column in curator.columns if row[column.name] is None]
        assert not missing or row["reason"].startswith(REASONS), (curator.name, row["reason"])
        for column in curator.columns:
            value = row[column.name]
            if value is not None and column.dtype == "float32":
                assert isinstance(value, float)
                assert np.isfinite(np.float32(value))


def tone(seconds, rate, gain=0.3):
    return (gain * np.sin(2 * np.pi * 220 * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(0, dtype=np.float32),
        np.zeros(1, dtype=np.float32),
        np.ones(1, dtype=np.float32),
        np.zeros(40000, dtype=np.float32),
        np.full(40000, 0.5, dtype=np.float32),
        np.tile(np.array([1, -1], dtype=np.float32), 20000),
        np.eye(1, 40000, 20000, dtype=np.float32)[0],
        np.array([0.1, np.nan, 0.2], dtype=np.float32),
        np.array([0.1, np.inf], dtype=np.float32),
        np.full(2000, 3e38, dtype=np.float32),
        np.full(2000, 1e-40, dtype=np.float32),
        tone(3, 16000, 1e-8),
        tone(3, 16000, 1e8),
    ],
    ids=["none", "zero", "one", "silence", "dc", "square", "click", "nan", "inf", "huge", "denormal", "quiet", "loud"],
)
def test_odd_signals(samples):
    clip = Clip("", samples, 16000, transcript="The cat sat on the mat.", language="en")
    check(clip, build((*NAMES, "dnsmos", "alignment", "text", "duplicates")))


def test_half_an_hour():
    rng = np.random.default_rng(0)
    bursts = np.repeat(rng.random(1800 * 4) < 0.5, 4000) * rng.normal(0, 0.1, 1800 * 16000)
    samples = (bursts + rng.normal(0, 1e-3, bursts.size)).astype(np.float32)
    clip = Clip("", samples, 16000, transcript="The cat sat on the mat.", language="en")
    check(clip, build((*NAMES, "alignment", "text", "duplicates")))


@pytest.mark.parametrize("rate", [100, 8000, 11025, 44100, 192000, 1092676])
def test_odd_rates(rate):
    check(Clip("", tone(0.4, rate), rate))


def test_six_channels_one_silent():
    siblings = (*(tone(1, 16000, 0.1 * k) for k in range(1, 6)), np.zeros(16000, dtype=np.float32))
    for channel in range(6):
        check(Clip("", siblings[channel], 16000, channel=channel, siblings=siblings))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.floats(width=32), min_size=1, max_size=40),
    st.integers(1, 400),
    st.sampled_from([4000, 8000, 16000, 22050, 48000]),
    st.integers(0, 3),
)
def test_made_up_signals(values, repeats, rate, channels):
    samples = np.repeat(np.array(values, dtype=np.float32), repeats)
    siblings = tuple(np.roll(samples, k) for k in range(channels)) if channels > 1 else ()
    check(Clip("", samples, rate, siblings=siblings))


@pytest.mark.data
@pytest.mark.skipif(not AWKWARD.is_dir(), reason="the development recordings are not beside the checkout")
def test_every_awkward_file_that_decodes():
    import soundfile

    seen = 0
    for path in sorted(AWKWARD.iterdir()):
        try:
            x, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError):
            continue
        seen += 1
        x = x[: 3 * rate]
        siblings = tuple(np.ascontiguousarray(c) for c in x.T) if x.shape[1] > 1 else ()
        for channel in range(min(2, x.shape[1])):
            check(Clip("", np.ascontiguousarray(x[:, channel]), rate, channel=channel, siblings=siblings))
    assert seen >= 30


def test_scores_do_not_depend_on_the_batch_or_on_who_came_before():
    rng = np.random.default_rng(0)
    waveforms = [rng.normal(0, 0.1, n).astype(np.float32) for n in (9000, 30000)]
    for curator in CURATORS:
        together = curator.score([Clip("", x, 16000) for x in waveforms])
        alone = [curator.score([Clip("", x, 16000)])[0] for x in waveforms]
        assert together == alone

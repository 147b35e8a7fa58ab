import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfiltfilt
from scipy.signal.windows import blackmanharris

from auricle.curators.signal.signal import SignalCurator, bandwidth_hz, blackman_harris, clip_ratio
from auricle.schemas.clip import Clip

RATE = 16000


def measure(x, rate=RATE):
    return SignalCurator().score([Clip("", np.asarray(x, dtype=np.float32), rate)])[0]


def noise(seconds=1.0, sigma=0.1, seed=0, rate=RATE):
    return np.random.default_rng(seed).normal(0, sigma, int(seconds * rate)).astype(np.float32)


def test_level_and_peak_of_a_full_scale_sine_are_minus_3_and_0_dbfs():
    row = measure(np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE))
    assert row["level_dbfs"] == pytest.approx(-3.01, abs=0.01)
    assert row["peak_dbfs"] == pytest.approx(0, abs=0.01)
    assert row["reason"] is None


def test_dc_offset_is_the_mean_and_does_not_count_as_level():
    row = measure(noise() + 0.25)
    assert row["dc_offset"] == pytest.approx(0.25, abs=0.005)
    assert row["level_dbfs"] == pytest.approx(-20, abs=0.1)


@pytest.mark.parametrize("gain", [1.0, 0.5, 0.01])
def test_clipping_is_counted_at_any_gain_and_with_an_offset(gain):
    clipped = np.clip(4 * noise(), -0.5, 0.5)
    share = np.mean(np.abs(clipped) >= 0.5)
    runs = clip_ratio((gain * clipped + 0.1 * gain).astype(np.float32))
    assert runs == pytest.approx(share, rel=0.02)


@pytest.mark.parametrize("over_db", [3, 6, 12])
def test_clipping_of_a_few_samples_is_found_and_none_in_the_original(over_db):
    x = sosfiltfilt(butter(2, 1000, fs=RATE, output="sos"), noise(3)).astype(np.float32)
    top = np.abs(x).max() * 10 ** (-over_db / 20)
    assert clip_ratio(x) == 0.0
    assert clip_ratio(np.clip(x, -top, top)) == pytest.approx(np.mean(np.abs(x) >= top), rel=0.1)


def test_a_steady_tone_is_not_clipped():
    assert clip_ratio(np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)) == 0.0


def test_equal_peaks_of_coarse_samples_are_chance():
    quiet = np.round(noise(2) * 50) / 32768
    assert clip_ratio(quiet.astype(np.float32)) < 1e-4


def test_blocks_do_not_cut_runs(monkeypatch):
    x = np.clip(4 * noise(2), -0.5, 0.5)
    whole = clip_ratio(x)
    assert whole == _flat_by_hand(x) / x.size
    for block in (2, 3, 7, 1000):
        monkeypatch.setattr("auricle.curators.signal.signal.BLOCK", block)
        short = x[:400] if block < 10 else x
        assert clip_ratio(short) == _flat_by_hand(short) / short.size


def _flat_by_hand(x, run=3):
    """Independent count: walk the samples of each polarity."""
    total = 0
    for sign in (1, -1):
        y, runs = sign * x, []
        for hot in y >= 0.9999 * y.max():
            if hot and runs and runs[-1] > 0:
                runs[-1] += 1
            elif hot:
                runs.append(1)
            else:
                runs.append(0)
        runs = [r for r in runs if r]
        total += sum(runs) if len(runs) >= 2 else sum(r for r in runs if r >= run)
    return total


@pytest.mark.parametrize("cutoff", [2000, 3400, 6000])
def test_bandwidth_follows_a_steep_low_pass(cutoff):
    x = sosfiltfilt(butter(16, cutoff, fs=RATE, output="sos"), noise(4))
    assert bandwidth_hz(x.astype(np.float32), RATE) == pytest.approx(cutoff, rel=0.2)


def test_bandwidth_does_not_depend_on_gain_or_hum():
    x = sosfiltfilt(butter(16, 3400, fs=RATE, output="sos"), noise(4)).astype(np.float32)
    hum = np.sin(2 * np.pi * 50 * np.arange(x.size) / RATE).astype(np.float32)
    alone = bandwidth_hz(x, RATE)
    assert bandwidth_hz(1e-3 * x, RATE) == alone
    assert bandwidth_hz(x + hum, RATE) == pytest.approx(alone, rel=0.02)


def test_long_clips_give_the_spectrum_that_one_block_gives(monkeypatch):
    x = noise(3)
    whole = bandwidth_hz(x, RATE)
    monkeypatch.setattr("auricle.curators.signal.signal.BLOCK", 2048)
    assert bandwidth_hz(x, RATE) == whole


def test_silence_has_numbers_but_no_bandwidth():
    row = measure(np.zeros(1000))
    assert row["silence_ratio"] == 1.0
    assert row["level_dbfs"] == row["peak_dbfs"] == -200.0
    assert row["bandwidth_hz"] is None
    assert row["reason"].startswith("unmeasurable: ")


def test_silence_ratio_is_the_share_of_quiet_frames():
    assert measure(np.concatenate([noise(1), noise(1, 1e-5)]))["silence_ratio"] == pytest.approx(0.5, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(width=32, allow_nan=True, allow_infinity=True), min_size=1, max_size=300),
    st.sampled_from([8000, 16000, 44100, 192000]),
)
def test_any_samples_give_finite_numbers_or_a_reason(values, rate):
    row = measure(values, rate)
    assert set(row) == {c.name for c in SignalCurator.columns} | {"reason"}
    missing = [name for name, value in row.items() if value is None and name != "reason"]
    assert bool(missing) == (row["reason"] is not None)
    assert all(np.isfinite(v) for v in row.values() if isinstance(v, float))
    assert not (row["reason"] or "").startswith("failed")


def test_a_loud_vowel_over_quiet_noise_is_no_telephone_call_but_a_filters_wall_ends_the_band():
    from auricle.curators.signal.signal import bandwidth_hz
    from auricle.curators.waveform import resample

    rng = np.random.default_rng(0)
    phase = 2 * np.pi * 220 / 16000 * np.arange(48000)
    vowel = sum(np.sin(k * phase) / k**2 for k in range(1, 30))
    over_noise = (vowel + rng.normal(0, 5e-3, 48000)).astype(np.float32)
    assert bandwidth_hz(over_noise, 16000) == 8000
    sampled_up = resample(resample(over_noise, 16000, 8000), 8000, 16000)
    assert bandwidth_hz(sampled_up, 16000) < 4700


@pytest.mark.parametrize("size", [32, 256, 512, 2048])
def test_the_window_is_that_of_scipy_bit_for_bit(size):
    assert np.array_equal(blackman_harris(size), blackmanharris(size, sym=False))


@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_scoring_imports_none_of_the_slow_libraries(rate):
    code = (
        "import sys, numpy as np\n"
        "from auricle.curators.registry import build\n"
        "from auricle.schemas.clip import Clip\n"
        f"clip = Clip('', np.random.default_rng(0).normal(0, 0.1, 16000).astype('float32'), {rate}, 'a text', 'en')\n"
        "for curator in build(None, {}):\n"
        "    curator.score([clip])\n"
        "slow = ('scipy.signal', 'scipy.ndimage', 'scipy.fft', 'scipy.stats', 'duckdb', 'torch', 'pandas', 'librosa')\n"
        "print([m for m in slow if m in sys.modules])\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

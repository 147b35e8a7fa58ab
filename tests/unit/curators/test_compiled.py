"""The loops of scipy that are loaded without their packages give what the packages' own functions give, bit for bit."""

import subprocess
import sys
from math import gcd

import numpy as np
import pytest
from scipy import fft, ndimage, signal

from auricle.curators import compiled


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).normal(size=shape)


@pytest.mark.parametrize("rate", [7350, 8000, 11_025, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("size", [1, 2, 999, 25_007])
def test_resampling_is_scipys(rate: int, size: int) -> None:
    x, common = noise(size).astype(np.float32), gcd(rate, 16_000)
    up, down = 16_000 // common, rate // common
    expected = signal.resample_poly(x, up, down, window=("kaiser", 5.0))
    assert np.array_equal(compiled.resample_poly(x, up, down), expected)


def test_filtering_is_scipys() -> None:
    b, a, x = np.array([0.1]), np.array([1, -0.9]), noise(20_000)
    assert np.array_equal(compiled.lfilter(b, a, x), signal.lfilter(b, a, x))


@pytest.mark.parametrize("axis", [0, 1])
def test_moving_means_are_scipys(axis: int) -> None:
    x = noise(300, 257).astype(np.float32)
    assert np.array_equal(compiled.moving_mean(x, 5, axis), ndimage.uniform_filter1d(x, 5, axis=axis, mode="nearest"))


def test_transforms_are_scipys() -> None:
    rows = np.lib.stride_tricks.sliding_window_view(noise(20_000).astype(np.float32), 1024)[::512]
    spectrum = compiled.rfft(rows)
    assert spectrum.dtype == np.complex64
    assert np.array_equal(spectrum, fft.rfft(rows, axis=1))
    cross = noise(513) + 1j * noise(513)[::-1]
    assert np.array_equal(compiled.irfft(cross, 1024), fft.irfft(cross, 1024))


def test_a_scipy_without_these_modules_is_used_by_its_public_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    x, rows, a = noise(1000).astype(np.float32), noise(9, 64), np.array([1, -0.9])
    calls = {
        "resample_poly": lambda: compiled.resample_poly(x, 160, 441),
        "lfilter": lambda: compiled.lfilter(np.array([0.1]), a, rows[0]),
        "moving_mean": lambda: compiled.moving_mean(rows, 5, 0),
        "rfft": lambda: compiled.rfft(rows),
        "irfft": lambda: compiled.irfft(rows[0, :33] + 0j, 64),
    }
    own = {name: call() for name, call in calls.items()}
    monkeypatch.setattr(compiled, "loop", lambda module, name: None)
    for name, call in calls.items():
        assert np.array_equal(call(), own[name]), name


def test_a_module_or_function_that_scipy_lacks_is_none() -> None:
    assert compiled.loop("scipy.signal._no_such_module", "f") is None
    assert compiled.loop("scipy.signal._sigtools", "no_such_function") is None


def test_the_whole_package_can_be_imported_after_its_loops() -> None:
    code = (
        "import sys, numpy as np\n"
        "from auricle.curators import compiled\n"
        "x = np.random.default_rng(0).normal(size=4000)\n"
        "f = x.astype(np.float32)\n"
        "own = [compiled.resample_poly(f, 160, 441), compiled.rfft(x), compiled.moving_mean(x, 5, 0)]\n"
        "assert not {'scipy.signal', 'scipy.fft', 'scipy.ndimage'} & set(sys.modules)\n"
        "from scipy import fft, ndimage, signal\n"
        "whole = [signal.resample_poly(f, 160, 441, window=('kaiser', 5.0)), fft.rfft(x)]\n"
        "whole.append(ndimage.uniform_filter1d(x, 5, mode='nearest'))\n"
        "same = all(np.array_equal(a, b) for a, b in zip(own, whole, strict=True))\n"
        "print(same, len(signal.lfilter([1], [1, 0.5], x)))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "True 4000"

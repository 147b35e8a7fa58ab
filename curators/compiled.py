"""A few loops of scipy without the packages around them, which take a second of CPU to import and are needed here for
nothing else. The results are scipy's, bit for bit; a scipy that keeps its loops elsewhere is imported as usual.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache, lru_cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any

import numpy as np

ZERO_CROSSINGS = 10
"""Of the resampling filter on each side, as in `scipy.signal.resample_poly`."""
BETA = 5.0
"""Of its Kaiser window."""


@cache
def loop(module: str, name: str) -> Callable[..., Any] | None:
    """The function `name` of a compiled module of scipy; None where this scipy has none.

    The module is registered under its own name: whoever imports the whole package later gets the same one.
    """
    if module not in sys.modules:
        import scipy

        folder = Path(scipy.__file__).parent.joinpath(*module.split(".")[1:-1])
        spec = PathFinder.find_spec(module, [str(folder)])
        if spec is None or spec.loader is None:
            return None
        try:
            sys.modules[module] = module_from_spec(spec)
            spec.loader.exec_module(sys.modules[module])
        except ImportError:
            sys.modules.pop(module, None)
            return None
    return getattr(sys.modules[module], name, None)


def lfilter(b: np.ndarray, a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """`scipy.signal.lfilter` of `[T]` float64 by the coefficients `b` over `a`, float64, from rest."""
    if (direct := loop("scipy.signal._sigtools", "_linear_filter")) is not None:
        return direct(b, a, x, -1)
    from scipy.signal import lfilter as public

    return np.asarray(public(b, a, x))


def rfft(x: np.ndarray) -> np.ndarray:
    """`scipy.fft.rfft` over the last axis of float32 or float64: in single precision for float32."""
    if (direct := loop("scipy.fft._pocketfft.pypocketfft", "r2c")) is not None:
        forward, unscaled, one_thread = True, 0, 1
        return direct(x, (x.ndim - 1,), forward, unscaled, None, one_thread)
    from scipy.fft import rfft as public

    return np.asarray(public(x))


def irfft(x: np.ndarray, size: int) -> np.ndarray:
    """`scipy.fft.irfft` of `[size // 2 + 1]` complex128 to `[size]` float64."""
    if (direct := loop("scipy.fft._pocketfft.pypocketfft", "c2r")) is not None:
        forward, by_size, one_thread = False, 2, 1
        return direct(x, (0,), size, forward, by_size, None, one_thread)
    from scipy.fft import irfft as public

    return np.asarray(public(x, size))


def moving_mean(x: np.ndarray, size: int, axis: int) -> np.ndarray:
    """`scipy.ndimage.uniform_filter1d`: mean over `size` neighbours along `axis`; the ends repeat theirs."""
    if (direct := loop("scipy.ndimage._nd_image", "uniform_filter1d")) is not None:
        nearest, out = 0, np.empty(x.shape, dtype=x.dtype)
        direct(x, size, axis, out, nearest, 0.0, 0)
        return out
    from scipy.ndimage import uniform_filter1d as public

    return np.asarray(public(x, size, axis=axis, mode="nearest"))


def resample_poly(x: np.ndarray, up: int, down: int) -> np.ndarray:
    """`scipy.signal.resample_poly` of `[T]` float32 with a Kaiser window: `[ceil(T * up / down)]` float32.

    up, down: without a common factor.
    """
    direct = loop("scipy.signal._upfirdn_apply", "_apply")
    if direct is None:
        from scipy.signal import resample_poly as public

        return np.asarray(public(x, up, down, window=("kaiser", BETA)))
    half = ZERO_CROSSINGS * max(up, down)
    lead = down - half % down  # zeros before the filter, so that its centre falls on an output
    skipped, count = (half + lead) // down, -(-x.shape[0] * up // down)
    missing = (skipped + count - 1) * down + 1 - (x.shape[0] - 1) * up - (lead + 2 * half + 1)
    taps = np.pad(resampling_filter(up, down), (lead, max(0, missing)))
    taps = np.pad(taps, (0, -taps.shape[0] % up))
    length = ((x.shape[0] - 1) * up + lead + 2 * half + 1 + max(0, missing) - 1) // down + 1
    out = np.zeros(length, dtype=np.float32)
    zeros_outside = 0
    # the taps of each phase stand together, last one first
    phases = np.ascontiguousarray(taps.reshape(-1, up).T[:, ::-1]).ravel()
    direct(x, phases, out, up, down, 0, zeros_outside, 0.0)
    return out[skipped : skipped + count]


@lru_cache(maxsize=4)
def resampling_filter(up: int, down: int) -> np.ndarray:
    """Low pass at the lower of two Nyquist frequencies, `[20 * max(up, down) + 1]` float32, its gain `up`."""
    fastest = max(up, down)
    half = ZERO_CROSSINGS * fastest
    place = np.arange(-half, half + 1, dtype=np.float64)
    taps = np.sinc(place / fastest) / fastest
    taps *= np.i0(BETA * np.sqrt(1 - (place / half) ** 2)) / np.i0(np.float64(BETA))
    return (taps / taps.sum()).astype(np.float32) * np.float32(up)

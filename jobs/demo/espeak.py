"""Speech on any machine: espeak-ng from the `espeakng-loader` wheel, called through ctypes.

`synthesise` is a pure function of its arguments. The library itself is not: the phase of its flutter and of its wave
generator survives from one utterance to the next, and even `espeak_Terminate`, so that the same sentence gives other
samples the second time. The library is therefore loaded afresh for every utterance (0.3 ms) and unloaded after it.
"""

from __future__ import annotations

import ctypes
import threading
from _ctypes import dlclose
from dataclasses import dataclass

import numpy as np

from ...schemas.errors import ConfigError, MissingExtraError

# Constants of speak_lib.h.
_AUDIO_OUTPUT_SYNCHRONOUS = 2
_INITIALIZE_DONT_EXIT = 0x8000
_POS_CHARACTER = 1
_CHARS_UTF8 = 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Voice:
    """How something is said."""

    name: str = "en-us"
    """espeak's voice, with an optional variant: "en-us", "de+f2"."""
    speed_wpm: int = 160
    """Words per minute, 80 to 450."""
    pitch: int = 50
    """Base pitch, 0 to 99."""
    pitch_range: int = 50
    """Liveliness, 0 (monotone) to 99."""


def synthesise(text: str, voice: Voice) -> tuple[np.ndarray, int]:
    """`text` spoken by `voice`: `[T]` int16 mono, and its sample rate in Hz (22050 with the wheel's data).

    Equal arguments give equal samples. Raises `MissingExtraError` without the wheel, `ConfigError` for an unknown
    voice. Safe to call from several threads; they take turns.
    """
    try:
        import espeakng_loader
    except ImportError:
        raise MissingExtraError("demo", "curate", "espeakng_loader") from None
    with _LOCK:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        try:
            return _speak(library, espeakng_loader.get_data_path(), text, voice)
        finally:
            dlclose(library._handle)


def _speak(library: ctypes.CDLL, data_path: object, text: str, voice: Voice) -> tuple[np.ndarray, int]:
    sample_rate = library.espeak_Initialize(
        _AUDIO_OUTPUT_SYNCHRONOUS, 0, str(data_path).encode(), _INITIALIZE_DONT_EXIT
    )
    if sample_rate <= 0:
        raise ConfigError(f"espeak-ng does not start with the data in {data_path}: reinstall espeakng-loader")
    # breathy voices are noise from a generator that Initialize seeds with the time
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    blocks: list[bytes] = []

    @_CALLBACK
    def collect(samples, num_samples, events):
        if samples and num_samples > 0:
            blocks.append(ctypes.string_at(samples, 2 * num_samples))
        return 0

    try:
        library.espeak_SetSynthCallback(collect)
        if library.espeak_SetVoiceByName(voice.name.encode()) != 0:
            raise ConfigError(f"espeak-ng has no voice {voice.name!r}")
        for parameter, value in ((_RATE, voice.speed_wpm), (_PITCH, voice.pitch), (_RANGE, voice.pitch_range)):
            library.espeak_SetParameter(parameter, value, 0)
        encoded = text.encode() + b"\0"
        library.espeak_Synth(encoded, ctypes.c_size_t(len(encoded)), 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None)
        library.espeak_Synchronize()
    finally:
        library.espeak_Terminate()
    return np.frombuffer(b"".join(blocks), dtype=np.int16).copy(), sample_rate

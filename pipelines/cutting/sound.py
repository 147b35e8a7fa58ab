"""What is measured on a whole recording and handed to each of its clips: noise, bandwidth, room.

A clip that was cut at pauses may have none inside, and then nothing in it says how loud the noise is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...curators.signal.signal import edge_hz
from ...curators.signal.snr import PAUSE_GUARD, PAUSE_PROBABILITY
from ...curators.signal.vad import FRAME_S, pauses
from ...schemas.clip import RecordingSound
from .listening import Heard

LEAST_PAUSE_S = 1.0
"""Of pauses in a recording, below which they do not speak for all of it."""

LOUDEST_SHARE = 0.05
"""Of the pauses' frames that are left out: words that the detector missed are a hundred times louder than a room."""


def sound_of(heard: Heard) -> list[dict[str, Any]]:
    """Rows of `sound` of `schemas.tables.CUTTING`, one per channel."""
    return [_channel(heard, number) for number in range(heard.speech.shape[0])]


def _channel(heard: Heard, number: int) -> dict[str, Any]:
    pause = pauses(heard.speech[number], PAUSE_PROBABILITY, PAUSE_GUARD)
    power = np.sort(heard.power[number][pause].astype(np.float64))
    power = power[: len(power) - int(LOUDEST_SHARE * len(power))]
    noise = float(power.mean()) if len(power) * FRAME_S >= LEAST_PAUSE_S else None
    unsteadiness = float(power.std() / noise) if noise else None
    c50_db = float(np.median(heard.c50_db[number])) if heard.c50_db[number] else None
    spectrum = heard.spectrum[number]
    handed = RecordingSound(noise, unsteadiness or 0.0, c50_db)
    return {
        "channel": number,
        "noise_power": noise,
        "unsteadiness": unsteadiness,
        "pause_s": len(power) * FRAME_S,
        "bandwidth_hz": edge_hz(spectrum, heard.bin_hz) if spectrum.any() else None,
        "c50_db": c50_db,
        "handed": None if noise is None and c50_db is None else handed.to_text(),
    }

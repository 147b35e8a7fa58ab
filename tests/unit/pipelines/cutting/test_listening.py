"""A recording is heard in pieces as it would be in one."""

from __future__ import annotations

import numpy as np
import pytest

from auricle.pipelines.cutting import listening
from auricle.pipelines.cutting.listening import Listener, frame_at, frame_edge


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100])
def test_frames_of_all_pieces_are_those_of_the_whole(rate: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "CHUNK_FRAMES", 250)
    # the loudness of each frame stands for speech: the detector itself is tested elsewhere
    monkeypatch.setattr(
        listening, "speech_probabilities", lambda clip: np.zeros(-(-clip.waveform.shape[0] * 16000 // (rate * 512)))
    )
    seconds = 37.7
    loud = np.repeat(np.random.default_rng(0).random(int(seconds * 4) + 1), rate // 4)[: int(seconds * rate)]
    t = np.arange(loud.shape[0]) / rate
    x = (loud * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    listener = Listener(rate, 2)
    for first in range(0, x.shape[0], 7919):
        part = x[first : first + 7919]
        listener.feed(np.stack([part, part * np.float32(0.5)]))
    heard = listener.finish()
    frames = -(-x.shape[0] * 16000 // (rate * 512))
    assert heard.speech.shape == heard.power.shape == (2, frames)
    expected = np.array([np.mean(x[frame_edge(f, rate) : frame_edge(f + 1, rate)] ** 2) for f in range(frames)])
    assert np.allclose(heard.power[0], expected, rtol=0.2, atol=0.01)
    assert np.allclose(heard.power[1] * 4, heard.power[0], rtol=1e-3)


def test_a_frame_begins_where_it_is_said_to() -> None:
    for rate in (8000, 11025, 44100):
        for frame in (0, 1, 124, 125, 4001, 10**6):
            assert frame_at(frame_edge(frame, rate) + 1, rate) in (frame - 1, frame)
            assert frame_edge(125 * frame, rate) == 4 * frame * rate

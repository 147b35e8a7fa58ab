"""Clips and gaps tile a recording; cuts lie in pauses, and in words only where there is nothing else."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.pipelines.cutting.tiling import NO_SPEECH, TOO_SHORT, check_tiling, tile

RATE = 16_000
FRAME = 512


def speech_of(*spans: tuple[float, float], length_s: float) -> np.ndarray:
    """Probabilities of a recording in which somebody speaks from a to b seconds."""
    found = np.zeros(int(np.ceil(length_s * RATE / FRAME)), np.float32)
    for a, b in spans:
        found[int(a * RATE / FRAME) : int(b * RATE / FRAME)] = 0.95
    return found


def cut(*spans: tuple[float, float], length_s: float, min_s: float = 3.0, max_s: float = 30.0, **more: object):
    found = tile(speech_of(*spans, length_s=length_s)[None], int(length_s * RATE), RATE, min_s, max_s, **more)  # type: ignore[arg-type]
    check_tiling(found, int(length_s * RATE))
    return found


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(0, 12)), max_size=30),
    st.sampled_from([8000, 11025, 16000, 44100]),
    st.floats(0.2, 6),
    st.floats(2, 6),
    st.integers(0, 5000),
    st.lists(st.floats(0, 300), max_size=20),
)
def test_clips_and_gaps_tile_any_recording(parts, rate, min_s, times, odd, starts) -> None:
    mask: list[float] = []
    for pause_s, speech_s in parts:
        mask += [0.05] * int(pause_s / 0.032) + [0.9] * int(speech_s / 0.032)
    speech = np.array([*mask, 0.4], np.float32)
    num_samples = max(1, (len(speech) * 512 * rate) // 16000 - odd % 300)
    words = np.array([[int(s * rate), int((s + 0.4) * rate)] for s in starts if (s + 1) * rate < num_samples])
    found = tile(speech[None], num_samples, rate, min_s, times * min_s, words)
    check_tiling(found, num_samples)
    for start, end in found.clips:
        assert round(min_s * rate) - 1 <= end - start <= round(times * min_s * rate) + 1
    assert {gap.kind for gap in found.gaps} <= {NO_SPEECH, TOO_SHORT}


def test_a_long_pause_is_left_out_but_for_a_breath() -> None:
    found = cut((1, 9), (20, 30), length_s=31)
    assert len(found.clips) == 2
    assert not found.forced
    (gap,) = found.gaps
    assert gap.kind == NO_SPEECH
    assert abs(gap.start / RATE - 9.3) < 0.1
    assert abs(gap.end / RATE - 19.7) < 0.1


def test_what_is_longer_than_a_clip_is_cut_in_its_longest_pauses() -> None:
    found = cut((0, 14), (14.2, 25), (26, 40), length_s=40)
    assert len(found.clips) == 2
    assert not found.gaps
    assert abs(found.clips[0][1] / RATE - 25.5) < 0.1


def test_speech_without_a_pause_is_cut_between_words_where_they_are_known() -> None:
    edges = np.arange(0, 40, 0.41)
    words = np.stack([edges, edges + 0.41], axis=1) * RATE
    found = cut((0, 40), length_s=40, words=words.astype(np.int64))
    assert found.forced == 1
    assert np.abs(words - found.clips[0][1]).min() <= 2
    assert cut((0, 40), length_s=40).forced == 1


def test_no_cut_is_inside_a_word_even_where_the_detector_hears_a_pause() -> None:
    words = np.array([[0, 18 * RATE], [int(18.05 * RATE), 40 * RATE]])
    found = cut((0, 15), (15.6, 40), length_s=40, words=words)
    assert 18.0 <= found.clips[0][1] / RATE <= 18.05


def test_a_short_word_takes_more_of_the_silence_beside_it() -> None:
    found = cut((20, 20.5), length_s=60)
    ((start, end),) = found.clips
    assert end - start == 3 * RATE
    assert start < 20 * RATE < end
    assert [gap.kind for gap in found.gaps] == [NO_SPEECH, NO_SPEECH]


def test_silence_is_one_gap_and_a_word_in_a_short_recording_another() -> None:
    silent = cut(length_s=36000, min_s=3)
    assert not silent.clips
    assert [(g.start, g.end, g.kind) for g in silent.gaps] == [(0, 36000 * RATE, NO_SPEECH)]
    short = cut((0.5, 1.5), length_s=2)
    assert not short.clips
    assert [g.kind for g in short.gaps] == [TOO_SHORT]

"""Keys name content; seconds and samples are turned into each other by one rounding."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from auricle.schemas.keys import PcmHash, canonical_json, clip_key, digest, pcm_sha256
from auricle.schemas.time import num_frames, resampled_length, samples, seconds

rates = st.sampled_from([8000, 11025, 16000, 22050, 24000, 44100, 48000, 192000])
lengths = st.integers(0, 3 * 3600 * 48000)


@given(lengths, rates)
def test_samples_to_seconds_and_back_is_the_identity(length: int, rate: int) -> None:
    assert samples(seconds(length, rate), rate) == length


@given(lengths, rates, rates)
def test_resampling_there_and_back_never_loses_a_sample(length: int, source: int, target: int) -> None:
    there = resampled_length(length, source, target)
    assert resampled_length(there, target, source) >= length
    assert resampled_length(length, source, source) == length


@given(lengths, st.integers(1, 4000))
def test_frames_cover_all_samples_and_no_more(length: int, frame_size: int) -> None:
    frames = num_frames(length, frame_size)
    assert (frames - 1) * frame_size < length <= frames * frame_size or length == frames == 0


@given(st.lists(st.text()), st.lists(st.text()))
def test_digests_of_different_parts_differ(a: list[str], b: list[str]) -> None:
    assert (digest(*a) == digest(*b)) == (a == b)


def test_a_clip_key_says_recording_channel_and_span() -> None:
    keys = {clip_key(r, c, s, e) for r in ("a", "b") for c in (0, 1) for s in (0, 1) for e in (10, 11)}
    assert len(keys) == 16
    assert all(len(k) == 32 and "." not in k for k in keys)


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 200), max_size=4))
def test_pcm_hash_does_not_depend_on_the_blocks(seed: int, cuts: list[int]) -> None:
    waveform = np.random.default_rng(seed).normal(size=200).astype(np.float32)
    h = PcmHash(16000)
    for part in np.split(waveform, sorted(cuts)):
        h.update(part)
    assert h.hexdigest() == pcm_sha256(waveform, 16000)
    assert h.hexdigest() != pcm_sha256(waveform, 8000)


def test_pcm_hash_takes_both_zeros_for_one() -> None:
    assert pcm_sha256(np.array([0.0], np.float32), 8000) == pcm_sha256(np.array([-0.0], np.float32), 8000)


def test_canonical_json_is_one_spelling() -> None:
    assert canonical_json({"b": 1, "a": [1.5, None]}) == b'{"a":[1.5,null],"b":1}'

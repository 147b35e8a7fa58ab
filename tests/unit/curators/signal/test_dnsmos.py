import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.curators.models import session
from auricle.curators.networks.silent_filters import answering
from auricle.curators.signal.dnsmos import (
    INPUT_SIZE,
    SAMPLE_RATE,
    DnsmosCurator,
    _model,
    looped,
    segment_starts,
)
from auricle.schemas.clip import Clip


def talking(seconds, seed=0):
    """Noise that is said to be speech throughout: the network needs none to run."""
    x = np.random.default_rng(seed).normal(0, 0.05, int(seconds * SAMPLE_RATE)).astype(np.float32)
    clip = Clip("", x, SAMPLE_RATE)
    clip.memo["speech_probabilities"] = np.ones(-(-x.size // 512), dtype=np.float32)
    return clip


def runner_segments(audio):
    """speechmos 0.0.1.1, `DNSMOS.__call__`, the lines that cut segments."""
    fs, input_length = 16000, 9.01
    len_samples = int(input_length * fs)
    while len(audio) < len_samples:
        audio = np.append(audio, audio)
    num_hops = int(np.floor(len(audio) / fs) - input_length) + 1
    segments = []
    for idx in range(num_hops):
        segment = audio[int(idx * fs) : int((idx + input_length) * fs)]
        if len(segment) < len_samples:
            continue
        segments.append(segment)
    return segments


@given(st.one_of(st.integers(1, 400_000), st.integers(1, 30).map(lambda s: 16000 * s)))
def test_reference_segments_are_those_of_the_runner(length):
    x = np.arange(length, dtype=np.float32) / length
    ours = looped(x)
    starts = segment_starts(ours.size, "reference", 1)
    theirs = runner_segments(x)
    assert len(starts) == len(theirs)
    assert all(np.array_equal(ours[s : s + INPUT_SIZE], t[:INPUT_SIZE]) for s, t in zip(starts, theirs, strict=True))


@given(st.integers(INPUT_SIZE, 200 * SAMPLE_RATE), st.integers(1, 24))
def test_fast_segments_are_some_of_the_references(length, most):
    fast = segment_starts(length, "fast", most)
    reference = segment_starts(length, "reference", most)
    assert set(fast) <= set(reference)
    assert fast == sorted(set(fast))
    assert 1 <= len(fast) <= most


def test_scores_equal_the_networks_output_through_the_runners_polynomials():
    clip = talking(10)
    row = DnsmosCurator(mode="reference").score([clip])[0]
    import onnxruntime

    from auricle.curators.models import package_file

    model = onnxruntime.InferenceSession(
        str(package_file("speechmos", "dnsmos_models", "sig_bak_ovr.onnx")), providers=["CPUExecutionProvider"]
    )
    raw = model.run(None, {"input_1": clip.waveform[None, :INPUT_SIZE]})[0][0]
    polynomials = ([-0.08397278, 1.22083953, 0.0052439], [-0.13166888, 1.60915514, -0.39604546])
    assert row["dnsmos_sig"] == pytest.approx(float(np.poly1d(polynomials[0])(raw[0])), abs=1e-4)
    assert row["dnsmos_bak"] == pytest.approx(float(np.poly1d(polynomials[1])(raw[1])), abs=1e-4)
    assert row["dnsmos_ovrl"] == pytest.approx(
        float(np.poly1d([-0.06766283, 1.11546468, 0.04602535])(raw[2])), abs=1e-4
    )


def test_floats_beyond_full_scale_are_scaled_not_refused():
    clip = talking(2)
    clip.waveform = clip.waveform * np.float32(50)
    assert 0 < DnsmosCurator().score([clip])[0]["dnsmos_ovrl"] < 5


def test_without_speech_there_is_a_reason_and_the_network_does_not_run():
    x = np.zeros(32000, dtype=np.float32)
    assert DnsmosCurator().score([Clip("", x, 16000)])[0]["reason"] == "unmeasurable: digital silence"
    x[::100] = 1e-3
    assert DnsmosCurator().score([Clip("", x, 16000)])[0]["reason"] == "unmeasurable: no speech"


@pytest.mark.parametrize("kind", ["noise", "square", "clicks", "silence", "tone"])
def test_the_network_without_its_silent_filters_gives_the_whole_networks_scores(kind):
    rng, t = np.random.default_rng(4), np.arange(INPUT_SIZE)
    x = {
        "noise": rng.normal(0, 0.1, INPUT_SIZE),
        "square": np.sign(rng.normal(size=INPUT_SIZE)),
        "clicks": (t % 2311 == 0) * 1.0,
        "silence": np.zeros(INPUT_SIZE),
        "tone": np.sin(t * 0.17),
    }[kind].astype(np.float32)
    whole, shortened = (session(_model(), edit=edit).run(None, {"input_1": x[None]})[0] for edit in (bytes, answering))
    assert shortened == pytest.approx(whole, abs=1e-5)


def test_another_network_runs_whole():
    other = _model().read_bytes() + b"\x08\x07"  # the same, with its version of the format said again
    assert answering(other) is other

"""What is left of recordings in codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_factory import CODES, LATENTS, Recording, write_version
from pystoi import stoi

from auricle.curators.waveform import resample
from auricle.jobs.judging.diagnosis_table import print_diagnosis
from auricle.loaders.reading.version import Version, open_version
from auricle.pipelines.diagnosis import reconstruction as module
from auricle.pipelines.diagnosis.comparisons import Measured, comparisons
from auricle.pipelines.diagnosis.diagnose import diagnose
from auricle.pipelines.diagnosis.reconstruction import distances, reconstruction
from auricle.schemas.errors import ClipError
from auricle.schemas.tables import FailureReason

RATE = 16_000


def speech(seed: int, seconds: float = 3.0, rate: int = RATE) -> np.ndarray:
    """A voice of syllables: harmonics under an envelope of 4 Hz, over a noise floor."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    f0 = 120 + 40 * rng.random()
    harmonics = sum(rng.random() * np.sin(2 * np.pi * k * f0 * time + rng.random()) / k for k in range(1, 30))
    loud = 0.1 + np.sin(np.pi * (3 + rng.random()) * time) ** 2
    return (0.1 * harmonics * loud + 1e-3 * rng.standard_normal(time.size)).astype(np.float32)


def noise(samples: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


def seed_of(clip: Any) -> int:
    return int(clip["clip"][:6], 16)


def fake(monkeypatch: pytest.MonkeyPatch, decode: Callable[[np.ndarray, int], np.ndarray]) -> None:
    """Recordings made up from their keys, and a codec whose audio is `decode(recording, seed)`."""

    class FakeDecoder:
        def __init__(self, *_: object) -> None: ...

        def audio(self, sample: Any) -> tuple[np.ndarray, int]:
            return decode(speech(seed_of(sample.clip)), seed_of(sample.clip))[None], RATE

    monkeypatch.setattr(module, "Decoder", FakeDecoder)
    monkeypatch.setattr(module, "clip_audio", lambda _, clip: (speech(seed_of(clip)), RATE))


@pytest.fixture
def version(tmp_path: Path) -> Version:
    recordings = [Recording(f"v{i}", speaker=f"s{i % 8}", num_samples=3 * RATE + i) for i in range(30)]
    other = CODES.model_copy(update={"name": "other-codes-50hz"})
    write_version(f"{tmp_path}/dataset", recordings, representations=[CODES, other, LATENTS])
    return open_version(f"{tmp_path}/dataset")


def speakers(version: Version) -> dict[str, str]:
    return {row["clip"]: row["speaker"] for row in version.clips(["clip", "speaker"]).to_pylist()}


def measured(version: Version, num_clips: int = 20) -> module.Reconstruction:
    return reconstruction(version, CODES, speakers(version), "speaker", num_clips)


def test_a_codec_that_loses_nothing_has_an_estoi_of_1_and_no_distance(
    version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch, lambda recorded, _: recorded)
    found = measured(version).to_dict()
    assert found["estoi"]["value"] == pytest.approx(1)
    assert found["mel_db"]["value"] == pytest.approx(0, abs=1e-9)
    assert (found["num_clips"], found["interval_over"], found["skipped"]) == (20, "speaker", {})


def test_noise_decoded_as_other_noise_has_an_estoi_of_0(version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, lambda recorded, seed: noise(recorded.size, seed))
    monkeypatch.setattr(module, "clip_audio", lambda _, clip: (noise(3 * RATE, seed_of(clip) + 1), RATE))
    found = measured(version).estimate("estoi")
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high
    assert found.value == pytest.approx(0, abs=0.03)


def test_half_the_amplitude_is_6_db_of_every_band_and_as_intelligible() -> None:
    wide = resample(0.1 * noise(3 * RATE, 0), RATE, 24_000)
    found = distances(wide, 24_000, 0.5 * wide, 24_000)
    assert found["mel_db"] == pytest.approx(20 * np.log10(2), rel=0.01)
    assert found["estoi"] == pytest.approx(1)


@pytest.mark.parametrize("snr_db", [20, 5, -5])
def test_the_estoi_is_that_of_another_program(snr_db: float) -> None:
    clean = speech(3)
    noisy = (clean + noise(clean.size, 1) * np.sqrt((clean**2).mean() / 10 ** (snr_db / 10))).astype(np.float32)
    assert distances(clean, RATE, noisy, RATE)["estoi"] == pytest.approx(
        stoi(clean, noisy, RATE, extended=True), abs=0.02
    )


def test_more_noise_is_further_away() -> None:
    clean = speech(3)
    near, far = (
        distances(clean, RATE, clean + np.float32(scale) * noise(clean.size, 1), RATE) for scale in (0.001, 0.02)
    )
    assert near["mel_db"] < far["mel_db"]
    assert near["estoi"] > far["estoi"]


def test_the_sample_is_the_same_clips_for_every_representation_and_bounded(
    version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch, lambda recorded, _: recorded)
    first = measured(version, 7)
    other = reconstruction(version, version.representation("other"), speakers(version), "speaker", 7)
    assert len(first.values["mel_db"]) == 7
    assert first.values["mel_db"].keys() == other.values["mel_db"].keys()


def test_of_a_codec_of_two_channels_the_clips_own_is_compared(
    version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stereo:
        def __init__(self, *_: object) -> None: ...

        def audio(self, sample: Any) -> tuple[np.ndarray, int]:
            sides = [speech(seed_of(sample.clip)), noise(3 * RATE, 1)]
            return np.stack(sides if sample.clip["channel"] == 0 else sides[::-1]), RATE

    fake(monkeypatch, lambda recorded, _: recorded)
    monkeypatch.setattr(module, "Decoder", Stereo)
    assert measured(version, 5).estimate("estoi").value == pytest.approx(1)


def test_few_speakers_have_an_interval_over_clips_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, lambda recorded, _: recorded)
    write_version(f"{tmp_path}/one", [Recording(f"v{i}", num_samples=3 * RATE + i) for i in range(9)])
    found = measured(open_version(f"{tmp_path}/one")).to_dict()
    assert (found["interval_over"], found["num_groups"], found["num_clips"]) == ("clip", 1, 9)
    assert found["estoi"]["status"] == "resolved"


def test_recordings_that_are_gone_are_counted_and_representations_without_a_decoder_say_so(
    version: Version, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch, lambda recorded, _: recorded)

    def gone(*_: object) -> None:
        raise ClipError(FailureReason.MISSING, "no such file")

    monkeypatch.setattr(module, "clip_audio", gone)
    record = diagnose(version, ["toy-codes", "toy-latents"])
    codes, latents = (record["representations"][n]["reconstruction"] for n in (CODES.name, LATENTS.name))
    assert codes["skipped"] == {"missing": 20}
    assert codes["estoi"]["status"] == "unresolved"
    assert latents["estoi"]["reason"] == "latents are not decoded: only codes have a decoder"
    print_diagnosis(record)
    said = capsys.readouterr().out
    assert (
        f"{CODES.name}: reconstruction not measured: no clip of the sample could be compared; 20 of the sample" in said
    )


def test_the_table_shows_both_measures_and_on_what_they_were_measured(
    version: Version, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(monkeypatch, lambda recorded, _: 0.5 * recorded)
    record = diagnose(version, ["toy-codes"], reconstruct=6)
    assert record["representations"][CODES.name]["reconstruction"]["num_clips"] == 6
    print_diagnosis(record)
    said = capsys.readouterr().out
    assert "ESTOI 1 (1 to 1), mel distance in dB " in said
    assert "of 6 decoded clips, " in said
    assert "not asked for" not in said


def test_two_codecs_are_compared_by_what_they_leave_as_well(version: Version, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, lambda recorded, seed: recorded + np.float32(0.02) * noise(recorded.size, seed))
    worse = measured(version)
    fake(monkeypatch, lambda recorded, _: recorded)
    better = measured(version)

    def only(left: module.Reconstruction) -> Measured:
        values = {m: (module.UNITS[m], {k: (v, 1.0) for k, v in left.values[m].items()}) for m in module.UNITS}
        return Measured(values, left.groups)

    found = {c["measure"]: c for c in comparisons({"worse": only(worse), "better": only(better)})}
    assert found["estoi"]["low"] > 0
    assert found["mel_db"]["high"] < 0
    null = comparisons({"worse": only(worse), "again": only(worse)})
    assert not any(c["decided"] for c in null)

"""The demo's corpus is what its truth says, and the same for the same seed."""

from __future__ import annotations

import csv
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.jobs.demo.config import demo_config
from auricle.jobs.demo.corpus import SPEAKERS, make_corpus
from auricle.jobs.demo.espeak import Voice, synthesise
from auricle.jobs.demo.planted import Defect, Planted, Truth
from auricle.jobs.demo.truth import FLOORS
from auricle.schemas.config import RunConfig
from auricle.schemas.keys import sha256_file

UNREADABLE = (Defect.TRUNCATED_FILE, Defect.NOT_AUDIO)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> tuple[Path, Truth]:
    root = tmp_path_factory.mktemp("corpus")
    return root, make_corpus(root, seed=11)


def _hashes(root: Path) -> dict[str, str]:
    return {p.relative_to(root).as_posix(): sha256_file(p) for p in sorted(root.rglob("*")) if p.is_file()}


def _read(root: Path, file: Planted) -> tuple[np.ndarray, int]:
    return soundfile.read(root / "audio" / file.path, dtype="float32")


def test_equal_seeds_give_equal_bytes_whatever_was_there_or_spoken_before(corpus, tmp_path):
    root, _ = corpus
    (tmp_path / "audio" / "old").mkdir(parents=True)
    (tmp_path / "audio" / "old" / "left.wav").write_bytes(b"from an earlier corpus")
    synthesise("Something in between.", Voice("en-us+f2"))
    make_corpus(tmp_path, seed=11)
    assert _hashes(tmp_path) == _hashes(root)


def test_the_corpus_has_the_size_and_variety_that_it_promises(corpus):
    root, truth = corpus
    readable = [f for f in truth.files if f.defect not in UNREADABLE]
    assert len(readable) >= 120
    assert {f.speaker for f in readable} == set(SPEAKERS)
    languages = Counter(f.language for f in readable)
    assert set(languages) == {"en", "de", "fr"}
    assert languages.most_common(1)[0][0] == "en"
    rates = {f.sample_rate for f in truth.of(Defect.CLEAN)}
    assert min(rates) == 8000
    assert max(rates) == 48000
    durations = [soundfile.info(root / "audio" / f.path).duration for f in readable]
    assert min(durations) >= 3
    assert max(durations) <= 8.5


def test_every_defect_is_there_several_times_and_clean_clips_are_many(corpus):
    _, truth = corpus
    counts = Counter(f.defect for f in truth.files)
    assert set(counts) == set(Defect)
    assert all(counts[defect] >= 3 for defect in FLOORS)
    assert counts[Defect.CLEAN] >= 60


def test_the_table_of_transcripts_names_every_file_and_tells_nothing_else(corpus):
    root, truth = corpus
    with (root / "audio" / "transcripts.tsv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))
    assert {r["file"]: r["transcript"] for r in rows} == {f.path: f.transcript for f in truth.files}
    assert set(rows[0]) == {"file", "speaker", "language", "transcript"}
    assert {p.name for p in (root / "audio").iterdir()} == {*SPEAKERS, "transcripts.tsv"}
    assert not any(defect.value in f.path for f in truth.files for defect in Defect)
    assert Truth.read(root / "truth.json") == truth


def test_files_claim_the_rate_that_the_truth_says(corpus):
    root, truth = corpus
    for file in truth.files:
        if file.defect not in UNREADABLE:
            assert soundfile.info(root / "audio" / file.path).samplerate == file.sample_rate, file.path


def test_copies_are_copies_of_their_originals(corpus):
    root, truth = corpus
    clean = {f.path: f for f in truth.of(Defect.CLEAN)}
    for file in truth.of(Defect.SAME_BYTES):
        assert sha256_file(root / "audio" / file.path) == sha256_file(root / "audio" / file.original)
    for file in truth.of(Defect.SAME_SAMPLES):
        assert sha256_file(root / "audio" / file.path) != sha256_file(root / "audio" / file.original)
        assert np.array_equal(_read(root, file)[0], _read(root, clean[file.original])[0])
    for file in truth.of(Defect.REENCODED):
        copy, original = _read(root, file), _read(root, clean[file.original])
        assert copy[1] != original[1] or not np.array_equal(copy[0], original[0])
        assert file.transcript == clean[file.original].transcript
    assert len({f.original for f in truth.files if f.original}) == sum(1 for f in truth.files if f.original)


def test_silence_is_silent_and_no_two_silences_are_equal(corpus):
    root, truth = corpus
    silent = truth.of(Defect.SILENT)
    assert sum(bool(np.any(_read(root, f)[0])) for f in silent) < len(silent) / 2
    assert all(np.abs(_read(root, f)[0]).max() < 0.01 for f in silent)
    assert len({sha256_file(root / "audio" / f.path) for f in silent}) == len(silent)


def test_clipped_clips_have_flat_tops_and_clean_ones_do_not(corpus):
    root, truth = corpus
    assert all(_at_peak(_read(root, f)[0]) > 0.005 for f in truth.of(Defect.CLIPPED))
    assert all(_at_peak(_read(root, f)[0]) < 0.001 for f in truth.of(Defect.CLEAN))


def test_narrowband_clips_claim_24_khz_and_hold_4_khz(corpus):
    root, truth = corpus
    for file in truth.of(Defect.NARROWBAND):
        waveform, rate = _read(root, file)
        power = np.abs(np.fft.rfft(waveform)) ** 2
        hz = np.fft.rfftfreq(waveform.shape[0], 1 / rate)
        assert rate == 24000
        assert power[hz > 4300].sum() < 1e-6 * power.sum()


def test_noise_stands_as_far_below_speech_as_the_truth_says(corpus):
    root, truth = corpus
    for file in truth.of(Defect.NOISY, Defect.SLIGHTLY_NOISY):
        waveform, rate = _read(root, file)
        # the room is alone for half a second at both ends; speech is active for most of the rest
        edge = round(0.45 * rate)
        noise_power = np.mean(np.concatenate([waveform[:edge], waveform[-edge:]]).astype(float) ** 2)
        rest = waveform[2 * edge : -2 * edge].astype(float)
        measured = 10 * math.log10(max(np.mean(rest**2) - noise_power, 1e-12) / noise_power)
        # a second says less about the mean power of noise the more its power wanders
        tolerance = {"white": 2.5, "pink": 4.5, "babble": 8}[file.detail["noise"]]
        assert measured == pytest.approx(file.snr_db, abs=tolerance), file


def test_wrong_texts_are_of_english_speech_and_share_no_phrase_with_it(corpus):
    _, truth = corpus
    for file in truth.of(Defect.WRONG_TRANSCRIPT, Defect.FOREIGN_TRANSCRIPT):
        assert file.language == "en"
        assert file.transcript != file.spoken
    for file in truth.of(Defect.TRUNCATED_TRANSCRIPT):
        assert file.spoken.startswith(file.transcript.rstrip("."))
        assert len(file.transcript) < 0.7 * len(file.spoken)
    assert all(f.transcript == f.spoken for f in truth.of(Defect.CLEAN, Defect.NOISY, Defect.CLIPPED))


def test_the_configuration_of_the_demo_is_valid_and_reads_only_the_audio(tmp_path):
    config = RunConfig.model_validate(demo_config(tmp_path, str(tmp_path / "dataset")))
    assert [Path(s.path) for s in config.sources] == [tmp_path / "audio"]
    assert [t.name for t in config.tiers] == ["gold", "silver", "bronze"]
    assert config.duplicates.exact
    assert config.duplicates.near


def _at_peak(waveform: np.ndarray) -> float:
    """Share of samples at the largest magnitude."""
    level = np.abs(waveform)
    return float(np.mean(level >= 0.999 * level.max()))

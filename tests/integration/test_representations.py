"""Every kind of representation through the whole job: backfilled, gated, verified, pulled, cropped, aligned."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from corpus import config

from auricle.extractors.codecs.conversation import sides
from auricle.extractors.codecs.text_stream import END_OF_PAD, PAD, pairs_of_bytes
from auricle.extractors.coding import registry
from auricle.jobs.demo.espeak import Voice, synthesise
from auricle.jobs.judging.report import write_report
from auricle.jobs.models.train_units import units_of
from auricle.loaders import Version, crop, cropped, open_version
from auricle.loaders.care.verify import verify
from auricle.loaders.copies.pull import pull
from auricle.pipelines.derived.decoder import Decoder
from auricle.pipelines.plan import plan
from auricle.pipelines.run import run
from auricle.schemas.config import RepresentationConfig
from auricle.schemas.representation import frame_range

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]

DOCS = Path(__file__).parents[2] / "docs/units_and_features.md"
RATE = 24_000
TURNS = ((0, 0.4, 1.8), (1, 1.4, 2.6), (0, 3.0, 3.5))
"""(side, start_s, end_s) of the dialogue; both speak between 1.4 and 1.8 s."""
ONSETS_S = (0.5, 1.25, 2.6)
"""Bursts of 0.2 s in the mono recordings."""
CODES = {"codec": "builtin", "kind": "codes"}


def voice(f0: float, seconds: float, rate: int = RATE) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    return (0.2 * sum(np.sin(2 * np.pi * k * f0 * time) / k for k in range(1, 9))).astype(np.float32)


def bursts(seconds: float, rate: int, f0: float) -> np.ndarray:
    audio = np.zeros(int(seconds * rate), np.float32)
    for onset in ONSETS_S:
        first = round(onset * rate)
        audio[first : first + rate // 5] = voice(f0, 0.2, rate)
    return audio


def dialogue() -> np.ndarray:
    """`[4 s, 2]`: a voice on each channel."""
    audio = np.zeros((4 * RATE, 2), np.float32)
    for side, start, end in TURNS:
        tone = voice((110.0, 220.0)[side], end - start)
        audio[round(start * RATE) :][: len(tone), side] = tone
    return audio


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audio")
    rng = np.random.default_rng(0)
    twice = bursts(4, RATE, 140.0)
    files: dict[str, tuple[np.ndarray, int]] = {
        "dialogue.wav": (dialogue(), RATE),
        "same_on_both.wav": (np.stack([twice, twice], 1), RATE),
        "one_side_silent.wav": (np.stack([bursts(4, RATE, 180.0), np.zeros(4 * RATE, np.float32)], 1), RATE),
        "mono.wav": (bursts(4, 16_000, 160.0), 16_000),
        "three_channels.wav": (0.1 * rng.standard_normal((8000, 3)).astype(np.float32), 16_000),
        # beyond a minute codecs work in pieces
        "long.flac": (
            np.tile(voice(130.0, 1.0, 16_000), 63) * np.linspace(0.2, 1, 63 * 16_000, dtype=np.float32),
            16_000,
        ),
    }
    for name, (samples, rate) in files.items():
        soundfile.write(folder / name, samples, rate)
    return folder


def job(audio: Path, dataset: Path, representations: list[dict[str, Any]]) -> Any:
    source = {"path": str(audio), "name": "corpus", "language": "en"}
    return config(audio, dataset, sources=[source], representations=representations, gate={"min_clips": 1})


def by_path(version: Version, representation: str) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for sample in version.samples(representation):
        assert sample.clip["path"] not in found, "once per group"
        found[sample.clip["path"]] = sample.array
    return found


def distance_from_silence(array: np.ndarray) -> np.ndarray:
    """`[frames]`, 1 for the typical loud frame: distance from the first, in codes the share of rows that differ."""
    if array.dtype == np.uint16:
        return (array != array[:, :1]).mean(0)
    distance = np.linalg.norm((array - array[:, :1]) / (array.std(1, keepdims=True) + 1e-9), axis=0)
    return distance / np.quantile(distance, 0.9)


def test_representations(tmp_path: Path, audio: Path, subtests: Any) -> None:
    """One dataset: codes and latents first, units fitted on them, everything else later."""
    dataset = tmp_path / "dataset"
    latents = {"codec": "builtin", "kind": "latents"}
    first = run(job(audio, dataset, [CODES, latents])).version
    units = tmp_path / "units.safetensors"
    card = units_of(first, [32, 64], units, "builtin-latents", 75.0, 3, 0, "this test")
    assert card["frames"] == sum(sample.array.shape[1] for sample in first.samples("builtin-latents"))
    kept = {row["clip"] for row in first.clips(["clip", "status"]).to_pylist() if row["status"] == "kept"}
    assert first.document.counts.dropped == 2, "a channel of silence and a second copy"

    views = [
        CODES,
        latents,
        {"codec": "builtin", "kind": "latents", "rate_hz": 25},
        {"codec": "builtin", "kind": "latents", "rate_hz": 12.5, "options": {"pool": "max"}},
        {"codec": "units", "kind": "codes", "weights": str(units)},
        {"codec": "features", "kind": "features"},
        {"codec": "conversation", "kind": "codes"},
        {"codec": "conversation", "kind": "features", "options": {"codec": "features"}},
        {"codec": "encodec48", "kind": "codes", "weights": "seed:0", "num_codebooks": 2},
        {"codec": "mimi", "kind": "codes", "weights": "seed:0"},
        {"codec": "encodec24", "kind": "codes", "weights": "seed:0"},
    ]
    asked = plan(job(audio, dataset, views)).to_extract
    version = run(job(audio, dataset, views)).version

    with subtests.test("a representation added later is made of kept clips only, and nothing is made again"):
        old, new = (v.document.representations["builtin-codes-75hz"] for v in (first, version))
        assert new.shards == old.shards
        for name, entry in version.document.representations.items():
            assert entry.failed == 0
            assert {sample.key for sample in version.samples(name)} <= kept
            assert name in first.document.representations or asked[name][0] == entry.live

    with subtests.test("the gate passes, every byte is where the version says, and a pull holds the same"):
        assert version.document.gate.verdict == "passed", [c for c in version.document.gate.checks if not c.success]
        assert verify(str(dataset)) == []
        pulled = pull(str(dataset), str(tmp_path / "pulled"), ["conversation-builtin", "encodec48"])
        assert pulled.live == {"conversation-builtin-codes-75hz": 1, "encodec48-codes-150hz": 4}
        here = by_path(open_version(str(tmp_path / "pulled")), "conversation-builtin")
        assert np.array_equal(here["dialogue.wav"], by_path(version, "conversation-builtin")["dialogue.wav"])

    with subtests.test("a conversation is made where both sides are kept, a stereo codec doubles one channel"):
        assert set(by_path(version, "conversation-builtin")) == {"dialogue.wav"}
        stereo = by_path(version, "encodec48")
        assert set(stereo) == {"dialogue.wav", "same_on_both.wav", "mono.wav", "long.flac"}
        (extractor,) = registry.build([RepresentationConfig.model_validate(views[8])])
        (wanted,) = extractor.extract(dialogue().T, RATE).values()
        assert np.array_equal(stereo["dialogue.wav"], wanted)

    with subtests.test("both sides of a conversation are the codes of their channels, and line up with the turns"):
        codes = {(s.clip["path"], s.clip["channel"]): s.array for s in version.samples("builtin-codes")}
        for side, rows in enumerate(sides(by_path(version, "conversation-builtin")["dialogue.wav"])):
            assert np.array_equal(rows, codes["dialogue.wav", side])
        levels = by_path(version, "conversation-features")["dialogue.wav"]
        for side, rows in enumerate(sides(levels)):
            heard = np.flatnonzero(np.diff((rows[2] > -60).astype(int), prepend=0, append=0))
            wanted = [edge * 75 for who, *edges in TURNS if who == side for edge in edges]
            assert np.abs(heard - wanted).max() <= 1

    mono = {
        name: next(sample.array for sample in version.samples(name) if sample.clip["path"] == "mono.wav")
        for name in version.document.representations
        if not name.startswith("conversation")
    }
    with subtests.test("what codes stand for, latents, units and features line up with planted onsets to one frame"):
        spec = version.representation("builtin-codes")
        sample = next(s for s in version.samples(spec.name) if s.clip["path"] == "mono.wav")
        heard, rate = Decoder(version, spec).audio(sample)
        assert heard.shape == (1, 4 * rate)
        found = {n: mono[n] for n in ("builtin-latents-75hz", "units-codes-75hz")}
        found["energy"] = 10 ** (mono["features-75hz"][2:3] / 20)
        found["decoded"] = np.sqrt(np.square(heard).reshape(1, 300, -1).mean(2))
        for name, array in found.items():
            assert array.shape[1] == mono["builtin-codes-75hz"].shape[1] == 300
            # of two sizes of units one may put the onset with silence
            onsets = np.flatnonzero(np.diff(distance_from_silence(array) >= 0.5, prepend=False))
            for onset in ONSETS_S:
                assert np.abs(onsets - int(onset * 75)).min() <= 1, (name, onset, onsets)

    with subtests.test("pooled views are the latents pooled"):
        finest = mono["builtin-latents-75hz"]
        assert np.allclose(mono["builtin-latents-25hz"], finest.reshape(48, -1, 3).mean(2), atol=1e-6)
        assert np.array_equal(mono["builtin-latents-12.5hz"], finest.reshape(48, -1, 6).max(2))

    with subtests.test("a crop of a long clip is the frames of its samples, whatever the codec"):
        samples, rate = soundfile.read(audio / "long.flac", dtype="float32", always_2d=True)
        for view in (CODES, views[1], views[9], views[10]):
            (extractor,) = registry.build([RepresentationConfig.model_validate(view)])
            (spec,) = extractor.specs
            (whole,) = extractor.extract(samples.T, rate).values()
            sample = next(s for s in version.samples(spec.name) if s.clip["path"] == "long.flac")
            assert np.array_equal(sample.array, whole)
            for start, end in ((0, 1), (16_000, 32_000), (959_999, 960_001), (0, len(samples))):
                low, high = frame_range(spec, start, end, rate)
                got = crop(version, spec.name, sample.key, start, end)
                assert np.array_equal(got, whole[:, low:high])
                assert np.array_equal(got, cropped(sample, spec, start, end))
                assert low * spec.frame_size / spec.sample_rate <= start / rate
                assert high * spec.frame_size / spec.sample_rate >= end / rate

    with subtests.test("the report plays kept clips before and after the codec"):
        page = Path(write_report(version, tmp_path / "report.html", diagnose_first=False)).read_text()
        assert page.count("<p>recorded</p>") == page.count("<p>decoded</p>") == 3
        assert "8 codebooks, 6 kbit/s" in page

    with subtests.test("a side that is dropped takes the conversation with it, and the gate agrees"):
        rule = [{"score": "loudness_db", "min": -19.4, "reason": "quiet"}]
        tight = run(job(audio, dataset, views).model_copy(update={"keep": config(audio, dataset, keep=rule).keep}))
        status = {(r["path"], r["channel"]): r["status"] for r in tight.version.clips().to_pylist()}
        assert sorted(status["dialogue.wav", side] for side in (0, 1)) == ["dropped", "kept"]
        assert by_path(tight.version, "conversation-builtin") == {}
        assert "dialogue.wav" not in by_path(tight.version, "encodec48")
        assert verify(str(dataset)) == []
        back = run(job(audio, dataset, views)).version
        assert np.array_equal(
            by_path(back, "conversation-builtin")["dialogue.wav"],
            by_path(version, "conversation-builtin")["dialogue.wav"],
        )


LINES = ((0, 0.3, "good morning harbour"), (1, 1.2, "the boat is empty"), (0, 3.0, "we saw seven green boats"))
"""(side, start_s, what is said): the second line begins before the first has ended."""
GAP_S = 0.15


def lines_said() -> tuple[np.ndarray, dict[int, list[tuple[str, float]]]]:
    """Two synthetic voices, `[2, T]`, and where each side's words begin, in seconds."""
    said: dict[int, list[tuple[str, float]]] = {0: [], 1: []}
    audio = np.zeros((2, 8 * 22_050), np.float32)
    for side, start_s, line in LINES:
        at = round(start_s * 22_050)
        for word in line.split():
            samples, rate = synthesise(word, Voice(("en-us+f1", "en-us+m3")[side], 150))
            spoken = samples.astype(np.float32) / 32768
            loud = np.flatnonzero(np.abs(spoken) > 0.02)
            spoken = spoken[loud[0] : loud[-1] + 1]
            said[side].append((word, at / rate))
            audio[side, at : at + len(spoken)] += spoken
            at += len(spoken) + round(GAP_S * rate)
    assert said[1][0][1] < said[0][2][1] + 0.5, "the voices overlap"
    return audio, said


def test_the_documented_layout_puts_each_sides_words_where_they_are_said(tmp_path: Path, monkeypatch: Any) -> None:
    audio, said = lines_said()
    folder = tmp_path / "audio"
    folder.mkdir()
    soundfile.write(folder / "call.wav", audio.T, 22_050)
    rows = [f"call.wav\t{side}\tspeaker{side}\ten\t{' '.join(w for w, _ in words)}" for side, words in said.items()]
    (folder / "transcripts.tsv").write_text("\n".join(["file\tchannel\tspeaker\tlanguage\ttranscript", *rows]) + "\n")
    made = config(
        folder,
        tmp_path / "talk",
        score={"curators": ["alignment", "channels"]},
        keep=[],
        representations=[{"codec": "conversation", "kind": "codes"}],
        gate={"min_clips": 1},
    )
    version = run(made).version
    assert [r["speaker"] for r in version.clips(["speaker"]).to_pylist()] == ["speaker0", "speaker1"]

    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python paired streams\n(.*?)```", DOCS.read_text(), re.S)
    found: dict[str, Any] = {}
    exec(code, found)
    (sample,) = version.samples("conversation")
    assert set(found["samples"]) == {(sample.key, 0), (sample.key, 1)}
    for side, words in said.items():
        layout = found["samples"][sample.key, side]
        assert layout.shape == (17, sample.array.shape[1])
        assert np.array_equal(layout[1:9], sides(sample.array)[side])
        text = layout[0, ::6]
        spelled = np.flatnonzero((text > END_OF_PAD) & np.isin(np.roll(text, 1), (PAD, END_OF_PAD)))
        for word, start_s in words:
            (first, *_) = pairs_of_bytes(word)
            place = np.flatnonzero(text == first)
            assert np.abs(place - int(start_s * 12.5)).min() <= 1, (word, start_s, place)
        assert len(spelled) <= len(words)

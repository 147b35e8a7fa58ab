"""A talking corpus with planted defects, the same for the same seed: what `auricle demo` runs the real job on."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .audio_file import encode
from .espeak import Voice, synthesise
from .planted import NOT_AUDIO, Defect, Planted, Truth, active_power, babble, noise, overdrive, resample
from .sentences import Sentence, sentences

# Variants that a speech detector hears from their first syllable on and that an acoustic model of people aligns with:
# some of espeak's voices are too unlike anybody for either.
TRUTH = "truth.json"
"""What is wrong with which file; also the sign that a demo made the folder."""
SPEAKERS: dict[str, Voice] = {
    "aria": Voice("en-us+f1", 158, 52),
    "ben": Voice("en-us+edward", 158, 48),
    "cora": Voice("en-us+steph2", 155, 54),
    "dan": Voice("en-us+miguel", 160, 45),
    "eric": Voice("en-us+Gene", 155, 48),
    "finn": Voice("en-us+ed", 148, 48),
    "gerda": Voice("de+steph", 155, 52),
    "hugo": Voice("de+belinda", 160, 45),
    "ines": Voice("fr+f4", 165, 52),
    "jules": Voice("fr+steph", 160, 45),
}
ENGLISH = tuple(name for name, voice in SPEAKERS.items() if voice.name.startswith("en"))

# Natural rates of clean recordings with the container that each is stored in. The lossy ones stay at 24 kHz and
# below: above, encoders cut treble that a microphone would have, which is a defect of its own.
CLEAN_FILES = (
    (16000, "wav"),
    (24000, "flac"),
    (22050, "wav"),
    (16000, "flac"),
    (44100, "wav"),
    (24000, "ogg"),
    (48000, "flac"),
    (16000, "aiff"),
    (8000, "wav"),
    (22050, "mp3"),
    (32000, "flac"),
)
NUM_CLEAN = 68
NOISES = (("white", 5.0), ("pink", 3.0), ("babble", 5.0), ("white", 0.0), ("pink", 5.0), ("babble", 3.0))
SLIGHT_NOISES = (("white", 25.0), ("pink", 20.0), ("babble", 20.0), ("white", 15.0), ("pink", 25.0), ("pink", 15.0))
OVERDRIVES_DB = (8.0, 10.0, 12.0, 14.0)
REENCODINGS = ("mp3", "ogg", "quieter", "16khz", "shifted")
TRUNCATED = ("flac", "wav", "flac", "aiff", "wav")
NUM_PLANTED = {
    Defect.NOISY: 9,
    Defect.SLIGHTLY_NOISY: 6,
    Defect.CLIPPED: 6,
    Defect.SILENT: 5,
    Defect.NARROWBAND: 6,
    Defect.WRONG_TRANSCRIPT: 10,
    Defect.TRUNCATED_TRANSCRIPT: 5,
    Defect.FOREIGN_TRANSCRIPT: 5,
    Defect.STEREO: 2,
    Defect.TRUNCATED_FILE: len(TRUNCATED),
}
NUM_SAME_SAMPLES, NUM_REENCODED, NUM_SAME_BYTES = 5, 7, 3


@dataclass(frozen=True, slots=True)
class _File:
    """One file before it has a place in the corpus."""

    truth: Planted
    data: bytes
    copy_of: int | None = None
    """Index of the file that this one copies."""


@dataclass(frozen=True, slots=True)
class _Recording:
    """A speaker in a quiet room: the room's noise is what tells a recording from a synthesiser's output."""

    waveform: np.ndarray
    speech_power: float
    floor_power: float

    @property
    def snr_db(self) -> float:
        return round(10 * float(np.log10(self.speech_power / self.floor_power)), 2)


def make_corpus(root: Path, seed: int = 0) -> Truth:
    """Write `root`/audio (a folder per speaker, and transcripts.tsv) and `root`/truth.json; returns the truth.

    The audio folder is replaced. Some 150 files: 6 English, 2 German and 2 French voices, 8 to 48 kHz, 3 to 8 s each.
    Equal seeds give equal bytes. Only `truth.json`, outside the audio folder, says what is wrong with which file.
    """
    audio = root / "audio"
    if audio.exists():
        shutil.rmtree(audio)
    made = list(_Studio(seed).files())
    order = np.random.default_rng([seed, 1]).permutation(len(made))
    places: dict[int, str] = {}
    taken = dict.fromkeys(SPEAKERS, 0)
    for index in order:
        truth = made[index].truth
        taken[truth.speaker] += 1
        places[int(index)] = f"{truth.speaker}/{truth.speaker}_{taken[truth.speaker]:03d}.{truth.path}"
    placed: list[Planted] = []
    for index, file in enumerate(made):
        original = "" if file.copy_of is None else places[file.copy_of]
        placed.append(replace(file.truth, path=places[index], original=original))
        path = audio / places[index]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
    truth = Truth(seed, tuple(sorted(placed, key=lambda planted: planted.path)))
    _write_transcripts(audio / "transcripts.tsv", truth)
    truth.write(root / TRUTH)
    return truth


def _write_transcripts(path: Path, truth: Truth) -> None:
    rows = ["file\tspeaker\tlanguage\ttranscript"]
    rows += [f"{f.path}\t{f.speaker}\t{f.language}\t{f.transcript}" for f in truth.files]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


class _Studio:
    """Makes the files of one corpus; every random choice comes from the seed, in one order."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng([seed, 0])
        self.texts: dict[str, Iterator[Sentence]] = {
            language: iter(sentences(language, count, self.rng))
            for language, count in (("en", 400), ("de", 100), ("fr", 100))
        }

    def files(self) -> Iterator[_File]:
        clean: list[tuple[_File, np.ndarray]] = []
        # every fourth clean clip is German or French: transcripts are judged by an English acoustic model
        others = itertools.cycle(name for name in SPEAKERS if name not in ENGLISH)
        english = itertools.cycle(ENGLISH)
        for index in range(NUM_CLEAN):
            speaker = next(others) if index % 4 == 3 else next(english)
            rate, extension = CLEAN_FILES[index % len(CLEAN_FILES)]
            sentence = self._sentence(speaker)
            recording = self._record(speaker, sentence, rate)
            file = self._file(Defect.CLEAN, speaker, sentence, recording, recording.waveform, rate, extension)
            clean.append((file, recording.waveform))
            yield file
        yield from self._copies(clean)
        for defect, count in NUM_PLANTED.items():
            for index in range(count):
                yield self._damaged(defect, index, next(english))
        for extension, data in NOT_AUDIO:
            speaker = next(english)
            text = self._sentence(speaker).text
            yield _File(Planted(extension, Defect.NOT_AUDIO, speaker, "en", transcript=text), data)

    def _sentence(self, speaker: str) -> Sentence:
        return next(self.texts[SPEAKERS[speaker].name[:2]])

    def _speak(self, speaker: str, sentence: Sentence, rate: int) -> np.ndarray:
        """`[T]` float64 at `rate`, peak within [-1, 1], each utterance a little faster or higher than the last."""
        usual = SPEAKERS[speaker]
        voice = replace(
            usual,
            speed_wpm=usual.speed_wpm + int(self.rng.integers(-8, 9)),
            pitch=usual.pitch + int(self.rng.integers(-4, 5)),
        )
        samples, native_rate = synthesise(sentence.text, voice)
        voiced = np.flatnonzero(np.abs(samples.astype(np.int32)) > 32)
        speech = samples[voiced[0] : voiced[-1] + 1] / 32768.0
        return resample(speech, native_rate, rate)

    def _record(self, speaker: str, sentence: Sentence, rate: int) -> _Recording:
        """Speech between -26 and -20 dBFS while active, with 0.5 to 0.8 s of room before and after it."""
        speech = self._speak(speaker, sentence, rate)
        power = active_power(speech, rate)
        wanted = 10 ** (self.rng.uniform(-26, -20) / 10)
        before, after = (round(self.rng.uniform(0.5, 0.8) * rate) for _ in range(2))
        speech = np.concatenate([np.zeros(before), speech * np.sqrt(wanted / power), np.zeros(after)])
        # hiss has a density: twice the bandwidth holds twice its power
        floor_power = 10 ** (self.rng.uniform(-64, -58) / 10) * rate / 16000
        floor = np.sqrt(floor_power) * self._room(speech.shape[0])
        return _Recording(np.clip(speech + floor, -0.999, 0.999), wanted, floor_power)

    def _room(self, num_samples: int) -> np.ndarray:
        """Unit-power noise of a quiet room with its microphone: half hiss, half rumble."""
        hiss, rumble = (noise(kind, num_samples, self.rng) for kind in ("white", "pink"))
        return (hiss + rumble) / np.sqrt(np.mean((hiss + rumble) ** 2))

    def _file(
        self,
        defect: Defect,
        speaker: str,
        sentence: Sentence,
        recording: _Recording | None,
        waveform: np.ndarray,
        rate: int,
        extension: str,
        **facts: object,
    ) -> _File:
        truth = Planted(
            extension,  # the place in the tree is only known once all files are made
            defect,
            speaker,
            SPEAKERS[speaker].name[:2],
            rate,
            spoken=sentence.text if recording else "",
            transcript=sentence.text,
            snr_db=recording.snr_db if recording else None,
        )
        return _File(replace(truth, **facts), encode(waveform, rate, extension))

    def _copies(self, clean: list[tuple[_File, np.ndarray]]) -> Iterator[_File]:
        lossless = [i for i, (file, _) in enumerate(clean) if file.truth.path in ("wav", "flac", "aiff")]
        # a copy at 16 kHz of an 8 kHz file would be two defects in one
        wide = [i for i in lossless if clean[i][0].truth.sample_rate >= 16000]
        chosen = [int(i) for i in self.rng.choice(wide, NUM_SAME_SAMPLES + NUM_REENCODED + NUM_SAME_BYTES, False)]
        for index in chosen[:NUM_SAME_SAMPLES]:
            file, waveform = clean[index]
            extension = "wav" if file.truth.path == "flac" else "flac"
            truth = replace(file.truth, path=extension, defect=Defect.SAME_SAMPLES, detail={"as": extension})
            yield _File(truth, encode(waveform, truth.sample_rate, extension), index)
        for index, how in zip(chosen[NUM_SAME_SAMPLES:-NUM_SAME_BYTES], itertools.cycle(REENCODINGS), strict=False):
            file, waveform = clean[index]
            waveform, rate, extension = _reencode(waveform, file.truth.sample_rate, how)
            truth = replace(file.truth, path=extension, defect=Defect.REENCODED, sample_rate=rate, detail={"how": how})
            yield _File(truth, encode(waveform, rate, extension), index)
        for index in chosen[-NUM_SAME_BYTES:]:
            file, _ = clean[index]
            yield _File(replace(file.truth, defect=Defect.SAME_BYTES), file.data, index)

    def _damaged(self, defect: Defect, index: int, speaker: str) -> _File:
        rate, extension = (16000, "wav") if index % 2 else (24000, "flac")
        sentence = self._sentence(speaker)
        if defect is Defect.SILENT:
            return self._silent(index, speaker, sentence, rate, extension)
        recording = self._record(speaker, sentence, rate)
        whole = recording.waveform

        def file(waveform: np.ndarray, **facts: object) -> _File:
            return self._file(defect, speaker, sentence, recording, waveform, rate, extension, **facts)

        if defect in (Defect.NOISY, Defect.SLIGHTLY_NOISY):
            kind, snr_db = (NOISES if defect is Defect.NOISY else SLIGHT_NOISES)[index % 6]
            return file(self._add_noise(recording, kind, snr_db, rate), snr_db=snr_db, detail={"noise": kind})
        if defect is Defect.CLIPPED:
            over_db = OVERDRIVES_DB[index % len(OVERDRIVES_DB)]
            return file(overdrive(whole, over_db, 0.5 if index % 3 else 0.999), detail={"over_db": over_db})
        if defect is Defect.NARROWBAND:
            rate, extension = (24000, "wav" if index % 2 else "flac")
            recording = self._record(speaker, sentence, 8000)
            return file(resample(recording.waveform, 8000, rate), detail={"from_hz": 8000})
        if defect is Defect.WRONG_TRANSCRIPT:
            other = next(s for s in self.texts["en"] if not s.shares_phrase(sentence))
            return file(whole, transcript=other.text)
        if defect is Defect.TRUNCATED_TRANSCRIPT:
            words = sentence.text.split()
            return file(whole, transcript=" ".join(words[: len(words) // 2]).rstrip(",") + ".")
        if defect is Defect.FOREIGN_TRANSCRIPT:
            return file(whole, transcript=next(self.texts["de" if index % 2 else "fr"]).text)
        if defect is Defect.STEREO:
            floor = np.sqrt(recording.floor_power) * self._room(whole.shape[0])
            return file(np.stack([whole, 0.6 * np.roll(whole, 9) + floor], axis=1))
        if defect is Defect.TRUNCATED_FILE:
            extension = TRUNCATED[index]
            complete = file(whole, detail={"left": 0.5})
            return replace(complete, data=complete.data[: len(complete.data) // 2])
        raise ValueError(f"nothing makes {defect}")

    def _silent(self, index: int, speaker: str, sentence: Sentence, rate: int, extension: str) -> _File:
        """Digital silence, and rooms in which nobody speaks; of different lengths, or they would be duplicates too."""
        num_samples = round((3.5 + 0.4 * index) * rate)
        kind = "room" if index % 3 == 2 else "digital"
        waveform = 10 ** (-60 / 20) * self._room(num_samples) if kind == "room" else np.zeros(num_samples)
        return self._file(Defect.SILENT, speaker, sentence, None, waveform, rate, extension, detail={"silence": kind})

    def _add_noise(self, recording: _Recording, kind: str, snr_db: float, rate: int) -> np.ndarray:
        """The recording with noise of `kind` on top, so that speech stands `snr_db` over it and the floor together."""
        num_samples = recording.waveform.shape[0]
        if kind == "babble":
            added = babble([self._speak(name, self._sentence(name), rate) for name in SPEAKERS], num_samples)
        else:
            added = noise(kind, num_samples, self.rng)
        power = recording.speech_power / 10 ** (snr_db / 10) - recording.floor_power
        mixture = recording.waveform + np.sqrt(power) * added
        return mixture * min(1.0, 0.95 / float(np.max(np.abs(mixture))))


def _reencode(waveform: np.ndarray, rate: int, how: str) -> tuple[np.ndarray, int, str]:
    """The same speech in other samples: waveform, rate in Hz and extension of the copy."""
    if how == "mp3":
        return waveform, rate, "mp3"
    if how == "ogg":
        return waveform, rate, "ogg"
    if how == "quieter":
        return waveform * 0.4, rate, "flac"
    if how == "16khz":
        target = 22050 if rate == 16000 else 16000
        return resample(waveform, rate, target), target, "wav"
    return np.concatenate([np.zeros(round(0.137 * rate)), waveform])[: waveform.shape[0]], rate, "wav"

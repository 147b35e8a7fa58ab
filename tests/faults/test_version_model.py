"""A model of the dataset as a dictionary, and random histories: after every step the dataset equals the model.

The pipeline is the real one, with cheap curators and a cheap codec, its units in this process.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from corpus import config, write_clip
from dataset_content import Content, File, Row, content, keys_on_disk
from fuses import Away, Crash, burning
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from inprocess import without_ray

from auricle.loaders.care.verify import verify
from auricle.loaders.reading.pending import pending
from auricle.loaders.reading.refs import tag
from auricle.loaders.reading.version import numbers
from auricle.loaders.storage.store import Store
from auricle.pipelines.run import run
from auricle.pipelines.upkeep.compact import compact
from auricle.pipelines.upkeep.garbage import collect_garbage
from auricle.pipelines.upkeep.repair import repair
from auricle.pipelines.upkeep.rollback import rollback
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.config import RunConfig
from auricle.schemas.keys import clip_key, sha256_file

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "8"))
STEPS = 10
THRESHOLDS = (-60.0, -24.0, -18.0)
SPEAKERS = ("ann", "bob", "eve")
CHANGES = ("add", "add", "change", "rename", "copy", "remove", "relabel", "share", "unshare", "link")
PASSES = ("probe", "score", "extract")
SPAN = (800, 2400)
"""Samples of a shared recording that the manifest of the second source asks for: 0.05 s to 0.15 s."""
SPAN_TEXT = "the manifest's"
FUSES = st.one_of(st.none(), st.integers(0, 14))
"""Writes and deletions until a crash."""


NEXT: dict[str, Callable[[str], Any]] = {
    "takedown": takedown,
    "compact": compact,
    "repair": repair,
    "gc": lambda url: collect_garbage(url, 1000, dry_run=False, grace_s=0),
}
"""Verbs that may come after a takedown that crashed; the night and the rollback are tried by tests of their own."""


class Versions(RuleBasedStateMachine):
    """Rules change the sources, run the job, or operate on versions."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="auricle-model-"))
        self.audio, self.data = self.root / "audio", str(self.root / "data")
        self.shared = self.root / "shared"
        for folder in (self.audio / "store", self.shared):
            folder.mkdir(parents=True)
        (self.audio / "by_link").symlink_to("store")
        self.recordings: dict[str, str] = {}
        """Of every clip that there ever was."""
        self.shares: dict[str, str] = {}
        """Names of files in the second source, with their recordings."""
        self.files: dict[str, File] = {}
        self.versions: dict[int, Content] = {}
        self.tags: dict[str, int] = {}
        self.banned: set[str] = set()
        self.threshold, self.kinds = THRESHOLDS[0], ("codes",)
        self.seed = 0

    def teardown(self) -> None:
        for number in self.versions:
            assert verify(self.data, number) == []
            assert content(self.data, number) == self.versions[number]
        shutil.rmtree(self.root)

    # the model: what the sources and the settings say, without what was taken down
    def expected(self) -> Content:
        found: Content = {}
        for path, file in sorted(self.files.items(), reverse=True):
            if file.recording not in self.banned:
                # a file with a span anywhere cuts the recording, wherever else it lies
                cut = int(file.recording in self.shares.values())
                kept = file.levels_db[cut] >= self.threshold
                latents = frozenset(f"cheap-{k}-100hz" for k in self.kinds) if kept else frozenset[str]()
                # the text of a whole recording is not that of a span of it
                text = SPAN_TEXT if cut else file.text
                found[file.keys[cut]] = Row(path, file.speaker, text, kept, latents)
        return found

    def without_banned(self, content: Content) -> Content:
        return {k: row for k, row in content.items() if self.recordings[k] not in self.banned}

    @property
    def newest(self) -> int:
        return max(self.versions)

    @initialize(count=st.integers(1, 4))
    def first_night(self, count: int) -> None:
        for i in range(count):
            self.add(SPEAKERS[i % 3])
        self._night(None)

    @rule(
        changes=st.lists(st.sampled_from(CHANGES), min_size=0, max_size=4),
        threshold=st.sampled_from(THRESHOLDS),
        kinds=st.sampled_from([("codes",), ("codes", "latents")]),
        data=st.data(),
        fuse=FUSES,
        away=st.one_of(st.none(), st.sampled_from(PASSES)),
    )
    def night(
        self,
        changes: list[str],
        threshold: float,
        kinds: tuple[str, ...],
        data: st.DataObject,
        fuse: int | None,
        away: str | None,
    ) -> None:
        self.threshold, self.kinds = threshold, kinds
        for change in changes:
            if change == "add" or not self.files:
                self.add(data.draw(st.sampled_from(SPEAKERS)))
            elif change != "remove" or len({file.recording for file in self.files.values()}) > 1:
                getattr(self, change)(data.draw(st.sampled_from(sorted(self.files))))
        if away is not None:
            self._night_with_a_passing_fault(data.draw(st.sampled_from(sorted(self.files))), away)
        self._night(fuse)

    def add(self, speaker: str) -> None:
        self.seed += 1
        self._write(f"clip_{self.seed:04d}.wav", speaker, f"words of {self.seed}")

    def change(self, path: str) -> None:
        if "/" in path:
            return
        self._write(path, self.files[path].speaker, self.files[path].text)

    def rename(self, path: str) -> None:
        if "/" in path:
            return
        self.seed += 1
        to = f"moved_{self.seed:04d}.wav"
        (self.audio / path).rename(self.audio / to)
        self.files[to] = self.files.pop(path)

    def copy(self, path: str) -> None:
        self.seed += 1
        shutil.copy(self.audio / path, self.audio / f"again_{self.seed:04d}.wav")
        self.files[f"again_{self.seed:04d}.wav"] = File(**vars(self.files[path]))

    def remove(self, path: str) -> None:
        (self.audio / path).unlink()
        name = path.rpartition("/")[2]
        for gone in (path,) if "/" not in path else (f"store/{name}", f"by_link/{name}"):
            del self.files[gone]
        self._forget_shares()

    def share(self, path: str) -> None:
        """The same bytes in a second source, whose manifest asks for a span of them."""
        self.seed += 1
        name = f"shared_{self.seed:04d}.wav"
        shutil.copy(self.audio / path, self.shared / name)
        self.shares[name] = self.files[path].recording

    def unshare(self, path: str) -> None:
        for name in [n for n, recording in self.shares.items() if recording == self.files[path].recording]:
            (self.shared / name).unlink()
            del self.shares[name]

    def link(self, path: str) -> None:
        """Move the file into a folder that a link leads to as well."""
        if "/" in path:
            return
        (self.audio / path).rename(self.audio / "store" / path)
        file = self.files.pop(path)
        for folder in ("store", "by_link"):
            self.files[f"{folder}/{path}"] = file

    def _forget_shares(self) -> None:
        """The second source holds only what the first holds too."""
        held = {file.recording for file in self.files.values()}
        for name in [n for n, recording in self.shares.items() if recording not in held]:
            (self.shared / name).unlink()
            del self.shares[name]

    def relabel(self, path: str) -> None:
        self.seed += 1
        file = self.files[path]
        file.speaker, file.text = SPEAKERS[self.seed % 3], f"better words {self.seed}"

    def _night(self, fuse: int | None) -> None:
        settings = self._settings()
        self._do(lambda: run(settings), self.expected(), fuse, again=True)

    def _night_with_a_passing_fault(self, path: str, stage: str) -> None:
        """A file is away during one pass: nothing is there that should not be, and the next night mends it."""
        before = max(numbers(Store(self.data)))
        run(self._settings(), progress=Away(self.audio / path, stage))
        if max(numbers(Store(self.data))) > before:
            found, expected = content(self.data, before + 1), self.expected()
            touched = {self.recordings[k] for k, row in found.items() if expected.get(k) != row}
            touched |= {self.recordings[k] for k in expected if k not in found}
            assert touched <= {self.files[path].recording}
            self.versions[before + 1] = found

    def _settings(self) -> RunConfig:
        self._write_labels()
        first = {"path": str(self.audio), "name": "corpus", "transcripts": "transcripts.tsv"}
        second = {"path": str(self.shared), "name": "shared", "transcripts": "manifest.jsonl"}
        return config(
            self.audio,
            self.data,
            sources=[first, second],
            keep=[{"score": "loudness_db", "min": self.threshold, "reason": "quiet"}],
            representations=[{"codec": "cheap", "kind": kind} for kind in self.kinds],
        )

    @precondition(lambda self: len(self.versions) > 1)
    @rule(data=st.data(), fuse=FUSES)
    def roll_back(self, data: st.DataObject, fuse: int | None) -> None:
        number = data.draw(st.sampled_from(sorted(n for n in self.versions if n != self.newest)))
        expected = self.without_banned(self.versions[number])
        self._do(lambda: rollback(self.data, number), expected, fuse)

    @precondition(lambda self: len(self.versions) > 2)
    @rule(fuse=FUSES)
    def compact_all(self, fuse: int | None) -> None:
        self._do(lambda: compact(self.data), self.versions[self.newest], fuse, again=True)

    @precondition(lambda self: len(self.tags) < 2)
    @rule()
    def tag_newest(self) -> None:
        name = f"tag-{self.newest}"
        tag(self.data, name)
        self.tags[name] = self.newest

    @precondition(lambda self: len(self.versions) > 2)
    @rule(keep=st.integers(1, 3), fuse=FUSES)
    def collect_garbage(self, keep: int, fuse: int | None) -> None:
        kept = {*sorted(self.versions)[-keep:], *self.tags.values()}
        self._do(lambda: collect_garbage(self.data, keep, dry_run=False, grace_s=0), None, fuse, again=True)
        self.versions = {n: c for n, c in self.versions.items() if n in kept}

    @precondition(lambda self: any(r.speaker == "eve" for c in self.versions.values() for r in c.values()))
    @rule(purge=st.booleans(), fuse=FUSES, next_verb=st.sampled_from(sorted(NEXT)))
    def take_down(self, purge: bool, fuse: int | None, next_verb: str) -> None:
        asked = {k for c in self.versions.values() for k, row in c.items() if row.speaker == "eve"}
        self.banned |= {self.recordings[k] for k in asked}
        # the whole recording and its span overlap
        going = {k for k, recording in self.recordings.items() if recording in self.banned}
        expected = self.without_banned(self.versions[self.newest])
        # by key: performed again after a crash, the speaker may be in no version any more
        work = lambda: takedown(self.data, clips=sorted(asked), purge=purge)  # noqa: E731
        self._do(work, expected, fuse, again=True, next_verb=NEXT[next_verb])
        assert pending(Store(self.data)) == []
        if purge:
            left = set(numbers(Store(self.data)))
            assert not any(going & c.keys() for n, c in self.versions.items() if n in left)
            # a version without her clips may go as well: its shards may have held them, dead
            self.versions = {n: c for n, c in self.versions.items() if n in left}
            self.tags = {name: n for name, n in self.tags.items() if n in left}
            assert not going & set(keys_on_disk(self.root / "data"))

    @invariant()
    def the_dataset_equals_the_model(self) -> None:
        if self.versions:
            assert numbers(Store(self.data)) == sorted(self.versions)
            assert content(self.data, self.newest) == self.versions[self.newest]
            assert verify(self.data) == []

    def _do(
        self,
        operation: Callable[[], Any],
        expected: Content | None,
        fuse: int | None,
        *,
        again: bool = False,
        next_verb: Callable[[str], Any] | None = None,
    ) -> None:
        """Perform it; when it crashes, the newest version is the old or the new one, and (where that is harmless)
        the operation is performed again. A takedown that was begun is finished by `next_verb` instead."""
        before = max(numbers(Store(self.data)), default=0) if Path(self.data).exists() else 0
        try:
            with burning(fuse):
                operation()
        except Crash:
            self._published(before, expected)
            if next_verb is not None and pending(Store(self.data)):
                next_verb(self.data)
                # compact publishes one of its own, with the same content
                self._published(before, expected, most=2)
            elif again or max(self.versions, default=0) == before:
                operation()
                self._published(before, expected)
        else:
            self._published(before, expected)
        if expected is not None:
            assert content(self.data, self.newest) == expected

    def _published(self, before: int, expected: Content | None, most: int = 1) -> None:
        """Take over the versions that were published since, of which there are at most `most`."""
        fresh = [n for n in numbers(Store(self.data)) if n > before] if Path(self.data).exists() else []
        assert len(fresh) <= most
        for number in fresh:
            assert expected is not None
            assert content(self.data, number) == expected
            self.versions[number] = expected

    def _write(self, path: str, speaker: str, text: str) -> None:
        self.seed += 1
        write_clip(self.audio / path, self.seed, seconds=0.2)
        samples, _ = soundfile.read(self.audio / path, dtype="float32")
        recording = sha256_file(self.audio / path)
        spans = ((0, len(samples)), SPAN)
        levels = [float(10 * np.log10(np.mean(np.square(samples[a:b], dtype=np.float64)))) for a, b in spans]
        whole, part = (clip_key(recording, 0, *span) for span in spans)
        self.recordings |= {whole: recording, part: recording}
        self.files[path] = File(recording, (whole, part), (levels[0], levels[1]), speaker, text)
        self._forget_shares()

    def _write_labels(self) -> None:
        # copies of one recording carry one label: the path that comes first decides, and they must agree
        lines = ["file\tspeaker\tlanguage\ttranscript"]
        lines += [f"{path}\t{f.speaker}\ten\t{f.text}" for path, f in sorted(self.files.items())]
        (self.audio / "transcripts.tsv").write_text("\n".join(lines) + "\n")
        start, end = (samples / 16000 for samples in SPAN)
        wanted = [
            {"audio_filepath": name, "offset": start, "duration": end - start, "text": SPAN_TEXT}
            for name in sorted(self.shares)
        ]
        (self.shared / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in wanted))


@pytest.mark.faults
def test_any_history_of_a_dataset_equals_a_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ray(monkeypatch)
    run_state_machine_as_test(
        Versions,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

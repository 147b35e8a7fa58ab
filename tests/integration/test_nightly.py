"""Every kind of night: what is new is done once, what is known is not done again. Model calls are counted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from corpus import config, write_clip, write_corpus, write_labels

from auricle.loaders import Version, open_version
from auricle.loaders.storage.store import Store
from auricle.pipelines.plan import plan
from auricle.pipelines.run import Outcome, run

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]


def done(outcome: Outcome) -> dict[str, int]:
    """Items that each pass worked on, and the model calls inside them."""
    return {s.name: s.done for s in outcome.version.document.stages if s.name in ("probe", "score", "extract")}


def scores(version: Version, curator: str, column: str) -> dict[str, Any]:
    return {r["path"]: r[curator][column] for r in version.clips(["path", curator]).to_pylist()}


def test_nights(tmp_path: Path, subtests: Any) -> None:
    """One dataset through all of them, so that each starts from what the last one published."""
    audio, dataset = tmp_path / "audio", tmp_path / "dataset"
    write_corpus(audio, 12)

    with subtests.test("the first run does everything once"):
        first = run(config(audio, dataset))
        assert first.status == "published"
        assert done(first) == {"probe": 12, "score": 12, "extract": 12}
        assert first.version.document.counts.kept == 12

    with subtests.test("nothing changed: nothing done, nothing published"):
        again = run(config(audio, dataset))
        assert again.status == "unchanged"
        assert again.version.document.number == 1
        assert plan(config(audio, dataset)).unchanged

    with subtests.test("three files added: three processed"):
        write_corpus(audio, 3, first=12)
        added = run(config(audio, dataset))
        assert done(added) == {"probe": 3, "score": 3, "extract": 3}
        assert added.version.document.counts.clips == 15
        assert added.version.document.clips[0] == first.version.document.clips[0], "the old part is shared"

    with subtests.test("a file renamed: no score, no extraction, path updated"):
        (audio / "clip_0003.wav").rename(audio / "clip_0103.wav")
        write_labels(audio, clip_0103="words of clip_0003")
        renamed = run(config(audio, dataset))
        assert done(renamed) == {"probe": 1, "score": 0, "extract": 0}
        paths = renamed.version.clips(["path"])["path"].to_pylist()
        assert "clip_0103.wav" in paths
        assert "clip_0003.wav" not in paths

    with subtests.test("a file touched: hashed again, nothing else"):
        os.utime(audio / "clip_0004.wav", (1, 1))
        assert done(run(config(audio, dataset))) == {"probe": 1, "score": 0, "extract": 0}

    with subtests.test("a file's bytes changed: old clip retired, new one made"):
        before = set(open_version(str(dataset)).clips(["clip"])["clip"].to_pylist())
        write_clip(audio / "clip_0005.wav", 9005)
        changed = run(config(audio, dataset))
        assert done(changed) == {"probe": 1, "score": 1, "extract": 1}
        after = set(changed.version.clips(["clip"])["clip"].to_pylist())
        assert len(before - after) == len(after - before) == 1

    with subtests.test("a transcript corrected: only what reads it"):
        write_labels(audio, clip_0103="words of clip_0003", clip_0006="one two three four five")
        corrected = run(config(audio, dataset))
        assert done(corrected) == {"probe": 0, "score": 1, "extract": 0}
        assert scores(corrected.version, "words", "num_words")["clip_0006.wav"] == 5

    loud = [{"score": "loudness_db", "min": -26, "reason": "quiet"}]
    with subtests.test("a threshold tightened: decisions only"):
        tight = run(config(audio, dataset, keep=loud))
        assert done(tight) == {"probe": 0, "score": 0, "extract": 0}
        counts = tight.version.document.counts
        assert 0 < counts.kept < counts.clips == counts.kept + counts.dropped

    with subtests.test("loosened again: latents of dropped clips come back from their shard"):
        loose = run(config(audio, dataset))
        assert done(loose) == {"probe": 0, "score": 0, "extract": 0}
        assert loose.version.document.counts.dropped == 0

    with subtests.test("a curator's parameter changed: that curator only"):
        option = {"curators": ["loudness", "words"], "options": {"loudness": {"floor_db": -90}}}
        asked = plan(config(audio, dataset, score=option))
        assert list(asked.to_score) == ["loudness"]
        assert asked.to_score["loudness"][0] == 15
        assert asked.to_extract == {}
        assert done(run(config(audio, dataset, score=option))) == {"probe": 0, "score": 15, "extract": 0}
        run(config(audio, dataset))

    both = [{"codec": "cheap", "kind": "codes"}, {"codec": "cheap", "kind": "latents"}]
    with subtests.test("a representation added: backfilled for kept clips only"):
        backfilled = run(config(audio, dataset, representations=both))
        assert done(backfilled) == {"probe": 0, "score": 0, "extract": 15}
        document = backfilled.version.document
        assert (
            document.representations["cheap-codes-100hz"].shards
            == loose.version.document.representations["cheap-codes-100hz"].shards
        )

    with subtests.test("a file gone: retired, or kept when the config says so"):
        (audio / "clip_0007.wav").unlink()
        keep = {"path": str(audio), "name": "corpus", "transcripts": "transcripts.tsv", "missing": "keep"}
        kept = run(config(audio, dataset, representations=both, sources=[keep]))
        assert kept.status == "unchanged"
        retired = run(config(audio, dataset, representations=both))
        assert done(retired) == {"probe": 0, "score": 0, "extract": 0}
        assert "clip_0007.wav" not in retired.version.clips(["path"])["path"].to_pylist()

    with subtests.test("segmentation changed: cut again, old clips retired"):
        cut = run(config(audio, dataset, segment={"method": "fixed", "max_s": 0.25}))
        assert cut.version.document.counts.clips == 28
        assert done(cut) == {"probe": 14, "score": 28, "extract": 28}


def test_increments_give_the_same_corpus_as_one_run(tmp_path: Path) -> None:
    """Order of arrival settles nothing: duplicates, decisions and samples are those of a single run."""
    audio = tmp_path / "audio"
    nightly, at_once = tmp_path / "nightly", tmp_path / "at_once"
    for night in range(3):
        write_corpus(audio, 4, first=4 * (2 - night))
        if night == 1:
            write_clip(audio / "clip_0500.flac", 8)
            write_labels(audio)
        run(config(audio, nightly))
    run(config(audio, at_once))

    def corpus(dataset: Path) -> list[dict[str, Any]]:
        columns = ["clip", "path", "status", "reasons", "duplicate_of", "transcript", "loudness", "words"]
        return open_version(str(dataset)).clips(columns).sort_by("clip").to_pylist()

    assert corpus(nightly) == corpus(at_once)
    assert sum(r["status"] == "dropped" for r in corpus(at_once)) == 1

    def samples(dataset: Path) -> dict[str, bytes]:
        return {s.key: s.array.tobytes() for s in open_version(str(dataset)).samples("cheap-codes")}

    assert samples(nightly) == samples(at_once)
    assert len(samples(nightly)) == 12


def test_aliases_and_failures_keep_both_ledgers(tmp_path: Path) -> None:
    """files = decoded + aliases + failed; clips = kept + dropped + failed."""
    audio = tmp_path / "audio"
    write_corpus(audio, 4)
    (audio / "copy of clip 1.wav").write_bytes((audio / "clip_0001.wav").read_bytes())
    (audio / "broken.wav").write_bytes(b"not audio at all")
    (audio / "empty.flac").write_bytes(b"")
    write_clip(audio / "stereo_0009.wav", 9, channels=2)
    (audio / "pipe.wav").unlink(missing_ok=True)
    os.mkfifo(audio / "pipe.wav")
    (audio / "outside.wav").symlink_to("/etc/hostname")
    document = run(config(audio, tmp_path / "dataset")).version.document
    counts = document.counts
    assert (counts.files, counts.decoded, counts.aliases, counts.failed_files) == (8, 5, 1, 2)
    assert counts.clips == counts.kept + counts.dropped + counts.failed == 6
    assert document.failed_by_reason == {"empty_file": 1, "not_audio": 1}


def test_a_clip_that_kills_its_worker_becomes_an_error_row(tmp_path: Path) -> None:
    """The run ends, the others are scored, and the next night does not try it again."""
    audio, dataset = tmp_path / "audio", tmp_path / "dataset"
    write_corpus(audio, 6, poison=[2])
    poisoned = config(audio, dataset, score={"curators": ["loudness", "words", "poison"]})
    document = run(poisoned).version.document
    assert document.counts.kept == 5
    assert document.failed_by_reason == {"killed_worker": 1}
    rows = {r["path"]: r for r in open_version(str(dataset)).clips().to_pylist()}
    assert rows["clip_0002.wav"]["status"] == "failed"
    assert "SIGABRT" in rows["clip_0002.wav"]["message"]
    assert run(poisoned).status == "unchanged"


def test_a_curator_that_hangs_costs_its_clip_this_score_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that keeps the interpreter to itself; when its tries are used up, nights leave it alone."""
    monkeypatch.setattr("auricle.pipelines.tables.retries.TRIES", 1)
    audio, dataset = tmp_path / "audio", tmp_path / "dataset"
    write_corpus(audio, 6, poison=[2], seconds=0.05)
    workers = {"num": 2, "unit_clips": 4, "limit_s": 2}
    stuck = config(audio, dataset, score={"curators": ["loudness", "words", "stuck"]}, workers=workers)
    assert run(stuck).version.document.counts.kept == 6
    rows = {r["path"]: r for r in open_version(str(dataset)).clips().to_pylist()}
    assert rows["clip_0002.wav"]["stuck"]["reason"] == "failed: timed_out: stuck took longer than 2 s"
    assert [row["stuck"]["stuck_ok"] for row in rows.values()].count(True) == 5
    assert run(stuck).status == "unchanged"


def test_losing_the_race_replans_and_reuses_receipts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run publishes between this one's candidate and its document: nothing is lost, doubled or redone."""
    from auricle.pipelines import run as module

    audio, dataset = tmp_path / "audio", tmp_path / "dataset"
    write_corpus(audio, 4)
    run(config(audio, dataset))
    write_corpus(audio, 4, first=4)
    real, raced = module.publish, []

    def publish_late(store: Store, document: Any) -> bool:
        if not raced:
            raced.append(True)
            # the rival changes something else, without the lease, as after a long pause
            rival = document.model_copy(update={"number": 2, "parent": 1, "note": "rival", "inputs": "other"})
            first = open_version(store, 1).document
            rival = rival.model_copy(
                update={"clips": first.clips, "recordings": first.recordings, "representations": first.representations}
            )
            assert real(store, rival)
        return real(store, document)

    monkeypatch.setattr(module, "publish", publish_late)
    outcome = run(config(audio, dataset))
    assert outcome.version.document.number == 3
    assert outcome.version.document.parent == 2
    assert outcome.version.document.counts.clips == 8
    assert done(outcome) == {"probe": 4, "score": 4, "extract": 4}
    keys = outcome.version.clips(["clip"])["clip"].to_pylist()
    assert len(keys) == len(set(keys)) == 8

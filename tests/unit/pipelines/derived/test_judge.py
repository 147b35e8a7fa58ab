"""The corpus judged by source, speaker and language: counted anew from the rows, and ranked by what chance leaves."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus import config, write_clip, write_corpus, write_labels
from inprocess import without_ray

from auricle.loaders import Version
from auricle.pipelines.derived.judge import judge, judgement
from auricle.pipelines.run import run
from auricle.schemas.pass_tables import JUDGEMENT

KEEP = [{"score": "num_words", "min": 3, "reason": "few_words", "missing": "keep"}]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Version:
    """Two sources: `good` with a copy in it, `poor` half of whose clips break the rule; one has no speaker."""
    without_ray(monkeypatch)
    good, poor = tmp_path / "good", tmp_path / "poor"
    write_corpus(good, 8)
    write_clip(good / "clip_0100.flac", 3)
    write_corpus(poor, 8, first=20)
    write_labels(poor, **{f"clip_{i:04d}": "no" for i in range(20, 24)})
    lines = (poor / "transcripts.tsv").read_text().replace("speaker3\ten\twords of clip_0027", "\t\twords of clip_0027")
    (poor / "transcripts.tsv").write_text(lines)
    sources = [{"path": str(p), "name": p.name, "transcripts": "transcripts.tsv"} for p in (good, poor)]
    quotas = [{"by": "source", "max_clips": 7}]
    return run(config(good, tmp_path / "data", sources=sources, keep=KEEP, quotas=quotas)).version


def members(table: Any, by: str) -> dict[str, dict[str, Any]]:
    return {row["member"]: row for row in table.to_pylist() if row["by"] == by}


def test_every_count_share_and_median_is_that_of_the_rows(made: Version) -> None:
    table = judge(made)
    assert table.schema.equals(JUDGEMENT)
    rows = made.clips().to_pylist()
    for by, key in (("source", lambda r: r["source"]), ("language", lambda r: r["language"] or "unknown"),
                    ("speaker", lambda r: r["speaker"] or r["recording"])):  # fmt: skip
        found = members(table, by)
        assert set(found) == {key(r) for r in rows}
        for member, row in found.items():
            own = [r for r in rows if key(r) == member]
            held = [r for r in own if r["status"] == "kept"]
            assert (row["clips"], row["kept"], row["failed"]) == (len(own), len(held), 0)
            assert row["kept_hours"] == pytest.approx(sum(r["duration_s"] for r in held) / 3600)
            assert row["bad_share"] == pytest.approx(sum("few_words" in r["reasons"] for r in own) / len(own))
            level = np.median([r["loudness"]["loudness_db"] for r in own])
            assert dict(row["medians"])["loudness_db"] == pytest.approx(level)
            for reason, share in row["reasons"]:
                assert share == pytest.approx(sum(reason in r["reasons"] for r in own) / len(own))
        assert sum(row["corpus_share"] for row in found.values()) == pytest.approx(1)


def test_the_bad_source_is_first_and_copies_and_quotas_are_no_fault(made: Version) -> None:
    sources = members(judge(made), "source")
    assert sources["poor"]["rank"] == 1
    assert sources["poor"]["bad_share"] == 0.5
    good = sources["good"]
    assert good["bad_share"] == good["badness"] == 0
    assert {"duplicate", "quota"} <= set(dict(good["reasons"]))


def test_the_rank_is_by_the_lower_wilson_bound(made: Version) -> None:
    poor = members(judge(made), "source")["poor"]
    n, p, z = poor["clips"], poor["bad_share"], 1.959964
    low = (p + z * z / (2 * n) - z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)
    assert poor["badness"] == pytest.approx(low)
    ranked = [row["badness"] for row in judge(made).to_pylist() if row["by"] == "speaker"]
    assert ranked == sorted(ranked, reverse=True)


def test_who_is_not_named_counts_by_recording_and_says_so(made: Version) -> None:
    speakers = members(judge(made), "speaker")
    kinds = {member: row["kind"] for member, row in speakers.items()}
    assert kinds.pop("speaker1") == "speaker"
    nameless = [r for r in made.clips().to_pylist() if r["speaker"] is None]
    assert {r["recording"] for r in nameless} == {m for m, kind in kinds.items() if kind == "recording"}


def test_a_language_with_little_is_called_scarce(made: Version) -> None:
    languages = members(judge(made), "language")
    assert languages["unknown"]["scarce"]
    assert not languages["en"]["scarce"]


def test_the_table_is_kept_beside_the_version_and_read_again(made: Version) -> None:
    assert made.derived("judgement.parquet") is None
    first = judgement(made)
    stored = made.derived("judgement.parquet")
    assert stored is not None
    assert judgement(made).equals(first)
    judge(made)
    assert made.derived("judgement.parquet") == stored

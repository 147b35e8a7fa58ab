from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auricle.dashboards.drawing.profile import profile


def of(sample: Any, status: str, curator: str, name: str) -> np.ndarray:
    """A score of the made-up rows, float64, nulls left out."""
    found = [row[curator][name] for row in sample.rows if row["status"] == status and row.get(curator)]
    return np.array([np.float32(v) for v in found if v is not None], float)


def test_totals_equal_plain_counting(sample: Any) -> None:
    counted = Counter(row["status"] for row in sample.rows)
    assert {k: v["clips"] for k, v in sample.profile["status"].items()} == counted
    hours = sum(row["duration_s"] for row in sample.rows) / 3600
    assert sample.profile["hours"] == pytest.approx(hours, rel=1e-5)
    assert sum(v["clips"] for v in sample.profile["languages"].values()) == len(sample.rows)
    tiers = Counter(row["tier"] for row in sample.rows if row["status"] == "kept")
    assert {k: v["clips"] for k, v in sample.profile["tiers"].items()} == tiers


def test_reasons_count_every_clip_and_those_of_one_reason_alone(sample: Any) -> None:
    dropped = [row["reasons"] for row in sample.rows if row["status"] == "dropped"]
    counted, alone = Counter(r for rs in dropped for r in rs), Counter(rs[0] for rs in dropped if len(rs) == 1)
    assert {k: v["clips"] for k, v in sample.profile["reasons"].items()} == counted
    assert {k: v["only"] for k, v in sample.profile["reasons"].items()} == {k: alone[k] for k in counted}


def test_co_occurrence_is_symmetric_with_the_counts_on_its_diagonal(sample: Any) -> None:
    found = sample.profile["co_occurrence"]
    counts = np.array(found["counts"])
    assert (counts == counts.T).all()
    for i, reason in enumerate(found["reasons"]):
        assert counts[i, i] == sample.profile["reasons"][reason]["clips"]
    both = sum({"noisy", "narrow"} <= set(row["reasons"]) for row in sample.rows)
    assert counts[found["reasons"].index("noisy"), found["reasons"].index("narrow")] == both


def test_quantiles_equal_numpys(sample: Any) -> None:
    for status in ("kept", "dropped"):
        values, found = of(sample, status, "snr", "snr_db"), sample.profile["scores"]["snr_db"]["quantiles"][status]
        assert found["count"] == len(values)
        assert found["mean"] == pytest.approx(values.mean(), rel=1e-5)
        for q in (1, 5, 25, 50, 75, 95, 99):
            assert found[f"p{q:02d}"] == pytest.approx(np.percentile(values, q), rel=1e-5)


def test_histograms_equal_numpys_with_the_ends_clamped(sample: Any) -> None:
    for curator, name in (("snr", "snr_db"), ("quality", "dnsmos_ovrl"), ("alignment", "transcript_trust")):
        bins = sample.profile["scores"][name]["histogram"]
        edges = bins["start"] + bins["step"] * np.arange(bins["count"] + 1)
        for status in ("kept", "dropped"):
            values = of(sample, status, curator, name)
            inside = np.clip(np.floor((values - bins["start"]) / bins["step"]), 0, bins["count"] - 1).astype(int)
            assert bins["counts"][status] == np.bincount(inside, minlength=bins["count"]).tolist()
        everything = np.concatenate([of(sample, s, curator, name) for s in ("kept", "dropped")])
        assert bins["below"] == (everything < edges[0]).sum()
        assert bins["above"] == (everything > bins["start"] + bins["step"] * bins["count"]).sum()


def test_missing_scores_are_counted_with_their_reasons(sample: Any) -> None:
    found = sample.profile["scores"]["snr_db"]
    unheard = sum(row.get("snr") is not None and row["snr"]["snr_db"] is None for row in sample.rows)
    assert found["null_reasons"] == {"unmeasurable: no pause to measure noise in": unheard}
    failed = sum(row["status"] == "failed" for row in sample.rows)
    assert sum(found["nulls"].values()) == unheard + failed


def test_words_and_truths_are_counted_by_value(sample: Any) -> None:
    assert set(sample.profile["scores"]["snr_method"]["values"]) == {"vad"}
    truths = sample.profile["scores"]["align_ok"]["values"]
    assert truths["false"]["kept"] == 0
    assert truths["true"]["kept"] == sum(row["status"] == "kept" for row in sample.rows)


def test_a_profile_is_json_and_the_same_every_time(sample: Any) -> None:
    again = profile(sample.parts, sample.document.curators)
    assert json.dumps(again) == json.dumps(sample.profile)
    assert again == json.loads(json.dumps(again, allow_nan=False))
    # curators as plain mappings, as a document read as JSON gives them
    plain = {name: entry.model_dump() for name, entry in sample.document.curators.items()}
    assert profile(list(reversed(sample.parts)), plain) == again


def test_a_version_without_clips_or_curators_has_an_empty_profile(sample: Any) -> None:
    empty = profile([], sample.document.curators)
    assert (empty["clips"], empty["hours"], empty["reasons"]) == (0, 0.0, {})
    assert list(empty["scores"]) == ["duration_s"]
    assert list(profile(sample.parts, {})["scores"]) == ["duration_s"]


def test_scores_that_only_some_parts_have_are_profiled(sample: Any, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    thin = tmp_path / "thin.parquet"
    pq.write_table(pq.read_table(sample.parts[0]).drop_columns(["quality"]), thin)
    found = profile([thin, sample.parts[1]], sample.document.curators)["scores"]["dnsmos_ovrl"]
    assert found["count"] == sum(row.get("quality") is not None for row in sample.rows[1::2])

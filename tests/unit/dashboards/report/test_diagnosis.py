from __future__ import annotations

from typing import Any

import pytest

from auricle.dashboards.report.diagnosis import Cell, tables


def test_records_become_rows_with_their_interval_drawn(sample: Any) -> None:
    found = tables(sample.diagnostics)
    (codes,), (latents,) = found["codes"], found["latents"]
    stored = sample.diagnostics["builtin-codes-12.5hz"]
    assert (codes["raw"], codes["rate"].value) == (125.0, stored["code_rate"]["value"])
    assert codes["rate"].relation == "≤ "
    assert 0.9 < codes["use"][0] <= 1
    assert codes["chain_gain"].value == pytest.approx(stored["chain_gain"]["value"])
    assert [book["past_only_bits"] > book["bits"] + 1 for book in codes["codebooks"]] == [False, True]
    assert codes["skipped"] == 2
    assert "whisker" in codes["drawn"]
    assert (latents["gain"].resolved, latents["gain"].reason) == (False, "4 speakers where an interval needs 5")
    assert "drawn" not in latents, "nats per second of two frame rates have no common axis"
    assert tables({"representations": sample.diagnostics}) == found


def test_a_record_with_the_first_names_is_read_as_one_with_todays(sample: Any) -> None:
    old = {name: _with_first_names(record) for name, record in sample.diagnostics.items()}
    assert "pred_info" in old["builtin-latents-12.5hz"]
    assert tables(old) == tables(sample.diagnostics)


def _with_first_names(record: Any) -> Any:
    names = {"lagged_mutual_information": "pred_info", "finite_sample_bias": "capacity_note",
             "context_gain": "rate_by_reach", "missing_mass": "unseen_mass",
             "extrapolated_gain_bits": "promised_bits", "extrapolated_gain_context": "promised_context",
             "extrapolated_gain_coverage": "promised_coverage"}  # fmt: skip
    if isinstance(record, dict):
        return {names.get(key, key): _with_first_names(value) for key, value in record.items()}
    return record


@pytest.mark.parametrize("found", [None, {}, {"representations": {}}, {"note": "text"}, {"x": {"kind": "codes"}}])
def test_absent_keys_leave_cells_empty(found: Any) -> None:
    rows = tables(found)
    for row in rows["codes"]:
        assert row["rate"] == Cell(False, reason="not measured")
    assert rows["latents"] == []


def test_a_bare_number_is_taken_and_an_estimate_without_value_is_unresolved() -> None:
    assert Cell.of(3.5) == Cell(True, 3.5)
    assert not Cell.of({"status": "resolved", "value": None}).resolved
    assert not Cell.of("?").resolved


def test_what_diagnostics_write_is_what_is_read() -> None:
    estimate = pytest.importorskip("auricle.diagnostics.estimates.estimate").Estimate
    cell = Cell.of(estimate.resolved(812.4, 790.0, 836.0, "bit/s", "<=").to_dict())
    assert (cell.value, cell.low, cell.high, cell.unit, cell.relation) == (812.4, 790.0, 836.0, "bit/s", "≤ ")
    cell = Cell.of(estimate.unresolved("4 speakers", "5 or more", "bit/s", 7.0).to_dict())
    assert (cell.resolved, cell.value, cell.reason, cell.remedy) == (False, None, "4 speakers", "5 or more")

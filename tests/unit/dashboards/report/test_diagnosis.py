from __future__ import annotations

from typing import Any

import pytest

from auricle.dashboards.report.diagnosis import Cell, tables


def test_records_become_rows_with_their_interval_drawn(sample: Any) -> None:
    found = tables(sample.diagnostics)
    (codes,), (latents,) = found["codes"], found["latents"]
    assert (codes["raw"], codes["rate"].value, codes["rate"].relation) == (1000.0, 812.4, "≤ ")
    assert codes["use"] == (0.88, 0.97)
    assert codes["skipped"] == 2
    assert "whisker" in codes["drawn"]
    assert (latents["gain"].resolved, latents["gain"].reason) == (False, "4 groups")
    assert latents["drawn"] == ""
    assert tables({"representations": sample.diagnostics}) == found


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

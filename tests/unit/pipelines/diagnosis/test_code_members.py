"""Which models a stream of codes is predicted by."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_factory import CODES

from auricle.pipelines.diagnosis.code_members import outside_members

ENCODEC = CODES.model_copy(update={"codec": "encodec24", "rows": 2, "cardinality": 1024, "frame_rate": 75.0})
MODEL = """
class Model:
    name = "given"

    def knows(self, codec, num_codebooks, cardinality, frame_rate):
        return (codec, num_codebooks, cardinality, frame_rate) == ("encodec24", 2, 1024, 75.0)

    def probabilities(self, codes):
        raise AssertionError("nothing is measured here")


MODEL = Model()
"""


def test_encodecs_own_model_is_said_to_be_absent_with_where_its_weights_belong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURICLE_WEIGHTS", str(tmp_path))
    found, absent = outside_members(ENCODEC, 1024)
    assert found == {}
    assert "weights are absent" in absent["encodec-lm"]
    assert str(tmp_path) in absent["encodec-lm"]
    assert outside_members(CODES, 1024) == ({}, {}), "other codes have no use for it"


def test_a_model_of_another_package_joins_for_the_codes_that_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "given_model.py").write_text(MODEL)
    info = tmp_path / "given-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: given\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[auricle.language_models]\ngiven = given_model:MODEL\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("AURICLE_WEIGHTS", str(tmp_path))
    assert set(outside_members(ENCODEC, 1024)[0]) == {"given"}
    assert set(outside_members(CODES, 1024)[0]) == set()

import pyarrow as pa
import pytest

from auricle.jobs.judging.judgement_table import print_judgement
from auricle.schemas.pass_tables import JUDGEMENT


def row(by, member, rank, **facts):
    return {"by": by, "member": member, "kind": by, "rank": rank, "clips": 10, "hours": 1.0, "kept": 5,
            "kept_hours": 0.5, "kept_share": 0.5, "corpus_share": 0.25, "failed": 0, "bad_share": 0.5,
            "badness": 0.2, "reasons": [("noisy", 0.4)], "medians": [("snr_db", 12.0)],
            "loudness_spread_db": 3.0, "scarce": False} | facts  # fmt: skip


def test_the_worst_are_shown_with_their_main_reason_and_scarce_languages_are_named(capsys: pytest.CaptureFixture):
    rows = [row("source", f"place {i}", i + 1) for i in range(4)]
    rows += [row("speaker", "f" * 64, 1, kind="recording"), row("language", "eo", 1, scarce=True)]
    print_judgement(pa.Table.from_pylist(rows, JUDGEMENT), worst=2)
    said = capsys.readouterr().out
    assert "sources, worst first (2 of 4)" in said
    assert "place 1" in said
    assert "place 2" not in said
    assert "noisy 40%" in said
    assert "recording ffffffffffff" in said
    assert "speakers are identified by: 1 by recording" in said
    assert "under-represented, below a fifth of an even share of the kept hours: eo" in said

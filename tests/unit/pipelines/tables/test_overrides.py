"""A tombstone means the same to a takedown, which rewrites Parquet, and to a run, which plans in SQL."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auricle.loaders.care.apply_tombstones import banned_clips, redacted_clips, redacted_recordings
from auricle.loaders.reading.tombstones import TOMBSTONES, redacted
from auricle.loaders.storage.store import Store
from auricle.pipelines.tables import overrides
from auricle.pipelines.tables.state import State
from auricle.schemas.score import ScoreColumn
from auricle.schemas.tables import RECORDINGS, clip_schema

RECORDINGS_KNOWN = ("a", "b", "c")
SCORE = ScoreColumn("loudness_db", "float32", "dB", "Loudness")
SPAN = st.tuples(st.integers(0, 20), st.integers(1, 8)).map(lambda s: {"start": s[0], "end": s[0] + s[1]})
CLIP = st.builds(
    lambda recording, channel, span, pcm: {"recording": recording, "channel": channel, "pcm_sha256": pcm, **span},
    st.sampled_from(RECORDINGS_KNOWN), st.integers(0, 1), SPAN, st.sampled_from(["p", "q", "r", "s"]),
)  # fmt: skip
STONE = st.one_of(
    st.builds(lambda row: row | {"redact": False}, CLIP),
    st.builds(lambda recording, hide: {"recording": recording, "redact": hide}, st.sampled_from("ab"), st.booleans()),
)


def rows(clips: list[dict[str, Any]]) -> pa.Table:
    """A clip table, its text columns filled in."""
    schema = clip_schema({"loudness": (SCORE,)}, ["cheap"])
    told = {
        "source": "s", "path": "who.wav", "transcript": "words", "transcript_sha256": "h", "label_source": "s/who.wav",
        "status": "failed", "reasons": ["extraction"], "message": "who.wav: gone",
        "loudness": {"fingerprint": "f", "inputs": "", "reason": "failed: loudness: OSError: who.wav"},
        "cheap": {"fingerprint": "f", "error": "missing: who.wav: gone"},
    }  # fmt: skip
    return pa.Table.from_pylist([{**told, "clip": f"{i:032x}", **clip} for i, clip in enumerate(clips)], schema=schema)


def files() -> pa.Table:
    aliases = [{"source": "s", "path": "who.wav", "size": 1, "mtime_ns": 1, "etag": None}]
    known = [{"recording": r, "aliases": aliases, "message": "who.wav: broken"} for r in RECORDINGS_KNOWN]
    return pa.Table.from_pylist(known, schema=RECORDINGS)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> State:
    root = tmp_path_factory.mktemp("state")
    return State(Store(str(root)), None, root)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(clips=st.lists(CLIP, min_size=1, max_size=8), stones=st.lists(STONE, max_size=4))
def test_runs_and_takedowns_agree(state: State, clips: list[dict[str, Any]], stones: list[dict[str, Any]]) -> None:
    table, ban = rows(clips), pa.Table.from_pylist(stones, schema=TOMBSTONES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overrides, "tombstones", lambda _: ban)
        state.table("aliases_now", files().select(["recording"]))
        state.table("clip_facts", table.select(["clip", "recording", "channel", "start", "end", "pcm_sha256"]))
        overrides.ban_recordings(state)
        overrides.ban_clips(state)
        left = "SELECT clip FROM clip_facts SEMI JOIN aliases_now USING (recording) ORDER BY clip"
        planned = state.arrow(left)["clip"].to_pylist()
        written = table.filter(pc.invert(banned_clips(table, ban)))
        assert planned == written["clip"].to_pylist()
        state.table("clips_now", table.drop_columns(["loudness", "cheap", "message"]))
        state.table("recordings_now", files().append_column("path", pa.array(["who.wav"] * 3)))
        overrides.redact(state)
        hidden = redacted_clips(table, redacted(ban))
        columns = ["clip", "path", "transcript", "transcript_sha256", "label_source"]
        planned = state.arrow(f"SELECT {', '.join(columns)} FROM clips_now ORDER BY clip")
        assert planned.to_pylist() == hidden.select(columns).to_pylist()
        alone = state.arrow("SELECT aliases, message FROM recordings_now ORDER BY recording").to_pylist()
        assert alone == redacted_recordings(files(), redacted(ban)).select(["aliases", "message"]).to_pylist()


def test_free_text_of_failures_keeps_its_kind_and_nothing_else() -> None:
    table = rows([{"recording": "a", "channel": 0, "start": 0, "end": 5}, {"recording": "b", "channel": 0}])
    first, second = redacted_clips(table, pa.array(["a"])).to_pylist()
    assert (first["message"], first["loudness"]["reason"], first["cheap"]["error"]) == (
        None, "failed: redacted", "missing: redacted",
    )  # fmt: skip
    assert "who" not in str(first)
    assert second == table.to_pylist()[1]


def test_a_score_that_a_rule_made_needless_still_says_the_rule() -> None:
    table = rows([{"recording": "a", "channel": 0, "start": 0, "end": 5}])
    said = table["loudness"].to_pylist()
    said[0]["reason"] = "skipped: quiet: loudness_db >= -60"
    at = table.column_names.index("loudness")
    table = table.set_column(at, table.schema.field(at), pa.array(said, table.schema.field(at).type))
    assert redacted_clips(table, pa.array(["a"]))["loudness"].to_pylist() == said

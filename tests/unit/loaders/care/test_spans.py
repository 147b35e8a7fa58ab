from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from auricle.loaders.care.spans import Spans

ROWS = st.lists(
    st.builds(
        lambda recording, channel, start, length: {
            "recording": recording, "channel": channel, "start": start, "end": start + length,
        },
        st.sampled_from("ab"), st.integers(0, 1), st.integers(0, 30), st.integers(1, 12),
    ),
    max_size=8,
)  # fmt: skip
SCHEMA = pa.schema([("recording", pa.string()), ("channel", pa.int16()), ("start", pa.int64()), ("end", pa.int64())])


@given(spans=ROWS, clips=ROWS)
def test_overlap_is_what_comparing_every_pair_gives(spans: list[dict[str, int]], clips: list[dict[str, int]]) -> None:
    def hit(clip: dict[str, int]) -> bool:
        return any(
            (s["recording"], s["channel"]) == (clip["recording"], clip["channel"])
            and s["start"] < clip["end"]
            and clip["start"] < s["end"]
            for s in spans
        )

    found = Spans(spans).overlap(pa.Table.from_pylist(clips, schema=SCHEMA)).to_pylist()
    assert found == [hit(clip) for clip in clips]


@given(spans=ROWS, clips=ROWS)
def test_what_is_shared_is_in_both(spans: list[dict[str, int]], clips: list[dict[str, int]]) -> None:
    known = Spans(spans)
    for clip, hit in zip(clips, known.overlap(pa.Table.from_pylist(clips, schema=SCHEMA)).to_pylist(), strict=True):
        if hit:
            start, end = known.shared(clip)
            assert clip["start"] <= start < end <= clip["end"]
            taken = {i for s in spans if (s["recording"], s["channel"]) == (clip["recording"], clip["channel"])
                     for i in range(s["start"], s["end"])}  # fmt: skip
            assert set(range(start, end)) <= taken

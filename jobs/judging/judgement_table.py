"""The judgement of a corpus as the command prints it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..terminal import console

MEDIANS = ("snr_db", "transcript_trust", "dnsmos_ovrl")


def print_judgement(table: pa.Table, worst: int) -> None:
    """The `worst` members of each kind, then which are scarce and how speakers were identified."""
    for by in ("source", "speaker", "language"):
        found = table.filter(pc.equal(table["by"], by))
        rows = found.slice(0, worst).to_pylist()
        if not rows:
            continue
        heads = (by, "clips", "audio", "kept of it", "of all kept", "bad clips", "mostly", *MEDIANS, "spread dB")
        more = f" ({worst} of {found.num_rows:,})" if found.num_rows > worst else ""
        console.table(f"{by}s, worst first{more}", heads, [_row(row) for row in rows])
        scarce = [row["member"] for row in found.to_pylist() if row["scarce"]]
        if scarce and by != "speaker":
            console.say(f"under-represented, below a fifth of an even share of the kept hours: {', '.join(scarce)}")
        if by == "speaker":
            kinds = {entry["values"]: entry["counts"] for entry in found["kind"].value_counts().to_pylist()}
            told = ", ".join(f"{n:,} by {kind}" for kind, n in sorted(kinds.items()))
            console.say(f"speakers are identified by: {told}")


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    medians = dict(row["medians"])
    causes = sorted(row["reasons"], key=lambda item: (-item[1], item[0]))
    kept = None if row["kept_share"] is None else f"{row['kept_share']:.0%}"
    share = None if row["corpus_share"] is None else f"{row['corpus_share']:.1%}"
    mostly = ", ".join(f"{reason} {part:.0%}" for reason, part in causes[:2])
    return (
        row["member"] if row["kind"] != "recording" else f"recording {row['member'][:12]}",
        row["clips"],
        console.hours(row["hours"]),
        kept,
        share,
        f"{row['bad_share']:.0%}",
        mostly,
        *(medians.get(name) for name in MEDIANS),
        row["loudness_spread_db"],
    )

"""What gate, profile, examples and explorer cost on a large version, and how large a page is.

    python benchmarks/dashboards.py [--clips 10000000]

Makes Parquet parts of made-up clips with DuckDB in a temporary folder (about 140 MB per 10^6), then times each job on
them: wall and CPU seconds of this process, and its peak memory at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from auricle.dashboards.drawing.profile import profile
from auricle.dashboards.explorer import tables
from auricle.dashboards.explorer.tables import ClipTable
from auricle.dashboards.report.examples import choose
from auricle.dashboards.report.report import render
from auricle.pipelines.publishing.gate import judge
from auricle.pipelines.publishing.gate_facts import gather, opened
from auricle.schemas.config import Gate
from auricle.schemas.version import Counts, VersionDocument

PART = 2_000_000
CLIPS = """
    SELECT clip, ('0x' || clip[1:15])::BIGINT AS clip_hash64, clip AS "group", clip || clip AS recording,
        'source ' || h % 20 AS source, 'a/' || i || '.flac' AS path, 0::SMALLINT AS channel,
        1::SMALLINT AS num_channels, 16000 AS sample_rate, 0::BIGINT AS start, samples AS "end",
        samples / 16000.0::DOUBLE AS duration_s, clip || clip AS pcm_sha256, 'some words of ' || i AS transcript,
        clip AS transcript_sha256, 'labels' AS label_source, false AS label_conflict, 'en' AS language,
        'speaker ' || h % 50000 AS speaker, status, CASE status WHEN 'kept' THEN []::VARCHAR[]
            WHEN 'failed' THEN ['corrupt'] ELSE if(u < 0.5, ['noisy', 'transcript'], ['noisy']) END AS reasons,
        NULL::VARCHAR AS message, 'gold' AS tier, NULL::VARCHAR AS duplicate_of, 1::BIGINT AS introduced,
        {'fingerprint': 'f', 'inputs': '', 'reason': why, 'snr_db': (u * 40)::FLOAT, 'snr_method': 'vad'} AS snr,
        {'fingerprint': 'f', 'inputs': '', 'reason': why, 'dnsmos_ovrl': (1 + 4 * u)::FLOAT,
         'dnsmos_sig': (1 + 3 * u)::FLOAT, 'dnsmos_bak': (1 + 2 * u)::FLOAT} AS dnsmos,
        {'fingerprint': 'f', 'inputs': '', 'reason': why, 'transcript_trust': u::FLOAT,
         'oov_ratio': (u / 3)::FLOAT} AS alignment
    FROM (SELECT i, md5(i::VARCHAR) AS clip, hash(i) AS h, hash(i) % 1000 / 1000.0 AS u,
              (16000 + hash(3 * i) % 192000)::BIGINT AS samples,
              CASE WHEN hash(7 * i) % 50 = 0 THEN 'failed' WHEN hash(7 * i) % 5 = 0 THEN 'dropped' ELSE 'kept' END
              AS status, if(status = 'failed', 'failed: made up', NULL) AS why
          FROM range($1, $2) AS t(i))
"""
CURATORS = {
    "snr": ["snr_db:dB", "snr_method:text"],
    "dnsmos": ["dnsmos_ovrl:MOS", "dnsmos_sig:MOS", "dnsmos_bak:MOS"],
    "alignment": ["transcript_trust:1", "oov_ratio:1"],
}


def make(folder: Path, clips: int) -> list[Path]:
    """Parts of `PART` clips."""
    parts = []
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '2GB'; SET preserve_insertion_order = false")
        for first in range(0, clips, PART):
            path, last = folder / f"{first}.parquet", min(first + PART, clips)
            query = CLIPS.replace("$1", str(first)).replace("$2", str(last))
            connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")
            parts.append(path)
    return parts


def column(text: str) -> dict[str, str]:
    """A curator's column from "name:unit"."""
    name, unit = text.split(":")
    return {"name": name, "unit": unit, "dtype": "string" if unit == "text" else "float32"}


def timed(name: str, job: Callable[[], Any]) -> Any:
    """The job's result, after printing what it cost."""

    def cpu() -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    wall, before = time.perf_counter(), cpu()
    result = job()
    print(f"{name:44s} {time.perf_counter() - wall:8.2f} s wall {cpu() - before:8.2f} s CPU", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1_000_000)
    clips = parser.parse_args().clips
    tables.TIME_LIMIT_S = 600.0
    with tempfile.TemporaryDirectory() as scratch:
        parts = make(Path(scratch), clips)
        size = sum(part.stat().st_size for part in parts)
        print(f"{clips} clips, {len(parts)} parts, {size / 1e6:.0f} MB")
        print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
        with opened(parts) as relation:
            timed("gate: facts, compared with a version before", lambda: gather(relation, parts))
        timed("gate: all, great-expectations imported", lambda: judge(parts, parts, Gate()))
        timed("gate: all again", lambda: judge(parts, parts, Gate()))
        entries = {name: {"columns": [column(c) for c in columns]} for name, columns in CURATORS.items()}
        made = timed("profile", lambda: profile(parts, entries))
        print(f"    {len(json.dumps(made)) / 1000:.0f} kB of JSON")
        timed("examples: nine rows per reason", lambda: choose(parts))
        document = VersionDocument(number=1, created="", counts=Counts(clips=clips), dropped_by_reason={"noisy": 1})
        page = timed("report, without sounds", lambda: render(document, made, None, [], made))
        print(f"    {len(page.encode()) / 1000:.0f} kB of HTML")
        table = ClipTable(parts)
        where = "snr_db < 10 and list_contains(reasons, 'noisy')"
        timed("explorer: count of a filter", lambda: table.count(where))
        page = timed("explorer: first page, by key", lambda: table.page(where, "clip", False, None, 50, ["path"]))
        timed("explorer: first page, by score", lambda: table.page(where, "snr_db", True, None, 50, ["path"]))
        half = f"SELECT clip FROM clips ORDER BY clip LIMIT 1 OFFSET {clips // 2}"
        deep = timed("    by offset, half way", lambda: table.query(half))
        after = tables._token(deep[0][0], deep[0][0])
        timed("explorer: page half way, by key", lambda: table.page("", "clip", False, after, 50, ["path"]))
        timed("explorer: one clip", lambda: table.clip(deep[0][0]))
        counted = table.query("SELECT approx_count_distinct(clip), count(DISTINCT clip) FROM clips")[0]
        print(f"DuckDB's approximate count of distinct keys is off by {100 * (counted[0] / counted[1] - 1):+.2f} %")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()

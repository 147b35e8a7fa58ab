"""Pack latents into shards: immutable tars whose bytes depend only on the samples in them and their order."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from ...loaders.care.moving import read_payloads
from ...loaders.storage.layout import shard_path
from ...loaders.storage.objects import put_object
from ...loaders.storage.shards import Member, by_size, sample_facts, shard_tar
from ...loaders.storage.store import Store
from ...schemas.keys import sha256_bytes
from ...schemas.representation import RepresentationSpec
from ...schemas.sql import literal, quoted
from ...schemas.tables import CARRIED
from ...schemas.version import Shard
from ..tables.declarations import final, known
from ..tables.state import State

LIVE_SHARE_TO_KEEP = 0.7
"""A published shard with fewer live members than this is rewritten."""

PACKED = pa.schema(
    [
        pa.field("clip", pa.string()),
        pa.field("shard", pa.string()),
        pa.field("offset", pa.int64()),
    ]
)


def pack(
    state: State,
    store: Store,
    spec: RepresentationSpec,
    old: Sequence[Shard],
    shard_bytes: int,
    carried: Sequence[str] = (),
) -> list[Shard]:
    """Write the shards that a representation still lacks; returns all shards of the new version.

    Table `final_<representation>` gets every valid pointer, into kept shards or new ones. Samples are ordered by
    source, tier and position, so that a filter on them drops whole shards rather than picking crumbs from each.
    Samples of a clip that failed for want of another representation are kept, dead: it is tried again, or given up,
    and neither makes them anew. A shard whose samples' json has another licence (or what else is carried) than the clip
    table will have is packed again.
    carried: columns of the labels that go into the json of each sample.
    """
    valid, made = quoted(known(spec.name)), quoted(final(spec.name))
    counts = state.sql(
        f"""SELECT k.shard, count(*), count(*) FILTER (o.status = 'kept')
        FROM {valid} k JOIN decided d USING (clip) JOIN outcome o USING (clip)
        WHERE d.status = 'kept' AND k.shard IS NOT NULL GROUP BY k.shard"""
    ).fetchall()
    wanted = {shard: count for shard, count, _ in counts}
    live = {shard: count for shard, _, count in counts}
    outdated = _outdated(state, valid, carried)
    staying = [
        s
        for s in old
        if wanted.get(s.sha256, 0) > 0
        and wanted[s.sha256] / s.rows >= LIVE_SHARE_TO_KEEP
        and outdated is not None
        and s.sha256 not in outdated
    ]
    stays = ", ".join(literal(s.sha256) for s in staying) or "''"
    cells = ", ".join(f"{quoted(name)} := n.carried[{literal(name)}]" for name in sorted(carried))
    facts = f", struct_pack({cells}) AS {CARRIED}" if carried else ""
    rows = state.stream(
        f"""SELECT k.*, n.recording, n.channel, n.start, n."end", n.sample_rate, o.status = 'kept' AS live{facts}
        FROM {valid} k JOIN clips_now n USING (clip) JOIN decided d USING (clip) JOIN outcome o USING (clip)
        WHERE d.status = 'kept' AND k.error IS NULL AND (k.shard IS NULL OR k.shard NOT IN ({stays}))
        ORDER BY n.source_rank, d.tier NULLS LAST, n.path, n.start, n.channel, n.clip"""
    )
    packed: list[pa.RecordBatch] = []
    fresh: list[Shard] = []
    for group in by_size((row for batch in rows for row in batch.to_pylist()), shard_bytes):
        payloads = read_payloads(store, spec, group)
        keys = [row["clip"] for row in group]
        data, offsets = shard_tar(
            spec.name, [Member(k, p, sample_facts(spec, r)) for k, p, r in zip(keys, payloads, group, strict=True)]
        )
        sha256 = sha256_bytes(data)
        put_object(store, shard_path(spec.name, sha256), data)
        alive = sum(row["live"] for row in group)
        fresh.append(Shard(sha256=sha256, num_bytes=len(data), rows=len(keys), live=alive))
        packed.append(
            pa.RecordBatch.from_arrays(
                [pa.array(keys), pa.array([sha256] * len(keys)), pa.array(offsets)], schema=PACKED
            )
        )
    state.table("packed", pa.Table.from_batches(packed, schema=PACKED))
    # dead members of shards that stay keep their pointers: loosening a rule brings them back for nothing
    state.sql(
        f"""CREATE OR REPLACE TABLE {made} AS
        SELECT k.clip, k.fingerprint, coalesce(p.shard, k.shard) AS shard, coalesce(p."offset", k."offset") AS "offset",
            k.nbytes, k.num_frames, k.crc32, k.error
        FROM {valid} k LEFT JOIN packed p USING (clip)
        WHERE k.error IS NOT NULL OR p.shard IS NOT NULL OR k.shard IN ({stays})"""
    )
    return [s.model_copy(update={"live": live[s.sha256]}) for s in staying] + fresh


def _outdated(state: State, pointers: str, carried: Sequence[str]) -> set[str] | None:
    """Shards with a sample whose json has other carried columns than the clip has now; None where all have."""
    described = state.db.execute("SELECT * FROM parent_clips LIMIT 0").description or ()
    before = [child for name, kind, *_ in described if name == CARRIED for child, _ in kind.children]
    if sorted(before) != sorted(carried):
        return None
    if not carried:
        return set()
    differs = " OR ".join(
        f"n.carried[{literal(name)}] IS DISTINCT FROM p.{CARRIED}.{quoted(name)}" for name in sorted(carried)
    )
    rows = state.sql(
        f"""SELECT DISTINCT k.shard FROM {pointers} k JOIN clips_now n USING (clip) JOIN parent_clips p USING (clip)
        WHERE k.shard IS NOT NULL AND ({differs})"""
    ).fetchall()
    return {shard for (shard,) in rows}

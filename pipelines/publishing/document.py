"""The candidate's version document: counts from the tables, provenance of everything."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from ...loaders.care.relabels import relabel_files
from ...schemas.config import RunConfig
from ...schemas.keys import canonical_json, digest
from ...schemas.representation import RepresentationSpec
from ...schemas.score import Curator
from ...schemas.sql import quoted
from ...schemas.tables import TABLES_SCHEMA
from ...schemas.version import Counts, CuratorEntry, Object, RepresentationEntry, Shard, Stage, VersionDocument
from ..tables import cues
from ..tables.declarations import final
from ..tables.state import State


def inputs_digest(
    state: State, config: RunConfig, curators: Sequence[Curator], specs: Sequence[RepresentationSpec]
) -> str:
    """Digest of all that a version depends on, apart from what failed for reasons of the moment."""
    files = _multiset(
        state, "SELECT concat_ws(chr(31), source, source_rank, path, size, mtime_ns, coalesce(etag, '')) FROM files"
    )
    labels = _multiset(state, "SELECT CAST(l AS VARCHAR) FROM labels l")
    what = config.model_dump(mode="json", exclude={"workers", "dataset", "losses", "night"})
    return digest(
        TABLES_SCHEMA, files, labels, canonical_json(what),
        *(c.fingerprint for c in curators), *(s.fingerprint for s in specs), *relabel_files(state.store),
    )  # fmt: skip


def _multiset(state: State, lines: str) -> str:
    """Digest of the lines of a query, each as often as it is there, whatever their order.

    A sum, since what is there twice would cancel in an exclusive or.
    """
    halves = "sum(CAST(md5_number_lower(v) AS HUGEINT)), sum(CAST(md5_number_upper(v) AS HUGEINT))"
    return str(state.sql(f"SELECT {halves}, count(*) FROM ({lines}) t(v)").fetchall()[0])


def representation_entry(state: State, spec: RepresentationSpec, shards: Sequence[Shard]) -> RepresentationEntry:
    """The document's entry of one representation, after its shards are packed."""
    pointers = quoted(final(spec.name))
    live, failed = state.sql(
        "SELECT count(*) FILTER (WHERE shard IS NOT NULL AND o.status = 'kept'), "
        f"count(*) FILTER (WHERE error IS NOT NULL) FROM {pointers} JOIN outcome o USING (clip)"
    ).fetchall()[0]
    return RepresentationEntry(spec=spec, shards=list(shards), live=live, failed=failed)


def compose(
    state: State,
    config: RunConfig,
    curators: Sequence[Curator],
    representations: Mapping[str, RepresentationEntry],
    clips: Sequence[Object],
    recordings: Sequence[Object],
    number: int,
    inputs: str,
    stages: Mapping[str, Stage],
) -> VersionDocument:
    """The candidate's document, gate not judged yet."""
    parent = state.parent
    return VersionDocument(
        number=number,
        parent=parent.document.number if parent else None,
        parent_sha256=parent.sha256 if parent else None,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        code=code_identity(),
        config=config.model_dump(mode="json", exclude={"night"}),
        inputs=inputs,
        counts=_counts(state),
        hours=_hours(state),
        cut_samples=cues.ledger(state),
        dropped_by_reason=_tally(state, "SELECT unnest(reasons) FROM outcome WHERE status = 'dropped'"),
        failed_by_reason=_tally(
            state,
            "SELECT reasons[1] FROM outcome WHERE status = 'failed' "
            "UNION ALL SELECT reason FROM recordings_now WHERE status = 'failed'",
        ),
        kept_by_tier=_tally(state, "SELECT tier FROM outcome WHERE status = 'kept' AND tier IS NOT NULL"),
        untrained=sorted(name for name, entry in representations.items() if not entry.spec.trained),
        curators={c.name: curator_entry(c) for c in curators},
        representations=dict(representations),
        clips=list(clips),
        recordings=list(recordings),
        stages=list(stages.values()),
    )


def differs(candidate: VersionDocument, parent: VersionDocument) -> bool:
    """Whether the candidate holds anything that its parent does not."""

    def content(document: VersionDocument) -> object:
        shards = {name: [s.sha256 for s in e.shards] for name, e in document.representations.items()}
        return [o.sha256 for o in document.clips], [o.sha256 for o in document.recordings], shards

    return content(candidate) != content(parent)


def curator_entry(curator: Curator) -> CuratorEntry:
    """What a version keeps of a curator."""
    return CuratorEntry(
        fingerprint=curator.fingerprint,
        version=curator.version,
        parameters=dict(curator.parameters),
        inputs=list(curator.inputs),
        columns=[
            {"name": c.name, "dtype": c.dtype, "unit": c.unit, "description": c.description} for c in curator.columns
        ],
    )


def code_identity() -> dict[str, str]:
    """Versions that results were made with; bit-identity of latents holds within one torch build and machine kind."""
    found = {"auricle": "", "torch": "", "torchaudio": "", "onnxruntime": "", "moshi": "", "encodec": ""}
    for name in found:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found | {"python": platform.python_version(), "machine": platform.machine(), "instructions": _instructions()}


def _instructions() -> str:
    """The widest vector instruction set of this processor, which float results depend on."""
    try:
        with open("/proc/cpuinfo") as file:
            flags = next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        return "unknown"
    return next((name for name in ("avx512f", "avx2", "avx", "asimd") if f" {name}" in flags), "baseline")


def _counts(state: State) -> Counts:
    def count(query: str) -> int:
        return int(state.one(query))

    return Counts(
        files=count("SELECT count(*) FROM aliases_now"),
        decoded=count("SELECT count(*) FROM recordings_now WHERE status = 'decoded'"),
        failed_files=count("SELECT count(*) FROM recordings_now WHERE status = 'failed'"),
        aliases=count("SELECT coalesce(sum(len(aliases) - 1), 0) FROM recordings_now"),
        clips=count("SELECT count(*) FROM outcome"),
        kept=count("SELECT count(*) FROM outcome WHERE status = 'kept'"),
        dropped=count("SELECT count(*) FROM outcome WHERE status = 'dropped'"),
        failed=count("SELECT count(*) FROM outcome WHERE status = 'failed'"),
    )


def _hours(state: State) -> dict[str, float]:
    query = "SELECT status, sum(duration_s) / 3600 FROM outcome JOIN clips_now USING (clip) GROUP BY status"
    found = {status: round(hours, 6) for status, hours in state.sql(query).fetchall()}
    by_status = {name: found.get(name, 0.0) for name in ("kept", "dropped", "failed")}
    return {"clips": round(sum(by_status.values()), 6), **by_status}


def _tally(state: State, query: str) -> dict[str, int]:
    rows = state.sql(f"SELECT v, count(*) AS n FROM ({query}) t(v) GROUP BY v ORDER BY n DESC, v").fetchall()
    return dict(rows)

"""Make a named curriculum: every kept clip into a stage or out of all of them, with a reason; an immutable file."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...loaders.reading.curricula import NamedCurriculum, parsed
from ...loaders.reading.pending import require_none
from ...loaders.reading.version import Version
from ...loaders.storage.layout import curriculum_path, derived_path
from ...loaders.storage.parts import parquet_bytes
from ...schemas.curriculum import (
    DOCUMENT_SCHEMA,
    NAMED,
    NAMED_DOCUMENT,
    NAMED_SCHEMA,
    CurriculumDocument,
    CurriculumInputs,
    StageFacts,
)
from ...schemas.curriculum_spec import DIFFICULTY, CurriculumSpec
from ...schemas.errors import ConfigError
from ...schemas.keys import sha256_bytes
from ...schemas.pass_tables import DIFFICULTY_SCHEMA
from ...schemas.representation import RepresentationSpec
from ..diagnosis.diagnose import diagnose
from .beforehand import refuse_unreachable
from .facts import Facts, check_scores, distinct, read_facts
from .paced import codes_of, measuring
from .repeatable import repeatability
from .stages import Placed, place


@dataclass(frozen=True)
class Made:
    """A curriculum, and whether this call wrote it: equal specs of one version are one file."""

    curriculum: NamedCurriculum
    path: str
    new: bool


def named_curriculum(version: Version, spec: CurriculumSpec, begin: Callable[[str], None] = lambda _: None) -> Made:
    """Make a curriculum of a version and keep it beside it, as `curriculum-<name>-<sha256>.parquet`.

    Difficulties are measured first where the spec needs them and nobody has. Raises `ConfigError`, before the file is
    written, for a score or tier that the version lacks, an empty stage, and a quota beyond the supply; where no
    difficulty could mend that, before any is measured. begin: called with what takes time.
    """
    require_none(version.store)
    check_scores(version, spec)
    representation = version.representation(codes_of(version, spec.representation))
    if spec.needs_difficulty():
        refuse_unreachable(read_facts(version, spec, representation, None), spec)
    hard, sha256 = _hard(version, representation, spec, begin)
    facts = read_facts(version, spec, representation, hard)
    placed = place(facts, spec)
    document = _document(version, spec, representation, sha256, facts, placed)
    data = parquet_bytes(_table(facts, placed), NAMED_SCHEMA, {NAMED_DOCUMENT: document})
    path = curriculum_path(version.document.number, spec.name, sha256_bytes(data))
    new = version.store.put_new(path, data)
    return Made(parsed(data, path), path, new)


def _hard(
    version: Version, representation: RepresentationSpec, spec: CurriculumSpec, begin: Callable[[str], None]
) -> tuple[pa.Table | None, str | None]:
    """The table of difficulties and the hash of its file, None where the spec needs none."""
    if not spec.needs_difficulty():
        return None, None
    name = f"difficulty-{representation.name}.parquet"
    for again in (False, True):
        data = version.derived(name)
        if data is not None:
            table = pq.read_table(pa.BufferReader(data))
            if (table.schema.metadata or {}).get(b"auricle.schema") == DIFFICULTY_SCHEMA.encode():
                return table, sha256_bytes(data)
        if not again:
            begin(measuring(representation.name))
            diagnose(version, [representation.name], begin=begin)
    raise ConfigError(f"{derived_path(version.document.number, name)}: no difficulty could be measured")


def _table(facts: Facts, placed: Placed) -> pa.Table:
    columns = {
        "clip": facts.table["clip"],
        "stage": pa.array(placed.stage, pa.int32(), mask=placed.stage < 0),
        "left_out": pa.array([reason or None for reason in placed.left_out], pa.string()),
        "quota": pa.array([value or None for value in placed.quota], pa.string()),
        "stratum": pa.array([placed.strata[s] for s in placed.stratum], pa.string()),
        **{name: facts.table[name] for name in ("tier", DIFFICULTY, "duration_s", "tokens")},
    }
    return pa.table(columns).cast(NAMED)


def _document(
    version: Version,
    spec: CurriculumSpec,
    representation: RepresentationSpec,
    difficulty_sha256: str | None,
    facts: Facts,
    placed: Placed,
) -> str:
    speakers, hard = np.array(facts.column("speaker"), dtype=object), facts.numbers(DIFFICULTY)
    # a recording without a label or a voice is a group of clips, and not a speaker
    is_known = np.array(facts.column("known_by"), dtype=object) != "recording"
    seconds, tokens = facts.numbers("duration_s"), facts.table["tokens"].to_numpy()
    stages = []
    for at, stage in enumerate(spec.stages):
        rows = placed.stage == at
        known = hard[rows][np.isfinite(hard[rows])]
        stages.append(
            StageFacts(
                name=stage.name,
                clips=int(rows.sum()),
                hours=float(seconds[rows].sum() / 3600),
                tokens=int(tokens[rows].sum()),
                speakers=len(set(speakers[rows & is_known])),
                median_difficulty=float(np.median(known)) if known.size else None,
                quotas=dict(stage.quotas.clips) if stage.quotas else {},
            )
        )
    document = CurriculumDocument(
        schema=DOCUMENT_SCHEMA,
        name=spec.name,
        spec=spec.written(),
        inputs=CurriculumInputs(
            version=version.document.number,
            version_sha256=version.sha256,
            representation=representation.name,
            fingerprint=representation.fingerprint,
            difficulty_sha256=difficulty_sha256,
            difficulty_repeatability=None if difficulty_sha256 is None else repeatability(version, representation.name),
        ),
        stages=stages,
        phases=spec.phases(),
        left_out=distinct([reason or None for reason in placed.left_out]),
        audit=[str(key) for key in facts.table["clip"].take(pa.array(placed.audit)).to_pylist()],
        small_strata=placed.small,
    )
    return json.dumps(document.model_dump(mode="json", by_alias=True), ensure_ascii=False, sort_keys=True)

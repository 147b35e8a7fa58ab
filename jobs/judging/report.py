"""Write the report of a version: gather what it shows, render, keep it beside the version."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ...dashboards.drawing.profile import profile
from ...dashboards.drawing.rules import rules_of
from ...dashboards.report.curricula import heard
from ...dashboards.report.examples import choose
from ...dashboards.report.report import GROUPS_SHOWN, Example, render
from ...loaders.reading.derived import derived_record, diagnostics_record
from ...loaders.reading.version import Version, open_version
from ...loaders.storage.layout import derived_path
from ...pipelines.audio.listen import clip_audio, wav_bytes
from ...pipelines.derived.judge import judgement
from ...pipelines.diagnosis.diagnose import diagnose
from ...schemas.derived import PROFILE_SCHEMA
from ...schemas.errors import AuricleError, ClipError
from ...schemas.score import PROVENANCE
from ...schemas.tables import FailureReason
from ..datasets.damaged import damaged
from ..datasets.reasons import unmeasured
from .heard import builtin_codes, decoded_clips

EXAMPLES_PER_REASON = 3
DAMAGED_SHOWN = 20
"""Recordings that are not whole."""
LONGEST_EXAMPLE_S = 60.0


def write_report(version: Version, out: Path | None = None, *, diagnose_first: bool = True) -> Path | str:
    """Render the page to `out`, else to `derived/<version>/report.html`; returns where it is."""
    record = diagnostics_record(version)
    if record is None and diagnose_first and version.document.representations:
        record = diagnose(version)
    missing: list[ClipError] = []
    curricula = [version.named_curriculum(f"{each.name}-{each.sha256}") for each in version.curricula()]
    page = render(
        version.document,
        _profile(version),
        record["representations"] if record else None,
        list(_examples(version, missing)),
        _parent_profile(version),
        _judgement(version),
        (codes, list(decoded_clips(version, codes))) if (codes := builtin_codes(version)) else None,
        _unheard(missing),
        curricula,
        _audited(version, heard(curricula)),
        (found.total, found.examples) if (found := damaged(version, DAMAGED_SHOWN)).total else None,
        [one.line for one in unmeasured(version)],
    ).encode()
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(page)
        return out
    path = derived_path(version.document.number, "report.html")
    version.store.put_derived(path, page)
    return version.store.root / path if version.store.root else f"{version.store.url}/{path}"


def _profile(version: Version) -> dict[str, Any]:
    """The stored profile of a version, made when it is absent."""
    stored = derived_record(version, "profile.json", PROFILE_SCHEMA)
    if stored:
        return stored
    made = profile(version.files(), version.document.curators, rules_of(version.document.config))
    path = derived_path(version.document.number, "profile.json")
    version.store.put_derived(path, json.dumps(made).encode())
    return made


def _parent_profile(version: Version) -> dict[str, Any] | None:
    if version.document.parent is None:
        return None
    try:
        return _profile(open_version(version.store, version.document.parent))
    except AuricleError:
        # an older version may have been collected; the page then compares with nothing
        return None


def _judgement(version: Version) -> list[dict[str, Any]]:
    """The worst rows of each kind, with how many there are of it and what share of the corpus is bad."""
    table = judgement(version)
    members = {entry["values"]: entry["counts"] for entry in table["by"].value_counts().to_pylist()}
    sources = table.filter(pc.equal(table["by"], "source"))
    bad = pc.sum(pc.multiply(sources["bad_share"], sources["clips"])).as_py() or 0.0
    overall = bad / (pc.sum(sources["clips"]).as_py() or 1)
    worst = table.filter(pc.less_equal(table["rank"], GROUPS_SHOWN)).to_pylist()
    return [row | {"members": members[row["by"]], "overall": overall} for row in worst]


def _audited(version: Version, keys: list[str]) -> dict[str, dict[str, Any]]:
    """Path and transcript of the clips that curricula set aside."""
    if not keys:
        return {}
    rows = version.clips(["clip", "path", "transcript"], pc.is_in(pc.field("clip"), pa.array(keys, pa.string())))
    return {row["clip"]: row for row in rows.to_pylist()}


def _unheard(missing: list[ClipError]) -> str:
    """Why an example is not there, for the page."""
    if not missing:
        return ""
    hint = "; relative paths of sources start where the command runs" * (missing[0].reason == FailureReason.MISSING)
    return f"{missing[0].message}{hint}"


def _examples(version: Version, missing: list[ClipError]) -> Iterator[Example]:
    """A few clips per reason and a few kept ones; the same page for the same version. What could not be read is put
    into `missing`."""
    hidden = {
        c["name"] for entry in version.document.curators.values() for c in entry.columns if c["dtype"] == "binary"
    }
    hidden |= set(PROVENANCE)
    taken: Counter[str] = Counter()
    for row in choose(version.files(), longest_s=LONGEST_EXAMPLE_S):
        reason = row["reason"]
        if taken[reason] == EXAMPLES_PER_REASON:
            continue
        try:
            waveform, rate = clip_audio(version, row)
        except ClipError as error:
            missing.append(error)
            continue
        taken[reason] += 1
        scores = {
            name: value
            for curator in version.document.curators
            for name, value in (row.get(curator) or {}).items()
            if name not in hidden and value is not None
        }
        yield Example(row["clip"], reason, row["path"], row["transcript"], scores, wav_bytes(waveform, rate), rate)

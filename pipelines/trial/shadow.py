"""Shadow: a candidate model runs on a sample of a version beside the one in use, and nothing is published."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from ...curators.registry import build
from ...loaders.reading.models import read_models
from ...loaders.reading.pending import require_none
from ...loaders.reading.version import Version
from ...loaders.storage.json_record import read_record
from ...loaders.storage.layout import derived_path
from ...loaders.storage.store import Store
from ...schemas.clip import Clip
from ...schemas.condition import Rule
from ...schemas.config import RunConfig
from ...schemas.counted import counted
from ...schemas.derived import COMPARISON_SCHEMA
from ...schemas.errors import ClipError, ConfigError
from ...schemas.models import PromotedModel
from ...schemas.score import Curator
from ..audio.clip_reader import read_clips
from ..audio.listen import source_uri
from ..policy.judge_clip import Judge
from ..work.one_by_one import ends_the_pass
from .curator_cost import Current, Timed, detector

FACTS = [
    "clip", "clip_hash64", "recording", "source", "path", "channel", "start", "end", "duration_s", "transcript",
    "language", "speaker", "status", "tier",
]  # fmt: skip
BATCH = 16
LONG_S, SHORT_S = 10.0, 2.0
Row = dict[str, Any]


def compare_curator(
    version: Version, model: PromotedModel, num_clips: int, done: Callable[[int], None] = lambda _: None
) -> dict[str, Any]:
    """Score a sample with the candidate and compare with the stored scores of its slot, by slices; kept beside the
    version.

    The sample is the `num_clips` clips with the smallest hash: the same for every candidate. `cpu_s` is what the
    candidate takes on it, `current_cpu_s` what the curator of the version takes where it can be run here: models
    loaded, and what runs share not counted. `uncompared` says why there is nothing to compare with; flips are then
    null. Raises `ConfigError` when no clip of the sample can be read.
    """
    require_none(version.store)
    curator = build([model.name], {model.name: model.options})[0]
    held = _held(version, model.slot)
    trial, current = Timed(curator), Current(version, held)
    vad = detector(version, model.name, held)
    sample, available = _sample(version, num_clips, held)
    rows, failed, audio_s = [], 0, 0.0
    for batch in _batches(version, sample):
        clips = [clip for _, clip in batch if isinstance(clip, Clip)]
        if vad is not None:
            vad.score(clips)
        scores = iter(trial.score(clips))
        current.score(clips)
        audio_s += sum(clip.duration_s for clip in clips)
        for row, clip in batch:
            if isinstance(clip, ClipError):
                failed += 1
            else:
                rows.append(row | {"after": next(scores), "before": (row.get(held) if held else None) or {}})
        done(len(rows) + failed)
    _some(version, rows, failed)
    columns = [c.name for c in curator.columns if c.dtype != "binary"]
    both = set(columns) & _stored(version, held)
    uncompared = None if both else _uncompared(version, model, held)
    found = {
        "clips": len(rows),
        "failed": failed,
        "available": available,
        "current": held,
        "uncompared": uncompared,
        "cpu_s": round(trial.cpu_s, 3),
        "current_cpu_s": None if current.cpu_s is None else round(current.cpu_s, 3),
        "current_not_run": current.missing,
        "audio_s": round(audio_s, 3),
        "slices": [_slice(name, part, column) for name, part in slices(rows) for column in columns],
        "flips": _flips(version, curator, rows, both) if both else None,
    }
    return _keep(version, model, found)


def _held(version: Version, slot: str) -> str | None:
    """The curator that the version has for a slot: itself, or what was promoted in its place; None for neither."""
    promoted = read_models(version.store).models.get(slot)
    names = (slot, promoted.name) if promoted else (slot,)
    return next((name for name in names if name in version.document.curators), None)


def _stored(version: Version, held: str | None) -> set[str]:
    return {column["name"] for column in version.document.curators[held].columns} if held else set()


def _uncompared(version: Version, model: PromotedModel, held: str | None) -> str:
    """Why no score of the candidate has one of the version beside it."""
    number = version.document.number
    if held is None:
        return f"nothing to compare with: version {number} has no scores of {model.slot}"
    return f"nothing to compare with: {model.name} gives none of the scores that version {number} has of {held}"


def _flips(version: Version, curator: Curator, rows: Sequence[Row], both: set[str]) -> dict[str, dict[str, int]]:
    """Reason -> clips of the sample that its rules drop before, after, and those that change.

    both: scores that the version has and the candidate gives; rules on others have no decision to compare with.
    """
    keep = RunConfig.model_validate(version.document.config).keep
    counted: dict[str, dict[str, int]] = {}
    for rule in (rule for rule in keep if rule.score in both):
        judge = Judge([rule], (), [curator])
        broken = [[_broken(judge, rule, curator.name, row[k]) for k in ("before", "after")] for row in rows]
        one = counted.setdefault(rule.reason, {"before": 0, "after": 0, "flipped": 0})
        for before, after in broken:
            one["before"] += before
            one["after"] += after
            one["flipped"] += before != after
    return counted


def _broken(judge: Judge, rule: Rule, curator: str, scores: Mapping[str, Any]) -> bool:
    return judge.breaks(rule, {rule.score: None, **scores, f"{curator}_reason": scores.get("reason")}) is not None


def slices(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """All rows, then by source, language, status, tier and length; a part that is everything is left out."""
    yield "all", list(rows)
    for key in ("source", "language", "status", "tier"):
        for value in sorted({str(row[key]) for row in rows if row[key] is not None}):
            part = [row for row in rows if str(row[key]) == value]
            if len(part) < len(rows):
                yield f"{key} {value}", part
    lengths = (("under 2 s", 0.0, SHORT_S), ("2 to 10 s", SHORT_S, LONG_S), ("over 10 s", LONG_S, float("inf")))
    for name, low, high in lengths:
        part = [row for row in rows if low <= row["duration_s"] < high]
        if part and len(part) < len(rows):
            yield name, part


def _slice(name: str, rows: Sequence[Row], column: str) -> dict[str, Any]:
    before, after = ([row[k].get(column) for row in rows] for k in ("before", "after"))
    found: dict[str, Any] = {
        "slice": name,
        "score": column,
        "clips": len(rows),
        "null_before": sum(v is None for v in before),
        "null_after": sum(v is None for v in after),
    }
    both = [(b, a) for b, a in zip(before, after, strict=True) if b is not None and a is not None]
    numeric = [v for v in (*before, *after) if v is not None and not isinstance(v, str | bool)]
    if not numeric:
        return found | {"agreement": sum(a == b for b, a in both) / len(both) if both else None}
    x, y = (np.array([pair[k] for pair in both], dtype=np.float64) for k in (0, 1))
    return found | {
        "median_before": _median([v for v in before if v is not None]),
        "median_after": _median([v for v in after if v is not None]),
        "mean_change": float(np.mean(y - x)) if len(x) else None,
        "mean_abs_change": float(np.mean(np.abs(y - x))) if len(x) else None,
        "rank_correlation": _rank_correlation(x, y),
    }


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    """Spearman's, ties at their mean rank; None where one side does not vary."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    ranks = []
    for values in (x, y):
        _, place, count = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(count) - (count - 1) / 2)[place])
    return float(np.corrcoef(*ranks)[0, 1])


def compare_codec(
    version: Version,
    current: Callable[[Clip], Mapping[str, float]],
    trial: Callable[[Clip], Mapping[str, float]],
    model: PromotedModel,
    num_clips: int,
    done: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """The same for a codec: what it makes of a clip, measured by `current` and `trial` (names to numbers)."""
    require_none(version.store)
    rows, failed = [], 0
    sample, available = _sample(version, num_clips, None)
    for batch in _batches(version, sample):
        for row, clip in batch:
            if isinstance(clip, ClipError):
                failed += 1
                continue
            try:
                rows.append(row | {"before": current(clip), "after": trial(clip)})
            except Exception as error:
                if ends_the_pass(error):
                    raise
                failed += 1
        done(len(rows) + failed)
    _some(version, rows, failed)
    columns = sorted({name for row in rows for name in row["after"]})
    found = [_slice(name, part, column) for name, part in slices(rows) for column in columns]
    counts = {"clips": len(rows), "failed": failed, "available": available}
    return _keep(version, model, {**counts, "slices": found, "flips": {}})


def find_comparison(store: Store, model: PromotedModel) -> dict[str, Any] | None:
    """The newest comparison of exactly this model on any version of the dataset."""
    paths = [e.path for e in store.list("derived") if e.path.endswith(f"/{_file(model)}")]
    if not paths:
        return None
    return read_record(store, max(paths), COMPARISON_SCHEMA, ["slices"], "delete it and compare again")


def _sample(version: Version, num_clips: int, curator: str | None) -> tuple[list[Row], int]:
    """Rows of the sample with the stored scores of a curator, and how many clips the version has to choose from."""
    table = version.clips([*FACTS, *([curator] if curator else [])])
    readable = pc.and_(pc.not_equal(table["status"], "failed"), pc.is_valid(table["path"]))
    table = table.filter(readable)
    rows = table.sort_by("clip_hash64").slice(0, num_clips).to_pylist()
    # a recording's clips together, so that each is opened once
    return sorted(rows, key=lambda row: (row["recording"], row["start"], row["channel"])), table.num_rows


def _batches(version: Version, rows: Sequence[Row]) -> Iterator[list[tuple[Row, Clip | ClipError]]]:
    """The rows with their audio, `BATCH` at a time."""
    items = [row | {"key": row["clip"], "uri": source_uri(version, row["source"], row["path"])} for row in rows]
    held: list[tuple[Row, Clip | ClipError]] = []
    for item, clip in read_clips(items):
        held.append((item, clip))
        if len(held) == BATCH:
            yield held
            held = []
    if held:
        yield held


def _some(version: Version, rows: Sequence[Row], failed: int) -> None:
    if not rows:
        raise ConfigError(
            f"version {version.document.number}: none of the {counted(failed, 'clip')} of the sample can be read; "
            "a comparison needs the source recordings"
        )


def _keep(version: Version, model: PromotedModel, found: dict[str, Any]) -> dict[str, Any]:
    head = {"schema": COMPARISON_SCHEMA, "version": version.document.number, **model.model_dump()}
    record = head | found
    path = derived_path(version.document.number, _file(model))
    version.store.put_derived(path, (json.dumps(record, indent=1) + "\n").encode())
    return record


def _file(model: PromotedModel) -> str:
    return f"shadow-{model.slot}-{model.fingerprint[:12]}.json"

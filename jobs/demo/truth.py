"""Was what we planted found, and was anybody accused who did nothing: a version's tables against the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import pyarrow as pa

from ...schemas.counted import counted
from ...schemas.tables import Status
from .planted import Defect, Planted, Truth

TEXT_REASONS = frozenset({"transcript", "speaking_rate"})
"""Reasons that say: this text is not what is spoken."""
FITTING: dict[Defect, frozenset[str]] = {
    Defect.NOISY: frozenset({"noisy"}),
    Defect.CLIPPED: frozenset({"clipped"}),
    Defect.SILENT: frozenset({"silent"}),
    Defect.NARROWBAND: frozenset({"narrowband"}),
    Defect.WRONG_TRANSCRIPT: TEXT_REASONS,
    Defect.TRUNCATED_TRANSCRIPT: TEXT_REASONS,
    Defect.FOREIGN_TRANSCRIPT: TEXT_REASONS | {"language"},
    # a shortened file that still decodes betrays itself by saying less than its transcript
    Defect.TRUNCATED_FILE: TEXT_REASONS,
}
"""Reasons of the demo's rules under which a defect counts as found; broken files may also fail."""

BROKEN = frozenset({Defect.TRUNCATED_FILE, Defect.NOT_AUDIO})
COPIES = frozenset({Defect.SAME_SAMPLES, Defect.REENCODED, Defect.SAME_BYTES})
FLOORS: dict[Defect, float] = {
    **dict.fromkeys((Defect.SILENT, Defect.CLIPPED, Defect.NARROWBAND, *sorted(COPIES), *sorted(BROKEN)), 0.95),
    **dict.fromkeys((Defect.WRONG_TRANSCRIPT, Defect.TRUNCATED_TRANSCRIPT, Defect.FOREIGN_TRANSCRIPT), 0.80),
}
MOST_ACCUSED = 0.05


@dataclass(frozen=True, slots=True)
class DefectResult:
    """How one kind of defect fared; the row of `clean` is about all clean clips and every reason."""

    defect: str
    planted: int
    found: int | None
    """Planted files dropped or failed for a fitting reason; None where there is nothing to find."""
    accused: int
    """Clean clips dropped or failed for a reason that fits this defect."""
    floor: float | None
    """Smallest found/planted that is asked for; for `clean`, the largest accused/planted; None: only reported."""
    ok: bool


@dataclass(frozen=True, slots=True)
class SnrError:
    """Estimated against planted SNR over the noisy clips."""

    clips: int
    unmeasured: int
    """Of these, clips without an estimate."""
    mean_abs_db: float | None
    bias_db: float | None
    """Mean of estimate less truth."""


def compare(truth: Truth, clips: pa.Table, recordings: pa.Table) -> list[DefectResult]:
    """One result per planted defect, then one for the clean clips.

    clips, recordings: tables of a version (`schemas.tables`) whose only source is the corpus of `truth`.
    """
    tables = _Tables(clips, recordings)
    clean = truth.of(Defect.CLEAN)
    partners = {(f.path, f.original) for f in truth.files if f.original}
    results: list[DefectResult] = []
    for defect in Defect:
        planted = truth.of(defect)
        if defect is Defect.CLEAN or not planted:
            continue
        found = sum(tables.found(f) for f in planted)
        floor = FLOORS.get(defect)
        accused = sum(tables.accused_of(defect, f, partners) for f in clean)
        # counts are small integers: the floor is met when no smaller count would meet it
        ok = floor is None or found + 1e-9 >= floor * len(planted)
        results.append(DefectResult(defect.value, len(planted), found, accused, floor, ok))
    accused = sum(tables.accused(f, partners) for f in clean)
    ok = accused <= MOST_ACCUSED * len(clean)
    results.append(DefectResult(Defect.CLEAN.value, len(clean), None, accused, MOST_ACCUSED, ok))
    return results


def snr_error(truth: Truth, clips: pa.Table, recordings: pa.Table) -> SnrError:
    """Estimates of `snr_db` against what was planted, over the clips with added noise."""
    tables = _Tables(clips, recordings)
    noisy = [f for f in truth.of(Defect.NOISY, Defect.SLIGHTLY_NOISY) if f.snr_db is not None]
    pairs = [(tables.snr_db(f.path), f.snr_db) for f in noisy]
    errors = [estimate - planted for estimate, planted in pairs if estimate is not None and planted is not None]
    mean_abs, bias = (fmean(map(abs, errors)), fmean(errors)) if errors else (None, None)
    return SnrError(len(noisy), len(noisy) - len(errors), mean_abs, bias)


def describe(results: Sequence[DefectResult], snr: SnrError) -> list[str]:
    """The comparison as lines of text."""
    lines = [f"{'defect':<21}{'planted':>8}{'found':>7}{'false alarms':>14}  target"]
    for r in results:
        if r.defect == Defect.CLEAN:
            asked = f"at most {r.floor:.0%} false alarms"
        else:
            asked = "" if r.floor is None else f"at least {r.floor:.0%} found"
        found = "" if r.found is None else str(r.found)
        verdict = "" if r.floor is None else ("" if r.ok else "  MISSED")
        lines.append(f"{r.defect:<21}{r.planted:>8}{found:>7}{r.accused:>14}  {asked}{verdict}".rstrip())
    if snr.mean_abs_db is not None:
        lines.append(
            f"SNR, estimated against planted: mean absolute error {snr.mean_abs_db:.1f} dB, bias {snr.bias_db:+.1f} dB "
            f"over {snr.clips - snr.unmeasured} of {counted(snr.clips, 'clip')} with added noise"
        )
    return lines


class _Tables:
    """A version's tables, looked up by the path of a file."""

    def __init__(self, clips: pa.Table, recordings: pa.Table) -> None:
        wanted = ["clip", "group", "recording", "channel", "status", "reasons", "duplicate_of"]
        by_recording: dict[str, list[dict[str, Any]]] = {}
        rows = clips.select(wanted).to_pylist()
        snr = clips.column("snr").to_pylist() if "snr" in clips.column_names else [None] * len(rows)
        for row, score in zip(rows, snr, strict=True):
            row["snr_db"] = (score or {}).get("snr_db")
            by_recording.setdefault(row["recording"], []).append(row)
        self._recording: dict[str, dict[str, Any]] = {}
        self._clips: dict[str, list[dict[str, Any]]] = {}
        for recording in recordings.select(["recording", "aliases", "status"]).to_pylist():
            for alias in recording["aliases"]:
                self._recording[alias["path"]] = recording
                self._clips[alias["path"]] = by_recording.get(recording["recording"], [])

    def snr_db(self, path: str) -> float | None:
        return next((row["snr_db"] for row in self._clips.get(path, [])), None)

    def found(self, file: Planted) -> bool:
        """Whether the tables say of a planted file what is wrong with it."""
        rows = self._clips.get(file.path, [])
        if file.defect is Defect.SAME_BYTES:
            mine, other = self._recording.get(file.path), self._recording.get(file.original)
            return mine is not None and mine is other
        if file.defect in COPIES:
            others = self._clips.get(file.original, [])
            return _replaces(rows, others) or _replaces(others, rows)
        if file.defect is Defect.STEREO:
            return sorted(row["channel"] for row in rows) == [0, 1] and len({row["group"] for row in rows}) == 1
        if file.defect in BROKEN and self._failed(file.path):
            return True
        reasons = FITTING.get(file.defect, FITTING[Defect.NOISY])
        return _all(rows, lambda row: row["status"] == Status.DROPPED and not reasons.isdisjoint(row["reasons"]))

    def accused_of(self, defect: Defect, file: Planted, partners: set[tuple[str, str]]) -> bool:
        """Whether a clean file was dropped or failed for a reason that fits `defect`."""
        if defect in COPIES:
            return defect is Defect.REENCODED and self._wrongly_replaced(file, partners)
        if defect in (Defect.STEREO, Defect.SLIGHTLY_NOISY):
            return False
        if defect in BROKEN and self._failed(file.path):
            return True
        reasons = frozenset() if defect in BROKEN else FITTING[defect]
        return any(not reasons.isdisjoint(row["reasons"] or ()) for row in self._clips.get(file.path, []))

    def accused(self, file: Planted, partners: set[tuple[str, str]]) -> bool:
        """Whether a clean file is not kept, other than for its planted copy that stays in its place."""
        rows = self._clips.get(file.path, [])
        if self._wrongly_replaced(file, partners):
            return True
        if _all(rows, lambda row: row["status"] == Status.KEPT):
            return False
        return not _all(rows, lambda row: row["duplicate_of"] and set(row["reasons"] or ()) <= {"duplicate"})

    def _failed(self, path: str) -> bool:
        recording = self._recording.get(path)
        failed = recording is not None and recording["status"] == Status.FAILED
        return failed or _all(self._clips.get(path, []), lambda row: row["status"] == Status.FAILED)

    def _wrongly_replaced(self, file: Planted, partners: set[tuple[str, str]]) -> bool:
        """Whether another clip than a planted copy of this file stays in its place."""
        copies = [a if b == file.path else b for a, b in partners if file.path in (a, b)]
        right = {row["clip"] for path in copies for row in self._clips.get(path, [])}
        return any(row["duplicate_of"] and row["duplicate_of"] not in right for row in self._clips.get(file.path, []))


def _all(rows: Iterable[dict[str, Any]], holds: Callable[[dict[str, Any]], Any]) -> bool:
    """Whether there are rows and `holds` is true of each."""
    rows = list(rows)
    return bool(rows) and all(holds(row) for row in rows)


def _replaces(rows: Iterable[dict[str, Any]], others: Iterable[dict[str, Any]]) -> bool:
    """Whether each of `rows` was dropped as a duplicate of one of `others`."""
    keys = {row["clip"] for row in others}
    return _all(rows, lambda row: row["status"] == Status.DROPPED and row["duplicate_of"] in keys)

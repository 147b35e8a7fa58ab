"""Two representations of a version side by side: which of them is more predictable, or that it is undecided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...loaders.reading.derived import diagnostics_record
from ...loaders.reading.pending import require_none
from ...loaders.reading.version import Version
from ...schemas.errors import ConfigError, IntegrityError
from ..work.pool import Pool
from .comparisons import MIN_GROUPS
from .diagnose import diagnose
from .of_codes import streams
from .reconstruction import NUM_CLIPS, UNITS

HIGHER_IS_BETTER = {"bit/s": False, "nat": True, "": True, "dB": False}
"""By unit: more predictable, or nearer to the recording."""


def compare(
    version: Version,
    a: str,
    b: str,
    *,
    seed: int = 0,
    budget_s: float | None = None,
    pool: bool = True,
    reconstruct: int = NUM_CLIPS,
    workers: int | None = None,
    on: Pool | None = None,
    begin: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """b minus a in every measure that both have, paired over the clips and speakers that both have.

    a, b: beginnings of names; units with their size, as in `units-codes-75hz/500`. What is on record of the two is
    taken, else they are diagnosed together and kept. With budget_s they are always diagnosed. Returns:

    - `version`, `a`, `b` (whole names), `representations`: the records of the two;
    - `comparisons`: as in the record, with `favours`: the more predictable one, for `estoi` and `mel_db` the
      one nearer to the recording, None where the interval contains 0;
    - `not_compared`: `measure` and `reason` of what has no difference that could be quoted.

    Raises `ConfigError` for names that are not there, for one name twice, and for codes beside latents.
    """
    require_none(version.store)
    first, second = _stream(version, a), _stream(version, b)
    if first == second:
        raise ConfigError(f"--compare {a} {b}: both are {first}; two representations are required")
    names = list(dict.fromkeys(name.split("/")[0] for name in (first, second)))
    kinds = [version.representation(name).is_codes for name in names]
    if len(set(kinds)) > 1:
        raise ConfigError(
            f"--compare {a} {b}: codes and latents have no measure in common; two of one kind are required"
        )
    record = None if budget_s is not None else _on_record(version, first, second)
    if record is None:
        record = diagnose(
            version,
            names,
            seed=seed,
            budget_s=budget_s,
            pool=pool,
            reconstruct=reconstruct,
            workers=workers,
            on=on,
            begin=begin,
        )
    both = {name: record["representations"][name] for name in (first, second)}
    found = [c for each in record["comparisons"] if (c := _turned(each, first, second))]
    return {
        "version": version.document.number,
        "a": first,
        "b": second,
        "representations": both,
        "comparisons": found,
        "not_compared": list(_missing(both, {c["measure"] for c in found})),
    }


def _stream(version: Version, given: str) -> str:
    """The name under which the record has it."""
    start, _, size = given.partition("/")
    spec = version.representation(start)
    if not spec.is_codes or spec.cardinality is None:
        names = [spec.name]
    else:
        names = [name for name, _, _ in streams(spec)]
    wanted = f"{spec.name}/{size}" if size else spec.name
    if wanted in names:
        return wanted
    raise ConfigError(f"--compare {given}: {spec.name} is diagnosed as {', '.join(names)}; one of these is required")


def _on_record(version: Version, a: str, b: str) -> dict[str, Any] | None:
    """The kept record where the two were compared in it."""
    try:
        record = diagnostics_record(version)
    except IntegrityError:
        return None
    if record is None or not {a, b} <= set(record["representations"]):
        return None
    return record if any(_turned(each, a, b) for each in record["comparisons"]) else None


def _turned(found: Mapping[str, Any], a: str, b: str) -> dict[str, Any] | None:
    """A comparison of the two as b minus a; None where it is of others."""
    if (found["a"], found["b"]) == (a, b):
        turned = dict(found)
    elif (found["a"], found["b"]) == (b, a):
        swapped = {"value": -found["value"], "low": -found["high"], "high": -found["low"]}
        turned = {**found, "a": a, "b": b, **swapped}
    else:
        return None
    more = None
    if turned["decided"]:
        more = b if (turned["value"] > 0) == HIGHER_IS_BETTER[turned["unit"]] else a
    return turned | {"favours": more}


def _missing(both: Mapping[str, Mapping[str, Any]], found: set[str]) -> Iterator[dict[str, str]]:
    """Measures without a difference, and why."""
    of_each = [dict(_measures(record)) for record in both.values()]
    for measure in sorted(set().union(*of_each) - found):
        reasons = [
            f"{name}: {estimate['reason']}"
            for (name, estimates) in zip(both, of_each, strict=True)
            if (estimate := estimates.get(measure)) and estimate["value"] is None
        ]
        reasons += [
            f"{name} has no such measure" for name, each in zip(both, of_each, strict=True) if measure not in each
        ]
        yield {"measure": measure, "reason": "; ".join(reasons) or f"fewer than {MIN_GROUPS} speakers share clips"}


def _measures(record: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if record["kind"] == "codes":
        yield "code_rate", record["code_rate"]
        left = record.get("reconstruction", {})
        yield from ((measure, left[measure]) for measure in UNITS if measure in left)
    for horizon in record.get("lagged_mutual_information", ()):
        yield f"information at {horizon['tau_ms']:g} ms", horizon

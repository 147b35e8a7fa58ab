"""The gate between candidate and publish: a great-expectations suite over facts of the candidate's clip table.

Suites are JSON in great-expectations' own form. Of an expectation's `meta`, auricle reads
    on        "facts" (default): the one row of `gate_facts.gather`; "sample": flattened clips, at most `SAMPLE_ROWS`
    optional  true: left out where its column does not exist or holds no value (a curator that did not run)
    title     what it says in words, for the report
and `{"$PARAMETER": "min_clips"}` stands for a threshold of the `gate` section of the configuration.

Verdict: a failed critical expectation stops the publish, a failed warning marks it. An expectation that cannot be
evaluated is critical whatever it declares: great-expectations leaves it at its own severity, so a check that never
ran would count as a warning.
"""

from __future__ import annotations

import json
import logging
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...loaders.reading.version import Version
from ...schemas.config import Gate
from ...schemas.counted import counted
from ...schemas.errors import ConfigError, MissingExtraError
from ...schemas.representation import RepresentationSpec
from ...schemas.version import GateCheck, GateResult
from . import gate_facts
from .gate_arrays import array_facts
from .gate_drift import drift
from .gate_parity import parity_facts
from .gate_shares import share_facts

if TYPE_CHECKING:
    import duckdb

SHIPPED = Path(__file__).parents[2] / "schemas" / "expectations"
SAMPLE_ROWS = 100_000
PARAMETERS = ("min_clips", "min_kept_share", "max_flipped_share", "max_drift", "max_speaker_share")
_SEVERITIES = {"critical", "warning", "info"}


@dataclass(frozen=True)
class Item:
    """One expectation of a suite, as read."""

    type: str
    kwargs: dict[str, Any]
    severity: str
    on: str
    optional: bool
    title: str

    @property
    def columns(self) -> list[str]:
        """Columns that the expectation names."""
        named = [self.kwargs.get(k) for k in ("column", "column_A", "column_B")]
        named += self.kwargs.get("column_list") or []
        return [name for name in named if isinstance(name, str)]


def judge(
    clips: duckdb.DuckDBPyRelation | gate_facts.Parts,
    previous: gate_facts.Parts | None,
    config: Gate,
    specs: Sequence[RepresentationSpec] = (),
    version: Version | None = None,
) -> GateResult:
    """The verdict on a candidate's clip table (a relation, or its Parquet parts) against the version before.

    specs: the candidate's representations; those of two channels are expected of groups, not of clips.
    version: the candidate; without it no array is looked at.
    Raises `ConfigError` for a suite that cannot be read or names an expectation or parameter that does not exist.
    """
    if not config.enabled:
        return GateResult(verdict="off")
    items = _items(config)
    with gate_facts.opened(clips) as relation:
        facts = gate_facts.gather(relation, previous, specs) | share_facts(relation) | drift(relation, previous)
        if version is not None:
            facts |= array_facts(relation, version.store, specs) | parity_facts(relation, version, config.parity_clips)
        wanted = any(item.on == "sample" for item in items)
        frame = gate_facts.sample(relation, SAMPLE_ROWS).df() if wanted else None
    checks = _run(items, facts, frame, {name: getattr(config, name) for name in PARAMETERS})
    failed = {check.severity for check in checks if not check.success}
    verdict = "critical" if "critical" in failed else "warning" if "warning" in failed else "passed"
    return GateResult(verdict=verdict, checks=checks)


def check(config: Gate) -> None:
    """Raise `ConfigError` before any work for a suite that cannot be read."""
    if config.enabled:
        _items(config)


def _items(config: Gate) -> list[Item]:
    """The suite's expectations, then the configuration's own."""
    found = read_suite(config.suite)
    for number, raw in enumerate(config.expect):
        try:
            found.append(_item(raw))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            why = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            raise ConfigError(f"gate.expect: number {number + 1} cannot be read: {why}") from error
    return found


def read_suite(name: str) -> list[Item]:
    """The expectations of a shipped suite ("clips_gate") or of a JSON file, checked as far as JSON can be."""
    path = _locate(name)
    try:
        items = json.loads(path.read_text(encoding="utf-8"), parse_constant=_not_finite)["expectations"]
        if not isinstance(items, list) or not items:
            raise ValueError("'expectations' must be a list with at least one entry")
        return [_item(raw) for raw in items]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"gate.suite: {name!r} is not a readable expectation suite: {error!r}") from error


def _not_finite(word: str) -> float:
    raise ValueError(f"{word} is not a number that anything can be compared with")


def _locate(name: str) -> Path:
    if not name.endswith(".json") and "/" not in name:
        if (found := SHIPPED / f"{name}.json").is_file():
            return found
        known = sorted(path.stem for path in SHIPPED.glob("*.json"))
        raise ConfigError(f"gate.suite: no suite called {name!r}; shipped: {', '.join(known)}; or give a path to JSON")
    return Path(name)


def _item(raw: Mapping[str, Any]) -> Item:
    meta = dict(raw.get("meta") or {})
    kwargs, on = dict(raw["kwargs"]), meta.get("on", "facts")
    severity = raw.get("severity", "critical")
    if on not in ("facts", "sample"):
        raise ValueError(f"{raw['type']}: meta.on is {on!r}; allowed: facts, sample")
    if severity not in _SEVERITIES:
        raise ValueError(f"{raw['type']}: severity is {severity!r}; allowed: {', '.join(sorted(_SEVERITIES))}")
    title = meta.get("title") or f"{raw['type'].removeprefix('expect_').replace('_', ' ')}: {_named(kwargs)}"
    return Item(raw["type"], kwargs, severity, on, bool(meta.get("optional", False)), title)


def _named(kwargs: Mapping[str, Any]) -> str:
    columns = [kwargs.get(k) for k in ("column", "column_A", "column_B")]
    return ", ".join(str(c) for c in columns if c) or "table"


def _run(items: list[Item], facts: Mapping[str, Any], frame: Any, parameters: Mapping[str, Any]) -> list[GateCheck]:
    import pandas as pd

    if frame is None:
        frame = pd.DataFrame()
    built = _build(items)  # every item, so that a broken one is told whatever this table holds
    batches = {"facts": _batch(pd.DataFrame([facts])), "sample": _batch(frame)}
    checks = []
    for item, expectation in zip(items, built, strict=True):
        columns = frame.columns if item.on == "sample" else facts
        absent = [name for name in item.columns if name not in columns]
        # a null is skipped by most expectations, which would pass a fact that was never measured
        void = [] if absent else [name for name in item.columns if _void(item, name, facts, frame)]
        if (absent or void) and item.optional:
            continue
        required = _required(item, parameters)
        if absent or void:
            observed = f"no column {absent[0]!r}" if absent else f"no value in {void[0]!r}"
            checks.append(_check(item, "critical", False, f"not evaluated: {observed}", required))
            continue
        result = batches[item.on].validate(expectation, result_format="BASIC", expectation_parameters=parameters)
        error = _error(result.exception_info)
        if error:
            checks.append(_check(item, "critical", False, f"not evaluated: {error}", required))
        else:
            observed = _observed(item, facts, result.result)
            # bool(): the quantile expectation of great-expectations 1.24 answers numpy.bool, which is not JSON
            checks.append(_check(item, item.severity, bool(result.success), observed, required))
    return checks


def _void(item: Item, name: str, facts: Mapping[str, Any], frame: Any) -> bool:
    return facts[name] is None if item.on == "facts" else bool(frame[name].isna().all())


def _check(item: Item, severity: Any, success: bool, observed: str, required: str) -> GateCheck:
    return GateCheck(expectation=item.title, severity=severity, success=success, observed=observed, required=required)


def _gx() -> Any:
    # imported here: 5 to 9 CPU-seconds, which only a run that has something to publish should pay
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tries many optional back ends, some of which warn
            import great_expectations as gx
    except ImportError as error:
        raise MissingExtraError("auricle run", "curate", "great_expectations") from error
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    return gx


def _build(items: list[Item]) -> list[Any]:
    """Each expectation by itself: an `ExpectationSuite` logs and drops the ones it does not know."""
    _gx()
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.expectations.metadata_types import FailureSeverity

    built = []
    for item in items:
        unknown = [p for p in _parameters_of(item.kwargs) if p not in PARAMETERS]
        if unknown:
            raise ConfigError(
                f"gate.suite: {item.type} asks for the parameter {unknown[0]!r}; there are {', '.join(PARAMETERS)}"
            )
        try:
            built.append(
                ExpectationConfiguration(
                    type=item.type, kwargs=item.kwargs, severity=FailureSeverity(item.severity)
                ).to_domain_obj()
            )
        except Exception as error:  # great-expectations raises its own tree, pydantic v1's, and bare TypeErrors
            message = " ".join(str(error).split())
            raise ConfigError(f"gate.suite: {item.type} ({_named(item.kwargs)}) is not valid: {message}") from error
    return built


def _parameters_of(kwargs: Mapping[str, Any]) -> list[str]:
    return [v["$PARAMETER"] for v in kwargs.values() if isinstance(v, dict) and "$PARAMETER" in v]


def _batch(frame: Any) -> Any:
    context = _gx().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("auricle").add_dataframe_asset("clips")
    return asset.add_batch_definition_whole_dataframe("candidate").get_batch(batch_parameters={"dataframe": frame})


def _error(info: Mapping[str, Any] | None) -> str:
    """Message of an expectation that raised. The mapping is flat, or keyed by metric when a metric failed."""
    for one in [info or {}, *(v for v in (info or {}).values() if isinstance(v, dict))]:
        if one.get("raised_exception"):
            return " ".join(str(one.get("exception_message")).split()) or "unknown error"
    return ""


def _observed(item: Item, facts: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    if item.on == "facts" and len(item.columns) == 1:
        of = f" ({facts['drift_of']})" if item.columns[0] == "drift" else ""
        return _number(facts[item.columns[0]]) + of
    if result.get("observed_value") is not None:
        return _number(result["observed_value"])
    if result.get("unexpected_count") is not None:
        found = f"{result['unexpected_count']} of {counted(result.get('element_count') or 0, 'row')}"
        some = [str(value)[:40] for value in (result.get("partial_unexpected_list") or [])[:3]]
        return f"{found}: {', '.join(some)}" if some else found
    return ""


def _required(item: Item, parameters: Mapping[str, Any]) -> str:
    kwargs = {name: _value(value, parameters) for name, value in item.kwargs.items()}
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is not None and high is not None:
        return _number(low) if low == high else f"{_number(low)} to {_number(high)}"
    if low is not None:
        return f"{'more than' if kwargs.get('strict_min') else 'at least'} {_number(low)}"
    if high is not None:
        return f"{'less than' if kwargs.get('strict_max') else 'at most'} {_number(high)}"
    return ", ".join(f"{k} {v}" for k, v in kwargs.items() if k not in ("column", "column_A", "column_B"))


def _value(value: Any, parameters: Mapping[str, Any]) -> Any:
    return parameters[value["$PARAMETER"]] if isinstance(value, dict) and "$PARAMETER" in value else value


def _number(value: Any) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.6g}"
    return str(value)

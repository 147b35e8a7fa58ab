"""What sources require of the columns that their labels carry: which clips lack it."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from ...schemas.config import RunConfig
from ...schemas.counted import counted
from ...schemas.errors import ConfigError
from ...schemas.requirement import accepts, reason_word
from ...schemas.source_config import Source
from ...schemas.sources import from_version
from ...schemas.sql import listed, literal
from ..sources.kinds import kind_of
from ..sources.versions import CLIP
from .state import State

NOT_IN_VERSION = "not_in_version"
"""The reason of a clip that a version has not kept, of a recording of which it keeps others."""
NOT_KEPT = "the version that is the source keeps other clips of this recording, or the recording changed since"
SHOWN = 40
"""Characters of a value that a message quotes."""
ACCEPTED = pa.schema([pa.field("value", pa.string())])


def refuse_absent(state: State, config: RunConfig) -> None:
    """After the labels were read: raise `ConfigError` for a required column of which no label of the source has a
    value, most often a misspelt one. A source without a label line has no clip to drop for it."""
    for source in config.sources:
        for name in source.require:
            lines, told = state.sql(
                f"""SELECT count(*), count(carried[{literal(name)}]) FROM labels
                WHERE source = {literal(source.name)}"""
            ).fetchall()[0]
            if lines and not told:
                raise ConfigError(
                    f"source {source.name!r} requires {name!r}, and none of its {counted(lines, 'label')} has a value "
                    f"there: all its clips would be dropped. Name the column in `carry` and `require` as "
                    f"{source.transcripts or 'its labels'} does, or leave the requirement out"
                )
        if source.require and source.transcripts is None and source.labels is None and not _labels_itself(source):
            raise ConfigError(
                f"source {source.name!r} requires {', '.join(source.require)}, and has no labels that could say it: "
                "give `transcripts`"
            )


def _labels_itself(source: Source) -> bool:
    kind = kind_of(source.path)
    return kind is not None and kind.labels is not None


def demanding(config: RunConfig) -> bool:
    """Whether any source may drop clips for what their labels say."""
    return any(source.require or from_version(source.path) for source in config.sources)


def unmet(state: State, config: RunConfig) -> None:
    """Table `unmet` (clip, reasons, message) of `label_candidates`: the clips that a source's `require` drops.

    A source speaks for its own labels. Where several of them are of one clip, those without a value do not count, and
    one with a value that is not accepted is enough. A recording that lies in several sources has to satisfy each.
    """
    state.sql("CREATE OR REPLACE TABLE found_unmet (clip VARCHAR, place INTEGER, reason VARCHAR, message VARCHAR)")
    place = 0
    for source in config.sources:
        for name, wanted in source.require.items():
            cell, here = f"carried[{literal(name)}]", f"source = {literal(source.name)}"
            values = state.stream(f"SELECT DISTINCT {cell} AS value FROM label_candidates WHERE {here}")
            state.fill("accepted", ACCEPTED, _accepted(values, wanted))
            required = literal(f", required {' or '.join(wanted)} (source {source.name!r})")
            found = f"left(min(value) FILTER (NOT fits), {SHOWN})"
            state.sql(
                f"""INSERT INTO found_unmet
                SELECT clip, {place}, {literal(reason_word(name))},
                    {literal(f"{name} is ")} || coalesce(chr(39) || {found} || chr(39), 'missing') || {required}
                FROM (SELECT c.clip, c.value, a.value IS NOT NULL AS fits
                    FROM (SELECT clip, {cell} AS value FROM label_candidates WHERE {here}) c
                    LEFT JOIN accepted a ON a.value = c.value)
                GROUP BY clip HAVING count(value) = 0 OR count(value) FILTER (NOT fits) > 0"""
            )
            place += 1
    if any(from_version(source.path) for source in config.sources):
        versions = listed(source.name for source in config.sources if from_version(source.path))
        state.sql(
            f"""INSERT INTO found_unmet
            SELECT clip, {place}, '{NOT_IN_VERSION}', {literal(NOT_KEPT)} FROM label_candidates GROUP BY clip
            HAVING bool_and(list_contains({versions}, source))
                AND count(*) FILTER (carried[{literal(CLIP)}] = clip) = 0"""
        )
    state.sql(
        """CREATE OR REPLACE TABLE unmet AS
        SELECT clip, list_distinct(list(reason)) AS reasons, string_agg(message, '; ' ORDER BY place) AS message
        FROM found_unmet GROUP BY clip"""
    )
    state.sql("UPDATE unmet SET reasons = list_sort(reasons)")


def _accepted(values: pa.RecordBatchReader, wanted: list[str]) -> Iterator[pa.RecordBatch]:
    for batch in values:
        held = [value for value in batch["value"].to_pylist() if accepts(wanted, value)]
        yield pa.RecordBatch.from_pydict({"value": held}, schema=ACCEPTED)

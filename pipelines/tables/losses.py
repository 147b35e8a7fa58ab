"""Files that are gone: so many that it may be a broken mount or a wrong path, and a person has to say that it is meant.

A file counts as lost when its source no longer lists it and no new file, of any source, has its size and time (or its
etag): what was renamed or moved is not lost. Sources with `missing: keep` lose nothing.
"""

from __future__ import annotations

from ...schemas.config import RunConfig
from ...schemas.counted import counted
from ...schemas.errors import LossError
from ...schemas.sql import literal
from ..listing.archived import EVERYTHING
from .state import State

EXAMPLES = 3


def losses(state: State, config: RunConfig) -> list[str]:
    """A line for each source that lost more than `config.losses` allows, after `ingest.load_sources`. One whose
    `include` fits no file any more has lost too many, however few they were."""
    narrow = ", ".join(literal(source.name) for source in config.sources if source.include != EVERYTHING) or "''"
    retiring = ", ".join(literal(source.name) for source in config.sources if source.missing == "retire") or "''"
    rows = state.sql(
        f"""WITH held AS (SELECT source, path, size, mtime_ns, etag FROM parent_aliases
            WHERE path IS NOT NULL AND source IN ({retiring})),
        here AS (SELECT * FROM files WHERE absent IS NULL),
        gone AS (SELECT *, row_number() OVER (PARTITION BY size, mtime_ns ORDER BY source, path) AS nth
            FROM held ANTI JOIN here USING (source, path)),
        fresh AS (SELECT *, row_number() OVER (PARTITION BY size, mtime_ns ORDER BY source, path) AS nth
            FROM here ANTI JOIN held USING (source, path)),
        lost AS (SELECT source, path FROM gone ANTI JOIN fresh USING (size, mtime_ns, nth)
            WHERE etag IS NULL OR etag NOT IN (SELECT etag FROM fresh WHERE etag IS NOT NULL)),
        counted AS (SELECT source, count(*) AS lost, min(path, {EXAMPLES}) AS examples FROM lost GROUP BY source)
        SELECT source, lost, had, examples,
            source IN ({narrow}) AND source NOT IN (SELECT source FROM here) AS bare
        FROM counted JOIN (SELECT source, count(*) AS had FROM held GROUP BY source) USING (source)
        WHERE lost > {config.losses.max_share} * had
            AND (lost >= {config.losses.min_files} OR lost = had AND bare) ORDER BY source"""
    ).fetchall()
    places = {source.name: source for source in config.sources}
    return [
        f"source {source!r} lost {lost:,} of its {counted(had, 'file')}, for example {', '.join(examples)}"
        + (f"; no audio file in {places[source].path} fits `include` {places[source].include}" if bare else "")
        for source, lost, had, examples, bare in rows
    ]


def refuse_losses(state: State, config: RunConfig) -> None:
    """Raise `LossError` if a source lost more files than `losses` allows."""
    if found := losses(state, config):
        lines = "".join(f"\n  {line}" for line in found)
        raise LossError(
            f"too many files are gone (losses: more than {config.losses.max_share:.0%} and at least "
            f"{config.losses.min_files} of a source, or all that its `include` took); nothing was done.{lines}\n"
            "Check `path`, `include` and the mount of each. If they are gone on purpose, "
            "`auricle run CONFIG --accept-losses` drops their clips from the next version."
        )

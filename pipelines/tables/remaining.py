"""What is already known of the live clips, and exactly what is missing: scores and latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from ...curators.registry import build
from ...loaders.storage.store import Store
from ...schemas.config import RunConfig
from ...schemas.errors import ConfigError
from ...schemas.representation import RepresentationSpec
from ...schemas.score import SKIPPED, Curator, score_struct
from ...schemas.sql import literal, quoted
from ...schemas.tables import ALIGNED_COLUMN, CARRIED, CLIP_CORE, LABEL_WORDS, POINTER
from ..passes.declared import extract_resources
from ..passes.extract import ExtractRecipe
from ..passes.measure import FAILED
from ..passes.score import ScoreRecipe
from ..work.work_units import receipt_files, receipt_tag
from .declarations import known
from .retries import CLIP_WORD, left, passing, passing_error, passing_score
from .state import State

THREADS_BESIDE_A_CARD = 2
"""That decode ahead of a codec on a GPU, unless the configuration says otherwise."""
SAME_NEED = 1_000_000_000
"""Units of clips that need the same have numbers with the same quotient by this."""
INPUT_COLUMNS = {
    "transcript": "transcript_sha256",
    "language": "language",
    "speaker": "speaker",
    "recording": "recording_sound",
}


def curators_of(config: RunConfig) -> list[Curator]:
    """The configured curators, by name. Raises `ConfigError` for one that is named like a column of the clip table."""
    found = sorted(build(config.score.curators, config.score.options), key=lambda c: c.name)
    taken = [c.name for c in found if c.name in (*CLIP_CORE.names, CARRIED, LABEL_WORDS, ALIGNED_COLUMN, "part_file")]
    if taken:
        raise ConfigError(f"a curator may not be called {taken[0]!r}: the clip table has a column of that name")
    return found


def score_recipe(config: RunConfig) -> ScoreRecipe:
    """The score pass of a configuration."""
    curators = curators_of(config)
    # what a bound on a trust means is known when the whole corpus is scored
    later = {c.name for curator in curators for c in curator.columns if c.even_odds}
    early_exit = [rule for rule in config.keep if rule.score not in later or rule.wrong_share is not None]
    names = tuple(c.name for c in curators)
    chosen = tuple(early_exit) if config.score.early_exit else ()
    return ScoreRecipe(names, config.score.options, chosen, config.workers.limit_s)


def extract_recipe(config: RunConfig) -> ExtractRecipe:
    """The extract pass of a configuration."""
    threads = config.workers.extract.decode_threads
    if threads is None:
        threads = THREADS_BESIDE_A_CARD if extract_resources(config).gpus else 0
    return ExtractRecipe(tuple(config.representations), config.workers.limit_s, threads)


def clips_to_score(
    state: State, store: Store, runs: Sequence[str], config: RunConfig, *, retry_failed: bool = False
) -> None:
    """Tables `known_<curator>`, `failures` (clip, reason, message, tries, again), `score_tries` and `score_items` with
    units.

    What failed for reasons of the moment is known to have failed, and is among the items, until it was tried too often.
    """
    recipe, curators = score_recipe(config), curators_of(config)
    state.receipts("score_receipts", receipt_files(store, runs, recipe), recipe.schema)
    state.sql("CREATE OR REPLACE TABLE score_tries (clip VARCHAR, tries BIGINT, part_file VARCHAR)")
    for curator in curators:
        _known_scores(state, curator, config, retry_failed)
    lacking = {c.name: f"clips_now ANTI JOIN {_settled(c)} USING (clip)" for c in curators}
    state.sql(f"CREATE OR REPLACE TABLE score_todo AS {_todo(lacking, 'curators')}")
    _failures(state, recipe, curators, retry_failed)
    w = config.workers
    state.sql(
        f"""CREATE OR REPLACE TABLE score_items AS
        WITH done AS (SELECT clip FROM failures WHERE NOT ({passing("reason")} AND {left("tries")})),
        todo AS (SELECT t.*, coalesce(f.again, 0) + coalesce(s.again, 0) AS again
            FROM (SELECT * FROM score_todo ANTI JOIN done USING (clip)) t
            LEFT JOIN failures f USING (clip) LEFT JOIN ({counted("score_tries")}) s USING (clip))
        {_units("curators", w.unit_s, w.unit_clips)}"""
    )


def clips_to_extract(
    state: State, store: Store, runs: Sequence[str], config: RunConfig, *, retry_failed: bool = False
) -> None:
    """Tables `known_<representation>`, `lost` (clip, reason, message, tries, again: clips that extraction could not
    read), `extract_tries` and `extract_items` with units, for kept clips only."""
    recipe = extract_recipe(config)
    state.receipts("extract_receipts", receipt_files(store, runs, recipe), recipe.schema)
    if any(spec.channels > 1 for spec in recipe.specs):
        carriers(state)
    state.sql("CREATE OR REPLACE TABLE extract_tries (clip VARCHAR, tries BIGINT, part_file VARCHAR)")
    for spec in recipe.specs:
        _known_latents(state, spec, retry_failed)
    lacking = {s.name: f"{_wanting(s)} ANTI JOIN {_settled(s)} USING (clip)" for s in recipe.specs}
    state.sql(f"CREATE OR REPLACE TABLE extract_todo AS {_todo(lacking, 'representations')}")
    _lost(state, recipe, retry_failed)
    w = config.workers
    state.sql(
        f"""CREATE OR REPLACE TABLE extract_items AS
        WITH done AS (SELECT clip FROM lost WHERE NOT ({passing("reason")} AND {left("tries")})),
        todo AS (SELECT t.*, coalesce(l.again, 0) + coalesce(s.again, 0) AS again
            FROM (SELECT * FROM extract_todo ANTI JOIN done USING (clip)) t
            LEFT JOIN lost l USING (clip) LEFT JOIN ({counted("extract_tries")}) s USING (clip))
        {_units("representations", w.unit_s, w.unit_clips)}"""
    )


def carriers(state: State) -> None:
    """Table `carriers` (clip, two_sided): the clips that carry a sample of two channels, one per group that has one.

    A group is whole when it has one channel, or two that are both kept (`two_sided`), or two with equal samples of
    which one is kept. Its first kept channel carries the sample. A group that is not whole has none: no sample is
    made of audio that was dropped or taken down.
    """
    state.sql(
        """CREATE OR REPLACE TABLE carriers AS
        SELECT arg_min(clip, channel) FILTER (status = 'kept') AS clip,
            count(*) FILTER (status = 'kept') = 2 AS two_sided
        FROM clips_now JOIN decided USING (clip) GROUP BY "group"
        HAVING bool_or(status = 'kept') AND count(*) = max(num_channels) AND max(num_channels) <= 2
            AND (bool_and(status = 'kept') OR count(DISTINCT pcm_sha256) = 1)"""
    )


def _wanting(spec: RepresentationSpec) -> str:
    """The clips that should have a representation: all that are kept, or one per group."""
    if spec.channels == 1:
        return "(SELECT clip FROM decided WHERE status = 'kept')"
    return f"(SELECT clip FROM carriers{'' if spec.takes_mono else ' WHERE two_sided'})"


def _todo(lacking: Mapping[str, str], need: str) -> str:
    """SQL of the clips that lack anything, and in column `need` the names of what each lacks, sorted, with commas.

    lacking: by name, SQL of the clips that lack it.
    """
    # DuckDB spills numbers that it aggregates, not texts
    bits = {name: 1 << i for i, name in enumerate(sorted(lacking))}
    rows = [f"SELECT clip, {bits[name]}::HUGEINT AS bit FROM {clips}" for name, clips in lacking.items()]
    names = [f"CASE WHEN bit_or(bit) & {bit} <> 0 THEN {literal(name)} END" for name, bit in bits.items()]
    rows = rows or ["SELECT clip, 0::HUGEINT AS bit FROM clips_now WHERE FALSE"]
    text = f"concat_ws(',', {', '.join(names)})" if names else "''"
    return f"SELECT * FROM (SELECT clip, {text} AS {need} FROM ({' UNION ALL '.join(rows)}) GROUP BY clip)"


def _settled(what: Curator | RepresentationSpec) -> str:
    """SQL of the clips (clip) whose score or latent is known for good: it is there, or failed for a reason that lasts,
    or too often."""
    is_curator = not isinstance(what, RepresentationSpec)
    again = passing_score("k.val.reason") if is_curator else passing_error("k.error")
    tries = counted("score_tries" if is_curator else "extract_tries")
    return f"""(SELECT k.clip FROM {quoted(known(what.name))} k LEFT JOIN ({tries}) t USING (clip)
        WHERE NOT ({again} AND {left("t.tries")}))"""


def counted(table: str) -> str:
    """SQL of `score_tries` or `extract_tries` per clip: how often anything of it failed for reasons of the moment, and
    how many receipts of unfinished runs say so (`again`)."""
    return f"""SELECT clip, coalesce(max(tries), 0) + count(DISTINCT part_file) AS tries,
        count(DISTINCT part_file) AS again FROM {table} GROUP BY clip"""


def _units(need: str, unit_s: float, unit_clips: int) -> str:
    """Cut `todo` into units: clips that need the same, a recording's clips together, bounded in seconds and clips."""
    return f"""
        SELECT CAST(dense_rank() OVER (ORDER BY {need}) * {SAME_NEED} + floor(greatest(
                (sum(duration_s) OVER win - duration_s) / {unit_s}, (row_number() OVER win - 1) / {unit_clips}))
                AS BIGINT) AS unit,
            clip AS key, recording, uri, channel, start, "end", transcript, transcript_sha256, language, speaker,
            recording_sound,
            {need}, again, row_number() OVER win AS place
        FROM todo JOIN clips_now USING (clip)
        WINDOW win AS (PARTITION BY {need} ORDER BY source_rank, path, start, channel ROWS UNBOUNDED PRECEDING)"""


def _known_scores(state: State, curator: Curator, config: RunConfig, retry_failed: bool) -> None:
    struct = score_struct(curator.columns)
    name, table = quoted(curator.name), quoted(known(curator.name))
    inputs = " || '|' || ".join(f"coalesce(n.{INPUT_COLUMNS[i]}, '')" for i in curator.inputs) or "''"
    # a score that early exit skipped stays skipped only while the rule that skipped it stands
    standing = [rule.text for rule in config.keep] if config.score.early_exit else []
    skipped = " OR ".join(["FALSE", *(f"val.reason = {literal(f'{SKIPPED}: {text}')}" for text in standing)])
    valid = f"""val.fingerprint = {literal(curator.fingerprint)} AND val.inputs = {inputs}
        AND (val.reason IS NULL OR NOT starts_with(val.reason, '{SKIPPED}') OR {skipped})"""
    state.sql(f"CREATE OR REPLACE TABLE {table} (clip VARCHAR, val {state.type_name(struct)})")
    again = passing_score("val.reason")
    if _same_type(state, "parent_clips", curator.name, struct):
        stays = f"NOT starts_with(coalesce(val.reason, ''), '{FAILED}:')" if retry_failed else "TRUE"
        held = f"(SELECT clip, {name} AS val, tries FROM parent_clips) JOIN clips_now n USING (clip)"
        state.sql(f"INSERT INTO {table} SELECT clip, val FROM {held} WHERE {valid} AND {stays}")
        state.sql(
            f"INSERT INTO score_tries SELECT clip, coalesce(tries, 1), NULL FROM {held} WHERE {valid} AND {stays} "
            f"AND {again}"
        )
    if _same_type(state, "score_receipts", curator.name, struct):
        held = f"(SELECT key AS clip, {name} AS val, part_file FROM score_receipts) JOIN clips_now n USING (clip)"
        state.sql(f"INSERT INTO score_tries SELECT clip, NULL, part_file FROM {held} WHERE {valid} AND {again}")
        state.sql(
            f"""CREATE OR REPLACE TABLE received AS SELECT clip, val FROM {held}
            ANTI JOIN (SELECT clip FROM {table} WHERE NOT {again}) USING (clip) WHERE {valid}
            QUALIFY row_number() OVER (PARTITION BY clip ORDER BY {again}, part_file) = 1"""
        )
        state.sql(f"DELETE FROM {table} WHERE {again} AND clip IN (SELECT clip FROM received)")
        state.sql(f"INSERT INTO {table} SELECT * FROM received")
        state.sql("DROP TABLE received")


def _known_latents(state: State, spec: RepresentationSpec, retry_failed: bool) -> None:
    name = quoted(spec.name)
    where = f"WHERE {name} IS NOT NULL AND {name}.fingerprint = {literal(spec.fingerprint)}"
    fields = f"{name}.fingerprint, {name}.offset, {name}.nbytes, {name}.num_frames, {name}.crc32, {name}.error"
    pieces = [f"SELECT key AS clip, NULL AS shard, {name}.file, {fields} FROM extract_receipts {where}"]
    if _same_type(state, "parent_clips", spec.name, POINTER):
        stays = f"AND {name}.error IS NULL" if retry_failed else ""
        pieces.append(f"SELECT clip, {name}.shard, NULL AS file, {fields} FROM parent_clips {where} {stays}")
        state.sql(
            f"""INSERT INTO extract_tries SELECT clip, coalesce(tries, 1), NULL FROM parent_clips {where} {stays}
            AND {passing_error(f"{name}.error")}"""
        )
    state.sql(
        f"""INSERT INTO extract_tries SELECT key, NULL, part_file FROM extract_receipts {where}
        AND {passing_error(f"{name}.error")}"""
    )
    # what a kept clip carried for its group is void once the group is not whole, or another clip carries it
    live = "clips_now"
    if spec.channels > 1:
        live = f"""(SELECT clip FROM clips_now JOIN decided USING (clip)
            WHERE status <> 'kept' OR clip IN {_wanting(spec)})"""
    # a latent that a published shard holds wins over one that is only in an unfinished run
    state.sql(
        f"""CREATE OR REPLACE TABLE {quoted(known(spec.name))} AS
        SELECT * FROM ({" UNION ALL ".join(pieces)}) SEMI JOIN {live} USING (clip)
        QUALIFY row_number() OVER (
            PARTITION BY clip ORDER BY error IS NOT NULL, {passing_error("error")}, shard IS NULL, file) = 1"""
    )


def _failures(state: State, recipe: ScoreRecipe, curators: Sequence[Curator], retry_failed: bool) -> None:
    """Table `failures`: clips that scoring could not read, of those that lack a score."""
    same_curators = state.parent is not None and {
        name: entry.fingerprint for name, entry in state.parent.document.curators.items()
    } == {c.name: c.fingerprint for c in curators}
    stay = same_curators and not retry_failed
    # a failure of the moment while extracting is one of a clip that lacks no score
    old = f"""SELECT clip, reasons[1] AS reason, message, tries FROM parent_clips
        WHERE status = 'failed' AND reasons[1] NOT IN ('extraction', 'past_end') AND {"TRUE" if stay else "FALSE"}"""
    _unread(state, "failures", "score_receipts", receipt_tag(recipe), old, "score_todo")
    # what a label asks for and the recording has not was never a clip to read
    state.sql(
        """INSERT INTO failures BY NAME SELECT clip, reason, message, CAST(0 AS BIGINT) AS again
        FROM span_failures SEMI JOIN clips_now USING (clip) ANTI JOIN failures USING (clip)"""
    )


def _lost(state: State, recipe: ExtractRecipe, retry_failed: bool) -> None:
    """Table `lost`: clips that extraction could not read, of those that lack a latent."""
    same = state.parent is not None and {
        name: entry.spec.fingerprint for name, entry in state.parent.document.representations.items()
    } == {spec.name: spec.fingerprint for spec in recipe.specs}
    stay = same and not retry_failed
    old = f"""SELECT clip, coalesce({CLIP_WORD}, 'extraction') AS reason,
            CASE WHEN reasons[1] = 'extraction' THEN substr(message, length({CLIP_WORD}) + 3) ELSE message END
                AS message, tries
        FROM parent_clips ANTI JOIN failures USING (clip)
        WHERE status = 'failed' AND (reasons[1] = 'extraction' OR {passing("reasons[1]")})
            AND {"TRUE" if stay else "FALSE"}"""
    _unread(state, "lost", "extract_receipts", receipt_tag(recipe), old, "extract_todo")


def _unread(state: State, table: str, receipts: str, tag: str, old: str, todo: str) -> None:
    """Table (clip, reason, message, tries, again): items of a pass that failed as a whole, for this recipe, and were
    not done since. One that lasts counts more than one of the moment, and what a receipt says more than the parent.

    old: SQL of those in the parent. todo: table of the clips that still lack something.
    """
    ours = f"contains(part_file, {literal(tag)})"
    state.sql(
        f"""CREATE OR REPLACE TABLE {table} AS
        WITH failed AS (
            SELECT key AS clip, error_reason AS reason, error_message AS message, 1 AS tries, 1 AS again
            FROM {receipts} WHERE error_reason IS NOT NULL AND {ours}
            UNION ALL
            SELECT clip, reason, message, coalesce(tries, 1), 0 FROM ({old})
        ), done AS (
            SELECT key AS clip FROM {receipts} SEMI JOIN (SELECT clip FROM failed) f ON f.clip = key
            WHERE error_reason IS NULL AND {ours})
        SELECT clip, arg_min(reason, ({passing("reason")}, -again, message)) AS reason,
            arg_min(message, ({passing("reason")}, -again, message)) AS message,
            CASE WHEN bool_and({passing("reason")}) THEN CAST(sum(tries) AS BIGINT) END AS tries,
            CAST(sum(again) AS BIGINT) AS again
        FROM failed SEMI JOIN {todo} USING (clip) SEMI JOIN clips_now USING (clip) ANTI JOIN done USING (clip)
        GROUP BY clip"""
    )


def _same_type(state: State, table: str, column: str, expected: pa.DataType) -> bool:
    """Whether `table` has `column` with exactly this type; a column of another shape holds nothing of use."""
    found: Mapping[str, str] = state.columns(table)
    return column in found and found[column] == state.type_name(expected)

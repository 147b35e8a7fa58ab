"""Relabel: ask a recogniser for new transcripts of clips whose own is not trusted; runs take the better ones in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa

from ..curators.registry import build
from ..curators.words.relabel import MARGIN, MIN_TRUST, Relabelled, recogniser, relabel
from ..loaders.care.relabels import RELABELS, put_relabels, relabels
from ..loaders.reading.version import Version, open_version
from ..loaders.storage.layout import run_path
from ..loaders.storage.store import Store
from ..schemas.clip import Clip
from ..schemas.config import RunConfig
from ..schemas.errors import ClipError, ConfigError
from ..schemas.keys import digest
from ..schemas.pass_tables import ERROR_FIELDS
from ..schemas.score import Curator
from ..schemas.sql import literal, quoted
from ..schemas.worker_config import Workers
from .audio.clip_reader import read_clips
from .audio.listen import source_uri
from .tables.retries import passing
from .tables.state import State, open_state
from .upkeep.pending import at_work
from .work.contract import Result, failure
from .work.pool import Pool
from .work.progress import Progress, Silent
from .work.work_units import receipt_files, receipt_tag, write_plan

TRUST = "transcript_trust"
UNIT_S = 300.0
BATCH_CLIPS = 16
PROPOSAL = [
    pa.field("old_text", pa.string()),
    pa.field("new_text", pa.string()),
    pa.field("old_trust", pa.float64()),
    pa.field("new_trust", pa.float64()),
    pa.field("taken", pa.bool_()),
    pa.field("reason", pa.string()),
]


@dataclass(frozen=True)
class Relabelling:
    """What a pass found."""

    model: str
    asked: int
    """Clips that were looked at; the recogniser heard those of its languages whose trust can be beaten."""
    taken: int
    """Of them, those that get its text with the next run."""
    failed: int
    """Clips whose audio could not be read."""
    known: int
    """Low-trust clips that were looked at with this model before."""


@dataclass(frozen=True)
class RelabelRecipe:
    """Items: what `clip_reader.read_clips` needs."""

    recogniser: str
    recogniser_options: Mapping[str, Any]
    judge: str
    judge_options: Mapping[str, Any]
    margin: float
    min_trust: float
    min_difference: float | None
    name: str = "relabel"
    schema: pa.Schema = field(default=pa.schema([pa.field("key", pa.string()), *ERROR_FIELDS, *PROPOSAL]))

    @cached_property
    def judging(self) -> Curator:
        return build([self.judge], {self.judge: self.judge_options})[0]

    @property
    def model(self) -> str:
        return recogniser(self.recogniser, self.recogniser_options).name

    @property
    def fingerprint(self) -> str:
        return digest(
            self.model, self.judging.fingerprint, str(self.margin), str(self.min_trust), str(self.min_difference)
        )

    def build(self) -> _Relabel:
        return _Relabel(self)


class _Relabel:
    def __init__(self, recipe: RelabelRecipe) -> None:
        self._recipe = recipe
        self._recogniser = recogniser(recipe.recogniser, recipe.recogniser_options)

    def __call__(self, items: Sequence[dict[str, Any]]) -> Iterator[Result]:
        batch: list[Clip] = []
        for item, clip in read_clips(items):
            if isinstance(clip, ClipError):
                yield from self._propose(batch)
                yield failure(item, clip.reason, clip.message)
                continue
            batch.append(clip)
            if len(batch) == BATCH_CLIPS:
                yield from self._propose(batch)
        yield from self._propose(batch)

    def _propose(self, batch: list[Clip]) -> Iterator[Result]:
        if batch:
            recipe = self._recipe
            how = (recipe.margin, recipe.min_trust, recipe.min_difference)
            found = relabel(batch, self._recogniser, recipe.judging, *how)
            for proposal, clip in zip(found, batch, strict=True):
                yield Result({"key": clip.key, **_row(proposal)}, audio_s=clip.duration_s)
            batch.clear()


def _row(proposal: Relabelled) -> dict[str, Any]:
    return {column.name: getattr(proposal, column.name) for column in PROPOSAL}


def relabel_dataset(
    dataset: str | Store,
    name: str = "pocketsphinx",
    options: Mapping[str, Any] | None = None,
    *,
    below: float = MIN_TRUST,
    margin: float = MARGIN,
    min_trust: float = MIN_TRUST,
    min_difference: float | None = None,
    untranscribed: bool = False,
    workers: int | None = None,
    wait: bool = False,
    progress: Progress | None = None,
) -> Relabelling:
    """Ask the recogniser `name` about clips of the newest version whose trust is under `below`, and keep every answer.

    A text is taken where its trust is at least `min_trust`, beats the old one's by `margin`, and differs from it in
    `min_difference` of the letters (default: what the recogniser asks). Nothing is published:
    the next run takes the texts in as labels, scores what reads transcripts and decides anew. A label that its source
    corrects later wins over them. untranscribed: also clips without a transcript. An interrupted pass goes on.
    Raises `ConfigError` when the version has no trust to go by, `WeightsError` when the model is not on this machine.
    """
    store = dataset if isinstance(dataset, Store) else Store(dataset)
    progress = progress or Silent()
    with at_work(store, wait=wait, notify=progress.notice):
        version = open_version(store)
        recipe = _recipe(version, name, options or {}, margin, min_trust, min_difference)
        with open_state(store) as state:
            known = _select(state, version, recipe, below, untranscribed)
            # named by what it asks, so that the same command finds what an interrupted one has done
            run = f"relabel-{recipe.fingerprint[:12]}"
            _ask(state, store, run, recipe, workers, progress)
            rows = _answers(state, store, run, recipe)
            failed = int(state.one("SELECT count(*) FROM low_trust")) - rows.num_rows
        if rows.num_rows:
            put_relabels(store, rows)
        store.delete([entry.path for entry in store.list(run_path(run))])
    return Relabelling(recipe.model, rows.num_rows, sum(rows["taken"].to_pylist()), failed, known)


def _recipe(
    version: Version, name: str, options: Mapping[str, Any], margin: float, min_trust: float, least: float | None
) -> RelabelRecipe:
    for curator, entry in sorted(version.document.curators.items()):
        if any(column["name"] == TRUST for column in entry.columns):
            judged = RunConfig.model_validate(version.document.config).score.options.get(curator, {})
            return RelabelRecipe(name, dict(options), curator, judged, margin, min_trust, least)
    raise ConfigError(
        f"version {version.document.number} has no score {TRUST!r}, so no clip is known to have a bad transcript: "
        "run with a curator that gives it (alignment, transcript_ctc)"
    )


def _select(state: State, version: Version, recipe: RelabelRecipe, below: float, untranscribed: bool) -> int:
    """Table `relabel_items` with units; returns how many low-trust clips were answered before."""
    state.table("relabels", relabels(state.store))
    trust = f"{quoted(recipe.judge)}.{quoted(TRUST)}"
    also = "transcript IS NULL" if untranscribed else "FALSE"
    # a clip that was relabelled before still stands for its source's own text, whose hash the relabel keeps
    state.sql(
        f"""CREATE OR REPLACE TABLE low_trust AS
        SELECT c.clip, c.recording, c.source, c.path, c.channel, c.start, c."end", c.pcm_sha256, c.duration_s,
            c.transcript, c.language, c.speaker, coalesce(r.label_sha256, c.transcript_sha256, '') AS label_sha256
        FROM parent_clips c LEFT JOIN (
            SELECT clip, sha256(new_text) AS text_sha256, min(label_sha256) AS label_sha256 FROM relabels
            WHERE taken GROUP BY clip, text_sha256
        ) r ON r.clip = c.clip AND r.text_sha256 = c.transcript_sha256
        WHERE c.status <> 'failed' AND ({trust} < {below} OR {also}) AND c.path IS NOT NULL"""
    )
    before = int(state.one("SELECT count(*) FROM low_trust"))
    state.sql(
        f"""DELETE FROM low_trust USING relabels r WHERE r.clip = low_trust.clip
            AND r.label_sha256 = low_trust.label_sha256 AND r.model = {literal(recipe.model)}
            AND r.judge = {literal(recipe.judging.fingerprint)}"""
    )
    found = state.arrow("SELECT source, path FROM low_trust GROUP BY ALL")
    uris = [source_uri(version, row["source"], row["path"]) for row in found.to_pylist()]
    state.table("uris", found.append_column("uri", pa.array(uris, pa.string())))
    state.sql(
        f"""CREATE OR REPLACE TABLE relabel_items AS
        SELECT CAST(floor((sum(duration_s) OVER win - duration_s) / {UNIT_S}) AS BIGINT) AS unit,
            row_number() OVER win AS place, clip AS key, recording, uri, channel, start, "end", transcript, language,
            speaker, duration_s
        FROM low_trust JOIN uris USING (source, path)
        WINDOW win AS (ORDER BY source, path, start, channel ROWS UNBOUNDED PRECEDING)"""
    )
    return before - int(state.one("SELECT count(*) FROM low_trust"))


def _ask(state: State, store: Store, run: str, recipe: RelabelRecipe, workers: int | None, progress: Progress) -> None:
    state.receipts("relabel_receipts", receipt_files(store, [run], recipe), recipe.schema)
    # of what an interrupted pass left, what failed for reasons of the moment is asked again
    state.sql(
        f"""CREATE OR REPLACE TABLE asked AS
        SELECT key, count(error_reason) AS again, bool_or(NOT {passing("error_reason")}) AS settled
        FROM ({_valid(recipe)}) GROUP BY key"""
    )
    rest = """(SELECT i.*, coalesce(again, 0) AS again FROM relabel_items i LEFT JOIN asked USING (key)
        WHERE NOT coalesce(settled, FALSE))"""
    items, seconds = state.sql(f"SELECT count(*), coalesce(sum(duration_s), 0) FROM {rest}").fetchall()[0]
    if not items:
        return
    units = write_plan(store, run, recipe, state.stream(f"SELECT * FROM {rest} ORDER BY unit, place"))
    progress.begin(recipe.name, items, seconds, len(units))
    with Pool(Workers(num=workers)) as pool:
        for outcome in pool.run(recipe, store, run, units):
            progress.unit(outcome)
    progress.end(recipe.name)


def _valid(recipe: RelabelRecipe) -> str:
    return f"SELECT * FROM relabel_receipts WHERE contains(part_file, {literal(receipt_tag(recipe))})"


def _answers(state: State, store: Store, run: str, recipe: RelabelRecipe) -> pa.Table:
    """The receipts as rows of `RELABELS`."""
    state.receipts("relabel_receipts", receipt_files(store, [run], recipe), recipe.schema)
    return state.arrow(
        f"""SELECT c.clip, c.recording, c.channel, c.start, c."end", c.pcm_sha256, c.label_sha256, a.old_text,
            a.new_text, a.old_trust, a.new_trust, {literal(recipe.model)} AS model,
            {literal(recipe.judging.fingerprint)} AS judge, a.taken, a.reason
        FROM low_trust c JOIN (
            SELECT * FROM ({_valid(recipe)}) QUALIFY row_number() OVER (
                PARTITION BY key ORDER BY error_reason IS NOT NULL, part_file) = 1
        ) a ON a.key = c.clip WHERE a.error_reason IS NULL ORDER BY c.clip"""
    ).cast(RELABELS)

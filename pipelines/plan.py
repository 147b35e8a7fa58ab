"""What a run would do, counted without doing it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace

from ..extractors.coding.registry import describe_all
from ..loaders.care.apply_tombstones import tombstones_applied
from ..loaders.reading.pending import pending
from ..loaders.reading.tombstones import tombstones
from ..loaders.storage.layout import run_path
from ..loaders.storage.store import Store
from ..schemas.config import RunConfig
from ..schemas.errors import ClipError, NoDatasetError
from ..schemas.undecided import Undecided
from ..schemas.unscored import Unscored
from ..schemas.version import GateCheck
from .audio.declared import claimed_s
from .audio.decode import local_file
from .passes.probe import ProbeRecipe
from .policy.decide import check_rules, decide
from .policy.undecided import undecided
from .policy.unscored import unscored
from .publishing import gate
from .publishing.document import inputs_digest
from .publishing.lease import holder
from .publishing.refusal import refusal, words
from .tables import ingest
from .tables.losses import losses
from .tables.remaining import clips_to_extract, clips_to_score, curators_of
from .tables.retries import to_try_again
from .tables.state import State, open_state, unfinished_runs
from .trial.promoted import with_promoted

TORN = "{}: damaged, so it does not say whether the gate refused it; the next run makes it again"
"""Of the candidate of an unfinished run."""
HEADERS_READ = 500
"""New files whose headers are read to estimate the hours of all of them."""


@dataclass(frozen=True)
class Plan:
    """Counts of files and clips; hours where audio is concerned."""

    version: int | None
    """The newest published version, the base of the plan."""
    unchanged: bool
    """Nothing to do at all."""
    files: int = 0
    known_files: int = 0
    new_files: int = 0
    changed_files: int = 0
    gone_files: int = 0
    new_hours: float = 0.0
    """Of new and changed files: estimated from the headers of the first and the bytes of all."""
    clips: int = 0
    """Known live clips."""
    hours: float = 0.0
    to_score: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Known clips and hours per curator that would run; new files come on top."""
    to_extract: dict[str, tuple[int, float]] = field(default_factory=dict)
    """Known kept clips and hours per representation that would be made."""
    flips: int = 0
    """Known clips that would change between kept and dropped, by the scores that are there."""
    unmet: dict[str, int] = field(default_factory=dict)
    """Known clips that lack what their source requires (`require`), by reason: a run drops them."""
    unfinished: tuple[str, ...] = ()
    """Runs that would be resumed."""
    refused: dict[str, str] = field(default_factory=dict)
    """Of these the ones whose candidate the gate refused, and the checks that it failed."""
    held_by: str | None = None
    """Who holds the dataset while this is counted: the unfinished run is then going on."""
    notices: tuple[str, ...] = ()
    to_try_again: dict[str, int] = field(default_factory=dict)
    """Files and clips that failed for reasons of the moment, by reason: a run tries them again."""
    undecided: tuple[Undecided, ...] = ()
    """What rules with a confidence leave undecided of the known clips."""
    unscored: tuple[Unscored, ...] = ()
    """Known clips that rules let through because they have no such score."""
    given_up: dict[str, int] = field(default_factory=dict)
    """Those that were tried too often: a run tries them with `retry_failed` only."""


def plan(config: RunConfig) -> Plan:
    """Compare sources and configuration with the newest version. Raises `ConfigError` as a run would."""
    curators, specs = curators_of(config), describe_all(config.representations)
    check_rules(config, curators)
    gate.check(config.gate)
    with tempfile.TemporaryDirectory(prefix="auricle-plan-") as nowhere:
        try:
            store = Store(config.dataset)
        except NoDatasetError:
            # not there yet: plan against an empty dataset without making a folder
            store = Store(nowhere)
        unused = [f"{begun}, and so does the next run" for begun in pending(store)]
        config = with_promoted(store, config, unused.append)
        curators, specs = curators_of(config), describe_all(config.representations)
        check_rules(config, curators)
        with open_state(store) as state:
            notices = [*unused, *ingest.load_sources(state, config)]
            notices += [f"{line}: a run stops unless --accept-losses is given" for line in losses(state, config)]
            parent = state.parent
            again, given_up = to_try_again(state)
            same = parent and parent.document.inputs == inputs_digest(state, config, curators, specs)
            if parent and same and not again and tombstones_applied(parent, tombstones(store)):
                files = int(state.one("SELECT count(*) FROM files"))
                return Plan(parent.document.number, True, files=files, notices=tuple(unused), given_up=given_up)
            runs = unfinished_runs(store)
            ingest.plan_probe(state, store, runs, ProbeRecipe(config.segment), config)
            ingest.live_tables(state, config)
            clips_to_score(state, store, runs, config)
            scored = decide(state, config, curators)
            unsure = tuple(undecided(state, config, scored))
            untested = tuple(unscored(state, config, scored, apart="score_items"))
            clips_to_extract(state, store, runs, config)
            number = parent.document.number if parent else None
            found = _counts(state, number, tuple(runs), holder(store), tuple(notices))
            found = replace(found, unscored=untested)
            torn: list[str] = []
            refused = {run: words(checks) for run in runs if (checks := _refusal(store, run, torn)) is not None}
            found = replace(found, notices=(*found.notices, *map(TORN.format, torn)))
            return replace(found, to_try_again=again, given_up=given_up, undecided=unsure, refused=refused)


def _refusal(store: Store, run: str, torn: list[str]) -> list[GateCheck] | None:
    return refusal(store, [entry.path for entry in store.list(run_path(run))], torn.append)


def _counts(
    state: State, version: int | None, runs: tuple[str, ...], held_by: str | None, notices: tuple[str, ...]
) -> Plan:
    def count(query: str) -> int:
        return int(state.one(query) or 0)

    changed = count(
        "SELECT count(*) FROM probe_items JOIN probe_keys USING (key) JOIN parent_aliases USING (source, path)"
    )
    return Plan(
        version,
        False,
        files=count("SELECT count(*) FROM files"),
        known_files=count("SELECT count(*) FROM known_files"),
        new_files=count("SELECT count(*) FROM probe_items") - changed,
        changed_files=changed,
        gone_files=count("SELECT count(*) FROM parent_aliases ANTI JOIN files USING (source, path)"),
        new_hours=_estimate(state),
        clips=count("SELECT count(*) FROM clips_now"),
        hours=float(state.one("SELECT coalesce(sum(duration_s), 0) / 3600 FROM clips_now")),
        to_score=_per(state, "score_items", "curators"),
        to_extract=_per(state, "extract_items", "representations"),
        flips=count(
            "SELECT count(*) FROM decided d JOIN parent_clips p USING (clip) "
            "WHERE (d.status = 'kept') <> (p.status = 'kept') AND clip NOT IN (SELECT key FROM score_items)"
        ),
        unmet=dict(
            state.sql(
                "SELECT reason, count(*) FROM (SELECT unnest(reasons) AS reason FROM unmet) GROUP BY 1 ORDER BY 1"
            ).fetchall()
        ),
        unfinished=runs,
        held_by=held_by,
        notices=notices,
    )


def _per(state: State, table: str, need: str) -> dict[str, tuple[int, float]]:
    rows = state.sql(
        f"""SELECT what, count(*), sum(duration_s) / 3600 FROM (
            SELECT unnest(string_split({need}, ',')) AS what, key FROM {table}
        ) JOIN clips_now ON clip = key GROUP BY what ORDER BY what"""
    ).fetchall()
    return {what: (clips, hours) for what, clips, hours in rows}


def _estimate(state: State) -> float:
    """Hours of the files that would be opened."""
    rows = state.sql(f"SELECT uri, size FROM probe_items ORDER BY unit, place LIMIT {HEADERS_READ}").fetchall()
    read_s = read_bytes = 0.0
    for uri, size in rows:
        if "://" in uri:
            continue
        try:
            with local_file(uri) as path:
                claimed = claimed_s(path)
        except ClipError:
            continue
        if claimed is not None:
            read_s, read_bytes = read_s + claimed, read_bytes + size
    total = float(state.one("SELECT coalesce(sum(size), 0) FROM probe_items"))
    return read_s / 3600 * total / read_bytes if read_bytes else 0.0

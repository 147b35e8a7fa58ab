"""The main job: ingest, score, decide, extract, gate, publish. Run it again to resume, or to take in what is new.

Each of the three passes (`take_in`, `score`, `extract`) calls its planner twice. The first call reads what is known and
plans units for what is missing. The second, after the units ran, reads their receipts: only receipts bring results into
the tables, so that a run that resumes and one that was never disturbed see the same. Its own plan is then empty, or
holds what failed again. The tables between the steps are declared in `tables.declarations`.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from ..extractors.coding.registry import describe_all
from ..loaders.care.apply_tombstones import tombstones_applied
from ..loaders.reading.tombstones import tombstones
from ..loaders.reading.version import Version, numbers, open_version
from ..loaders.storage.layout import run_path
from ..loaders.storage.store import Store
from ..schemas.config import RunConfig
from ..schemas.errors import GateError, IntegrityError
from ..schemas.representation import RepresentationSpec
from ..schemas.score import Curator
from ..schemas.undecided import Undecided
from ..schemas.version import GateResult, Object, RepresentationEntry, Stage, VersionDocument
from .listing.contents import Contents, Wanted, here_first
from .listing.files import require_there
from .listing.list_pass import ARCHIVES_PER_UNIT, ListRecipe
from .nodes.resources import Resources
from .passes.declared import cut_freely, resources
from .passes.probe import ProbeRecipe
from .policy.conditions_sql import Scored
from .policy.decide import check_rules, decide
from .policy.undecided import undecided
from .publishing import assemble, document, gate
from .publishing.pack import pack
from .publishing.publish import close_run, keep_candidate, publish
from .publishing.refusal import failed_checks, refusal, words
from .tables import cues, ingest, label_lines
from .tables.list_units import listed_by_units, plan_listing
from .tables.losses import refuse_losses
from .tables.remaining import SAME_NEED, clips_to_extract, clips_to_score, curators_of, extract_recipe, score_recipe
from .tables.remembered import remember
from .tables.retries import to_try_again
from .tables.state import State, open_state, unfinished_runs
from .trial.promoted import with_promoted
from .upkeep.pending import at_work
from .work.contract import Recipe
from .work.cut import Sizes, cut
from .work.pool import Pool
from .work.progress import Progress, Silent
from .work.threads import load_beside
from .work.work_units import write_plan

GATE_LIBRARY = "great_expectations"
"""Takes seconds to import: as long as a small pass."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    status: Literal["published", "unchanged"]
    version: Version
    undecided: tuple[Undecided, ...] = ()
    """What rules with a confidence left undecided; nothing where the run had nothing to decide."""


@dataclass
class Run:
    """One run of a configuration: the things that every stage needs."""

    config: RunConfig
    store: Store
    run: str
    progress: Progress
    paranoid: bool = False
    retry_failed: bool = False
    accept_losses: bool = False
    stages: dict[str, Stage] = field(default_factory=dict)
    needs: dict[str, Resources] = field(init=False)
    pool: Pool = field(init=False)
    _beside: threading.Thread | None = None

    def __post_init__(self) -> None:
        self.needs = resources(self.config, curators_of(self.config))
        self.pool = Pool(self.config.workers, self.needs)

    def get_ready(self) -> None:
        """What takes its time to load, beside what the driver does: Ray, and the library of the gate."""
        recipe = score_recipe(self.config)
        self.pool.start((recipe, self.store, self.run, self.needs[recipe.name]))
        if self._beside is None and self.config.gate.enabled:
            self._beside = threading.Thread(target=load_beside, args=(GATE_LIBRARY,), name="gate-import")
            self._beside.start()

    def do(self, state: State, recipe: Recipe, table: str, known: int, then: Recipe | None = None) -> None:
        """Run the units of `table`, if there are any; Ray starts with the first unit of the run.

        then: the pass after it, which workers load that have no more units.
        """
        items = int(state.one(f"SELECT count(*) FROM {table}"))
        before = self.stages.get(recipe.name, Stage(name=recipe.name))
        if not items:
            self.stages[recipe.name] = before.model_copy(update={"reused": known})
            return
        self.get_ready()
        weighed, weight, together, largest = self._weighing(recipe.name, table)
        total = float(state.one(f"SELECT coalesce(sum({weight}), 0) FROM {weighed}"))
        started = time.monotonic()
        each = self.needs[recipe.name]
        sizes = Sizes(total, self.pool.size(each), largest, self.config.workers.unit_clips)
        if recipe.name == "extract" and not cut_freely(self.config):
            sizes = None
        rows = state.stream(in_order(weighed, weight, together, sizes))
        units = write_plan(self.store, self.run, recipe, cut(rows, sizes))
        self.progress.begin(recipe.name, items, total if together == "recording" else 0.0, len(units))
        then = then if then is not None and self.needs[then.name] == each else None
        done = failed = peak = read = written = 0
        cpu_s = seconds = gpu_s = 0.0
        for outcome in self.pool.run(recipe, self.store, self.run, units, each, then):
            done, failed = done + outcome.done, failed + outcome.failed
            cpu_s, seconds = cpu_s + outcome.cpu_s, seconds + outcome.audio_s
            peak = max(peak, outcome.peak_bytes)
            read, written = read + outcome.read_bytes, written + outcome.written_bytes
            gpu_s += each.gpus * (outcome.finished_s - outcome.started_s)
            self.progress.unit(outcome)
        self.progress.end(recipe.name)
        self.stages[recipe.name] = Stage(
            name=recipe.name,
            done=before.done + done,
            failed=before.failed + failed,
            reused=known,
            units=before.units + len(units),
            wall_s=round(before.wall_s + time.monotonic() - started, 3),
            cpu_s=round(before.cpu_s + cpu_s, 3),
            audio_s=round(before.audio_s + seconds, 3),
            peak_worker_bytes=max(before.peak_worker_bytes, peak),
            gpu_s=round(before.gpu_s + gpu_s, 3),
            read_bytes=before.read_bytes + read,
            written_bytes=before.written_bytes + written,
            workers=max(before.workers, self.pool.size(each)),
        )

    def _weighing(self, name: str, table: str) -> tuple[str, str, str, float]:
        """Of a pass over a table with the alias `t`: SQL of its items, SQL of how much work one is, the column that
        says what is read together, and how much work a unit holds at most."""
        w = self.config.workers
        if name == "list":
            return f"{table} t", "CAST(1 AS DOUBLE)", "key", float(ARCHIVES_PER_UNIT)
        if name == "probe":
            return f"{table} t", "CAST(t.size AS DOUBLE)", "key", float(w.unit_bytes)
        return f"{table} t JOIN clips_now n ON n.clip = t.key", "coalesce(n.duration_s, 0)", "recording", w.unit_s

    def timed(self, name: str, work: Callable[[], object]) -> None:
        """A stage of the driver itself."""
        wall, cpu = time.monotonic(), time.process_time()
        self.progress.begin(name, 0, 0.0, 0)
        work()
        self.progress.end(name)
        self.stages[name] = Stage(
            name=name, wall_s=round(time.monotonic() - wall, 3), cpu_s=round(time.process_time() - cpu, 3)
        )

    def close(self) -> None:
        """Stop the workers, and the Ray that this run started."""
        self.pool.close()
        if self._beside is not None:
            self._beside.join()


def run(
    config: RunConfig,
    *,
    wait: bool = False,
    paranoid: bool = False,
    retry_failed: bool = False,
    accept_losses: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Bring the dataset up to date with its sources and configuration.

    Raises `ConfigError` before any work for what cannot run, `BusyError` while another run holds the dataset (unless
    `wait`), `LossError` before any work when a source lost too many files (unless `accept_losses`), `GateError` when
    the candidate is refused, `IntegrityError` when the dataset is damaged.
    """
    progress = progress or Silent()
    curators, specs = curators_of(config), describe_all(config.representations)
    check_rules(config, curators)
    gate.check(config.gate)
    store = Store(config.dataset, create=True)
    with at_work(store, wait=wait, notify=progress.notice):
        resolved = with_promoted(store, config, progress.notice)
        if resolved is not config:
            config, curators = resolved, curators_of(resolved)
            specs = describe_all(config.representations)
            check_rules(config, curators)
        runs = unfinished_runs(store)
        this = Run(config, store, runs[0] if runs else new_run(), progress, paranoid, retry_failed, accept_losses)
        if runs:
            progress.notice(f"resuming run {this.run}{_refused(store, this.run)}: finished units are kept")
        try:
            while True:
                outcome = _round(this, curators, specs)
                if outcome is not None:
                    return outcome
                progress.notice("another run published first: planning again on its version")
        finally:
            this.close()


def _refused(store: Store, run: str) -> str:
    checks = refusal(store, [entry.path for entry in store.list(run_path(run))])
    return f", which the gate refused ({words(checks)})" if checks is not None else ""


def _round(this: Run, curators: Sequence[Curator], specs: Sequence[RepresentationSpec]) -> Outcome | None:
    """One attempt on the newest version; None when another run published meanwhile."""
    config, store = this.config, this.store
    if not numbers(store):
        require_there(config.sources)
        # there will be something to do: workers start while the sources are listed
        this.get_ready()
    with open_state(store) as state:
        try:
            for line in find_files(this, state):
                this.progress.notice(line)
            if not this.accept_losses:
                refuse_losses(state, config)
            inputs = document.inputs_digest(state, config, curators, specs)
            parent = state.parent
            same = parent and parent.document.inputs == inputs and tombstones_applied(parent, tombstones(store))
            same = same and not to_try_again(state)[0]
            if parent and same and not this.paranoid and not this.retry_failed:
                if state.one("SELECT count(*) FROM archives_opened"):
                    remember(store, parent.document.number, state.arrow("SELECT * FROM archives_now"))
                if "list" in this.stages:
                    # what it listed is remembered, and there is nothing to go on with
                    close_run(store, this.run, parent.document)
                return Outcome("unchanged", parent)
            take_in(this, state)
            score(this, state)
            read: list[Scored] = []
            this.timed("decide", lambda: read.append(decide(state, config, curators)))
            unsure = tuple(undecided(state, config, read[0]))
            extract(this, state)
            this.pool.let_go()
            candidate = build(this, state, curators, specs, inputs)
            candidate = candidate.model_copy(update={"wrong_texts": read[0].wrong_texts})
            archives = state.arrow("SELECT * FROM archives_now")
        except IntegrityError:
            if _overtaken(store, state.parent):
                return None
            raise
        if parent and not document.differs(candidate, parent.document):
            close_run(store, this.run, parent.document)
            return Outcome("unchanged", parent, unsure)
        # the gate's own tables take as much memory again
        state.close()
        candidate = judged(this, parent, candidate)
        if not publish(store, candidate):
            return None
        close_run(store, this.run, candidate)
        remember(store, candidate.number, archives)
        return Outcome("published", open_version(store, candidate.number), unsure)


def find_files(this: Run, state: State) -> list[str]:
    """List the sources and read their labels; archives that take long to list are units. Returns notices."""

    def lister(wanted: Sequence[Wanted]) -> Iterator[tuple[int, Contents]]:
        recipe, runs = ListRecipe(), sorted({this.run, *unfinished_runs(this.store)})
        items = plan_listing(state, this.store, runs, recipe, wanted)
        known = len(wanted) - int(state.one(f"SELECT count(*) FROM {items}"))
        this.do(state, recipe, items, known, then=score_recipe(this.config))
        return listed_by_units(state, this.store, runs, recipe, wanted)

    return ingest.load_sources(
        state,
        this.config,
        paranoid=this.paranoid,
        retry_failed=this.retry_failed,
        lister=partial(here_first, others=lister),
    )


def take_in(this: Run, state: State) -> None:
    """Open what is new, then say what is live."""
    recipe, runs = ProbeRecipe(this.config.segment), [this.run, *unfinished_runs(this.store)]
    ingest.plan_probe(state, this.store, sorted(set(runs)), recipe, this.config)
    known = int(state.one("SELECT count(*) FROM known_files"))
    this.do(state, recipe, "probe_items", known, then=score_recipe(this.config))
    ingest.plan_probe(state, this.store, sorted(set(runs)), recipe, this.config)
    ingest.live_tables(state, this.config, retry_failed=this.retry_failed)
    for line in (*label_lines.notices(state), *cues.notices(state)):
        this.progress.notice(line)


def score(this: Run, state: State) -> None:
    """Run exactly the curators that clips are missing."""
    runs = sorted({this.run, *unfinished_runs(this.store)})
    clips_to_score(state, this.store, runs, this.config, retry_failed=this.retry_failed)
    known = int(state.one("SELECT (SELECT count(*) FROM clips_now) - (SELECT count(*) FROM score_items)"))
    then = extract_recipe(this.config) if this.config.representations else None
    this.do(state, score_recipe(this.config), "score_items", known, then=then)
    clips_to_score(state, this.store, runs, this.config, retry_failed=this.retry_failed)


def extract(this: Run, state: State) -> None:
    """Make exactly the latents that kept clips are missing."""
    runs = sorted({this.run, *unfinished_runs(this.store)})
    clips_to_extract(state, this.store, runs, this.config, retry_failed=this.retry_failed)
    kept = int(state.one("SELECT count(*) FROM decided WHERE status = 'kept'"))
    known = kept - int(state.one("SELECT count(*) FROM extract_items"))
    this.do(state, extract_recipe(this.config), "extract_items", known)
    clips_to_extract(state, this.store, runs, this.config, retry_failed=this.retry_failed)


def build(
    this: Run, state: State, curators: Sequence[Curator], specs: Sequence[RepresentationSpec], inputs: str
) -> VersionDocument:
    """Write shards and table parts, and the candidate that lists them."""
    parent, store = state.parent, this.store
    number = parent.document.number + 1 if parent else 1
    entries: dict[str, RepresentationEntry] = {}
    carried = sorted({name for source in this.config.sources for name in source.carry})
    parts: list[list[Object]] = []

    def write() -> None:
        assemble.outcome(state, curators, specs)
        for spec in specs:
            old = parent.document.representations.get(spec.name) if parent else None
            valid = old is not None and old.spec.fingerprint == spec.fingerprint
            shards = pack(state, store, spec, old.shards if old and valid else [], this.config.shard_bytes, carried)
            entries[spec.name] = document.representation_entry(state, spec, shards)
        parts.append(assemble.clip_parts(state, store, curators, specs, number, carried))
        parts.append(assemble.recording_parts(state, store))

    this.timed("assemble", write)
    clips, recordings = parts
    return document.compose(state, this.config, curators, entries, clips, recordings, number, inputs, this.stages)


def judged(this: Run, parent: Version | None, candidate: VersionDocument) -> VersionDocument:
    """The candidate with the gate's result. Raises `GateError` when a critical expectation fails."""
    config = this.config.gate
    if not config.enabled:
        return candidate
    result: list[GateResult] = []
    version = Version(this.store, candidate, "")
    specs = [entry.spec for entry in candidate.representations.values()]
    this.timed(
        "gate",
        lambda: result.append(gate.judge(version.files(), parent.files() if parent else None, config, specs, version)),
    )
    candidate = candidate.model_copy(update={"gate": result[0], "stages": list(this.stages.values())})
    path = keep_candidate(this.store, this.run, candidate)
    if result[0].verdict == "critical":
        lines = "".join(f"\n  {words([check])}" for check in failed_checks(candidate))
        dropped = sorted(candidate.dropped_by_reason.items(), key=lambda reason: -reason[1])
        why = f"\n  dropped: {', '.join(f'{reason} {count:,}' for reason, count in dropped)}" if dropped else ""
        raise GateError(
            f"the gate refused the candidate of version {candidate.number}; nothing was published.{lines}{why}\n"
            f"The candidate is {this.store.url}/{path}. Change the rules, the sources or the gate, and run again."
        )
    return candidate


def in_order(items: str, weight: str, recording: str, sizes: Sizes | None) -> str:
    """SQL of the items of a pass as they are cut: what is longer than a unit first, so that nobody waits for it at the
    end; of a short pass the longest recordings first, each in one stretch.

    items: with the alias `t`. weight: of an item, in SQL. recording: the column that says what is read together.
    """
    columns = f"SELECT t.*, {weight} AS weight FROM {items}"
    if sizes is None or not sizes.short:
        largest = sizes.at(sizes.total) if sizes else float("inf")
        return f"{columns} ORDER BY {weight} <= {largest}, t.unit, t.place"
    # what items of a unit need in common stays; where units began in the order of the sources does not
    return f"""SELECT * REPLACE (unit // {SAME_NEED} AS unit) FROM ({columns})
        ORDER BY unit, max(weight) OVER (PARTITION BY {recording}) DESC, {recording}, place"""


def new_run() -> str:
    """Identifier of a new run: sorts by time, never collides."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def _overtaken(store: Store, parent: Version | None) -> bool:
    newest = numbers(store)
    return bool(newest) and newest[-1] != (parent.document.number if parent else 0)

"""Around a run of a night: whether it was done before, and the report of what it published."""

from __future__ import annotations

from datetime import datetime

from ...loaders.reading.refs import readable
from ...loaders.reading.version import Version, open_version
from ...loaders.storage.store import Store
from ...schemas.config import RunConfig
from ...schemas.errors import AuricleError, NoDatasetError
from .records import done
from .watch import Watched


def already_done(dataset: str, night: datetime | None) -> Version | None:
    """The newest version, when an attempt at this night ended well; else None."""
    if night is None:
        return None
    try:
        store = Store(dataset)
    except NoDatasetError:
        return None
    if done(store, night) is None:
        return None
    numbers = readable(store)
    return open_version(store, numbers[-1]) if numbers else None


def reported(config: RunConfig, watch: Watched) -> None:
    """Write the report of a version that was published, where the configuration asks for it."""
    outcome = watch.outcome
    if not config.night.report or outcome is None or outcome.status != "published":
        return
    from ..judging.report import write_report

    try:
        watch.facts["report"] = str(write_report(outcome.version, diagnose_first=False))
    except AuricleError as error:
        # the version is published: its report can be written at any time
        watch.progress.notice(f"no report: {str(error).splitlines()[0]}")

"""What a night tells: hooks, metrics and a log, as the configuration has them; and the record that a night leaves.

None of it changes a result, and none of it is kept in a version: hooks may hold addresses that are secrets.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from .condition import Strict
from .version import Record

NIGHT_SCHEMA = "auricle.night/1"
Event = Literal["start", "success", "warning", "failure"]


class Hook(Strict):
    """Whom to tell. Exactly one of command, url and url_env."""

    events: list[Event] = Field(
        default=["warning", "failure"],
        min_length=1,
        description="When: start; success (published, or nothing new); warning (published, but an expectation of "
        "severity warning failed); failure (any other end, except that another run held the dataset)",
    )
    command: list[str] | None = Field(
        default=None, min_length=1, description="Program and arguments; reads one JSON object on standard input"
    )
    url: str | None = Field(default=None, description="Where the JSON object is sent by POST")
    url_env: str | None = Field(
        default=None, description="Environment variable that has the url, for addresses that are secrets"
    )
    body: Literal["facts", "slack"] = Field(
        default="facts", description="facts: all that is known; slack: `{text}`, as Slack and its like read it"
    )
    timeout_s: float = Field(default=30.0, gt=0, le=600, description="Then it is given up; the run goes on (s)")

    @model_validator(mode="after")
    def _one_way(self) -> Hook:
        given = [name for name in ("command", "url", "url_env") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of command, url, url_env is required, not {' and '.join(given) or 'none'}")
        return self

    @field_validator("url")
    @classmethod
    def _web(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            raise ValueError("an address beginning with https:// or http:// is required")
        return url


class Metrics(Strict):
    """OpenMetrics of a run (docs/operations.md lists them)."""

    port: int | None = Field(
        default=None, ge=0, le=65535, description="Serve them while the run works, on 127.0.0.1 only; 0: any free port"
    )
    file: str | None = Field(
        default=None, description="Write them when the run ends, for the textfile collector of node_exporter (*.prom)"
    )


class Night(Strict):
    """Whom a run tells how it goes."""

    hooks: list[Hook] = Field(default_factory=list, description="Commands and addresses that are told")
    metrics: Metrics = Field(default_factory=Metrics, description="OpenMetrics")
    log: str | None = Field(default=None, description="File to which the run appends what happens, one JSON per line")
    report: bool = Field(default=False, description="Write the report of each version that is published")


class NightRecord(Record):
    """`nights/<scheduled time>-<start>.json`: how one attempt at a night ended. No text of a clip, no path."""

    schema_version: str = Field(default=NIGHT_SCHEMA, alias="schema")
    scheduled_for: str = Field(description="UTC time, ISO 8601")
    started: str = Field(description="UTC time, ISO 8601")
    ended: str = Field(description="UTC time, ISO 8601")
    status: Literal["published", "unchanged", "failed"]
    exit_code: int
    error: str | None = Field(default=None, description="Name of the exception")
    version: int | None = Field(default=None, description="The newest version when it ended, published by it or before")
    gate: str | None = Field(default=None, description="The gate's verdict on what was published or refused")

    model_config = Record.model_config | {"populate_by_name": True}

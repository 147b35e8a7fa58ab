"""The gate over a version that is published."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from ...loaders.reading.version import Version, open_version
from ...pipelines.publishing.gate import judge
from ...schemas.config import Gate
from ...schemas.errors import AuricleError, ConfigError
from ...schemas.version import GateResult
from ..terminal import console
from ..terminal.config_file import load_config


def judged_again(version: Version, config: Path | None) -> GateResult:
    """The verdict on a version against its parent, or against nothing where that is gone.

    config: whose `gate` applies; None for the version's own. A gate that was off is asked all the same.
    """
    if config is not None:
        given = load_config(config, []).gate
    else:
        try:
            given = Gate.model_validate(version.document.config.get("gate") or {})
        except ValidationError as error:
            raise ConfigError(
                f"the gate of version {version.document.number} was written by another auricle; give --config"
            ) from error
    given = given.model_copy(update={"enabled": True})
    specs = [entry.spec for entry in version.document.representations.values()]
    return judge(version.files(), _before(version), given, specs, version)


def _before(version: Version) -> list[Path] | None:
    if version.document.parent is None:
        return None
    try:
        return open_version(version.store, version.document.parent).files()
    except AuricleError as error:
        console.notice(f"compared with nothing: {str(error).splitlines()[0]}")
        return None


def print_gate(number: int, result: GateResult) -> None:
    """Failed expectations first."""
    console.say(f"version {number}: {result.verdict}")
    rows = [
        ("ok" if c.success else c.severity, c.expectation, c.required, c.observed)
        for c in sorted(result.checks, key=lambda c: c.success)
    ]
    console.table("", ("", "expectation", "required", "observed"), rows)

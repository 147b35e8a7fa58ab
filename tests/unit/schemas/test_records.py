"""Version documents survive a round trip, refuse what they do not know, and errors survive pickling."""

from __future__ import annotations

import json
import pickle

import pytest

from auricle.schemas import errors
from auricle.schemas.version import VersionDocument


def test_a_document_reads_back_as_it_was() -> None:
    document = VersionDocument(number=3, parent=2, created="2026-01-01T00:00:00+00:00")
    assert VersionDocument.from_json(document.to_json()) == document
    assert json.loads(document.to_json())["schema"] == "auricle.version/1"


def test_unknown_fields_of_a_minor_version_are_ignored() -> None:
    raw = json.loads(VersionDocument(number=1, created="").to_json()) | {"schema": "auricle.version/1.4", "new": 1}
    assert VersionDocument.from_json(json.dumps(raw).encode()).number == 1


@pytest.mark.parametrize("schema", ["auricle.version/2", "other/1", ""])
def test_an_unknown_major_version_is_refused_with_what_to_do(schema: str) -> None:
    raw = json.loads(VersionDocument(number=1, created="").to_json()) | {"schema": schema}
    with pytest.raises(errors.SchemaVersionError, match="Upgrade"):
        VersionDocument.from_json(json.dumps(raw).encode())


@pytest.mark.parametrize(
    "error",
    [
        errors.ConfigError("a"),
        errors.ClipError("corrupt", "why"),
        errors.MissingExtraError("auricle run", "curate", "ray"),
        errors.BusyError("b"),
        errors.GateError("c"),
    ],
)
def test_errors_survive_pickling(error: errors.AuricleError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert again.exit_code == error.exit_code


def test_exit_codes_are_distinct() -> None:
    leaves = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.AuricleError)]
    own = [e.exit_code for e in leaves if "exit_code" in vars(e)]
    assert len(own) == len(set(own))

"""Which models a dataset has promoted: one small numbered document, like a version."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import ConfigDict, Field

from .version import Record, require_major

MODELS_SCHEMA = "auricle.models/1"


class PromotedModel(Record):
    """What takes the place of a curator or codec that configurations name."""

    kind: Literal["curator", "codec"]
    slot: str = Field(description="The name that configurations use")
    name: str = Field(description="The curator or codec that runs in its place; often the same")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Of a curator its parameters; of a codec weights and weights_sha256"
    )
    fingerprint: str = Field(description="Of what was compared; a run refuses anything else")


class ModelsDocument(Record):
    """`models/000002.json`. The newest one holds."""

    schema_version: str = Field(default=MODELS_SCHEMA, alias="schema")
    number: int
    created: str = Field(description="UTC time, ISO 8601")
    note: str = ""
    again: int | None = Field(
        default=None, description="Of a rollback: the promotion that holds again, 0 for none; null for a promotion"
    )
    models: dict[str, PromotedModel] = Field(
        default_factory=dict, description="By slot; empty: what configurations say"
    )
    compared: dict[str, Any] = Field(
        default_factory=dict, description="The comparison that the last promotion rests on"
    )

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    def to_json(self) -> bytes:
        """The document's bytes: indented, one trailing newline."""
        return (json.dumps(self.model_dump(by_alias=True), indent=2, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> ModelsDocument:
        """Parse a document; an unknown major schema is refused with what to upgrade."""
        raw = json.loads(data)
        require_major(str(raw.get("schema", "")), MODELS_SCHEMA, "models document")
        return cls.model_validate(raw)

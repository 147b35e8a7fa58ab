"""What is on disk of curricula: `derived/<version>/curriculum.parquet`, when each kept clip joins the training, and the
named ones, `curriculum-<name>-<sha256>.parquet`, each with its document."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pydantic import Field

from .curriculum_spec import Phase
from .version import Record

CURRICULUM_SCHEMA = "auricle.curriculum/1"
CURRICULUM = pa.schema(
    [
        pa.field("clip", pa.string()),
        pa.field("stage", pa.int32()),  # the stage from which on the clip is open; stages add up
        pa.field("tier", pa.string()),
        pa.field("difficulty", pa.float64()),  # bit/s, shrunk; null where it could not be measured
        pa.field("quantile", pa.float64()),  # of difficulty within source, language and duration class
        pa.field("duration_s", pa.float64()),
    ]
)

NAMED_SCHEMA = "auricle.named_curriculum/1"
DOCUMENT_SCHEMA = "auricle.curriculum_document/1.1"
NAMED_DOCUMENT = "auricle.named_curriculum"
"""Key of the document, as JSON, in the metadata of the table's file."""
NAMED = pa.schema(
    [
        pa.field("clip", pa.string(), nullable=False),
        pa.field("stage", pa.int32()),  # place in the document's stages; null: in none
        pa.field("left_out", pa.string()),  # why it is in none, LEFT_OUT
        pa.field("quota", pa.string()),  # the value under which a quota counts it; null without a quota
        pa.field("stratum", pa.string()),  # values of the strata, and the duration class, joined by |
        pa.field("tier", pa.string()),
        pa.field("difficulty", pa.float64()),  # bit/s, shrunk; null where it is not measured or not asked for
        pa.field("duration_s", pa.float64()),
        pa.field("tokens", pa.int64()),  # frames times rows of the representation
    ]
)
LEFT_OUT = {
    "rules": "breaks a rule that all stages share",
    "audit": "set aside for audit",
    "no_stage": "satisfies the conditions of no stage",
    "quota": "more than the quota of its stage takes",
    "budget": "more than the budget takes",
}
"""Why a kept clip is in no stage."""
REPEATABLE = 0.3
"""Split-half repeatability below which a difficulty is not worth ranking by."""


def repeatable_words(repeatability: float | None) -> str:
    """How repeatable a difficulty is, with a warning where its order says little about the clips."""
    if repeatability is None:
        return "warning: how repeatable the difficulty is is not known; its order may say nothing of the clips"
    said = f"difficulty: split-half repeatability {repeatability:.2f}"
    if repeatability >= REPEATABLE:
        return said
    return f"warning: {said}, below {REPEATABLE:g}: its order says little about the clips"


class StageFacts(Record):
    """One stage as it was made."""

    name: str
    clips: int
    hours: float
    tokens: int
    speakers: int = Field(description="Known by label or voice; 0 where only recordings are known")
    median_difficulty: float | None = Field(default=None, description="bit/s")
    quotas: dict[str, int] = Field(default={}, description="Exact clips by value, where the stage has quotas")


class CurriculumInputs(Record):
    """What a curriculum was made from: equal inputs and an equal spec give equal bytes."""

    version: int
    version_sha256: str = Field(description="Of the version document's bytes")
    representation: str = Field(description="Whose frames are the tokens")
    fingerprint: str = Field(description="Of the representation")
    difficulty_sha256: str | None = Field(default=None, description="Of the difficulty table, where it was asked for")
    difficulty_repeatability: float | None = Field(
        default=None, description="Correlation of the difficulty of halves of clips, within speakers; null: not known"
    )

    def on_difficulty(self) -> str:
        """How far the difficulty can be relied on, as one says it; empty where none was asked for."""
        return "" if self.difficulty_sha256 is None else repeatable_words(self.difficulty_repeatability)


class CurriculumDocument(Record):
    """A named curriculum without its clips; in the metadata of its file."""

    schema_version: str = Field(alias="schema")
    name: str
    spec: dict[str, Any] = Field(description="As the user wrote it, with defaults left out")
    inputs: CurriculumInputs
    stages: list[StageFacts]
    phases: list[Phase] = Field(description="The pacing, with its default written out")
    left_out: dict[str, int] = Field(description="Kept clips in no stage, by reason")
    audit: list[str] = Field(description="Keys of the clips set aside, the hardest first")
    small_strata: int = Field(
        default=0,
        description="Clips in strata of fewer than five, where stages ask for quantiles, which say little there",
    )

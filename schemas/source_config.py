"""A source as the user writes it in YAML: where its recordings are, and how its labels are read."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema, field_validator, model_validator

from .condition import Strict
from .language import language_code


def not_empty(path: str) -> str:
    """An empty path would quietly mean the current folder."""
    if not path.strip():
        raise ValueError("a path is required; write . for the current folder")
    return path


def _word(value: Any) -> Any:
    """A value of a label as text, whatever YAML made of it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


VALUES = {"type": "object", "additionalProperties": {"type": ["array", "string", "boolean", "number"]}}
"""What `require` may be in a file: one value is a list of one."""
LABEL_COLUMNS = ("file", "transcript", "speaker", "language", "channel", "start_s", "end_s", "duration_s")


class Labels(Strict):
    """How a source's labels are to be read, where recognising them is not enough (docs/labels.md)."""

    format: str | None = Field(
        default=None, description="Name of the label format; default: what the file is recognised as"
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="For tables: file, transcript, speaker, language, channel, start_s, end_s or duration_s to the "
        "table's own name of that column; columns of a table without a header are called 1, 2, 3",
    )

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(columns) - set(LABEL_COLUMNS))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(LABEL_COLUMNS)}; `carry` takes other columns along")
        return columns


class Source(Strict):
    """One folder of recordings and where its labels are."""

    path: str = Field(
        description="Folder (or one file) of audio, local, s3:// or https://; relative to where the command runs. "
        "Archives in it (.tar, .zip, .parquet, .arrow) are folders of recordings, too. A file .txt, .tsv, .csv or "
        ".jsonl is a list of paths and addresses; auricle://DATASET@VERSION is the clips of a version (docs/sources.md)"
    )
    name: str = Field(default="", description="Short name of the source in tables; default: the folder's own name")
    transcripts: str | None = Field(
        default=None,
        description="Labels, relative to `path`: a file, recognised by what it is (a table with columns such as file, "
        "speaker, language, transcript, channel; a manifest of NeMo, lhotse, Kaldi; subtitles; docs/labels.md has "
        "all); a glob of such files; or '*.txt', '*.srt', '*.TextGrid', '*.json', '*.trans.txt' for a file beside each "
        "recording",
    )
    labels: Labels | None = Field(default=None, description="How to read the labels, if their format is not recognised")
    carry: list[str] = Field(
        default_factory=list,
        description="Further columns of the labels, for example gender, age, licence, to keep in the clip table "
        "(struct `carried`), in the json of each sample and in the report",
    )
    require: Annotated[dict[str, list[str]], WithJsonSchema(VALUES)] = Field(
        default_factory=dict,
        description="Carried column to the values that clips of this source may have, for example "
        "licence: [cc0, cc-by]. A clip without the column, or with another value, is dropped with the reason "
        "requires_<column>. Case, spaces and hyphens do not matter; a name without a number is also that name with any "
        "(docs/labels.md)",
    )
    language: str | None = Field(
        default=None, description="ISO 639-1 code for clips whose label names none; a region (en-GB) is dropped"
    )
    speaker: str | None = Field(default=None, description="Speaker for clips whose label names none")
    include: list[str] = Field(
        default_factory=lambda: ["**/*"],
        description="Globs under `path`, * within a folder and ** for any number of folders, also none; files with "
        "audio extensions among them are read. A glob may name archives, or their members as shards/000.tar/a.flac",
    )
    missing: Literal["keep", "retire"] = Field(
        default="retire",
        description="What happens to clips whose file is gone: retire drops them from the next version",
    )

    @field_validator("path")
    @classmethod
    def _some_path(cls, path: str) -> str:
        return not_empty(path)

    @field_validator("language")
    @classmethod
    def _code(cls, language: str | None) -> str | None:
        if language is not None and not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", language):
            raise ValueError("a language code in small letters is required, for example en or en-GB")
        return language_code(language)

    @field_validator("carry")
    @classmethod
    def _distinct(cls, carry: list[str]) -> list[str]:
        if len({name.lower() for name in carry}) != len(carry) or not all(name.strip() for name in carry):
            raise ValueError("each column once, by its name")
        return carry

    @field_validator("require", mode="before")
    @classmethod
    def _values(cls, require: Any) -> Any:
        if not isinstance(require, dict):
            return require
        return {
            name: [_word(v) for v in (given if isinstance(given, list) else [given])] for name, given in require.items()
        }

    @field_validator("require")
    @classmethod
    def _some_value(cls, require: dict[str, list[str]]) -> dict[str, list[str]]:
        for name, values in require.items():
            if not values or not all(value.strip() for value in values):
                raise ValueError(f"{name!r} has no value that would be accepted: nothing could be kept")
        return require

    @model_validator(mode="after")
    def _carries_what_it_requires(self) -> Source:
        for name in self.require:
            if name not in self.carry:
                raise ValueError(f"{name!r} is required and not carried: add it to `carry`, as the label file calls it")
        return self

    @model_validator(mode="after")
    def _default_name(self) -> Source:
        if not self.name:
            object.__setattr__(self, "name", PurePath(self.path.rstrip("/")).name or "source")
        return self

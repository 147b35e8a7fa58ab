"""Clips that a rule lets through because its score does not apply to them: a rule on a text, and a clip without one."""

from __future__ import annotations

from pydantic import Field

from .condition import Rule
from .counted import counted
from .version import Record

NO_TEXT = "{score: text_empty, equals: false, missing: drop, reason: no_text}"
"""The rule that a clip must have a text, in whatever language."""


class Unscored(Record):
    """What one rule keeps without having tested it."""

    rule: str = Field(description="The rule in one line")
    reason: str
    score: str
    clips: int = Field(description="Kept clips without this score")
    reads_text: bool = Field(description="Whether the score is of the clip's text")

    @classmethod
    def of(cls, rule: Rule, clips: int, reads_text: bool) -> Unscored:
        """The record of a rule."""
        return cls(rule=rule.text, reason=rule.reason, score=rule.score, clips=clips, reads_text=reads_text)

    @property
    def line(self) -> str:
        """How many, and which rule drops them."""
        apart = f"; the rule {NO_TEXT} drops those without a text" if self.reads_text else ""
        clips = counted(self.clips, "kept clip has", "kept clips have")
        return f"{self.reason}: {clips} no {self.score}. `missing: drop` in the rule drops them{apart}"

"""What a run tells while it works; the command decides how it looks."""

from __future__ import annotations

from typing import Protocol

from .work_units import UnitOutcome


class Progress(Protocol):
    """Told about stages and finished units, from the driver's thread."""

    def notice(self, text: str) -> None:
        """A line that the user should see, once."""
        ...

    def begin(self, stage: str, items: int, audio_s: float, units: int) -> None:
        """A stage starts with this much to do; audio_s is 0 when it is not known beforehand, units and items are where
        the driver does the stage itself: nothing is told of it until it ends."""
        ...

    def unit(self, outcome: UnitOutcome) -> None:
        """A unit of the stage ended."""
        ...

    def end(self, stage: str) -> None:
        """The stage ended."""
        ...


class Silent:
    """Progress that nobody watches."""

    def notice(self, text: str) -> None: ...

    def begin(self, stage: str, items: int, audio_s: float, units: int) -> None: ...

    def unit(self, outcome: UnitOutcome) -> None: ...

    def end(self, stage: str) -> None: ...

"""OpenTelemetry: a span for the run and one for each stage, where the package is installed and set up.

Without an exporter (`opentelemetry-instrument auricle run ...`, or an SDK that the program sets up) they go nowhere.
"""

from __future__ import annotations

from typing import Any

from ...pipelines.work.work_units import UnitOutcome


def tracer() -> Any:
    """OpenTelemetry's tracer of this package, or None."""
    try:
        from opentelemetry import trace
    except ImportError:
        return None
    return trace.get_tracer("auricle")


class Spans:
    """A `Progress` that opens and closes spans."""

    def __init__(self, made_by: Any, dataset: str, run: str) -> None:
        self._tracer = made_by
        self._run = made_by.start_span("auricle run", attributes={"auricle.dataset": dataset, "auricle.run": run})
        self._stage: Any = None
        self._sums = {"done": 0, "failed": 0, "audio_s": 0.0, "cpu_s": 0.0}

    def notice(self, text: str) -> None: ...

    def begin(self, stage: str, items: int, audio_s: float, units: int) -> None:
        from opentelemetry import trace

        inside = trace.set_span_in_context(self._run)
        self._stage = self._tracer.start_span(
            f"auricle {stage}", context=inside, attributes={"auricle.items": items, "auricle.units": units}
        )
        self._sums = dict.fromkeys(self._sums, 0.0)

    def unit(self, outcome: UnitOutcome) -> None:
        for name in self._sums:
            self._sums[name] += getattr(outcome, name)

    def end(self, stage: str) -> None:
        if self._stage is not None:
            self._stage.set_attributes({f"auricle.{name}": value for name, value in self._sums.items()})
            self._stage.end()
            self._stage = None

    def ended(self, exit_code: int) -> None:
        """Close what is open."""
        self.end("")
        self._run.set_attribute("auricle.exit_code", exit_code)
        if exit_code:
            from opentelemetry.trace import StatusCode

            self._run.set_status(StatusCode.ERROR)
        self._run.end()

"""Exit codes after which a scheduler need not try again."""

from __future__ import annotations

from ...schemas.errors import (
    BusyError,
    ClusterError,
    ConfigError,
    DatasetError,
    GateError,
    LossError,
    MissingExtraError,
    PendingError,
    WeightsError,
    WorkerError,
)

NO_RETRY = tuple(
    error.exit_code
    for error in (
        ConfigError, MissingExtraError, DatasetError, WeightsError, PendingError, WorkerError, ClusterError, GateError,
        LossError, BusyError,
    )
)  # fmt: skip
"""Codes that the same command would only give again minutes later: each waits for somebody, or for the next night.
Workers have by then been started again many times, and a pending takedown that stopped a run is damaged."""

"""What a corpus would cost, from what the nights of a dataset cost.

Rates are sums over nights, so that a long one counts for more: CPU and GPU seconds per hour of audio of each pass,
seconds of the driver, bytes per hour that is kept. Passes scale with the audio that comes new, the driver with the
whole corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...schemas.errors import ConfigError
from ...schemas.version import Stage, VersionDocument

PASSES = ("probe", "score", "extract")
NIGHTS = 10
"""The newest ones that scored anything."""
MANY = 100_000
"""Clips from which on the driver's time is no longer that of imports and small files."""
PER_CLIP_S = 1.6e-4
"""Driver seconds for each clip of 10^7 (docs/scale.md), for datasets that are smaller than `MANY`."""


@dataclass(frozen=True)
class Rates:
    """Measured."""

    nights: int
    hours: float
    """Audio that these nights scored."""
    cpu_s_per_hour: dict[str, float]
    """Of each pass, per hour of its audio; of probe, per hour that was scored."""
    gpu_s_per_hour: dict[str, float]
    driver_s: float
    """Of the driver alone, of the night with the most clips."""
    driver_s_per_clip: float
    """How that grows: measured where that night had `MANY` clips, else `PER_CLIP_S`, and `driver_s` stays with it."""
    clips_per_hour: float
    kept_share: float
    """Of the hours of clips, in the newest version."""
    bytes_per_kept_hour: dict[str, float]
    """Of each representation."""
    table_bytes_per_clip: float
    busy_share: float | None
    """CPU seconds of the passes per second of each worker; None where no night says how many there were."""


@dataclass(frozen=True)
class Estimate:
    """Of one run over so many hours of new audio."""

    hours: float
    cpu_hours: dict[str, float]
    """Of workers, by pass."""
    gpu_hours: float
    driver_hours: float
    wall_hours: float
    shard_bytes: dict[str, float]
    table_bytes: float
    node_hours: float
    cost: float | None
    """node_hours at the price that was given."""
    storage_cost_per_month: float | None


def nights(documents: Sequence[VersionDocument]) -> list[VersionDocument]:
    """The newest `NIGHTS` runs that scored audio, oldest first."""
    return [d for d in documents if d.kind == "run" and _of(d, "score").audio_s > 0][-NIGHTS:]


def rates(documents: Sequence[VersionDocument]) -> Rates:
    """What the nights cost. Raises `ConfigError` where none scored anything."""
    measured = nights(documents)
    if not measured:
        raise ConfigError(
            "no version of the dataset was made by a run that scored audio, so nothing is measured yet: run a part of "
            "the sources first (narrow `include`), or give --rates-from a dataset with the same curators and "
            "representations"
        )
    newest = measured[-1]
    hours = sum(_of(d, "score").audio_s for d in measured) / 3600
    cpu, gpu = {}, {}
    for name in PASSES:
        of = hours if name != "extract" else sum(_of(d, name).audio_s for d in measured) / 3600
        cpu[name] = sum(_of(d, name).cpu_s for d in measured) / of if of else 0.0
        gpu[name] = sum(_of(d, name).gpu_s for d in measured) / of if of else 0.0
    largest = max(measured, key=lambda d: d.counts.clips)
    driver = sum(s.wall_s for s in largest.stages if s.name not in PASSES)
    many = largest.counts.clips >= MANY
    staffed = [s for d in measured for s in d.stages if s.workers and s.wall_s > 0 and s.name in ("score", "extract")]
    room = sum(s.workers * s.wall_s for s in staffed)
    clip_hours = newest.hours.get("clips", 0.0)
    kept = newest.hours.get("kept", 0.0)
    return Rates(
        nights=len(measured),
        hours=hours,
        cpu_s_per_hour=cpu,
        gpu_s_per_hour=gpu,
        driver_s=0.0 if many else driver,
        driver_s_per_clip=driver / largest.counts.clips if many else PER_CLIP_S,
        clips_per_hour=newest.counts.clips / clip_hours if clip_hours else 0.0,
        kept_share=kept / clip_hours if clip_hours else 0.0,
        bytes_per_kept_hour={
            name: sum(s.num_bytes * s.live / max(1, s.rows) for s in entry.shards) / kept if kept else 0.0
            for name, entry in newest.representations.items()
        },
        table_bytes_per_clip=sum(part.num_bytes for part in (*newest.clips, *newest.recordings)) / newest.counts.clips,
        busy_share=sum(s.cpu_s for s in staffed) / room if room else None,
    )


def estimate(
    found: Rates,
    hours: float,
    nodes: int,
    cpus: int,
    price: float | None = None,
    storage_price: float | None = None,
) -> Estimate:
    """The cost of `hours` of new audio in an empty dataset.

    cpus: workers of each node. price: of one node for an hour. storage_price: of 10^9 bytes for a month. A night is as
    busy as the measured ones were, and workers with a GPU are as many.
    """
    kept = hours * found.kept_share
    audio = {"probe": hours, "score": hours, "extract": kept}
    cpu = {name: found.cpu_s_per_hour[name] * audio[name] / 3600 for name in PASSES}
    gpu = sum(found.gpu_s_per_hour[name] * audio[name] for name in PASSES) / 3600
    clips = hours * found.clips_per_hour
    driver = (found.driver_s + found.driver_s_per_clip * clips) / 3600
    wall = sum(cpu.values()) / (nodes * cpus * (found.busy_share or 1.0)) + driver
    shards = {name: rate * kept for name, rate in found.bytes_per_kept_hour.items()}
    tables = found.table_bytes_per_clip * clips
    return Estimate(
        hours=hours,
        cpu_hours=cpu,
        gpu_hours=gpu,
        driver_hours=driver,
        wall_hours=wall,
        shard_bytes=shards,
        table_bytes=tables,
        node_hours=nodes * wall,
        cost=None if price is None else nodes * wall * price,
        storage_cost_per_month=None if storage_price is None else (sum(shards.values()) + tables) / 1e9 * storage_price,
    )


def looking_back(documents: Sequence[VersionDocument]) -> list[tuple[int, float, float]]:
    """(version, CPU seconds of its passes as the nights before it foretell, as it took) of each night but the first."""
    measured = nights(documents)
    found = []
    for place in range(1, len(measured)):
        before, night = rates(measured[:place]), measured[place]
        audio = {name: _of(night, name).audio_s / 3600 for name in PASSES} | {
            "probe": _of(night, "score").audio_s / 3600
        }
        foretold = sum(before.cpu_s_per_hour[name] * audio[name] for name in PASSES)
        found.append((night.number, foretold, sum(_of(night, name).cpu_s for name in PASSES)))
    return found


def _of(document: VersionDocument, name: str) -> Stage:
    return next((s for s in document.stages if s.name == name), Stage(name=name))

"""`auricle estimate`: time, storage and money of a corpus, from what nights cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ...schemas.counted import counted
from ..terminal import console
from ..terminal.options import Json
from .run_commands import ConfigPath, Overrides

if TYPE_CHECKING:
    from ...pipelines.derived.estimate import Estimate, Rates


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command("estimate")(estimate_)


def estimate_(
    config: ConfigPath,
    hours: Annotated[float, typer.Option(min=0.001, help="Hours of new audio")],
    set_: Overrides = None,
    nodes: Annotated[int, typer.Option(min=1, help="Machines")] = 1,
    cpus: Annotated[int, typer.Option(min=1, help="Workers of each: its CPUs, where a worker takes one")] = 16,
    price: Annotated[float | None, typer.Option(min=0, help="Of one machine for an hour, in any currency")] = None,
    storage_price: Annotated[float | None, typer.Option(min=0, help="Of 1 GB for a month")] = None,
    rates_from: Annotated[
        str | None, typer.Option(metavar="DATASET", help="Take the rates of this dataset; default: the configuration's")
    ] = None,
    as_json: Json = False,
) -> None:
    """Estimate time, storage and money for so many hours, from what the last nights of the dataset took. The rates are
    shown, and how far the nights were from what those before them foretold.

    Example: auricle estimate speech.yaml --hours 10000 --nodes 8 --cpus 32 --price 1.20 --storage-price 0.023
    """
    from ...loaders.reading.refs import readable
    from ...loaders.reading.version import open_version
    from ...loaders.storage.store import Store
    from ...pipelines.derived.estimate import estimate, looking_back, rates
    from ..terminal.answer import answer
    from ..terminal.config_file import load_config

    store = Store(rates_from or load_config(config, set_ or []).dataset)
    documents = [open_version(store, number).document for number in readable(store)]
    measured = rates(documents)
    found = estimate(measured, hours, nodes, cpus, price, storage_price)
    back = [
        {"version": version, "foretold_cpu_s": foretold, "took_cpu_s": took}
        for version, foretold, took in looking_back(documents)
    ]
    facts = {"rates": measured, "estimate": found, "nights": back, "nodes": nodes, "cpus": cpus}
    answer(as_json, facts, lambda: _printed(measured, found, back, nodes, cpus))


def _printed(measured: Rates, found: Estimate, back: list[dict[str, float]], nodes: int, cpus: int) -> None:
    console.say(f"measured     {counted(measured.nights, 'night')}, {console.hours(measured.hours)} of audio")
    for name, seconds in measured.cpu_s_per_hour.items():
        card = measured.gpu_s_per_hour[name]
        cards = f", {card:,.0f} GPU-s" if card else ""
        console.say(f"  {name:10} {seconds:,.1f} CPU-s per hour of audio{cards}")
    busy = "not recorded, taken as 100 %" if measured.busy_share is None else f"{measured.busy_share:.0%} of their time"
    once = f"{measured.driver_s:,.1f} s a night and " if measured.driver_s else ""
    source = " (of docs/scale.md: these nights are too small to say)" if measured.driver_s else ""
    console.say(f"  driver     {once}{measured.driver_s_per_clip * 1000:,.2f} ms per clip of the corpus{source}")
    console.say(f"  workers    busy {busy}; {measured.kept_share:.0%} of the hours are kept")
    for name, size in measured.bytes_per_kept_hour.items():
        console.say(f"  {name}: {size / 1e6:,.1f} MB per hour that is kept")
    console.say(
        f"estimate     {found.hours:,.0f} h of new audio on {counted(nodes, 'machine')} with "
        f"{counted(cpus, 'worker')} each"
    )
    console.say(f"  time       {_long(found.wall_hours)}, {_long(found.driver_hours)} of it the driver alone")
    console.say(f"  workers    {sum(found.cpu_hours.values()):,.1f} CPU-h, {found.gpu_hours:,.1f} GPU-h")
    size = sum(found.shard_bytes.values()) + found.table_bytes
    console.say(f"  storage    {size / 1e9:,.2f} GB, {found.table_bytes / 1e9:,.2f} of them tables")
    if found.cost is not None:
        console.say(f"  machines   {found.cost:,.2f} for {found.node_hours:,.1f} machine-hours")
    if found.storage_cost_per_month is not None:
        console.say(f"  keeping    {found.storage_cost_per_month:,.2f} a month")
    if back:
        off = [abs(night["took_cpu_s"] / max(night["foretold_cpu_s"], 1e-9) - 1) for night in back]
        console.say(
            f"looking back {counted(len(off), 'night')} took {max(off):.0%} more or less CPU than foretold at most"
        )


def _long(hours: float) -> str:
    return console.span(hours * 3600) if hours < 48 else f"{hours / 24:,.1f} days"

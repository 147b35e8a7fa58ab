"""What each codec can give, as the command lists it: kinds, frame rates, sizes and options."""

from __future__ import annotations

from collections.abc import Iterator

from ...extractors.coding.registry import codecs, describe, family
from ...extractors.coding.views import Architecture, View
from ...extractors.coding.weights import list_weights
from ...schemas.config import RepresentationConfig
from ...schemas.errors import AuricleError

Row = tuple[str, str, str, str, str]
KEYS = ("codec", "kind", "rates_hz", "sample", "options")
"""Of a row, as `--json` names them."""
HEADS = ("codec", "kind", "rate_hz, the first is the default", "one sample", "num_codebooks and options")


def codec_rows() -> list[Row]:
    """One row per codec and kind, in the order of the registry; a codec of another package that cannot be listed
    says so."""
    return [row for name in codecs() for row in _rows(name)]


def weights_notes() -> list[str]:
    """A line for each codec whose published weights are not on this machine."""
    return [
        f"{w['name']}: weights are not on this machine; `auricle weights fetch {w['name']}`, or see `auricle doctor`"
        for w in list_weights()
        if not w["present"]
    ]


def _rows(name: str) -> Iterator[Row]:
    if name == "conversation":
        what = "the kinds of a one-channel codec, one speaker on each of two channels"
        yield name, "as inner", "as inner", f"[2K, T]: {what}", "options: {codec: builtin}"
        return
    if name == "features":
        from ...extractors.features.features import RATES_HZ, ROWS

        rates = ", ".join(f"{rate:g}" for rate in RATES_HZ)
        yield name, "features", rates, f"[{len(ROWS)}, T] float", ", ".join(row for row, _ in ROWS)
        return
    architecture = _architecture(name)
    if architecture is None:
        yield from _by_asking(name)
        return
    kinds: dict[tuple[str, int], list[View]] = {}
    for view in architecture.views:
        kinds.setdefault((view.kind, view.rows), []).append(view)
    for (kind, _), views in kinds.items():
        rates = ", ".join(dict.fromkeys(f"{view.rate_hz:g}" for view in views))
        yield name, kind, rates, _shape(architecture, views[0]), "; ".join(_choices(architecture, views))


def _architecture(name: str) -> Architecture | None:
    if name == "builtin":
        from ...extractors.codecs.builtin import architecture, packaged_or_named, read_card

        return architecture(read_card(packaged_or_named(None, None)))
    return getattr(family(name), "architecture", None)


def _by_asking(name: str) -> Iterator[Row]:
    """Codecs that declare no list of views: what the usual kinds give with default settings."""
    found = False
    for kind in ("codes", "latents"):
        try:
            spec = describe(RepresentationConfig(codec=name, kind=kind))
        except AuricleError:
            continue
        found = True
        shape = f"[{spec.rows} of {spec.cardinality:,}, T]" if spec.cardinality else f"[{spec.rows}, T]"
        yield name, kind, f"{spec.frame_rate:g}", f"{shape} {spec.dtype}", ""
    if not found:
        yield name, "?", "?", "?", "another package's codec: its documentation lists its kinds"


def _shape(architecture: Architecture, view: View) -> str:
    if view.codebooks and not view.rows:
        return f"[K of {architecture.cardinality:,}, T] uint16"
    rows = view.rows_by[1].values() if view.rows_by else (view.rows,)
    return f"[{' or '.join(map(str, rows))}, T] float"


def _choices(architecture: Architecture, views: list[View]) -> Iterator[str]:
    if views[0].codebooks:
        allowed = list(architecture.codebooks)
        low, high = min(allowed), max(allowed)
        shown = f"{low} to {high}" if allowed == list(range(low, high + 1)) else ", ".join(map(str, allowed))
        yield f"num_codebooks {shown}, default {architecture.default_codebooks}"
    options = dict.fromkeys(
        f"{option}: {' or '.join(map(str, values))}" for view in views for option, values in view.options.items()
    )
    yield from options
    if any(view.details.get("pseudo") for view in views):
        yield "interleaved, not a rate of the network"

"""A few kept clips for the report: as recorded, and decoded from their codes."""

# pyarrow.compute makes its functions at import, where no type checker sees them
# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Iterator

import pyarrow.compute as pc

from ...dashboards.report.decoded import MOST, Decoded
from ...dashboards.report.examples import choose
from ...loaders.reading.version import Version
from ...pipelines.audio.listen import clip_audio, wav_bytes
from ...pipelines.derived.decoder import Decoder
from ...schemas.errors import AuricleError
from ...schemas.representation import RepresentationSpec

LONGEST_S = 12.0


def builtin_codes(version: Version) -> RepresentationSpec | None:
    """The version's codes of the built-in codec, whose decoder is on every machine; None where it has none."""
    for entry in version.document.representations.values():
        if (entry.spec.codec, entry.spec.kind) == ("builtin", "codes") and entry.live:
            return entry.spec
    return None


def decoded_clips(version: Version, spec: RepresentationSpec) -> Iterator[Decoded]:
    """Up to `MOST` kept clips, the same ones for the same version; none where the sources or the codec are gone."""
    try:
        decoder = Decoder(version, spec)
    except AuricleError:
        return
    rows = [row for row in choose(version.files(), MOST, LONGEST_S) if row["reason"] == "kept"]
    for row in rows:
        sample = next(version.samples(spec.name, where=pc.equal(pc.field("clip"), row["clip"])), None)
        if sample is None:
            continue
        try:
            before = wav_bytes(*clip_audio(version, row))
        except AuricleError:
            continue
        audio, rate = decoder.audio(sample)
        yield Decoded(row["clip"], row["path"] or "", before, wav_bytes(audio[0], rate))

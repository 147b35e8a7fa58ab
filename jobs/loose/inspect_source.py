"""What `auricle inspect` says of a source, and the configuration that it proposes."""

from __future__ import annotations

import json
from pathlib import PurePath

from ...pipelines.inspect_source import Inspection
from ...schemas.counted import counted

LONG_S = 60.0
"""Mean length of recordings that are worth cutting."""
CUES = frozenset({"srt", "vtt", "ttml", "json"})
"""Formats whose spans say about when something is said: borders of what is shown or was decoded, not of clips."""

MOST_UNMATCHED = 3
"""Label files that fit nothing and are named."""


def lines(found: Inspection) -> list[str]:
    """For a person."""
    more = " or more" if found.more else ""
    recordings = f"{found.files:,}{more} recordings" if found.more else counted(found.files, "recording")
    where = f", {counted(found.archives, 'archive')}" if found.archives else ""
    said = [f"{found.path}: {recordings}, {_size(found.num_bytes)}{where}"]
    if found.endings:
        said.append(f"  names       {_counts(found.endings)}")
    if found.hours is not None:
        said.append(
            f"  length      about {_length(found.hours)}{more}, estimated from {found.opened} opened; "
            f"on average {found.mean_s:.1f} s, the longest of them {found.longest_s:.1f} s"
        )
    if found.formats:
        said.append(f"  formats     {_counts(found.formats)}")
        said.append(f"  rates       {_counts(found.sample_rates)} Hz")
        said.append(f"  channels    {_counts(found.channels)}")
    said += _labels(found)
    said += [f"  problem     {problem}" for problem in found.problems]
    said += [f"  notice      {notice}" for notice in found.notices]
    return said


def _labels(found: Inspection) -> list[str]:
    """The labels that fit; without one, those that are there and fit nothing."""
    said = []
    for labels in found.labels:
        share = f"{labels.recordings:,} of {counted(found.files, 'recording')}"
        languages = f", languages {' '.join(labels.languages)}" if labels.languages else ""
        said.append(
            f"  labels      {labels.transcripts} ({labels.format}): {counted(labels.lines, 'line')}, {share}, "
            f"{labels.with_text:,} with text, {labels.spans:,} of spans, "
            f"{counted(labels.speakers, 'speaker')}{languages}"
        )
        if labels.notice:
            said.append(f"              {labels.notice}")
    if found.labels:
        return said + _without_text(found)
    if not found.unmatched:
        return ["  labels      none that describe these recordings"]
    for none in found.unmatched[:MOST_UNMATCHED]:
        said.append(
            f"  labels      {none.transcripts} ({none.format}): 0 of {counted(none.lines, 'line')} "
            f"{'matches' if none.lines == 1 else 'match'} a recording: it names {none.name!r}, and a recording here is "
            f"{none.recording!r}; names must agree, with or without folder and ending"
        )
    if len(found.unmatched) > MOST_UNMATCHED:
        said.append(f"              and {len(found.unmatched) - MOST_UNMATCHED:,} more that match none")
    return said


def _without_text(found: Inspection) -> list[str]:
    """How many recordings have no text in the labels that the configuration takes, and which labels have one."""
    best, *others = found.labels
    left = found.files - best.recordings_with_text
    more = max(others, key=lambda labels: labels.adds, default=None)
    if not left or more is None or not more.adds:
        return []
    second = f"{{path: {_text(found.path)}, name: NAME, transcripts: {_text(more.transcripts)}}}"
    return [
        f"  notice      {best.transcripts} leaves {left:,} of {counted(found.files, 'recording')} without text; "
        f"{more.transcripts} has text of {more.adds:,} of these. To take both, list the folder as two sources, each "
        f"with a name of its own: - {second}"
    ]


def _size(num_bytes: int) -> str:
    if num_bytes >= 1e8:
        return f"{num_bytes / 1e9:,.2f} GB"
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes >= 1e5 else f"{num_bytes / 1e3:.0f} kB"


def _length(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.1f} h"
    return f"{hours * 60:.1f} min" if hours >= 1 / 60 else f"{hours * 3600:.0f} s"


def proposed(found: Inspection) -> str:
    """A configuration of this source that runs as it is."""
    name = PurePath(found.path.rstrip("/")).name or "speech"
    said = [f"dataset: {_text(f'./{PurePath(name).stem}-dataset')}", "sources:", f"  - path: {_text(found.path)}"]
    labels = found.labels[0] if found.labels else None
    spoken = labels is not None and labels.with_text > 0
    if labels is not None:
        said.append(f"    transcripts: {_text(labels.transcripts)}  # {labels.format}")
    if labels is None or not labels.languages:
        said.append("    # language: en   # no label names one; scores of transcripts need it")
    spans = labels is not None and labels.spans > 0
    cues = labels is not None and spans and labels.format in CUES
    if found.mean_s > LONG_S and (cues or not spans):
        why = "what is said when is looked for near its cue" if cues else "no label says where to cut"
        said.append(f"segment: {{method: speech}}  # long recordings are cut at pauses; {why}")
    said += ["keep:", "  - {score: snr_db, min: 10, reason: noisy}"]
    if spoken and labels is not None and labels.languages:
        said.append("  - {score: transcript_trust, min: 0.5, reason: transcript}")
    elif spoken:
        said.append("  # - {score: transcript_trust, min: 0.5, reason: transcript}   # with a language")
    said += ["representations:", "  - {codec: builtin, kind: codes}"]
    return "\n".join(said) + "\n"


def _text(value: str) -> str:
    """A string as YAML, quoted where it must be."""
    plain = value.replace("/", "").replace("-", "").replace("_", "").replace(".", "")
    return value if plain.isalnum() and plain.isascii() and not plain.isdecimal() else json.dumps(value)


def _counts(counted: dict[str, int]) -> str:
    shown = list(counted.items())[:8]
    rest = f", {len(counted) - len(shown)} more" if len(counted) > len(shown) else ""
    return ", ".join(f"{name} ({count:,})" for name, count in shown) + rest

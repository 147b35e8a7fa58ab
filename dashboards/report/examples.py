"""Clips to listen to inside a page: sound, waveform, spectrogram, label and scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

from ...loaders.storage.engine import engine, view_parts
from ...schemas.condition import Rule
from ...schemas.score import sigma_name
from ..drawing import charts
from ..drawing.pages import data_uri
from ..drawing.rules import breaks
from ..drawing.spectrogram import outline, spectrogram
from .listening import Excerpt, excerpt

MAX_EXAMPLES = 24
AUDIO_BYTES = 780_000
"""Budget of all sounds together: 1 MB as base64, half of what the page may weigh."""
SOUND_BYTES = 90_000


def choose(parts: Sequence[str | PathLike[str]], per_reason: int = 9, longest_s: float = 60.0) -> list[dict[str, Any]]:
    """Rows of the clip table worth listening to: `per_reason` of each drop reason and of kept clips, the smallest key
    hashes, with their reason as "reason". Chosen by DuckDB, so that a version of 10^7 clips costs one scan."""
    if not parts:
        return []
    with engine("report") as db:
        view_parts(db, "clips", parts)
        chosen = f"""
            WITH one AS (
                SELECT clip, clip_hash64,
                       unnest(CASE status WHEN 'kept' THEN ['kept'] ELSE list_distinct(reasons) END) AS reason
                FROM clips
                WHERE status <> 'failed' AND duration_s <= {float(longest_s)!r}
            ), ranked AS (
                SELECT clip, reason, row_number() OVER (PARTITION BY reason ORDER BY clip_hash64, clip) AS place
                FROM one
            )
            SELECT reason, place, t.* FROM ranked JOIN clips t USING (clip)
            WHERE place <= {int(per_reason)} ORDER BY reason, place
        """
        return db.sql(chosen).to_arrow_table().to_pylist()


@dataclass(frozen=True)
class Example:
    """A clip to listen to."""

    clip: str
    reason: str
    """A reason of dropping, or "kept" or "failed"."""
    path: str
    transcript: str | None
    scores: Mapping[str, Any]
    """Score column -> value."""
    audio_wav: bytes
    """A WAV (or FLAC) file; b"" where the source is gone."""
    sample_rate: int


def listening(
    examples: Sequence[Example], rules: Sequence[Rule], order: Sequence[str]
) -> list[tuple[str, list[dict[str, Any]]]]:
    """(reason, cards), reasons in `order` and others after them; at most `MAX_EXAMPLES` cards, evenly over reasons."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.reason, []).append(example)
    reasons = [r for r in order if r in groups] + sorted(r for r in groups if r not in order)
    chosen = evenly([groups[reason] for reason in reasons], MAX_EXAMPLES)
    budget = min(SOUND_BYTES, AUDIO_BYTES // max(1, sum(map(len, chosen))))
    return [
        (reason, [card(example, rules, budget) for example in group])
        for reason, group in zip(reasons, chosen, strict=True)
    ]


def evenly(groups: Sequence[Sequence[Example]], most: int) -> list[list[Example]]:
    """The first of each group, then the second of each, until `most` are taken."""
    taken: list[list[Example]] = [[] for _ in groups]
    for depth in range(max(map(len, groups), default=0)):
        for group, mine in zip(groups, taken, strict=True):
            if depth < len(group) and sum(map(len, taken)) < most:
                mine.append(group[depth])
    return taken


def card(example: Example, rules: Iterable[Rule], budget: int) -> dict[str, Any]:
    """An example with its sound cut to `budget` bytes and its pictures drawn, for the templates.

    scores: (name, value, whether it breaks a rule of the example's reason) of scores that rules test, those that break
    it first, with "no value" where that is why it was dropped; further: the others.
    """
    rules = list(rules)
    tested = {rule.score for rule in rules}
    scores = [
        (name, value, any(_breaks(r, example, name) for r in rules))
        for name, value in example.scores.items()
        if value is not None and value != ""
    ]
    unmeasured = {r.score for r in rules if r.reason == example.reason and example.scores.get(r.score) is None}
    scores += [(name, "no value", True) for name in sorted(unmeasured)]
    found: dict[str, Any] = {
        "example": example,
        "scores": sorted((s for s in scores if s[0] in tested), key=lambda s: not s[2]),
        "further": [s for s in scores if s[0] not in tested],
    }
    return found | heard(example.audio_wav, budget, f"Clip {example.clip}")


def _breaks(rule: Rule, example: Example, score: str) -> bool:
    """Whether the score breaks a rule of the example's reason."""
    sigma: Any = example.scores.get(sigma_name(score))
    return rule.reason == example.reason and rule.score == score and breaks(rule, example.scores[score], sigma=sigma)


def heard(audio_wav: bytes, budget: int, label: str) -> dict[str, Any]:
    """A sound cut to `budget` bytes with its pictures, or the problem that there is none; for the macro `sound`."""
    return heard_alike([(audio_wav, label)], budget)[0]


def heard_alike(sounds: Sequence[tuple[bytes, str]], budget: int) -> list[dict[str, Any]]:
    """`heard` of sounds that are compared: (bytes, label) each. Spectrograms end where the lowest bandwidth does."""
    found = [_excerpt(audio_wav, budget) for audio_wav, _ in sounds]
    top_hz = min((each.sample_rate / 2 for each in found if isinstance(each, Excerpt)), default=0.0)
    return [
        _pictured(each, label, top_hz) if isinstance(each, Excerpt) else {"excerpt": None, "problem": each}
        for each, (_, label) in zip(found, sounds, strict=True)
    ]


def _excerpt(audio_wav: bytes, budget: int) -> Excerpt | str:
    """The sound, or why there is none."""
    if not audio_wav:
        return "the recording is not there any more"
    try:
        return excerpt(audio_wav, budget)
    except ValueError as error:
        return str(error)


def _pictured(sound: Excerpt, label: str, top_hz: float) -> dict[str, Any]:
    picture = spectrogram(sound.waveform, sound.sample_rate, top_hz=top_hz)
    return {
        "excerpt": sound,
        "audio": data_uri(sound.data, sound.mime),
        "picture": data_uri(picture.png, "image/png"),
        "spectrogram": picture,
        "waveform": charts.waveform(*outline(sound.waveform, 160)),
        "max_khz": picture.max_hz / 1000,
        "cut": sound.total_s > sound.duration_s + 0.05,
        "label": label,
    }

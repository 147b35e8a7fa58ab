"""The report of a version: one HTML file that needs no network, no script and no server.

Charts are inline SVG and sounds are data URIs, so the page opens from a mail attachment in ten years. Its
Content-Security-Policy forbids every request and every script: a transcript that broke out of its place would still
be inert.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from markupsafe import Markup

from ...loaders.reading.curricula import NamedCurriculum
from ...schemas.condition import Rule
from ...schemas.counted import counted
from ...schemas.representation import RepresentationSpec
from ...schemas.tables import TRIES, kind_of
from ...schemas.undecided import Undecided
from ...schemas.unscored import Unscored
from ...schemas.version import VersionDocument
from ..drawing import charts
from ..drawing.pages import environment, style, style_hash
from ..drawing.rules import bounds_in, describe_reason, limits_meant, moved_words, rules_of, tier_moves, tier_rows
from . import diagnosis
from .curricula import differences, shown
from .decoded import Decoded, pairs
from .examples import Example, listening
from .predictability import figures

GROUPS_SHOWN = 20
"""Sources, speakers and languages that the page judges, of each."""
CAUSES_SHOWN = 3
MEDIANS = ("snr_db", "transcript_trust", "dnsmos_ovrl")
MAIN_SCORES = ("duration_s", "snr_db", "transcript_trust", "dnsmos_ovrl", "speech_ratio", "bandwidth_hz", "clip_ratio")
"""Shown at once, as are scores that a rule tests; the others unfold."""
CORE_WORDS = {
    "clip": "An interval of one channel of a recording: what is scored, kept or dropped.",
    "kept": "Satisfies every rule; extracted and given to training.",
    "dropped": "Breaks at least one rule. It keeps its row, its scores and every reason that applies.",
    "failed": "Could not be read, scored or extracted; its row says why.",
    "undecided": "Too close to a rule's bound for what its score may be off by; the rule says what becomes of it.",
    "only this reason": "Clips that would be kept without this one rule.",
    "code rate": "Bits per second that a model needs for codes, given their past, on speakers that it was not fitted "
    "on: an upper bound on the entropy rate.",
    "raw rate": "Bits per second that the codes take as stored.",
    "codebook use": "Share of the entries of a codebook that occur at all.",
    "predictive gain": "By how many nats the past helps to predict the next latent frame, over knowing only the mean "
    "and covariance of all frames. Compare it only at equal frame rates.",
    "unresolved": "There are too few data for a reliable number; the reason says what is missing.",
}


def render(
    document: VersionDocument,
    profile: Mapping[str, Any],
    diagnostics: Mapping[str, Any] | None,
    examples: Sequence[Example],
    previous_profile: Mapping[str, Any] | None = None,
    judgement: Sequence[Mapping[str, Any]] = (),
    decoded: tuple[RepresentationSpec, Sequence[Decoded]] | None = None,
    unheard: str = "",
    curricula: Sequence[NamedCurriculum] = (),
    audited: Mapping[str, Mapping[str, Any]] | None = None,
    damaged: tuple[int, Sequence[tuple[str, str]]] | None = None,
    unmeasured: Sequence[str] = (),
) -> str:
    """The page. profile: `dashboards.profile.profile`; diagnostics: representation -> `to_dict()` of its diagnosis;
    previous_profile: of the parent version, outlined in the charts; judgement: rows of `judgement.parquet`, each with
    `members`, how many there are of its kind, and `overall`, the bad share of the corpus; decoded: codes, and clips
    before and after them; unheard: why an example is missing; curricula: the named ones of the version; audited: key to
    path and transcript of the clips that they set aside; damaged: how many decoded recordings are not whole, and path
    and message of the first; unmeasured: lines about clips that were dropped without the score of a rule.

    At most `examples.MAX_EXAMPLES` examples are shown, evenly over reasons, each cut and coded to fit the page.
    """
    css = style("report.css")
    rules = rules_of(document.config)
    undecided = [Undecided.model_validate(found) for found in profile.get("undecided") or ()]
    page = environment().get_template("report.html")
    return page.render(
        css=css,
        policy=f"default-src 'none'; style-src {style_hash(css)}; img-src data:; media-src data:; base-uri 'none'; "
        "form-action 'none'",
        name=PurePosixPath(str(document.config.get("dataset", "dataset")).rstrip("/")).name or "dataset",
        document=document,
        counts=document.counts,
        ledgers=_ledgers(document),
        verdict=_verdict(document),
        shard_bytes=sum(s.num_bytes for r in document.representations.values() for s in r.shards),
        wall_s=sum(stage.wall_s for stage in document.stages),
        reasons=_reasons(document, profile, previous_profile),
        certainty=[(found.reason, chart) for found in undecided if (chart := _certainty(found))],
        wrong_texts=_wrong_texts(document),
        undecided=undecided,
        unscored=_unscored(document, profile, rules),
        tiers=tier_rows(document),
        before=_before(previous_profile),
        failures=_failures(document),
        damaged=damaged,
        unmeasured=unmeasured,
        tries=TRIES,
        matrix=_matrix(profile),
        carried=profile.get("carried") or {},
        scores=_scores(document, profile, rules, previous_profile),
        compared=previous_profile is not None,
        judged=_judged(judgement),
        medians=[name for name in MEDIANS if name in (profile.get("scores") or {})],
        checks=sorted(
            document.gate.checks, key=lambda c: (c.success, ("critical", "warning", "info").index(c.severity))
        ),
        diagnostics=diagnosis.tables(diagnostics),
        figures=figures(diagnostics),
        curricula=shown(curricula, audited or {}),
        curriculum_pairs=differences(curricula),
        stages=_stages(document),
        peaks=any(stage.peak_worker_bytes for stage in document.stages),
        listening=listening(examples, rules, list(document.dropped_by_reason)),
        decoded=pairs(*decoded) if decoded else None,
        unheard=unheard,
        words=CORE_WORDS,
        config=json.dumps(document.config, indent=2, ensure_ascii=False, default=str),
    )


def _failures(document: VersionDocument) -> list[tuple[str, str, int]]:
    """Reason, class and count; those of the moment below the others."""
    rows = [(reason, str(kind_of(reason)), count) for reason, count in document.failed_by_reason.items()]
    return sorted(rows, key=lambda row: (row[1], -row[2], row[0]))


def _ledgers(document: VersionDocument) -> list[dict[str, Any]]:
    c = document.counts
    files = [
        ("decoded", c.decoded, "kept"),
        ("alias of known bytes", c.aliases, "alias"),
        ("failed", c.failed_files, "failed"),
    ]
    clips = [("kept", c.kept, "kept"), ("dropped", c.dropped, "dropped"), ("failed", c.failed, "failed")]
    return [
        {
            "word": word,
            "total": total,
            "parts": parts,
            "balanced": sum(n for _, n, _ in parts) == total,
            "bar": charts.stacked_bar(parts, f"Ledger of {word}"),
            "hours": document.hours if word == "clips" else {},
        }
        for word, total, parts in (("files", c.files, files), ("clips", c.clips, clips))
    ]


def _verdict(document: VersionDocument) -> tuple[str, str]:
    """(class, words) of the gate's badge."""
    failed = sum(not check.success for check in document.gate.checks)
    return {
        "passed": ("good", f"gate passed, {counted(len(document.gate.checks), 'check')}"),
        "warning": ("warn", f"gate passed with {counted(failed, 'warning')}"),
        "critical": ("bad", "gate: critical, not to be published"),
        "off": ("plain", "gate off: nothing was checked"),
    }[document.gate.verdict]


def _before(previous: Mapping[str, Any] | None) -> dict[str, int]:
    status = (previous or {}).get("status") or {}
    return {"clips": (previous or {}).get("clips", 0), "kept": status.get("kept", {}).get("clips", 0)}


def _reasons(
    document: VersionDocument, profile: Mapping[str, Any], previous: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    found, old = profile.get("reasons") or {}, (previous or {}).get("reasons") or {}
    clips = document.counts.clips or 1
    most = max(document.dropped_by_reason.values(), default=0)
    rules, rows = rules_of(document.config), []
    for reason, n in sorted(document.dropped_by_reason.items(), key=lambda item: (-item[1], item[0])):
        more = found.get(reason, {})
        rows.append(
            {
                "reason": reason,
                "rule": describe_reason(document.config, reason),
                "moved": [said for rule in rules if rule.reason == reason and (said := moved_words(rule, document))],
                "clips": n,
                "share": n / clips,
                "only": more.get("only"),
                "hours": more.get("hours"),
                "before": old.get(reason, {}).get("clips", 0),
                "bar": charts.bar(n, most, "dropped", more.get("only") or 0),
            }
        )
    return rows


def _certainty(found: Undecided) -> Markup | None:
    """What other confidences would leave undecided, and how right they would be on the rest."""
    points = [(left, right) for _, left, right in found.curve]
    if len(points) < 2:
        return None
    low = 0.5 * int(2 * 10 * min(right for _, right in points)) / 10
    line = charts.Curve("expected by the deviations", points)
    title = f"{found.reason}: undecided clips and right decisions"
    return charts.curves(
        title, [line], "clips left undecided", "right of the decided", min(low, 0.95), max(points)[0] or 1.0
    )


def _wrong_texts(document: VersionDocument) -> list[dict[str, Any]]:
    """Per score and source: the share of wrong texts, and what the bounds on it were there. Worst first."""
    return [
        dict(found)
        | {
            "score": score,
            "source": source,
            "bounds": bounds_in(document, score, source),
        }
        for score, sources in document.wrong_texts.items()
        for source, found in sorted(sources.items(), key=lambda item: -item[1].share)[:GROUPS_SHOWN]
    ]


def _unscored(document: VersionDocument, profile: Mapping[str, Any], rules: Sequence[Rule]) -> list[Unscored]:
    """What rules kept without a score."""
    scores, texts = profile.get("scores") or {}, set[str]()
    for name, entry in document.curators.items():
        if "transcript" in entry.inputs:
            texts |= {score for score, about in scores.items() if about.get("curator") == name}
    kept = {rule: (scores.get(rule.score, {}).get("nulls") or {}).get("kept", 0) for rule in rules}
    return [Unscored.of(rule, clips, rule.score in texts) for rule, clips in kept.items() if clips]


def _matrix(profile: Mapping[str, Any]) -> dict[str, Any] | None:
    """Drop reasons that occur together: the most frequent eight, each cell with its shade relative to its row."""
    found = profile.get("co_occurrence") or {}
    names = list(found.get("reasons", ()))[:8]
    if len(names) < 2:
        return None
    rows = []
    for i, name in enumerate(names):
        alone = found["counts"][i][i] or 1
        cells = [
            (n, 0 if i == j or not n else 1 + min(3, int(4 * n / alone))) for j, n in enumerate(found["counts"][i][:8])
        ]
        rows.append((name, cells))
    return {"reasons": names, "rows": rows}


def _scores(
    document: VersionDocument, profile: Mapping[str, Any], rules: list[Rule], previous: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Scores that rules test come first."""
    ruled = [rule.score for rule in rules]
    old = (previous or {}).get("scores") or {}
    cards = []
    for name, score in (profile.get("scores") or {}).items():
        limits = [limit for rule in rules if rule.score == name for limit in limits_meant(rule, document)]
        moved = [said for rule in rules if rule.score == name and (said := moved_words(rule, document))]
        moved += tier_moves(document, name)
        chart = charts.histogram(name, score, limits, old.get(name)) if score.get("histogram") else None
        missing = sum((score.get("nulls") or {}).values())
        main = name in ruled or name in MAIN_SCORES
        cards.append(dict(score) | {"name": name, "chart": chart, "missing": missing, "main": main, "moved": moved})
    return sorted(cards, key=lambda card: (card["name"] not in ruled, card["chart"] is None, card["curator"]))


def _judged(judgement: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Tables of sources, languages and speakers, worst first: what each loses and to which reasons."""
    tables = []
    for by in ("source", "language", "speaker"):
        own = [row for row in judgement if row["by"] == by][:GROUPS_SHOWN]
        rows = [dict(row) | _drawn(row) for row in own]
        if rows:
            kinds = {row["kind"] for row in own} - {by}
            tables.append({"by": by, "rows": rows, "kinds": sorted(kinds), "of": own[0].get("members", len(own))})
    return tables


def _drawn(row: Mapping[str, Any]) -> dict[str, Any]:
    kept, bad = row["kept"] / row["clips"], row["bad_share"]
    return {
        # a recording's hash is long
        "label": row["member"][:12] if row["kind"] == "recording" else row["member"],
        "medians": dict(row["medians"]),
        "causes": sorted(dict(row["reasons"]).items(), key=lambda item: (-item[1], item[0]))[:CAUSES_SHOWN],
        "bad": round(bad * row["clips"]),
        "worse": row["badness"] > row.get("overall", 1.0),
        "bar": charts.parts_bar([(kept, "kept"), (bad, "dropped"), (max(0.0, 1 - kept - bad), "dropped pale")]),
    }


def _stages(document: VersionDocument) -> list[dict[str, Any]]:
    most = max((stage.wall_s for stage in document.stages), default=0.0)
    return [
        stage.model_dump()
        | {
            "bar": charts.bar(stage.wall_s, most, "alias", stage.wall_s),
            "speed": stage.audio_s / stage.wall_s if stage.wall_s > 0 and stage.audio_s > 0 else None,
        }
        for stage in document.stages
    ]

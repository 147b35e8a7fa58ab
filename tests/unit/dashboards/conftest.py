"""A small made-up version with everything a page shows: scores, drops, failures, a gate, diagnostics, sounds."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from auricle.dashboards.drawing.profile import profile
from auricle.dashboards.report.report import Example
from auricle.diagnostics.known.sources import SparseMarkov
from auricle.diagnostics.summary import diagnose_codes, diagnose_latents
from auricle.schemas.keys import clip_key
from auricle.schemas.representation import RepresentationSpec
from auricle.schemas.score import ScoreColumn
from auricle.schemas.tables import clip_schema
from auricle.schemas.version import (
    Counts,
    CuratorEntry,
    GateCheck,
    GateResult,
    RepresentationEntry,
    Shard,
    Stage,
    VersionDocument,
)

CURATORS = {
    "snr": (
        ScoreColumn("snr_db", "float32", "dB", "Active speech power over mean noise power"),
        ScoreColumn("snr_method", "string", "text", "vad: noise measured in the pauses"),
    ),
    "quality": (ScoreColumn("dnsmos_ovrl", "float32", "MOS", "Predicted overall quality, 1 to 5"),),
    "signal": (
        ScoreColumn("clip_ratio", "float32", "1", "Share of samples in runs of 3 or more at the clip's own peak"),
        ScoreColumn("bandwidth_hz", "float32", "Hz", "Highest frequency within 50 dB of the mean spectrum's peak"),
    ),
    "alignment": (
        ScoreColumn("transcript_trust", "float32", "1", "Probability that the text is what is said"),
        ScoreColumn("align_ok", "bool", "1", "Whether the words could be laid over the audio at all"),
    ),
}
CODES, LATENTS = "builtin-codes-12.5hz", "builtin-latents-12.5hz"
RULES = [
    {"score": "snr_db", "min": 10, "reason": "noisy"},
    {"score": "transcript_trust", "min": 0.5, "reason": "transcript"},
    {"score": "bandwidth_hz", "min": 4200, "reason": "narrow"},
    {"score": "clip_ratio", "max": 0.001, "reason": "clipped"},
]
HOSTILE = [
    "</blockquote><script>document.title='owned'</script>",
    '" onmouseover="alert(1)" x=\'',
    "<img src=http://example.invalid/x.png onerror=alert(1)>",
    "nul \0 bell \x07 escape \x1b[31m",
    "override \u202egnirts desrever\u202c and isolate \u2066",
    "{{ 7 * 7 }} {% raw %} ${7*7}",
    "</style></title><svg onload=alert(1)>",
    "שלום עולם, مرحبا بالعالم",
    "a" * 5000,
]


@dataclass(frozen=True)
class Sample:
    """One version and what is made of it."""

    parts: list[Path]
    rows: list[dict[str, Any]]
    document: VersionDocument
    profile: dict[str, Any]
    previous_profile: dict[str, Any]
    diagnostics: dict[str, Any]
    examples: list[Example]
    judgement: list[dict[str, Any]]


def make_rows(count: int, seed: int, quieter_db: float = 0.0) -> list[dict[str, Any]]:
    """Clips of 3 sources and 40 speakers; one source and some speakers are worse than the others."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(count):
        recording = f"{i:064x}"
        speaker, source = int(rng.integers(40)), ["library", "radio", "phone"][int(rng.choice(3, p=[0.6, 0.3, 0.1]))]
        samples = int(16000 * rng.gamma(6, 0.7)) + 1600
        row: dict[str, Any] = {
            "clip": clip_key(recording, 0, 0, samples),
            "clip_hash64": int(clip_key(recording, 0, 0, samples)[:15], 16),
            "recording": recording,
            "source": source,
            "path": f"{source}/{speaker}/{i:05d}.flac",
            "channel": 0,
            "num_channels": 1,
            "sample_rate": 16000,
            "start": 0,
            "end": samples,
            "duration_s": samples / 16000,
            "transcript": f"line number {i}",
            "language": "en",
            "speaker": f"speaker {speaker}" if speaker else HOSTILE[0],
            "introduced": 1,
        }
        if rng.random() < 0.02:
            rows.append(row | {"status": "failed", "reasons": ["corrupt"], "message": "decoder stopped"})
            continue
        snr = float(rng.normal(24 - quieter_db - 14 * (source == "phone"), 7))
        trust = float(rng.beta(9, 0.8) if rng.random() < 0.9 - 0.3 * (speaker % 9 == 4) else rng.beta(1, 6))
        band = float(rng.normal(3600, 120) if source == "phone" or rng.random() < 0.03 else rng.normal(7400, 350))
        clipped = float(rng.exponential(0.01) if rng.random() < 0.05 else 0.0)
        scores = {"snr_db": snr, "transcript_trust": trust, "bandwidth_hz": band, "clip_ratio": clipped}
        unheard = rng.random() < 0.03
        reasons = [
            rule["reason"]
            for rule in RULES
            if not rule.get("min", -1e9) <= scores[rule["score"]] <= rule.get("max", 1e9)
            and not (unheard and rule["score"] == "snr_db")
        ]
        why = "unmeasurable: no pause to measure noise in" if unheard else None
        base = {"fingerprint": "0" * 32, "inputs": "", "reason": None}
        row |= {
            "status": "dropped" if reasons else "kept",
            "reasons": reasons,
            "tier": None if reasons else "gold" if snr > 25 else "silver",
            "snr": base | {"reason": why, "snr_db": None if unheard else snr, "snr_method": None if unheard else "vad"},
            "quality": base | {"dnsmos_ovrl": float(np.clip(1.5 + snr / 14 + rng.normal(0, 0.2), 1, 5))},
            "signal": base | {"clip_ratio": clipped, "bandwidth_hz": band},
            "alignment": base | {"transcript_trust": trust, "align_ok": trust > 0.05},
        }
        rows.append(row)
    return rows


def write_parts(rows: list[dict[str, Any]], folder: Path) -> list[Path]:
    """Two Parquet parts."""
    folder.mkdir(parents=True, exist_ok=True)
    schema = clip_schema(CURATORS, [CODES, LATENTS])
    parts = []
    for i in range(2):
        parts.append(folder / f"{i}.parquet")
        pq.write_table(pa.Table.from_pylist(rows[i::2], schema=schema), parts[-1])
    return parts


def make_document(rows: list[dict[str, Any]]) -> VersionDocument:
    """The version document that the pipeline would write for `rows`."""
    status = [row["status"] for row in rows]
    hours = {s: sum(r["duration_s"] for r in rows if r["status"] == s) / 3600 for s in ("kept", "dropped", "failed")}
    tally: dict[str, int] = {}
    for row in rows:
        for reason in row["reasons"] if row["status"] == "dropped" else []:
            tally[reason] = tally.get(reason, 0) + 1
    spec = RepresentationSpec(
        name=CODES,
        codec="builtin",
        kind="codes",
        frame_rate=12.5,
        sample_rate=24000,
        frame_size=1920,
        rows=8,
        cardinality=1024,
        dtype="uint16",
        fingerprint="ab" * 16,
        trained=False,
    )
    latents = spec.model_copy(
        update={"name": LATENTS, "kind": "latents", "rows": 128, "cardinality": None, "dtype": "float32"}
    )
    kept = status.count("kept")
    shards = [Shard(sha256="c" * 64, num_bytes=41_000_000, rows=kept + 5, live=kept)]
    checks = [
        GateCheck(expectation=words, severity=severity, success=success, observed=observed, required=required)
        for words, severity, success, observed, required in (
            ("enough clips", "critical", True, str(len(rows)), "at least 1"),
            ("no clip key appears twice", "critical", True, "0", "0"),
            ("every missing score says why", "warning", False, "3", "0"),
        )
    ]
    return VersionDocument(
        number=7,
        parent=6,
        created="2026-11-20T11:42:07+00:00",
        code={"auricle": "0.1.0", "torch": "2.9.1", "instructions": "avx2"},
        config={"dataset": "./speech-dataset", "keep": RULES, "sources": [{"path": "audio", "name": HOSTILE[0]}]},
        counts=Counts(
            files=len(rows) + 12,
            decoded=len(rows),
            aliases=9,
            failed_files=3,
            clips=len(rows),
            kept=kept,
            dropped=status.count("dropped"),
            failed=status.count("failed"),
        ),
        hours={"clips": sum(hours.values()), **hours},
        dropped_by_reason=dict(sorted(tally.items(), key=lambda item: -item[1])),
        failed_by_reason={"corrupt": status.count("failed"), "not_audio": 3},
        kept_by_tier={t: sum(r.get("tier") == t for r in rows) for t in ("gold", "silver")},
        untrained=[CODES, LATENTS],
        curators={
            name: CuratorEntry(
                fingerprint="0" * 32,
                version=1,
                columns=[{n: asdict(c)[n] for n in ("name", "dtype", "unit", "description")} for c in columns],
            )
            for name, columns in CURATORS.items()
        },
        representations={
            CODES: RepresentationEntry(spec=spec, shards=shards, live=kept),
            LATENTS: RepresentationEntry(spec=latents, shards=shards, live=kept),
        },
        gate=GateResult(verdict="warning", checks=checks),
        stages=[
            Stage(name="probe", done=len(rows), wall_s=6.1, cpu_s=9.0, units=4),
            Stage(name="score", done=len(rows), failed=2, wall_s=141.0, cpu_s=260.0, audio_s=1800.0, units=9),
            Stage(name="extract", done=300, reused=120, wall_s=95.2, cpu_s=171.0, audio_s=1400.0, units=7),
            Stage(name="gate", wall_s=7.0, cpu_s=6.3),
        ],
    )


def make_judgement() -> list[dict[str, Any]]:
    """Rows of `judgement.parquet` as the report is given them: a bad source, a scarce language, a nameless speaker."""
    row = {"by": "source", "member": "phone", "kind": "source", "rank": 1, "clips": 40, "hours": 2.0, "kept": 10,
           "kept_hours": 0.5, "kept_share": 0.25, "corpus_share": 0.125, "failed": 1, "bad_share": 0.6,
           "badness": 0.45, "reasons": [("noisy", 0.55), ("duplicate", 0.1)], "medians": [("snr_db", 12.5)],
           "loudness_spread_db": 7.25, "scarce": False, "members": 3, "overall": 0.3}  # fmt: skip
    language = {"by": "language", "kind": "language", "member": "eo", "members": 1, "badness": 0.2, "scarce": True}
    nobody = {"by": "speaker", "kind": "recording", "member": "ab" * 32, "kept_share": None, "medians": []}
    return [row, row | language | {"loudness_spread_db": None, "reasons": []}, row | nobody]


def make_diagnostics() -> dict[str, Any]:
    """What the diagnoses themselves say of a small source: codes that resolve, latents of too few speakers."""
    symbols = SparseMarkov.random(32, 1, 8, seed=1).sample(60, 500, seed=2)
    codes = [(f"c{i:02}", f"s{i % 20}", np.stack((each, (each + 1) % 32))) for i, each in enumerate(symbols)]
    made = diagnose_codes([*codes, codes[0], ("bad", "s0", codes[0][2] + 99)], 12.5, 32, group_kind="speaker")
    drift = np.random.default_rng(0).normal(size=(40, 4, 60)).cumsum(axis=2)
    frames = [(f"c{i:02}", f"s{i % 4}", each) for i, each in enumerate(drift)]
    record = {
        CODES: made.to_dict(),
        LATENTS: diagnose_latents(frames, 12.5, group_kind="speaker", orders=(1,)).to_dict(),
    }
    return json.loads(json.dumps(record))


def make_sound(kind: str, seconds: float = 3.0, rate: int = 16000, seed: int = 0) -> bytes:
    """A WAV file: a buzzing, gliding voice-like tone; kind "noisy" adds noise, "clipped" clips, "narrow" low-passes."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    pitch = 2 * np.pi * np.cumsum(120 + 30 * np.sin(2 * np.pi * 0.7 * t)) / rate
    highest = 14 if kind == "narrow" else 50
    voice = sum(np.sin(n * pitch) / n for n in range(1, highest)) * (0.4 + 0.6 * (np.sin(2 * np.pi * 2.3 * t) > -0.2))
    sound = 0.2 * voice + 0.001 * rng.standard_normal(t.size)
    if kind == "noisy":
        sound = sound + 0.2 * rng.standard_normal(t.size)
    if kind == "clipped":
        sound = np.clip(6 * sound, -0.8, 0.8)
    out = io.BytesIO()
    soundfile.write(out, np.clip(sound, -1, 1), rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def make_examples(rows: list[dict[str, Any]], most: int = 3) -> list[Example]:
    """Up to `most` clips of each drop reason, their transcripts replaced by hostile ones."""
    examples: list[Example] = []
    taken: dict[str, int] = {}
    for row in rows:
        for reason in (row["reasons"] if row["status"] == "dropped" else [row["status"]])[:1]:
            if taken.get(reason, 0) < most and row["status"] != "failed":
                taken[reason] = taken.get(reason, 0) + 1
                scores = {
                    k: v for c in CURATORS for k, v in row[c].items() if k not in ("fingerprint", "inputs", "reason")
                }
                text = HOSTILE[len(examples) % len(HOSTILE)]
                sound = make_sound(reason, 2.5 + len(examples) % 3, seed=len(examples))
                examples.append(Example(row["clip"], reason, row["path"], text, scores, sound, 16000))
    gone = replace(examples[0], audio_wav=b"", transcript=None)
    return [*examples, gone, replace(examples[1], audio_wav=b"RIFF nonsense", path=HOSTILE[1])]


def make_sample(folder: Path, count: int = 420) -> Sample:
    """Everything at once."""
    rows, before = make_rows(count, 1), make_rows(count, 2, quieter_db=-3)
    parts, document = write_parts(rows, folder / "now"), make_document(rows)
    old = profile(write_parts(before, folder / "before"), document.curators)
    now = profile(parts, document.curators)
    return Sample(parts, rows, document, now, old, make_diagnostics(), make_examples(rows), make_judgement())


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """The made-up version, made once."""
    return make_sample(tmp_path_factory.mktemp("sample"))

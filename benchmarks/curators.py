"""Accuracy and speed of every acoustic score on held-out speakers, noises and rooms; writes docs/curators.md.

    python benchmarks/curators.py                    all sections, about 15 minutes of one core
    python benchmarks/curators.py --only snr vad     some of them, printed, document left alone
    python benchmarks/curators.py --speed            speed only

Needs the development recordings beside the checkout. Results of each section are kept in build/curators/*.json, so
that the document can be written again from a partial run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import time
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from curator_accuracy import AVAILABLE, SECTIONS
from curator_data import RATE, utterances
from curator_line import Line, clip_of
from curator_stats import Figure, verdict

from auricle.curators.registry import build
from auricle.curators.signal.learned import acoustics, card
from auricle.curators.signal.vad import speech_probabilities
from auricle.curators.waveform import resampled

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build" / "curators"
DOCUMENT = ROOT / "docs" / "curators.md"
BEFORE = CACHE / "page.json"
OURS = ("signal", "vad", "snr", "dnsmos", "channels", "reverb", "content", "quality")
SPEED_TARGETS = {
    "signal": 1000,
    "vad": 300,
    "snr": 300,
    "dnsmos": 26,  # 0.35 CPU-s per 9 s
    "channels": 1000,
    "reverb": 300,
    "content": 100,
}


def kept_sections() -> list[str]:
    """Sections that were measured here and kept."""
    return [name for name in (*SECTIONS, "speed") if (CACHE / f"{name}.json").is_file()]


def speed() -> list[dict]:
    """Audio seconds per CPU second of each curator on 60 s of held-out speech, median of five; models loaded."""
    pool = [u.waveform for u in utterances(True)]
    clips = [x for x in pool if x.size > 2 * RATE][:15]
    total = sum(x.size for x in clips) / RATE
    rows = []
    for name in OURS:
        (curator,) = build([name])
        times = []
        for _ in range(2 if name == "dnsmos" else 5):
            batch = [clip_of(x) for x in clips]
            if name == "channels":
                for clip in batch:
                    clip.siblings = (clip.waveform, np.roll(clip.waveform, 7))
            for clip in batch:  # what another curator has already paid for
                resampled(clip, RATE)
                if name != "vad":
                    speech_probabilities(clip)
                if name in ("reverb", "content", "quality"):
                    clip.memo.pop("acoustics", None)
            curator.score(batch[:1])
            batch[0].memo.pop("acoustics", None)
            if name == "vad":
                batch[0].memo.pop("speech_probabilities", None)
            started = time.process_time()
            curator.score(batch)
            times.append(time.process_time() - started)
        rows.append({"curator": name, "x_real_time": total / float(np.median(times)), "audio_s": total})
    started = time.process_time()
    for x in clips:
        clip = clip_of(x)
        speech_probabilities(clip)
        acoustics(clip)
    rows.append({"curator": "vad + network", "x_real_time": total / (time.process_time() - started), "audio_s": total})
    return rows


def as_table(lines: list[dict]) -> list[str]:
    """Markdown table of measured lines."""
    heads = "| score | what | condition | measure | value [95 % interval] | worst source | n | target | |"
    out = [heads, "|" + "---|" * 9]
    for line in lines:
        f = Figure(**line["figure"])
        digits = 3 if f.value <= 1 and "dB" not in line["measure"] else 2
        target = line["target"]
        sign = "≤" if line["better"] == "low" else "≥"
        judged = verdict(f, target, line["better"]) if target is not None else ""
        worst = f.worst(line["better"])
        # within one source the truth hardly varies: a rank correlation there says nothing
        named = ""
        if worst is not None and "Spearman" not in line["measure"]:
            is_worse = worst[1] > f.value if line["better"] == "low" else worst[1] < f.value
            named = f"{worst[0]} {worst[1]:.{digits}f}" if is_worse else ""
        out.append(
            f"| `{line['score']}` | {line['method']} | {line['condition']} | {line['measure']} | {f.text(digits)} | "
            f"{named} | {f.count()} | {f'{sign} {target:g}' if target is not None else ''} | {judged} |"
        )
    return out


def speed_table(rows: list[dict]) -> list[str]:
    """Markdown table of speeds."""
    out = ["| curator | seconds of audio per CPU second | target | |", "|---|---|---|---|"]
    for row in rows:
        target = SPEED_TARGETS.get(row["curator"])
        judged = "" if target is None else ("met" if row["x_real_time"] >= target else "missed")
        out.append(
            f"| {row['curator']} | {row['x_real_time']:.0f} | {'' if target is None else f'≥ {target}'} | {judged} |"
        )
    return out


def definitions() -> list[str]:
    """Markdown table of all columns of all curators that can be built here."""
    out = ["| curator | column | unit | definition |", "|---|---|---|---|"]
    for name in OURS:
        (curator,) = build([name])
        out += [f"| {name} | `{c.name}` | {c.unit} | {c.description} |" for c in curator.columns]
    return out


def written(template: str) -> dict[str, str]:
    """What the page has now in the places of the template: sections that are not measured again stay as they are."""
    names = re.findall(r"\{\{(\w+)\}\}", template)
    between = map(re.escape, re.split(r"\{\{\w+\}\}", template))
    found = re.fullmatch("(.*?)".join(between), DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    return dict(zip(names, found.groups(), strict=True)) if found else {}


def document(results: dict[str, list[dict]], before: dict[str, str]) -> str:
    """The whole of docs/curators.md. before: of `written`, before the template was changed."""
    template = (Path(__file__).parent / "curators_document.md").read_text(encoding="utf-8")
    model = card()
    fields = {
        "definitions": "\n".join(definitions()),
        "speed": "\n".join(speed_table(results.get("speed", []))),
        "machine": f"{platform.machine()}, Python {platform.python_version()}, one thread, other work on the machine",
        "card": "\n".join(
            [
                f"- data: {model['data']['trained_on']} to train on, {model['data']['held_out']} held out; snapshot "
                f"`{model['data']['snapshot_sha256'][:16]}`",
                f"- size {model['num_bytes']} bytes, training {model['made_with']['training_cpu_s']} CPU-s",
                f"- owner: {model['owner']}",
            ]
        ),
    }
    for name in SECTIONS:
        stays = before.get(name, "not measured in this run")
        fields[name] = "\n".join(as_table(results[name])) if name in results else stays
    if "speed" not in results and "speed" in before:
        fields["speed"] = before["speed"]
    for name, text in fields.items():
        template = template.replace("{{" + name + "}}", text)
    return template


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=[*SECTIONS], help="sections to measure")
    parser.add_argument("--speed", action="store_true", help="measure speed only")
    parser.add_argument("--document", action="store_true", help="write the document from kept results, measure nothing")
    a = parser.parse_args()
    if not AVAILABLE:
        raise SystemExit(
            "the development recordings are not beside the checkout (../shared/data): nothing to measure on"
        )
    CACHE.mkdir(parents=True, exist_ok=True)
    template = (Path(__file__).parent / "curators_document.md").read_text(encoding="utf-8")
    if now := written(template):
        # kept, so that the template may be changed before the page is written again
        BEFORE.write_text(json.dumps(now))
    names = [] if a.speed or a.document else (a.only or list(SECTIONS))
    for name in names:
        started = time.process_time()
        lines: list[Line] = list(SECTIONS[name]())
        rows = [asdict(line) for line in lines]
        (CACHE / f"{name}.json").write_text(json.dumps(rows, indent=1))
        print(f"\n## {name} ({time.process_time() - started:.0f} CPU-s)\n" + "\n".join(as_table(rows)), flush=True)
    if not a.only and not a.document:
        rows = speed()
        (CACHE / "speed.json").write_text(json.dumps(rows, indent=1))
        print("\n".join(speed_table(rows)))
    if not a.only:
        results = {name: json.loads((CACHE / f"{name}.json").read_text()) for name in kept_sections()}
        DOCUMENT.write_text(document(results, json.loads(BEFORE.read_text())), encoding="utf-8")
        print(f"wrote {DOCUMENT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

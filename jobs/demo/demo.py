"""The demo: a corpus whose every defect is known, the real job on it, and what was found, counted from the truth."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import yaml

from ...pipelines.diagnosis.diagnose import diagnose
from ...pipelines.run import run
from ...schemas.errors import AuricleError, ConfigError
from ..datasets.show import print_version
from ..judging.diagnosis_table import print_diagnosis
from ..judging.report import write_report
from ..terminal import console
from ..terminal.answer import answer
from ..terminal.config_file import validate
from .config import demo_config
from .corpus import TRUTH, make_corpus
from .truth import compare, describe, snr_error


class DemoError(AuricleError):
    """The demo found too few of the planted defects."""


def run_demo(folder: Path, seed: int, quiet: bool, as_json: bool = False) -> None:
    """Make the corpus below `folder`, run the job, print planted against found (as one JSON object with `as_json`).

    Raises `DemoError` when a floor is missed, `ConfigError` for a folder with somebody's audio or dataset in it.
    """
    started = time.monotonic()
    dataset = folder / "dataset"
    made = (folder / "audio", dataset)
    if any(old.exists() for old in made) and not (folder / TRUTH).is_file():
        raise ConfigError(
            f"{folder}: has a folder 'audio' or 'dataset' that no demo made, and the demo would replace it. "
            "Name an empty folder"
        )
    for old in made:
        shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    begun = f"making a corpus of synthetic speech with planted defects in {folder / 'audio'} (seed {seed})"
    if as_json:
        console.notice(begun)
    else:
        console.say(begun)
    truth = make_corpus(folder, seed)
    raw = demo_config(folder, str(dataset))
    (folder / "demo.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    outcome = run(validate(raw, "the demo's configuration"), progress=console.Watcher(quiet))
    version = outcome.version
    clips, recordings = version.clips(), version.recordings()
    results, snr = compare(truth, clips, recordings), snr_error(truth, clips, recordings)
    # counts alone: minutes of codes are too few for a resolved rate, and the rest would take longer than the run
    diagnosis = diagnose(version, pool=False)
    report = write_report(version, folder / "report.html")
    shards, document = dataset / "shards", dataset / "versions" / "000001.json"
    took_s = time.monotonic() - started

    def printed() -> None:
        console.say("")
        print_version(version)
        console.say("\nplanted defects, from the truth:")
        for line in describe(results, snr):
            console.say(line)
        console.say("")
        print_diagnosis(diagnosis)
        console.say(f"\nreport    {report}\nshards    {shards}\nversion   {document}")
        console.say(f"config    {folder / 'demo.yaml'}   (run it again: auricle run {folder / 'demo.yaml'})")
        if version.document.untrained:
            console.say(
                f"UNTRAINED: {', '.join(version.document.untrained)} come from seeded weights; shapes and rates are "
                "real, the codes have no meaning"
            )
        console.say(
            "\nread it in Python:\n"
            "  from auricle.loaders import open_version\n"
            f"  for sample in open_version({str(dataset)!r}).samples('builtin-codes'):\n"
            "      print(sample.key, sample.array.shape, sample.clip['transcript'])"
        )
        console.say(f"\n{took_s:.0f} s")

    facts = {
        "planted": results,
        "snr_error": snr,
        "document": version.document,
        "diagnostics": diagnosis,
        "dataset": dataset,
        "report": report,
        "took_s": took_s,
    }
    answer(as_json, facts, printed)
    missed = [r for r in results if not r.ok]
    if missed:
        raise DemoError("the demo found too few of these defects: " + ", ".join(str(r.defect) for r in missed))

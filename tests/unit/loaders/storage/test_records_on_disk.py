"""Whatever is on disk says its schema version, is what its published schema says, and is refused when it is newer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.jobs.judging.report import write_report
from auricle.loaders import open_version
from auricle.loaders.copies.pull import pull
from auricle.loaders.reading.refs import tag
from auricle.loaders.storage.store import Store
from auricle.pipelines.derived.judge import judge
from auricle.pipelines.diagnosis.diagnose import diagnose
from auricle.pipelines.publishing.lease import holder, lease
from auricle.pipelines.run import run
from auricle.pipelines.trial.shadow import compare_codec, find_comparison
from auricle.pipelines.upkeep import carry_out as purging
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.errors import SchemaVersionError
from auricle.schemas.json_schemas import read_published
from auricle.schemas.models import PromotedModel

BOTH = [{"codec": "cheap", "kind": "codes"}, {"codec": "cheap", "kind": "latents"}]
MODEL = PromotedModel(kind="codec", slot="cheap", name="cheap", fingerprint="0" * 64)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that stands in the middle of everything: a run, a purge and a pull broke off, the lease is held."""
    root = tmp_path_factory.mktemp("records")
    with pytest.MonkeyPatch.context() as patch:
        without_ray(patch)
        write_corpus(root / "audio", 6)
        data = str(root / "data")
        run(config(root / "audio", root / "data", representations=BOTH))
        version = open_version(data, 1)
        tag(data, "first")
        diagnose(version)
        judge(version)
        write_report(version)
        compare_codec(version, lambda _: {"loss": 1.0}, lambda _: {"loss": 2.0}, MODEL, 4)
        write_corpus(root / "audio", 2, first=6)
        with patch.context() as broken:
            broken.setattr("auricle.pipelines.run.build", _killed)
            with pytest.raises(RuntimeError):
                run(config(root / "audio", root / "data", representations=BOTH))
        with patch.context() as broken:
            broken.setattr("auricle.loaders.copies.pull._document", _killed)
            with pytest.raises(RuntimeError):
                pull(data, data + "-pulled", ["cheap-codes"], where="duration_s > 0 AND clip > '5'")
        with patch.context() as broken:
            broken.setattr(purging, "_purge", _killed)
            with pytest.raises(RuntimeError):
                takedown(data, clips=version.clips(["clip"])["clip"].to_pylist()[:1], purge=True)
        with lease(Store(data), wait=False):
            shutil.copytree(data, data + "-held")
    return root


def _killed(*_: object, **__: object) -> Any:
    raise RuntimeError("killed")


def test_every_record_says_its_schema_and_fits_it(dataset: Path) -> None:
    published = {name.removesuffix(".json"): json.loads(text) for name, text in read_published().items()}
    seen = set()
    for file in sorted(dataset.rglob("*.json")):
        record = json.loads(file.read_bytes())
        family, _, number = record["schema"].removeprefix("auricle.").partition("/")
        jsonschema.validate(record, published[f"{family}-{number}"])
        seen.add(family)
    for file in sorted(dataset.rglob("data*/**/*.parquet")):
        family, _, number = pq.read_schema(file).metadata[b"auricle.schema"].decode()[8:].partition("/")
        fields = next(iter(published[f"{family}-{number}"]["tables"].values()))
        if family != "tables":
            assert {field["name"] for field in fields} <= set(pq.read_schema(file).names), file
        seen.add(family)
    assert seen == {
        "version", "ref", "lease", "packed", "diagnostics", "profile", "shadow", "tables", "plan", "receipt",
        "difficulty", "gains", "judgement", "tombstones",
    }  # fmt: skip


def _read_profile(data: Path) -> object:
    return write_report(open_version(str(data), 1), data / "page.html")


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "lease": ("lease/*.json", lambda data: holder(Store(str(data)))),
    "diagnostics": ("derived/*/diagnostics.json", _read_profile),
    "profile": ("derived/*/profile.json", _read_profile),
    "comparison": ("derived/*/shadow-*.json", lambda data: find_comparison(Store(str(data)), MODEL)),
}


@pytest.mark.parametrize("kind", READERS)
def test_a_record_of_a_newer_major_is_refused_and_newer_minor_fields_are_ignored(
    dataset: Path, tmp_path: Path, kind: str
) -> None:
    data = Path(shutil.copytree(dataset / ("data-held" if kind == "lease" else "data"), tmp_path / "data"))
    pattern, read = READERS[kind]
    *_, file = sorted(data.glob(pattern))
    record = json.loads(file.read_bytes())
    file.write_text(json.dumps(record | {"schema": record["schema"][:-1] + "9"}))
    with pytest.raises(SchemaVersionError, match="Upgrade auricle"):
        read(data)
    file.write_text(json.dumps(record | {"schema": record["schema"] + ".7", "mood": "sunny"}))
    read(data)


def test_a_packed_shard_of_a_newer_major_is_refused(dataset: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(dataset / "data-pulled", tmp_path / "pulled"))
    # while its purge is not done nothing is pulled
    source = shutil.copytree(dataset / "data", tmp_path / "source", ignore=shutil.ignore_patterns("purging"))
    (file,) = data.glob("pulling/*/*.json")
    record = json.loads(file.read_bytes())
    file.write_text(json.dumps(record | {"schema": "auricle.packed/2"}))
    with pytest.raises(SchemaVersionError, match="Upgrade auricle"):
        pull(str(source), str(data), ["cheap-codes"], where="duration_s > 0 AND clip > '5'")

"""The index of a version: live clips only, the same from however many parts, no shard read."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from dataset_factory import CODES, LATENTS, voices, write_version

from auricle.loaders.plan.index import read_index
from auricle.loaders.plan.plan import make_plan
from auricle.loaders.plan.settings import Settings
from auricle.loaders.reading.version import Version, open_version
from auricle.loaders.storage.store import Store
from auricle.schemas.errors import ConfigError

GERMAN = voices(6, "g", language="de", source="radio", snr_db=5.0)
ENGLISH = voices(9, "e")
DROPPED = voices(2, "d", status="dropped", reasons=("noisy",))


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Version:
    """Two parts, three shards of codes, no shard on disk: nothing here may read one."""
    root = tmp_path_factory.mktemp("index")
    write_version(str(root), [*ENGLISH, *DROPPED])
    write_version(str(root), [*ENGLISH, *GERMAN, *DROPPED])
    shutil.rmtree(root / "shards")
    return open_version(str(root))


def keys(version: Version, **options: object) -> set[str]:
    index = read_index(version, ["toy-codes"], **options)  # pyright: ignore[reportArgumentType]
    return set(index.keys(np.arange(len(index))))


def test_live_clips_are_in_it_by_key_with_what_the_table_says(version: Version) -> None:
    index = read_index(version, ["toy-codes", "toy-latents"], columns=["transcript", "snr.snr_db"], group="language")
    found = index.keys(np.arange(len(index)))
    assert found == sorted(r.key for r in [*ENGLISH, *GERMAN])
    by_key = {r.key: r for r in [*ENGLISH, *GERMAN]}
    assert index.columns["transcript"].to_pylist() == [by_key[k].text for k in found]
    assert index.columns["snr.snr_db"].to_pylist() == [by_key[k].snr_db for k in found]
    assert [index.groups[g] for g in index.group] == [by_key[k].language for k in found]
    table = {row["clip"]: row for row in version.clips().to_pylist()}
    for spec, pointers in zip((CODES, LATENTS), index.pointers, strict=True):
        for i, key in enumerate(found):
            row = table[key][spec.name]
            assert pointers.shards[pointers.shard[i]] == row["shard"]
            assert (pointers.offset[i], pointers.nbytes[i], pointers.crc32[i], pointers.frames[i]) == (
                row["offset"], row["nbytes"], row["crc32"], row["num_frames"],
            )  # fmt: skip


def test_filters_are_those_of_pull_and_of_arrow(version: Version) -> None:
    german = {r.key for r in GERMAN}
    assert keys(version, where="snr_db < 10 and language = 'de'") == german
    assert keys(version, where=pc.equal(pc.field("language"), "de")) == german
    with pytest.raises(ConfigError, match="no column 'languag'"):
        keys(version, where="languag = 'de'")
    with pytest.raises(ConfigError, match="no column 'topic'"):
        read_index(version, ["toy-codes"], columns=["topic"])
    with pytest.raises(ConfigError, match="has no curriculum"):
        read_index(version, ["toy-codes"], curriculum=True)
    with pytest.raises(ConfigError, match="each once"):
        read_index(version, ["toy-codes", "toy-codes-50hz"])


def test_how_the_table_is_cut_into_parts_changes_no_plan(version: Version, tmp_path: Path) -> None:
    one = tmp_path / "one"
    # the same rows in one part, the last first
    table = pa.concat_tables([version.clips()]).take(np.arange(version.clips().num_rows)[::-1])
    from auricle.loaders.storage.layout import clips_path, version_path
    from auricle.loaders.storage.parts import write_part

    store = Store(str(one), create=True)
    document = version.document.model_copy(update={"clips": [write_part(store, table, clips_path)]})
    store.put_new(version_path(document.number), document.to_json())
    merged = open_version(str(one))
    assert len(merged.files()) == 1 < len(version.files())
    chosen = Settings(batch_rows=4, window_shards=1, seed=5)
    plans = [make_plan(read_index(v, ["toy-codes"]), chosen, 1) for v in (version, merged)]
    assert np.array_equal(plans[0].draws, plans[1].draws)

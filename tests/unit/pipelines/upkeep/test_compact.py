from pathlib import Path

import numpy as np
from dataset_factory import CODES, LATENTS, Recording, payload, write_version

from auricle.loaders import open_version
from auricle.loaders.care.verify import verify
from auricle.pipelines.upkeep.compact import compact


def nights(url: str, count: int, **fields: object) -> list[Recording]:
    alive: list[Recording] = []
    for night in range(count):
        alive = [*alive, Recording(f"n{night}", source=f"s{night % 2}", path=f"{night % 3}/{night}.wav").but(**fields)]
        write_version(url, alive, config={"sources": [{"name": "s0"}, {"name": "s1"}]})
    return alive


def test_many_small_nights_become_one_shard_and_one_part_with_the_same_content(tmp_path: Path) -> None:
    url = str(tmp_path)
    alive = nights(url, 9)
    document = compact(url)
    assert document is not None
    assert (document.kind, document.number, len(document.clips)) == ("compact", 10, 1)
    assert [len(e.shards) for e in document.representations.values()] == [1, 1]
    before, after = open_version(url, 9), open_version(url)
    skip = [CODES.name, LATENTS.name]
    assert (
        after.clips()
        .drop_columns(skip)
        .equals(before.clips().drop_columns(skip).sort_by([("path", "ascending"), ("clip", "ascending")]))
    )
    assert document.counts == before.document.counts
    assert verify(url) == []
    for spec in (CODES, LATENTS):
        found = {s.key: s.array for s in after.samples(spec.name)}
        assert all(np.array_equal(found[r.key], payload(r, spec)) for r in alive)


def test_samples_of_a_packed_shard_are_ordered_by_source_and_place(tmp_path: Path) -> None:
    alive = nights(str(tmp_path), 7)
    compact(str(tmp_path))
    wanted = [r.key for r in sorted(alive, key=lambda r: (r.source, r.file))]
    assert [s.key for s in open_version(str(tmp_path)).samples(CODES.name)] == wanted


def test_compacting_twice_publishes_once(tmp_path: Path) -> None:
    nights(str(tmp_path), 4)
    assert compact(str(tmp_path)) is not None
    assert compact(str(tmp_path)) is None
    assert open_version(str(tmp_path)).document.number == 5


def test_equal_versions_compact_to_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        nights(str(tmp_path / name), 5)
    a, b = compact(str(tmp_path / "a")), compact(str(tmp_path / "b"))
    assert a is not None
    assert b is not None
    assert (a.clips, a.recordings, a.representations) == (b.clips, b.recordings, b.representations)


def test_a_mostly_dead_shard_is_packed_again_without_its_dead(tmp_path: Path) -> None:
    url = str(tmp_path)
    alive = [Recording(f"r{i}") for i in range(10)]
    write_version(url, alive, per_shard=10)
    rest = [r.but(status="dropped", reasons=("x",), tier=None) if i > 4 else r for i, r in enumerate(alive)]
    write_version(url, rest)
    document = compact(url)
    assert document is not None
    assert [s.rows for s in document.representations[CODES.name].shards] == [5]
    assert verify(url) == []


def test_full_shards_are_left_alone(tmp_path: Path) -> None:
    url = str(tmp_path)
    write_version(url, [Recording(f"r{i}", num_samples=160000) for i in range(8)], per_shard=4)
    size = min(s.num_bytes for s in open_version(url).document.representations[LATENTS.name].shards)
    assert compact(url, shard_bytes=size) is None

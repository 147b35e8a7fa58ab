from pathlib import Path

import numpy as np
import pytest
from dataset_factory import CODES, LATENTS, payload, voices, write_version

from auricle.loaders import open_version
from auricle.loaders.care.moving import Mover
from auricle.loaders.copies.pull import plan_pull, pull
from auricle.loaders.storage.store import Store
from auricle.schemas.errors import ConfigError, IntegrityError


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    """Two nights: ten clips in three shards, then two of them dropped and three more added."""
    url = str(tmp_path / "data")
    first = [*voices(10), *voices(2, "noisy", status="dropped", reasons=("noisy",), tier=None)]
    write_version(url, first)
    second = [r.but(status="dropped", reasons=("loud",), tier=None) if r.name in ("v1", "v2") else r for r in first]
    write_version(url, [*second, *voices(3, "fr", language="fr", tier="silver", speaker="luc")])
    return url


def arrays(url: str, name: str) -> dict[str, np.ndarray]:
    return {s.key: s.array for s in open_version(url).samples(name)}


def test_a_pulled_folder_reads_like_the_original_and_holds_live_members_only(dataset: str, tmp_path: Path) -> None:
    dest = str(tmp_path / "pulled")
    result = pull(dataset, dest, ["toy-codes"])
    assert (result.status, result.number, result.live) == ("pulled", 2, {CODES.name: 11})
    original, pulled = arrays(dataset, "toy-codes"), arrays(dest, "toy-codes")
    assert original.keys() == pulled.keys()
    assert all(np.array_equal(original[k], pulled[k]) for k in original)
    version = open_version(dest)
    assert list(version.document.representations) == [CODES.name]
    assert version.document.counts == open_version(dataset).document.counts
    assert sum(s.rows for s in version.document.representations[CODES.name].shards) == 11
    assert not (Path(dest) / "shards" / LATENTS.name).exists()
    assert result.copied == 3
    assert result.packed == 1


def test_a_filter_brings_only_the_rows_that_it_holds_for(dataset: str, tmp_path: Path) -> None:
    dest = str(tmp_path / "pulled")
    result = pull(dataset, dest, ["toy-codes", "toy-latents"], where="tier = 'silver' and language = 'fr'")
    wanted = voices(3, "fr")
    assert result.live == {CODES.name: 3, LATENTS.name: 3}
    for spec in (CODES, LATENTS):
        found = arrays(dest, spec.name)
        assert found.keys() == {r.key for r in wanted}
        assert all(np.array_equal(found[r.key], payload(r, spec)) for r in wanted)
    version = open_version(dest)
    assert version.clips().num_rows == 3
    assert version.recordings().num_rows == 3
    assert version.document.counts.kept == 3
    assert version.document.counts.files == 3
    assert version.document.kept_by_tier == {"silver": 3}


def test_pulling_again_does_nothing_and_another_selection_needs_another_folder(dataset: str, tmp_path: Path) -> None:
    dest = str(tmp_path / "pulled")
    pull(dataset, dest, ["toy-codes"])
    assert pull(dataset, dest, [CODES.name]).status == "unchanged"
    with pytest.raises(ConfigError, match="another"):
        pull(dataset, dest, ["toy-latents"])
    with pytest.raises(ConfigError, match="itself"):
        pull(dataset, dataset, ["toy-codes"])
    other = str(tmp_path / "own")
    write_version(other, voices(1))
    with pytest.raises(ConfigError, match="dataset of its own"):
        pull(dataset, other, ["toy-codes"])


def test_the_next_night_comes_into_the_same_folder_and_reuses_what_is_there(dataset: str, tmp_path: Path) -> None:
    dest = str(tmp_path / "pulled")
    pull(dataset, dest, ["toy-codes"])
    alive = [*voices(10), *voices(3, "fr", language="fr")]
    write_version(dataset, [r for r in alive if r.name not in ("v1", "v2")] + voices(2, "new"))
    result = pull(dataset, dest, ["toy-codes"])
    assert (result.number, result.copied, result.reused) == (3, 1, 3)
    assert len(arrays(dest, CODES.name)) == 13
    assert open_version(dest, 2).document.number == 2


@pytest.mark.parametrize("stop_after", [0, 1, 3])
def test_an_interrupted_pull_goes_on_where_it_stopped(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_after: int
) -> None:
    dest = str(tmp_path / "pulled")
    done = 0

    def interrupted(done_bytes: int, total: int) -> None:
        nonlocal done
        done += 1
        if done > stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(dataset, dest, ["toy-codes"], where="snr_db > 1", progress=interrupted)
    assert not (Path(dest) / "versions").exists()
    result = pull(dataset, dest, ["toy-codes"], where="snr_db > 1")
    assert result.reused >= stop_after
    assert arrays(dest, CODES.name).keys() == arrays(dataset, CODES.name).keys()
    assert not any(p.is_file() for p in (Path(dest) / "pulling").rglob("*"))


def test_a_damaged_leftover_in_the_destination_is_fetched_again(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dest = tmp_path / "pulled"

    def crash(self: Mover, *_: object) -> None:
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Mover, "pack", crash)
        with pytest.raises(OSError, match="power"):
            pull(dataset, str(dest), ["toy-codes"])
    leftover = next((dest / "shards" / CODES.name).iterdir())
    data = bytearray(leftover.read_bytes())
    data[1500] ^= 1
    leftover.write_bytes(data)
    pull(dataset, str(dest), ["toy-codes"])
    assert len(arrays(str(dest), CODES.name)) == 11


@pytest.mark.parametrize("where", [None, "language = 'en'"])
def test_one_flipped_bit_in_the_source_stops_the_pull(dataset: str, tmp_path: Path, where: str | None) -> None:
    entry = open_version(dataset).document.representations[CODES.name]
    for shard in entry.shards:
        path = Path(dataset) / "shards" / CODES.name / f"{shard.sha256}.tar"
        data = bytearray(path.read_bytes())
        data[1536 + 300] ^= 4
        path.write_bytes(data)
    with pytest.raises(IntegrityError, match="restore"):
        pull(dataset, str(tmp_path / "pulled"), ["toy-codes"], where=where)
    assert not (tmp_path / "pulled" / "versions").exists()


def test_a_flipped_bit_in_the_table_stops_the_pull(dataset: str, tmp_path: Path) -> None:
    part = open_version(dataset).files()[0]
    data = bytearray(part.read_bytes())
    data[len(data) // 3] ^= 1
    part.write_bytes(data)
    with pytest.raises(IntegrityError, match="hash"):
        pull(dataset, str(tmp_path / "pulled"), ["toy-codes"])


def test_a_plan_says_what_the_pull_then_brings(dataset: str, tmp_path: Path) -> None:
    for where in (None, "tier = 'silver'"):
        planned = plan_pull(dataset, ["toy-codes"], where=where)
        result = pull(dataset, str(tmp_path / str(where)), ["toy-codes"], where=where)
        assert (planned.live, planned.whole) == (result.live, result.copied)
        assert (planned.moved > 0) == (result.packed > 0)


def test_the_curriculum_travels_with_its_version(dataset: str, tmp_path: Path) -> None:
    Store(dataset).put_new("derived/000002/curriculum.parquet", b"stages")
    pull(dataset, str(tmp_path / "pulled"), ["toy-codes"])
    assert open_version(str(tmp_path / "pulled")).derived("curriculum.parquet") == b"stages"


def test_two_pulls_of_one_selection_are_equal_byte_for_byte(dataset: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        pull(dataset, str(tmp_path / name), ["toy-codes"], where="snr_db > 5")
    files = [
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("a", "b")
    ]
    assert files[0] == files[1]

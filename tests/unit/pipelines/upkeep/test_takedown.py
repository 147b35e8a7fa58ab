import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from dataset_factory import CODES, LATENTS, Recording, payload, voices, write_version

from auricle.loaders import open_version
from auricle.loaders.care.verify import verify
from auricle.loaders.copies.pull import pull
from auricle.loaders.reading.refs import tag
from auricle.loaders.reading.tombstones import tombstoned
from auricle.loaders.reading.version import numbers
from auricle.loaders.storage.layout import clips_path
from auricle.loaders.storage.parts import read_columns, write_part
from auricle.loaders.storage.store import Store
from auricle.pipelines.upkeep.takedown import takedown
from auricle.schemas.errors import ConfigError
from auricle.schemas.keys import sha256_bytes
from auricle.schemas.version import Object, VersionDocument

ANN = [
    Recording(f"secret-{i}", text=f"confidential sentence {i}", speaker="ann-of-x", path=f"private folder/ann {i}.wav")
    for i in range(3)
]
OTHERS = voices(6, "v", speaker="bob")
NEVER = voices(2, "early", speaker="bob")


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    """Three versions: without her, with her among others in every shard, and with one of her clips dropped."""
    url = str(tmp_path / "data")
    write_version(url, NEVER)
    mixed = [x for pair in zip(OTHERS[:3], ANN, strict=True) for x in pair] + OTHERS[3:]
    write_version(url, [*NEVER, *mixed, Recording("broken", path="private folder/x.wav", decodes=False)])
    write_version(url, [*NEVER, *(r.but(status="dropped", reasons=("n",)) if r is ANN[1] else r for r in mixed)])
    return url


def contents(url: str) -> list[tuple[str, str, list[bytes]]]:
    """Every file under the root: path, all text in it after decoding, all payloads of shards."""
    found = []
    for file in sorted(p for p in Path(url).rglob("*") if p.is_file()):
        payloads: list[bytes] = []
        if file.suffix == ".parquet":
            text = json.dumps(pq.read_table(file).to_pylist(), default=str)
        elif file.suffix == ".tar":
            with tarfile.open(file) as tar:
                members = {info.name: tar.extractfile(info).read() for info in tar}  # pyright: ignore
            payloads = [data for name, data in members.items() if name.endswith(".npy")]
            text = " ".join([*members, *(d.decode() for n, d in members.items() if n.endswith(".json"))])
        else:
            text = file.read_bytes().decode(errors="replace")
        found.append((str(file.relative_to(url)), text, payloads))
    return found


def traces(url: str, recordings: list[Recording]) -> dict[str, set[str]]:
    """Files that hold something of the recordings, and what."""
    found: dict[str, set[str]] = {}

    def note(path: str, what: str) -> None:
        found.setdefault(path, set()).add(what)

    for path, text, payloads in contents(url):
        if path.startswith("tombstones/"):
            continue
        for r in recordings:
            for what, needle in {"text": r.text, "path": r.file, "key": r.key, "hash": r.sha256}.items():
                if needle and (needle in text or needle in path or json.dumps(needle)[1:-1] in text):
                    note(path, what)
            for spec in (CODES, LATENTS):
                raw = payload(r, spec).tobytes()
                if any(raw in p for p in payloads):
                    note(path, "samples")
    return found


def keys(url: str, version: int | None = None) -> set[str]:
    return set(open_version(url, version).clips(["clip"])["clip"].to_pylist())


def test_without_purge_they_are_absent_from_the_new_version_and_from_what_is_derived_from_it(
    dataset: str, tmp_path: Path
) -> None:
    result = takedown(dataset, speaker="ann-of-x")
    assert (result.clips, result.recordings, result.version, result.retired) == (3, 3, 4, [])
    assert keys(dataset) == {r.key for r in (*NEVER, *OTHERS)}
    assert keys(dataset, 3) > keys(dataset)
    version = open_version(dataset)
    assert {s.key for s in version.samples(CODES.name)} == {r.key for r in (*NEVER, *OTHERS)}
    assert version.document.counts.decoded == 8
    assert verify(dataset) == []
    pull(dataset, str(tmp_path / "pulled"), ["toy-codes", "toy-latents"])
    assert traces(str(tmp_path / "pulled"), ANN) == {}
    assert verify(str(tmp_path / "pulled")) == []


def test_a_purge_leaves_no_text_path_or_sample_anywhere_under_the_root(dataset: str) -> None:
    store = Store(dataset)
    store.put_new("runs/20260101T000000-aaaaaa/score/attempts/x.0", b"confidential sentence 1")
    store.put_new("derived/000003/report.html", b"<p>confidential sentence 2</p>")
    store.put_new("derived/000001/report.html", b"<p>early</p>")
    tag(dataset, "paper", 2)
    assert {"text", "path", "samples"} <= set().union(*traces(dataset, ANN).values())
    result = takedown(dataset, speaker="ann-of-x", purge=True)
    assert traces(dataset, ANN) == {}
    assert result.retired == [2, 3]
    assert numbers(store) == [1, 4]
    assert verify(dataset) == verify(dataset, 1) == []
    assert keys(dataset) == {r.key for r in (*NEVER, *OTHERS)}
    arrays = {s.key: s.array for s in open_version(dataset).samples(LATENTS.name)}
    assert all(np.array_equal(arrays[r.key], payload(r, LATENTS)) for r in (*NEVER, *OTHERS))
    assert store.exists("derived/000001/report.html")
    for name in (2, 3, "paper"):
        with pytest.raises(ConfigError, match="version 4 is its successor"):
            open_version(dataset, name)


def test_a_purge_removes_neural_models_that_were_trained_on_what_goes_and_keeps_the_others(dataset: str) -> None:
    store = Store(dataset)
    trained_on = {number: f"derived/{number:06d}/neural-toy-codes-{number:016x}.safetensors" for number in (1, 2, 3)}
    for path in trained_on.values():
        store.put_new(path, b"weights")
    takedown(dataset, speaker="ann-of-x", purge=True)
    assert [number for number, path in trained_on.items() if store.exists(path)] == [1]
    assert not [e.path for e in store.list("derived/000004") if "neural" in e.path], "the new version has other clips"


def test_a_purge_finds_samples_that_only_a_dead_member_of_a_shard_holds(dataset: str) -> None:
    write_version(dataset, [*NEVER, *OTHERS])
    assert ANN[0].key not in keys(dataset)
    assert "samples" in set().union(*traces(dataset, ANN).values())
    takedown(dataset, speaker="ann-of-x", purge=True)
    assert traces(dataset, ANN) == {}
    assert verify(dataset) == []


def test_a_purge_after_a_plain_takedown_finishes_the_job(dataset: str) -> None:
    takedown(dataset, speaker="ann-of-x")
    result = takedown(dataset, speaker="ann-of-x", purge=True)
    assert result.retired == [2, 3, 4]
    assert traces(dataset, ANN) == {}
    assert keys(dataset) == {r.key for r in (*NEVER, *OTHERS)}


@pytest.mark.parametrize("writes", range(0, 60, 4))
def test_a_purge_that_was_interrupted_is_finished_by_the_same_command(
    dataset: str, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    left = writes
    real_put, real_delete = Store.put_new, Store.delete

    def burn(path: str) -> None:
        nonlocal left
        if not path.startswith("lease"):
            left -= 1
            if left < 0:
                raise KeyboardInterrupt

    def put_new(self: Store, path: str, data: bytes | Path, *, durable: bool = True) -> bool:
        burn(path)
        return real_put(self, path, data, durable=durable)

    def delete(self: Store, paths: list[str]) -> None:
        for path in paths:
            burn(path)
            real_delete(self, [path])

    with monkeypatch.context() as patch:
        patch.setattr(Store, "put_new", put_new)
        patch.setattr(Store, "delete", delete)
        interrupted = False
        try:
            takedown(dataset, speaker="ann-of-x", purge=True)
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        assert open_version(dataset).document.number in (3, 4)
        takedown(dataset, speaker="ann-of-x", purge=True)
    assert traces(dataset, ANN) == {}
    assert numbers(Store(dataset)) == [1, 4]
    assert verify(dataset) == []


def test_a_whole_source_goes_with_its_failed_files_and_aliases(dataset: str) -> None:
    other = [r.but(source="other", path=f"o/{r.file}") for r in voices(2, "o")]
    write_version(dataset, [*NEVER, *other, Recording("bad", source="other", decodes=False)])
    takedown(dataset, source="other", purge=True)
    assert keys(dataset) == {r.key for r in NEVER}
    assert open_version(dataset).document.counts.files == 2
    assert traces(dataset, other) == {}
    assert "bad.wav" not in "".join(text for _, text, _ in contents(dataset))


def test_equal_audio_under_other_names_goes_too(dataset: str) -> None:
    copy = Recording("copy", speaker="bob", pcm=ANN[0].pcm_sha256)
    again = Recording("again", speaker="bob")
    write_version(dataset, [*NEVER, ANN[0], copy, again])
    result = takedown(dataset, clips=[ANN[0].key])
    assert (result.clips, result.same_audio) == (2, 1)
    assert keys(dataset) == {r.key for r in (*NEVER, again)}


def test_tombstones_hold_hashes_only(dataset: str) -> None:
    takedown(dataset, speaker="ann-of-x")
    recordings, samples = tombstoned(Store(dataset))
    assert {r for r in recordings if not r.startswith("unreadable-")} == {r.sha256 for r in ANN}
    assert samples == {r.pcm_sha256 for r in ANN}
    (path,) = Path(dataset, "tombstones").iterdir()
    text = json.dumps(pq.read_table(path).to_pylist())
    assert not any(word in text for r in ANN for word in (r.text or "", r.file, r.speaker or ""))


def test_redaction_keeps_latents_and_drops_text_and_paths(dataset: str) -> None:
    takedown(dataset, speaker="ann-of-x", redact=True, purge=True)
    version = open_version(dataset)
    rows = {row["clip"]: row for row in version.clips().to_pylist()}
    assert len(rows) == 11
    for r in ANN:
        assert [rows[r.key][c] for c in ("transcript", "transcript_sha256", "path", "label_source", "trust")] == [
            None
        ] * 5
        assert rows[r.key]["snr"]["snr_db"] == r.snr_db
    assert rows[OTHERS[0].key]["trust"]["transcript_trust"] == pytest.approx(0.9)
    left = set().union(*traces(dataset, ANN).values())
    assert left == {"key", "hash", "samples"}
    live = {s.key for s in version.samples(CODES.name)}
    assert {ANN[0].key, ANN[2].key} <= live
    assert verify(dataset) == []


def test_a_dry_run_counts_and_touches_nothing(dataset: str) -> None:
    before = contents(dataset)
    result = takedown(dataset, speaker="ann-of-x", purge=True, dry_run=True)
    assert (result.clips, result.retired) == (3, [2, 3])
    assert [c for c in contents(dataset) if not c[0].startswith("lease")] == before
    done = takedown(dataset, speaker="ann-of-x", purge=True)
    assert dict(done.removed) == dict(result.removed), "what was said to go went, and nothing else"


def test_a_clip_goes_by_the_beginning_of_its_key_when_no_other_begins_so(
    dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = sorted(open_version(dataset).clips(["clip"])["clip"].to_pylist())
    assert takedown(dataset, clips=[keys[0][:12]], dry_run=True).clips >= 1
    monkeypatch.setattr("auricle.pipelines.upkeep.takedown_selection.LEAST_OF_A_KEY", 0)
    with pytest.raises(ConfigError, match="clips begin so, for example"):
        takedown(dataset, clips=[""], dry_run=True)


def test_a_filter_reaches_clips_of_every_version(dataset: str) -> None:
    write_version(dataset, NEVER)
    assert takedown(dataset, where="transcript like 'confidential%'").clips == 3


@pytest.mark.parametrize(
    ("selection", "complaint"),
    [
        ({}, "exactly one"),
        ({"speaker": "a", "source": "b"}, "exactly one"),
        ({"speaker": "nobody"}, "nothing to take down"),
        ({"source": "nowhere"}, "nothing to take down"),
        ({"clips": ["0" * 32]}, "1 of 1 are unknown"),
        ({"clips": [""]}, "at least 4 characters"),
        ({"where": "language = 'xx'"}, "nothing to take down"),
        ({"where": "colour = 'red'"}, "no column"),
    ],
)
def test_a_selection_that_names_nothing_or_two_things_is_refused(
    dataset: str, selection: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        takedown(dataset, **selection)
    assert open_version(dataset).document.number == 3


def test_taking_down_twice_is_harmless(dataset: str) -> None:
    first = takedown(dataset, speaker="ann-of-x")
    second = takedown(dataset, speaker="ann-of-x")
    assert (first.version, second.version) == (4, 4)
    assert len(list(Path(dataset, "tombstones").iterdir())) == 1


def test_strange_files_under_the_root_are_named_as_out_of_reach(dataset: str) -> None:
    Path(dataset, "exports").mkdir()
    Path(dataset, "exports/all.jsonl").write_bytes(b"confidential sentence 1")
    result = takedown(dataset, speaker="ann-of-x", purge=True)
    assert any("exports" in line for line in result.out_of_reach)


def test_everything_can_be_taken_down(tmp_path: Path) -> None:
    url = str(tmp_path)
    write_version(url, ANN)
    takedown(url, speaker="ann-of-x", purge=True)
    assert open_version(url).document.counts.clips == 0
    assert traces(url, ANN) == {}
    assert verify(url) == []


def test_a_latent_that_joins_channels_goes_when_one_channel_goes(tmp_path: Path) -> None:
    url = str(tmp_path)
    stereo = CODES.model_copy(update={"name": "toy-stereo-50hz", "channels": 2})
    write_version(url, voices(3), representations=[stereo])
    buffer = io.BytesIO()
    table = pq.read_table(open_version(url).files()[0])
    rows = table.to_pylist()
    right = rows[0] | {"clip": "f" * 32, "channel": 1, "pcm_sha256": "e" * 64, stereo.name: None}
    pq.write_table(type(table).from_pylist([*rows, right], schema=table.schema), buffer)
    document = VersionDocument.from_json(Path(url, "versions/000001.json").read_bytes())
    sha256 = sha256_bytes(buffer.getvalue())
    Store(url).put_new(f"objects/clips/{sha256}.parquet", buffer.getvalue())
    part = Object(sha256=sha256, num_bytes=len(buffer.getvalue()), rows=4)
    Path(url, "versions/000001.json").write_bytes(document.model_copy(update={"clips": [part]}).to_json())
    takedown(url, clips=["f" * 32])
    assert keys(url) == {r["clip"] for r in rows[1:]}


def windows(url: str, count: int) -> list[str]:
    """A version of one recording cut into windows that overlap by half; their keys in order."""
    write_version(url, voices(1), representations=[])
    (file,) = open_version(url).files()
    table = pq.read_table(file)
    (row,) = table.to_pylist()
    cut = []
    for i in range(count):
        key = f"{i:032x}"
        cut.append(row | {"clip": key, "group": key, "start": i * 100, "end": i * 100 + 200, "pcm_sha256": key * 2})
    part = write_part(Store(url), type(table).from_pylist(cut, schema=table.schema), clips_path)
    path = Path(url, "versions/000001.json")
    document = VersionDocument.from_json(path.read_bytes())
    path.write_bytes(document.model_copy(update={"clips": [part]}).to_json())
    return [window["clip"] for window in cut]


@pytest.mark.parametrize("count", [40, 800])
def test_of_overlapping_windows_only_those_that_share_samples_with_the_one_asked_for_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """And the table is read a few times, however many windows there are."""
    url = str(tmp_path)
    cut = windows(url, count)
    reads = []

    def counted(file: Path, columns: Any = None) -> Any:
        reads.append(file)
        return read_columns(file, columns)

    monkeypatch.setattr("auricle.pipelines.upkeep.takedown_selection.read_columns", counted)
    result = takedown(url, clips=[cut[20]], purge=True)
    assert (result.clips, result.same_audio) == (3, 2)
    assert len(reads) <= 8
    assert keys(url) == {*cut[:19], *cut[22:]}
    # nor does what is banned spread with the next rewriting
    assert takedown(url, clips=[cut[30]]).clips == 3
    assert keys(url) == {*cut[:19], *cut[22:29], *cut[32:]}


def test_the_samples_of_a_neighbour_stay_away_in_another_file_too(tmp_path: Path) -> None:
    url = str(tmp_path)
    cut = windows(url, 5)
    takedown(url, clips=[cut[2]])
    _, samples = tombstoned(Store(url))
    assert samples == {cut[i] * 2 for i in (1, 2, 3)}

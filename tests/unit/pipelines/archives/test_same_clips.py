"""The same recordings as loose files and in every kind of archive are the same clips, scores and samples."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import soundfile
from corpus import config, write_corpus
from inprocess import without_ray

from auricle.loaders import Version
from auricle.loaders.care.verify import verify
from auricle.pipelines.audio.listen import clip_audio
from auricle.pipelines.plan import plan
from auricle.pipelines.run import run
from auricle.schemas.config import RunConfig

Files = dict[str, bytes]
Words = dict[str, tuple[str, str]]
"""Name of a recording -> what is said, and by whom."""
SAMPLES = "cheap-codes-100hz"


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Version]:
    """The version of five loose files."""
    root = tmp_path_factory.mktemp("known")
    write_corpus(root / "loose", 5)
    with pytest.MonkeyPatch.context() as patch:
        without_ray(patch)
        yield run(settings(root, root / "loose")).version


@pytest.fixture
def loose(known: Version, monkeypatch: pytest.MonkeyPatch) -> Path:
    without_ray(monkeypatch)
    return Path(known.document.config["sources"][0]["path"])


def recordings(loose: Path) -> tuple[Files, Words]:
    lines = [line.split("\t") for line in (loose / "transcripts.tsv").read_text().splitlines()[1:]]
    return {name: (loose / name).read_bytes() for name, *_ in lines}, {line[0]: (line[3], line[1]) for line in lines}


def beside(words: tuple[str, str]) -> bytes:
    return json.dumps({"text": words[0], "speaker": words[1], "language": "en"}).encode()


def tar(folder: Path, files: Files, words: Words) -> dict[str, Any]:
    """A WebDataset: `<name>.wav` and `<name>.json` after one another."""
    with tarfile.open(folder / "shard-000.tar", "w") as archive:
        for name, data in files.items():
            for member, content in ((name, data), (name.replace(".wav", ".json"), beside(words[name]))):
                item = tarfile.TarInfo(f"./{member}")
                item.size, item.mtime = len(content), 1_700_000_000
                archive.addfile(item, io.BytesIO(content))
    return {"transcripts": "*.json"}


def plain_zip(folder: Path, files: Files, words: Words) -> dict[str, Any]:
    """Recordings in a folder of a zip, packed, with a table at its top."""
    with zipfile.ZipFile(folder / "corpus.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"wavs/{name}", data)
        table = "file\tspeaker\tlanguage\ttranscript\n"
        table += "".join(f"wavs/{n}\t{speaker}\ten\t{text}\n" for n, (text, speaker) in words.items())
        archive.writestr("transcripts.tsv", table)
    return {"transcripts": "corpus.zip/transcripts.tsv"}


def table_of(files: Files, words: Words) -> pa.Table:
    return pa.table(
        {
            "audio": [{"bytes": data, "path": name} for name, data in files.items()],
            "sentence": [words[name][0] for name in files],
            "speaker_id": [words[name][1] for name in files],
            "locale": ["en"] * len(files),
        }
    )


def parquet(folder: Path, files: Files, words: Words) -> dict[str, Any]:
    """As the Hugging Face hub keeps datasets."""
    pq.write_table(table_of(files, words), folder / "train-00000-of-00001.parquet", row_group_size=2)
    return {"transcripts": "*-of-*.parquet"}


def arrow(folder: Path, files: Files, words: Words) -> dict[str, Any]:
    """As `datasets` keeps them on a disk: a stream of batches."""
    table = table_of(files, words)
    with pyarrow.ipc.new_stream(folder / "data-00000-of-00001.arrow", table.schema) as stream:
        stream.write_table(table, max_chunksize=2)
    return {"transcripts": "data-*.arrow"}


def feather(folder: Path, files: Files, words: Words) -> dict[str, Any]:
    """Arrow with a footer, and plain bytes named by another column."""
    table = table_of(files, words)
    audio = pa.array(list(files.values()))
    table = table.set_column(0, "bytes", audio).append_column("id", pa.array(list(files)))
    with pyarrow.ipc.new_file(folder / "all.arrow", table.schema) as file:
        file.write_table(table, max_chunksize=3)
    return {"transcripts": "all.arrow"}


def saved_dataset(folder: Path, files: Files, words: Words) -> dict[str, Any]:
    """`datasets.Dataset.save_to_disk`, by the library itself."""
    datasets = pytest.importorskip("datasets")
    table = table_of(files, words)
    kinds = {name: datasets.Value("string") for name in table.schema.names} | {"audio": datasets.Audio(decode=False)}
    held = datasets.table.InMemoryTable(table.cast(datasets.Features(kinds).arrow_schema))
    made = datasets.Dataset(held, info=datasets.DatasetInfo(features=datasets.Features(kinds)))
    made.save_to_disk(str(folder / "saved"))
    return {"transcripts": "saved/*.arrow"}


def cut(name: str, data: bytes, words: tuple[str, str], source: dict[str, Any]) -> dict[str, Any]:
    """A whole recording as lhotse's `MonoCut.to_dict` writes it."""
    info = soundfile.info(io.BytesIO(data))
    stem = name.removesuffix(".wav")
    recording = {"id": stem, "sources": [{"channels": [0]} | source], "sampling_rate": info.samplerate}
    recording |= {"num_samples": info.frames, "duration": info.duration, "channel_ids": [0]}
    said = {"id": stem, "recording_id": stem, "start": 0.0, "duration": info.duration, "channel": 0, "text": words[0]}
    said |= {"language": "en", "speaker": words[1]}
    place = {"id": stem, "start": 0.0, "duration": info.duration, "channel": 0}
    return place | {"supervisions": [said], "recording": recording, "type": "MonoCut"}


def lines(cuts: list[dict[str, Any]]) -> bytes:
    return gzip.compress("".join(json.dumps(one) + "\n" for one in cuts).encode(), mtime=0)


def cut_set(folder: Path, files: Files, words: Words) -> dict[str, Any]:
    """A lhotse `CutSet.to_file`, with its recordings beside it."""
    (folder / "wavs").mkdir()
    for name, data in files.items():
        (folder / "wavs" / name).write_bytes(data)
    named = [cut(n, d, words[n], {"type": "file", "source": f"wavs/{n}"}) for n, d in files.items()]
    (folder / "cuts.jsonl.gz").write_bytes(lines(named))
    return {"transcripts": "cuts.jsonl.gz"}


def shar(folder: Path, files: Files, words: Words) -> dict[str, Any]:
    """lhotse Shar of two shards: cuts in one file, and in a tar `<cut>.wav` and its manifest, pair by pair."""
    names = list(files)
    for number, chosen in enumerate((names[:3], names[3:])):
        cuts = [cut(n, files[n], words[n], {"type": "shar", "source": ""}) for n in chosen]
        (folder / f"cuts.{number:06d}.jsonl.gz").write_bytes(lines(cuts))
        with tarfile.open(folder / f"recording.{number:06d}.tar", "w") as archive:
            for name, one in zip(chosen, cuts, strict=True):
                manifest = json.dumps(one["recording"]).encode()
                for member, content in ((name, files[name]), (name.replace(".wav", ".json"), manifest)):
                    item = tarfile.TarInfo(member)
                    item.size = len(content)
                    archive.addfile(item, io.BytesIO(content))
    return {"transcripts": "cuts.*.jsonl.gz"}


def listed(folder: Path, files: Files, words: Words) -> dict[str, Any]:
    """A table of absolute paths, outside the folder of the recordings."""
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    rows = ["audio_filepath\ttext\tspeaker\tlang"]
    for name, data in files.items():
        (elsewhere / name).write_bytes(data)
        rows.append(f"{elsewhere / name}\t{words[name][0]}\t{words[name][1]}\ten")
    (folder / "list.tsv").write_text("\n".join(rows) + "\n")
    return {"path": str(folder / "list.tsv"), "transcripts": "list.tsv"}


KINDS = [tar, plain_zip, parquet, arrow, feather, saved_dataset, cut_set, shar, listed]


def settings(root: Path, source: Path, **options: Any) -> RunConfig:
    sources = [{"path": str(source), "name": "corpus", "transcripts": "transcripts.tsv"} | options]
    return config(source, root / f"{source.name} data", sources=sources)


def content(version: Version) -> list[dict[str, Any]]:
    columns = ["clip", "recording", "start", "end", "pcm_sha256", "transcript", "speaker", "language", "status"]
    rows = version.clips([*columns, "loudness", "words"]).to_pylist()
    return sorted(rows, key=lambda row: row["clip"])


def samples(version: Version) -> dict[str, bytes]:
    return {sample.key: sample.array.tobytes() for sample in version.samples(SAMPLES)}


def shards(version: Version) -> list[str]:
    return [shard.sha256 for shard in version.document.representations[SAMPLES].shards]


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_is_a_recording_like_any_other(
    tmp_path: Path, known: Version, loose: Path, kind: Callable[[Path, Files, Words], dict[str, Any]]
) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    found = settings(tmp_path, packed, **kind(packed, *recordings(loose)))
    assert plan(found).new_files == 5
    version = run(found).version
    assert content(version) == content(known)
    assert samples(version) == samples(known)
    assert shards(version) == shards(known)
    assert version.document.counts == known.document.counts
    assert run(found).status == "unchanged"
    assert verify(found.dataset) == []
    row = version.clips().to_pylist()[0]
    waveform, rate = clip_audio(version, row)
    assert (len(waveform), rate) == (row["end"] - row["start"], row["sample_rate"])


def test_a_tar_that_grew_is_read_from_where_it_ended(tmp_path: Path, loose: Path) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    files, words = recordings(loose)
    first = dict(list(files.items())[:3])
    options = tar(packed, first, words)
    assert run(settings(tmp_path, packed, **options)).version.document.counts.kept == 3
    tar(packed, files, words)
    grown = run(settings(tmp_path, packed, **options)).version.document
    assert grown.counts.kept == 5
    assert {stage.name: stage.done for stage in grown.stages}["probe"] == 2


def test_an_archive_itself_may_be_the_source(tmp_path: Path, known: Version, loose: Path) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    tar(packed, *recordings(loose))
    source = [{"path": str(packed / "shard-000.tar"), "name": "corpus", "transcripts": "*.json"}]
    version = run(config(packed, tmp_path / "data", sources=source)).version
    assert content(version) == content(known)


def test_the_last_of_members_with_one_name_counts(tmp_path: Path, known: Version, loose: Path) -> None:
    packed = tmp_path / "packed"
    packed.mkdir()
    files, _ = recordings(loose)
    old, new = list(files.values())[:2]
    with tarfile.open(packed / "a.tar", "w") as archive:
        for data in (old, new):
            item = tarfile.TarInfo("x.wav")
            item.size = len(data)
            archive.addfile(item, io.BytesIO(data))
    [row] = run(settings(tmp_path, packed, transcripts=None)).version.clips(["path", "recording"]).to_pylist()
    loose_rows = known.clips(["path", "recording"]).to_pylist()
    assert row["path"] == "a.tar/x.wav"
    assert row["recording"] == next(r["recording"] for r in loose_rows if r["path"] == list(files)[1])

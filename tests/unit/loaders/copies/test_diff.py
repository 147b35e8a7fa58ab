import sys
from pathlib import Path

import pytest
from dataset_factory import CODES, LATENTS, SAMPLE_RATE, Recording, voices, write_version

from auricle.loaders.copies.diff import HoursShift, changes, diff
from auricle.schemas.errors import ConfigError, MissingExtraError

HOUR = 3600 * SAMPLE_RATE


@pytest.fixture
def dataset(tmp_path: Path) -> str:
    return str(tmp_path / "data")


def test_a_version_does_not_differ_from_itself(dataset: str) -> None:
    write_version(dataset, voices(4))
    found = diff(dataset, 1, 1)
    assert (found.came, found.went, found.flips, found.schema, found.config) == ({}, {}, {}, [], [])
    assert {(s.changed, s.mean[0] == s.mean[1]) for s in found.scores} == {(0, True)}
    assert all(h.a == h.b for h in found.hours)


def test_clips_that_came_and_went_are_counted_by_every_reason(dataset: str) -> None:
    kept, noisy, broken, gone, stays = voices(5)
    drop = {"status": "dropped", "tier": None}
    write_version(
        dataset,
        [
            kept,
            noisy.but(reasons=("noisy", "short"), **drop),
            broken.but(status="failed", reasons=("extraction",)),
            gone,
            stays,
        ],
    )
    write_version(
        dataset,
        [
            kept.but(reasons=("noisy",), **drop),
            noisy,
            broken,
            stays,
            Recording("new"),
            Recording("bad", **drop, reasons=("x",)),
        ],
    )
    found = diff(dataset, 1)
    assert found.came == {"failed": 1, "new": 1, "noisy": 1, "short": 1}
    assert found.went == {"gone": 1, "noisy": 1}
    assert found.flips == {"dropped to kept": 1, "failed to kept": 1, "kept to dropped": 1}
    assert found.new == {"kept": 1, "x": 1}
    assert found.gone == {"kept": 1}
    assert found.flipped_share == 3 / 4
    assert found.counts["clips"] == (5, 6)
    assert found.counts["kept"] == (3, 4)


def test_without_versions_the_newest_is_compared_with_its_parent(dataset: str) -> None:
    write_version(dataset, voices(2))
    with pytest.raises(ConfigError, match="version 1 is the first"):
        diff(dataset)
    write_version(dataset, voices(3))
    write_version(dataset, voices(5))
    for asked in ((), (3,), (None, 3)):
        found = diff(dataset, *asked)
        assert (found.a, found.b, found.parent, found.came) == (2, 3, 2, {"new": 2})
    assert [(d.a, d.b) for d in (diff(dataset, 1), diff(dataset, 3, 3), diff(dataset, None, 2))] == [
        (1, 3),
        (3, 3),
        (1, 2),
    ]


def test_clips_of_shared_parts_count_as_unchanged(dataset: str) -> None:
    write_version(dataset, voices(10))
    write_version(dataset, [*voices(10), *voices(2, "w")])
    write_version(dataset, [*voices(10), *(r.but(status="dropped", reasons=("x",)) for r in voices(2, "w"))])
    found = diff(dataset, 2, 3)
    assert found.flipped_share == 2 / 12
    assert found.went == {"x": 2}


def test_shifts_of_scores_are_told_for_the_whole_and_for_clips_of_both(dataset: str) -> None:
    first = [r.but(snr_db=float(i)) for i, r in enumerate(voices(5))]
    write_version(dataset, first)
    write_version(
        dataset, [first[0].but(snr_db=None), first[1].but(snr_db=4.0), *first[2:], Recording("n", snr_db=100.0)]
    )
    shift = next(s for s in diff(dataset, 1, 2).scores if s.score == "snr_db")
    assert shift.clips == (5, 5)
    assert shift.mean == (2.0, (4 + 2 + 3 + 4 + 100) / 5)
    assert shift.quantiles[0] == pytest.approx([0.2, 1.0, 2.0, 3.0, 3.8])
    assert (shift.changed, shift.mean_change, shift.unit) == (2, 3.0, "dB")


def test_hours_are_of_kept_clips_by_language_speaker_and_source(dataset: str) -> None:
    write_version(
        dataset,
        [Recording("a", num_samples=2 * HOUR, decodes=True), Recording("b", num_samples=HOUR, language="fr")],
        representations=[],
    )
    write_version(
        dataset,
        [Recording("a", num_samples=2 * HOUR, speaker="eve"), Recording("c", num_samples=HOUR, language=None)],
        representations=[],
    )
    hours = [h for h in diff(dataset, 1, 2).hours if h.by == "language"]
    assert sorted(hours, key=str) == sorted(
        [
            HoursShift("language", "fr", 1.0, 0.0),
            HoursShift("language", None, 0.0, 1.0),
            HoursShift("language", "en", 2.0, 2.0),
        ],
        key=str,
    )
    assert HoursShift("speaker", "ann", 3.0, 1.0) in diff(dataset, 1, 2).hours


def test_corrected_labels_are_counted(dataset: str) -> None:
    a, b, c = voices(3)
    write_version(dataset, [a, b, c])
    write_version(dataset, [a.but(text="better"), b.but(language="fr", speaker="zoe"), c.but(path="moved.wav")])
    assert diff(dataset, 1).relabelled == {"transcript": 1, "language": 1, "speaker": 1, "path": 1}


def test_changes_of_schema_and_configuration_are_lines(dataset: str) -> None:
    write_version(
        dataset, voices(2), curators=["snr"], representations=[CODES], config={"keep": [{"score": "snr_db", "min": 10}]}
    )
    newer = CODES.model_copy(update={"fingerprint": "e" * 32, "details": {"weights_sha256": "abc"}})
    write_version(
        dataset,
        voices(2),
        representations=[newer, LATENTS],
        config={"keep": [{"score": "snr_db", "min": 12.5}], "extra": True},
    )
    found = diff(dataset, 1)
    assert found.config == ["extra: none → True", "keep[0].min: 10 → 12.5"]
    assert found.schema == [
        "curator trust is new",
        "representation toy-latents-12.5hz is new",
        "representation toy-codes-50hz was made anew: weights_sha256: none → abc",
    ]
    assert next(s for s in found.scores if s.score == "transcript_trust").clips == (0, 2)


def test_versions_without_clips_can_be_compared(dataset: str) -> None:
    write_version(dataset, [])
    write_version(dataset, voices(2))
    assert diff(dataset, 1).came == {"new": 2}
    assert diff(dataset, 2, 1).went == {"gone": 2}


def test_nested_settings_are_named_by_their_path() -> None:
    assert list(changes({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3, 4]}})) == ["a.b[1]: 2 → 3", "a.b[2]: none → 4"]


def test_an_unknown_version_and_an_absent_extra_are_said(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write_version(dataset, voices(1))
    with pytest.raises(ConfigError, match="no version 4"):
        diff(dataset, 1, 4)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(MissingExtraError, match="curate"):
        diff(dataset, 1)

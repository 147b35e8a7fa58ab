from __future__ import annotations

import pytest

from auricle.curators.registry import build
from auricle.extractors.coding.registry import family
from auricle.schemas.errors import ConfigError
from auricle.schemas.near import did_you_mean


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("snr", "snr_db"),
        ("SNR_DB", "snr_db"),
        ("transcript-trust", "transcript_trust"),
        ("transcript_turst", "transcript_trust"),
    ],
)
def test_the_nearest_name_is_named(written: str, meant: str) -> None:
    assert did_you_mean(written, ["snr_db", "transcript_trust", "bandwidth_hz"]) == f"; did you mean {meant!r}?"


def test_where_no_name_is_near_the_sentence_just_ends() -> None:
    assert did_you_mean("loudness", ["snr_db", "transcript_trust"]) == "."
    assert did_you_mean("snr_db", []) == "."


def test_errors_of_codecs_and_curators_name_the_nearest() -> None:
    with pytest.raises(ConfigError, match="codec 'mimmi' is not known; did you mean 'mimi'"):
        family("mimmi")
    with pytest.raises(ConfigError, match="unknown curator 'signals'; did you mean 'signal'"):
        build(["signals"])

import pickle
import subprocess
import sys
import textwrap

import pytest

from auricle.curators import registry
from auricle.curators.registry import CURATORS, DEFAULT, build
from auricle.schemas.errors import ConfigError
from auricle.schemas.score import Curator, score_struct

OURS = ("signal", "vad", "snr", "dnsmos", "channels", "reverb", "content", "quality", "voice")


@pytest.mark.parametrize("name", OURS)
def test_a_built_curator_satisfies_the_protocol_and_carries_the_name_it_was_asked_by(name):
    (curator,) = build([name])
    assert isinstance(curator, Curator)
    assert curator.name == name
    assert len(curator.fingerprint) == 32
    assert all(column.unit and column.description for column in curator.columns)
    score_struct(curator.columns)


def test_building_and_fingerprinting_imports_no_numeric_or_model_library():
    code = f"""
    import sys
    from auricle.curators.registry import build
    for curator in build({list(OURS)!r}):
        curator.fingerprint, curator.columns, curator.parameters
    print(sorted(set(sys.modules) & {{"onnxruntime", "torch", "scipy", "silero_vad", "speechmos"}}))
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=60
    )
    assert out.stdout.strip() == "[]"


def test_default_names_are_all_built_in():
    assert set(DEFAULT) <= set(CURATORS)


def test_an_unknown_name_is_refused_with_the_names_that_exist():
    with pytest.raises(ConfigError, match=r"unknown curator 'sn'.*snr"):
        build(["sn"])


def test_an_unknown_option_is_refused_with_the_options_that_exist():
    with pytest.raises(ConfigError, match=r"curator 'snr', option 'min_pause'.*min_pause_s"):
        build(["snr"], {"snr": {"min_pause": 1}})


def test_an_option_of_the_wrong_type_is_refused():
    with pytest.raises(ConfigError, match=r"option 'threshold'.*'loud'"):
        build(["vad"], {"vad": {"threshold": "loud"}})


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["vad", "vad"], {}, "named twice"),
        (["vad"], {"snr": {}}, "does not run"),
        (["vad"], {"nonesuch": {}}, "unknown curator 'nonesuch'"),
    ],
)
def test_impossible_combinations_are_refused(names, options, message):
    with pytest.raises(ConfigError, match=message):
        build(names, options)


def test_an_option_changes_the_fingerprint_and_the_same_options_do_not():
    (a,), (b,), (c,) = build(["vad"]), build(["vad"], {"vad": {"threshold": 0.6}}), build(["vad"])
    assert a.fingerprint == c.fingerprint != b.fingerprint


@pytest.mark.parametrize("name", OURS)
def test_a_curator_survives_pickling_with_its_fingerprint(name):
    (curator,) = build([name])
    assert pickle.loads(pickle.dumps(curator)).fingerprint == curator.fingerprint


class _Point:
    """Stands in for an installed package's entry point."""

    def __init__(self, name, loaded):
        self.name, self.value, self._loaded = name, "their_package:Theirs", loaded

    def load(self):
        return self._loaded


def _third_party(monkeypatch, *points):
    monkeypatch.setattr(registry, "_third_party", lambda: {p.name: p for p in points})


def test_a_curator_of_another_package_is_built_by_its_entry_point_name(monkeypatch):
    from auricle.curators.perclip import PerClip
    from auricle.schemas.score import ScoreColumn

    class Theirs(PerClip):
        name = "theirs"
        version = 1
        columns = (ScoreColumn("theirs_length_s", "float32", "s", "Length"),)

        def measure(self, clip):
            return {"theirs_length_s": clip.duration_s}

    _third_party(monkeypatch, _Point("theirs", Theirs))
    assert [c.name for c in build(["vad", "theirs"])] == ["vad", "theirs"]
    assert "theirs" not in [c.name for c in build(["vad"])]


def test_a_third_party_class_that_is_no_curator_is_refused(monkeypatch):
    _third_party(monkeypatch, _Point("theirs", dict))
    with pytest.raises(ConfigError, match="lacks a part"):
        build(["theirs"])


def test_two_curators_with_one_column_name_are_refused(monkeypatch):
    from auricle.curators.signal.vad import VadCurator

    class Theirs(VadCurator):
        name = "theirs"

    _third_party(monkeypatch, _Point("theirs", Theirs))
    with pytest.raises(ConfigError, match="both have a column 'speech_s'"):
        build(["vad", "theirs"])

import subprocess
import sys
import tempfile

import pytest

from auricle.pipelines.work.scratch import LOCK, PREFIX, remove_abandoned, scratch_folder

HOLD = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from auricle.pipelines.work.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "state.duckdb").write_bytes(b"x" * 1000)
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def holder(folder):
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_folder_is_gone_when_its_run_ends(temporary):
    with scratch_folder() as folder:
        assert folder.parent == temporary
        assert (folder / LOCK).exists()
        assert remove_abandoned(temporary) == []
    assert list(temporary.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next_and_a_living_ones_is_not(temporary):
    killed, living = holder(temporary), holder(temporary)
    try:
        assert killed.stdout
        assert living.stdout
        left, held = killed.stdout.readline().strip(), living.stdout.readline().strip()
        killed.kill()
        killed.wait()
        with scratch_folder() as ours:
            assert {str(path) for path in temporary.iterdir()} == {held, str(ours)}
        assert left != held
    finally:
        for process in (killed, living):
            process.kill()
            process.wait()


def test_a_folder_that_is_just_being_made_or_is_something_else_is_left_alone(temporary):
    (temporary / f"{PREFIX}new").mkdir()
    (temporary / "other").mkdir()
    (temporary / "other" / LOCK).touch()
    assert remove_abandoned(temporary) == []
    assert len(list(temporary.iterdir())) == 2

import shutil
import subprocess
import sys
import tempfile

import pytest

from auricle.pipelines.work.scratch import LOCK, PREFIX, remove_abandoned, scratch_file, scratch_folder

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


def test_files_at_one_time_have_places_of_their_own_and_those_after_each_other_share_one(temporary):
    with scratch_file("a.wav") as first, scratch_file("a.wav") as second:
        assert first != second
        assert first.name == second.name == "a.wav"
        assert first.parent.parent == second.parent.parent
        first.write_bytes(b"1")
        second.write_bytes(b"2")
    assert not first.exists()
    assert not second.exists()
    with scratch_file("b.wav") as third:
        assert third.parent in (first.parent, second.parent)
        third.write_bytes(b"3")
        assert remove_abandoned(temporary) == [], "this process lives"


def test_a_place_that_was_cleared_is_made_again(temporary):
    with scratch_file("a.wav") as path:
        path.write_bytes(b"1")
    shutil.rmtree(path.parent.parent)
    with scratch_file("a.wav") as path:
        path.write_bytes(b"2")


def test_the_folder_of_a_process_is_gone_when_it_ends_and_a_fork_leaves_it(temporary):
    program = """
import os, sys, tempfile
tempfile.tempdir = sys.argv[1]
from auricle.pipelines.work.scratch import scratch_file
with scratch_file("a.wav") as path:
    pass
if os.fork() == 0:
    sys.exit(0)
os.wait()
assert path.parent.is_dir()
print(path)
"""
    done = subprocess.run([sys.executable, "-c", program, str(temporary)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(temporary))
    assert list(temporary.iterdir()) == []

"""The locks of a data folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.errors import StartupError
from app.store.data_dir import DataDirLock, make_data_dir

_HOLD = """
import sys, pathlib
from app.store.data_dir import DataDirLock
lock = DataDirLock(pathlib.Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_folder_that_cannot_be_made_or_used_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for refused in (lambda: make_data_dir(file), lambda: make_data_dir(file / "below"), DataDirLock(file).acquire):
        with pytest.raises(StartupError, match=r"the data folder cannot be used: \w.*/file"):
            refused()


def test_one_user_of_a_folder_is_alone_and_two_are_not(tmp_path: Path) -> None:
    first, second = DataDirLock(tmp_path), DataDirLock(tmp_path)
    first.acquire()
    assert first.is_alone()
    second.acquire()
    assert (first.is_alone(), second.is_alone()) == (False, False)
    second.release()
    assert first.is_alone()
    first.release()


def test_asking_whether_one_is_alone_does_not_give_up_ones_place(tmp_path: Path) -> None:
    first, second = DataDirLock(tmp_path), DataDirLock(tmp_path)
    first.acquire()
    second.acquire()
    assert not first.is_alone()
    assert not second.is_alone()
    first.release()
    second.release()


def test_who_has_not_acquired_is_never_alone(tmp_path: Path) -> None:
    assert not DataDirLock(tmp_path).is_alone()


def test_a_killed_process_leaves_no_lock_behind(tmp_path: Path) -> None:
    mine = DataDirLock(tmp_path)
    mine.acquire()
    command = [sys.executable, "-c", _HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert not mine.is_alone()
        other.kill()
    assert mine.is_alone()
    mine.release()


def test_a_data_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    made = make_data_dir(tmp_path / "a" / "b" / ".." / "c")
    assert made == tmp_path / "a" / "c"
    assert made.stat().st_mode & 0o777 == 0o711

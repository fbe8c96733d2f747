"""Files of the examples: whole or not at all, and nothing left of writers that were killed."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

import pytest

from app.examples.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_replaced_and_nothing_else_is_there(tmp_path: Path) -> None:
    for text in ("one", "two"):
        write_whole(tmp_path / "a.md", text)
    assert [(one.name, one.read_text("utf-8")) for one in tmp_path.iterdir()] == [("a.md", "two")]


def test_what_a_killed_writer_has_left_goes_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    dead, living, other = (tmp_path / name for name in (".a.md.dead.tmp", ".a.md.living.tmp", ".b.md.dead.tmp"))
    for one in (dead, living, other):
        one.write_text("half", "utf-8")
    with living.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        write_whole(tmp_path / "a.md", "whole")
    assert sorted(one.name for one in tmp_path.iterdir()) == [living.name, other.name, "a.md"]


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.md").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path / "a.md", "text")
    assert [one.name for one in tmp_path.iterdir()] == ["a.md"]

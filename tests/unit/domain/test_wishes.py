"""Wishes: how a wish to cancel stands in a column of text."""

from __future__ import annotations

from app.domain import wishes


def test_a_reason_comes_back_as_it_was_given() -> None:
    assert wishes.reason(wishes.cancel("enough: of this")) == "enough: of this"
    assert wishes.reason(wishes.cancel(None)) is None
    assert wishes.is_cancel(wishes.cancel(None))


def test_a_reason_that_no_column_could_hold_is_made_to_fit() -> None:
    assert wishes.cancel("a\0b") == "cancel:a\ufffdb"
    wishes.cancel("\ud800").encode()
    assert len(wishes.cancel("x" * 10_000)) < 1_100

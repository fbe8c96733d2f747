"""Identifiers."""

import uuid

import pytest

from app.domain import ids


def test_ids_are_uuids_of_version_7_in_the_order_of_their_making() -> None:
    made = [ids.uuid7() for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {(uuid.UUID(text).version, uuid.UUID(text).variant) for text in made} == {(7, uuid.RFC_4122)}


def test_ids_stay_in_order_when_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ids.uuid7()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1)
    assert ids.uuid7() > first


@pytest.mark.parametrize("text", ["a", "A.b_c:d-1", "x" * 128, "01a1fc6c-b523-7000-a090-6ca977f09531"])
def test_a_client_may_choose_such_a_thread_id(text: str) -> None:
    assert ids.THREAD_ID.match(text)


@pytest.mark.parametrize("text", ["", "x" * 129, "a b", "a\n", "ä", "a/b"])
def test_other_thread_ids_are_refused(text: str) -> None:
    assert not ids.THREAD_ID.match(text)

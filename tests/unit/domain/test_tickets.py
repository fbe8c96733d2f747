"""Tickets: good for one thread's stream until their time is over, and for nothing else."""

from __future__ import annotations

import pytest

from app.domain import tickets
from app.domain.errors import BackstitchError, Forbidden, Unauthorized

KEY = bytes(range(32))
NOW = 1_000.0


def refusal(ticket: str, *, key: bytes = KEY, thread: str = "post-1", now: float = NOW) -> BackstitchError | None:
    try:
        tickets.check(key, ticket, thread, now)
    except BackstitchError as error:
        return error
    return None


def test_a_ticket_holds_for_its_thread_until_its_time_is_over() -> None:
    ticket = tickets.sign(KEY, "post-1", 1_060)
    assert refusal(ticket) is None
    assert refusal(ticket, now=1_059.9) is None
    over = refusal(ticket, now=1_060.0)
    assert isinstance(over, Unauthorized)
    assert over.code == "token_expired"


def test_a_ticket_is_of_no_use_for_another_thread() -> None:
    other = refusal(tickets.sign(KEY, "post-1", 1_060), thread="post-2")
    assert isinstance(other, Forbidden)
    assert other.code == "token_mismatch"


def test_a_ticket_of_another_key_is_refused() -> None:
    found = refusal(tickets.sign(b"x" * 32, "post-1", 1_060))
    assert isinstance(found, Unauthorized)
    assert found.code == "token_invalid"


def test_no_part_of_a_ticket_can_be_changed() -> None:
    ticket = tickets.sign(KEY, "post-1", 1_060)
    for index in range(len(ticket) - 1):  # the last character has bits that stand for nothing
        changed = ticket[:index] + ("A" if ticket[index] != "A" else "B") + ticket[index + 1 :]
        assert getattr(refusal(changed), "code", None) == "token_invalid", changed


@pytest.mark.parametrize(
    "given", ["", ".", "...", "v1.9.x.y", "v1.1060.cG9zdC0x.", "a" * 900, "é.é.é.é", "\ud800.1.2.3"]
)
def test_what_is_no_ticket_is_refused(given: str) -> None:
    assert getattr(refusal(given), "code", None) == "token_invalid"


def test_a_thread_of_any_allowed_name_can_have_one() -> None:
    name = "a.b:c_d-" + "x" * 120
    assert refusal(tickets.sign(KEY, name, 1_060), thread=name) is None

"""Log entries on their way into the store: with their place, without secrets, never waited for, never lost in silence."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from app.domain import jsontext
from app.domain.errors import Unavailable
from app.domain.known_secrets import KNOWN
from app.domain.logs import LogFilter, Place
from app.store.memory_logs import MemoryLogs
from app.telemetry.keeping import LogKeeper
from app.telemetry.places import PLACE

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from app.domain.logs import LogEntry

SECRET = "sk-canary-0123456789"


class Book(MemoryLogs):
    """May be away, or refuse."""

    failure: Exception | None = None

    async def add(self, entries: Sequence[LogEntry]) -> None:
        if self.failure is not None:
            raise self.failure
        await super().add(entries)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def keeper(book: Book) -> Generator[LogKeeper]:
    found = LogKeeper(book, level=logging.INFO, process=None, days=7, most_bytes=10**9, most=5)
    with found.attached():
        yield found


log = logging.getLogger("tests.keeping")


async def kept(keeper: LogKeeper) -> list[LogEntry]:
    """All entries, oldest first."""
    return [one for one in (await keeper.listed(LogFilter())).entries if one.logger == log.name][::-1]


async def test_what_is_said_at_the_level_or_above_is_kept(keeper: LogKeeper) -> None:
    log.debug("detail")
    log.info("news %s", 1)
    log.error("trouble")
    assert [(one.level, one.message) for one in await kept(keeper)] == [(20, "news 1"), (40, "trouble")]


async def test_an_entry_has_its_context_and_its_exception(keeper: LogKeeper) -> None:
    try:
        int("torn")
    except ValueError:
        log.exception("broken", extra={"size": 3, "context": {"of": ["a"]}})
    context = jsontext.loads((await kept(keeper))[0].context or "")
    assert (context["size"], context["of"]) == (3, ["a"])
    assert context["exception"].endswith("literal for int() with base 10: 'torn'")


async def test_what_json_cannot_hold_is_told_as_text(keeper: LogKeeper) -> None:
    record = {"name": log.name, "levelno": 20, "msg": "odd \0 \ud800", "thing": {1, 2}}
    keeper.handler.handle(logging.makeLogRecord(record))
    [entry] = await kept(keeper)
    assert entry.message == "odd \ufffd ?"
    assert jsontext.loads(entry.context or "") == {"thing": "{1, 2}"}


async def test_a_message_whose_arguments_do_not_fit_is_kept(keeper: LogKeeper) -> None:
    keeper.handler.handle(logging.makeLogRecord({"name": log.name, "levelno": 20, "msg": "%d", "args": ("x",)}))
    assert [one.message for one in await kept(keeper)] == ["%d"]


class Untold:
    """Its words cannot be made."""

    def __str__(self) -> str:
        raise ValueError("no words")


async def test_what_cannot_be_told_hurts_nobody_who_logs_it(keeper: LogKeeper) -> None:
    for said in ({"msg": Untold()}, {"msg": "%s", "args": (Untold(),), "thing": Untold()}):
        keeper.handler.handle(logging.makeLogRecord({"name": log.name, "levelno": 20, **said}))
    assert [one.message for one in await kept(keeper)] == ["(Untold: cannot be told)", "%s"]


async def test_context_that_is_cut_off_within_a_secret_does_not_tell_of_it(keeper: LogKeeper) -> None:
    KNOWN.learn(2 * SECRET)
    log.info("odd", extra={"thing": {1: "x" * 7_960 + 2 * SECRET}})
    assert "sk-canary" not in str(await kept(keeper))


async def test_an_entry_knows_its_place(keeper: LogKeeper) -> None:
    place = Place(thread_id="t", execution_id="e", step_id="s", attempt=2, agent="a")
    token = PLACE.set(place)
    log.info("here")
    PLACE.reset(token)
    log.info("nowhere")
    assert [one.place for one in await kept(keeper)] == [place, None]


async def test_no_secret_is_kept(keeper: LogKeeper) -> None:
    KNOWN.learn(SECRET)
    log.info("key %s at postgresql://me:pw@db/x", SECRET, extra={"header": f"Bearer {SECRET}"})
    log.info("%s%s", "x" * 7_990, SECRET)
    whole = str(await kept(keeper))
    assert "sk-canary" not in whole
    assert ":pw@" not in whole
    assert "key *** at postgresql://me:***@db/x" in whole


async def test_while_the_store_is_away_the_newest_wait_and_the_rest_is_counted(keeper: LogKeeper, book: Book) -> None:
    book.failure = Unavailable("away")
    for number in range(3):
        log.info("%d", number)
    with pytest.raises(Unavailable):
        await keeper.flush()
    for number in range(3, 8):
        log.info("%d", number)
    assert keeper.dropped == 3
    book.failure = None
    assert [one.message for one in await kept(keeper)] == ["3", "4", "5", "6", "7"]


async def test_what_was_dropped_is_told_of_when_it_is_over(keeper: LogKeeper, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(9):
        log.info("%d", number)
    await keeper._turn(prune=False)
    assert "4 log entries were not kept" in caplog.text


async def test_entries_that_the_store_refuses_are_counted_and_not_tried_for_ever(keeper: LogKeeper, book: Book) -> None:
    book.failure = ValueError("never")
    log.info("poison")
    await keeper._turn(prune=False)
    book.failure = None
    log.info("sound")
    assert [one.message for one in await kept(keeper)] == ["sound"]
    assert keeper.dropped >= 1


async def test_the_root_logger_is_left_as_it_was_found() -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    keeper: Any = LogKeeper(Book(), level=10, process=None, days=7, most_bytes=10**9)
    with keeper.attached():
        assert root.level == 10
    assert (root.level, list(root.handlers)) == before

"""events and logs on the command line, and the client that follows both through outages."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from app.client import ApiError, UnreachableError
from app.client.look import Look
from tests.api.service import in_process, new_service

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import httpx

    from tests.api.service import Service as Whole
    from tests.cli.conftest import Cli


def test_events_are_one_line_each(cli: Cli) -> None:
    line = cli("events", "--type", "status", "--step-id", "analyst").stdout.strip()
    assert "step_complete" in line
    assert "analyst" in line
    assert json.loads(cli("events", "--json").stdout)["seq"] == 5


def test_log_entries_are_one_line_each_with_their_place(cli: Cli) -> None:
    line = cli("logs", "--level", "info").stdout.strip()
    assert "agents.analyst" in line
    assert line.endswith("/analyst 12 sources read")
    assert json.loads(cli("logs", "--json").stdout)["context"] == {"sources": 12}


class Wire:
    """As app.client.Backstitch, to a service in this process; `faults` are raised first."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.faults: list[Exception] = []

    async def request(self, method: str, path: str, *, params: Any) -> dict[str, Any]:
        if self.faults:
            raise self.faults.pop()
        given = {name: value for name, value in params.items() if value is not None}
        answer = await self._http.request(method, path, params=given)
        if not answer.is_success:
            raise ApiError(answer.status_code, answer.json())
        return answer.json()


@pytest.fixture
async def whole(monkeypatch: pytest.MonkeyPatch) -> Whole:
    monkeypatch.setattr("app.client.look._POLL", 0.001)
    return await new_service()


@pytest.fixture
async def wire(whole: Whole) -> AsyncGenerator[Any]:
    async with in_process(whole) as http:
        yield Wire(http)


async def test_events_are_followed_through_outages_each_once(whole: Whole, wire: Any) -> None:
    driver = await whole.drive(thread_id="t")
    cuts: list[str] = []
    look = Look(wire, cuts.append)
    found, cursor = await look.last_events(10)
    assert [one["seq"] for one in found] == [1]
    seen: list[int] = []
    async with aclosing(look.follow_events(cursor)) as news:
        for number in range(2, 8):
            await driver.commit(whole.journal, driver.event("step_progress"))
            if number % 2:
                wire.faults = [UnreachableError("gone"), ApiError(503, {"title": "away"})]
            seen.append((await anext(news))["seq"])
    assert seen == list(range(2, 8))
    assert len(cuts) == 3


async def test_what_cannot_get_better_ends_following(wire: Any) -> None:
    with pytest.raises(ApiError):
        await anext(Look(wire).follow_events("none of ours"))


async def test_log_entries_are_followed_each_once(whole: Whole, wire: Any) -> None:
    look = Look(wire)

    def say(number: int) -> None:
        whole.logs.handler.handle(_record(number))

    for number in range(3):
        say(number)
    shown = await look.last_logs(2)
    seen = [one["message"] for one in shown]
    async with aclosing(look.follow_logs(shown)) as news:
        for number in range(3, 6):
            say(number)
            seen.append((await anext(news))["message"])
    assert seen == ["1", "2", "3", "4", "5"]


def _record(number: int) -> Any:
    import logging  # noqa: PLC0415 - for this record only

    return logging.makeLogRecord({"name": "tests", "levelno": 20, "msg": str(number)})

"""The classes beside the client: each method asks its route, and what fails is raised as by the client itself."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from app.client import ApiError, UnreachableError, look
from app.client.agents import Agents
from app.client.gates import Gates
from app.client.look import Look
from app.client.messages import Messages, Triggers
from app.client.polling import Polling
from app.client.schedules import Schedules
from app.client.steps import Steps
from app.client.travel import Travel
from app.client.waits import Waits
from app.client.webhooks import Webhooks
from tests.client.wire import THREAD, Wire, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from app.client import Backstitch

CALLS: dict[str, Callable[[Backstitch], Awaitable[Any]]] = {
    "GET /api/agents?enabled=true": lambda service: Agents(service).list(enabled=True),
    "POST /api/agents": lambda service: Agents(service).register({"name": "a"}),
    "GET /api/agents/a@2": lambda service: Agents(service).show("a@2"),
    "PATCH /api/agents/a": lambda service: Agents(service).change("a", tags=[]),
    "DELETE /api/agents/a": lambda service: Agents(service).delete("a"),
    "GET /api/agents/a/health?window=1h": lambda service: Agents(service).health("a", window="1h"),
    "POST /api/agents/a/enable": lambda service: Agents(service).enable("a"),
    "POST /api/agents/a/disable": lambda service: Agents(service).disable("a", "why"),
    "GET /api/agents/a/events?limit=2": lambda service: Agents(service).events("a", limit=2),
    "GET /api/gates?assignee=ana": lambda service: Gates(service).open(assignee="ana"),
    "GET /api/invoke/gates/t-1": lambda service: Gates(service).of(THREAD),
    "GET /api/invoke/gates/t-1/ask?item=3": lambda service: Gates(service).show(THREAD, "ask", item=3),
    "POST /api/invoke/gates/t-1/ask": lambda service: Gates(service).answer(THREAD, "ask", True, by="ana"),
    "GET /api/invoke/timeline/t-1": lambda service: Look(service).timeline(THREAD),
    "GET /api/events?event=gap": lambda service: Look(service).events(event="gap"),
    "GET /api/logs?level=error": lambda service: Look(service).logs(level="error"),
    "GET /api/workflow/items/t-1/read": lambda service: Steps(service).items(THREAD, "read"),
    "GET /api/workflow/items/t-1/read/3": lambda service: Steps(service).item(THREAD, "read", 3),
    "GET /api/usage?by=agent%2Cday": lambda service: Steps(service).usage("agent", "day"),
    "GET /api/invoke/history/t-1/diff?from=2&to=5": lambda service: Travel(service).diff(THREAD, 2, 5),
    "GET /api/invoke/tree/t-1": lambda service: Travel(service).tree(THREAD),
    "POST /api/invoke/replay/t-1/read": lambda service: Travel(service).replay(THREAD, "read", idempotency_key="k"),
    "GET /api/invoke/replay/t-1": lambda service: Travel(service).replayed(THREAD),
    "GET /api/invoke/events/t-1?after=3": lambda service: Polling(service).events(THREAD, after=3),
    "POST /api/invoke/token/t-1": lambda service: Polling(service).token(THREAD, "5m"),
    "GET /api/workflow/monitor": lambda service: Polling(service).monitor(),
    "GET /api/schedules?paused=true": lambda service: Schedules(service).list(paused=True),
    "POST /api/schedules": lambda service: Schedules(service).create({"name": "s", "every": "1h", "workflow": "w"}),
    "PATCH /api/schedules/s": lambda service: Schedules(service).change("s", cron=None, expected_revision=2),
    "POST /api/schedules/s/backfill": lambda service: Schedules(service).backfill("s", "2026-11-20", "2026-11-21"),
    "GET /api/schedules/s/firings?outcome=failed": lambda service: Schedules(service).firings("s", outcome="failed"),
    "GET /api/workers": lambda service: service.workers(),
    "GET /api/workflows/w/versions?limit=2": lambda service: service.workflows.versions("w", limit=2),
    "GET /api/invoke/workflow/t-1": lambda service: service.thread(THREAD).workflow(),
    "GET /api/invoke/steps/t-1/read?values=false": lambda service: service.thread(THREAD).step("read", values=False),
    "POST /api/invoke/resume/t-1": lambda service: service.thread(THREAD).before_resume(from_step="read"),
    "POST /api/invoke/rollback/t-1": lambda service: service.thread(THREAD).before_rollback(2, resume=False),
    "POST /api/webhooks": lambda service: Webhooks(service).create("https://hooks.example.com"),
    "POST /api/webhooks/default/rotate": lambda service: Webhooks(service).rotate(),
    "GET /api/webhooks/deliveries?thread_id=t-1": lambda service: Webhooks(service).deliveries(thread_id=THREAD),
    "GET /api/webhooks/deliveries/d": lambda service: Webhooks(service).delivery("d"),
    "POST /api/webhooks/deliveries/d/redeliver": lambda service: Webhooks(service).redeliver("d"),
    "POST /api/messages/orders.created": lambda service: Messages(service).publish("orders.created", None),
    "GET /api/messages/orders/a%2F1?source=x": lambda service: Messages(service).show("orders", "a/1", source="x"),
    "POST /api/triggers": lambda service: Triggers(service).create("t", topic="orders.>", workflow="w"),
    "GET /api/triggers/t/firings": lambda service: Triggers(service).firings("t"),
    "POST /api/triggers/t/test": lambda service: Triggers(service).test("t", {"topic": "orders"}),
    "GET /api/waits?open=true": lambda service: Waits(service).of(open=True),
    "GET /api/invoke/signals/t-1?name=paid": lambda service: Waits(service).signals(THREAD, name="paid"),
    "POST /api/invoke/import?on_conflict=copy": lambda service: Travel(service).take_in(pieces(), on_conflict="copy"),
}


async def pieces() -> AsyncIterator[bytes]:
    yield b"{}\n"


@pytest.mark.parametrize("route", CALLS)
async def test_each_method_asks_its_route(route: str) -> None:
    wire = Wire(httpx.Response(200, json={"found": 1}))
    async with wire.client() as service:
        assert await CALLS[route](service) == {"found": 1}
    [asked] = wire.asked
    assert f"{asked.method} {asked.url.raw_path.decode()}" == route


async def test_looking_ahead_is_told_to_change_nothing() -> None:
    wire = Wire(httpx.Response(200, json={}))
    async with wire.client() as service:
        await service.thread(THREAD).before_resume(from_step="read")
        await service.thread(THREAD).before_rollback(2, resume=False)
    assert wire.bodies == [
        {"from_step": "read", "dry_run": True},
        {"to_version": 2, "resume": False, "dry_run": True},
    ]


@pytest.mark.parametrize(
    "send",
    [
        lambda service: Messages(service).publish("orders.created", {"id": 1}),
        lambda service: Waits(service).send(THREAD, "paid"),
        lambda service: Travel(service).replay(THREAD, "read"),
    ],
    ids=["message", "signal", "replay"],
)
async def test_what_starts_or_tells_something_is_sent_again_under_its_key(send: Any) -> None:
    wire = Wire(httpx.ReadError("cut"), refusal(503), httpx.Response(202, json={"found": 1}))
    async with wire.client() as service:
        assert await send(service) == {"found": 1}
    assert len({one.headers["idempotency-key"] for one in wire.asked}) == 1
    assert len(wire.asked) == 3


async def test_the_lists_of_the_parts_are_gone_through_page_by_page() -> None:
    pages = [
        {"firings": [{"kind": "cron"}], "next_cursor": "2"},
        {"firings": [{"kind": "manual"}], "next_cursor": None},
    ]
    wire = Wire(*(httpx.Response(200, json=page) for page in pages))
    async with wire.client() as service:
        found = [firing["kind"] async for firing in Schedules(service).firings("s", outcome="failed")]
    assert found == ["cron", "manual"]
    assert [one.url.params.get("cursor") for one in wire.asked] == [None, "2"]


async def test_a_thread_is_exported_piece_by_piece() -> None:
    wire = Wire(httpx.Response(200, stream=httpx.ByteStream(b"rows")))
    async with wire.client() as service, Travel(service).export(THREAD, gzip=True) as file:
        assert [piece async for piece in file] == [b"rows"]
    assert wire.asked[0].url.params["gzip"] == "true"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(404, "thread_not_found"), ApiError),
        (httpx.Response(502, text="<p>"), ApiError),
        (httpx.ReadError("cut"), UnreachableError),
    ],
)
async def test_a_file_that_cannot_be_moved_is_an_error_of_the_client(answer: Any, error: type[Exception]) -> None:
    async with Wire(answer).client() as service:
        with pytest.raises(error):
            async with Travel(service).export(THREAD):
                pass
        with pytest.raises(error):
            await Travel(service).take_in(pieces())


async def test_following_survives_what_passes_and_ends_with_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "_POLL", 0)
    cuts: list[str] = []
    page = httpx.Response(200, json={"events": [{"seq": 1}], "cursor": "c", "next_cursor": None})
    wire = Wire(refusal(503), page, refusal(403, "no"))
    async with wire.client(retry_for=0) as service, aclosing(Look(service, cuts.append).follow_events()) as events:
        assert await anext(events) == {"seq": 1}
        with pytest.raises(ApiError):
            await anext(events)
    assert cuts == ["No: not now"]

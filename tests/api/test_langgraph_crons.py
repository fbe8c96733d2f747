"""The stock LangGraph SDK: crons, which are schedules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError

from app.domain.schedule_document import given
from tests.api.lang import shared_lang

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.lang import Lang

YEARLY = "0 5 1 1 *"

pytestmark = pytest.mark.asyncio(loop_scope="module")
lang = pytest_asyncio.fixture(shared_lang, scope="module", loop_scope="module")


async def made(lang: Lang, **more: Any) -> Any:
    """A cron that does not fire."""
    return await lang.client.crons.create("sewing", schedule=YEARLY, **more)


async def test_a_cron_is_a_schedule_that_starts_threads_with_its_input_as_it_stands(lang: Lang) -> None:
    context: Any = {"mood": "{calm}"}
    cron: Any = await made(lang, input={"topic": "{not a template}"}, context=context, timezone=ZoneInfo("Asia/Tokyo"))
    assert (cron["schedule"], cron["timezone"], cron["enabled"], cron["thread_id"]) == (
        YEARLY,
        "Asia/Tokyo",
        True,
        None,
    )
    assert cron["next_run_date"].endswith("-12-31T20:00:00.000Z")
    assert (cron["payload"]["input"], cron["payload"]["context"]) == ({"topic": "{not a template}"}, context)
    firing = await lang.real.services.schedules.run(f"sdk-{cron['cron_id']}")
    gives = given(await lang.real.services.schedules.find(f"sdk-{cron['cron_id']}"), firing)
    assert (gives.input, gives.context) == ({"topic": "{not a template}"}, context)


async def test_crons_are_found_by_assistant_and_whether_they_fire(lang: Lang) -> None:
    await lang.real.services.schedules.create("nightly", {"cron": YEARLY, "workflow": "slow"})
    crons: list[Any] = [
        await lang.client.crons.create("slow", schedule=YEARLY, enabled=on) for on in (True, False, True)
    ]
    ids = [one["cron_id"] for one in crons]
    found = await lang.client.crons.search(assistant_id="slow")
    assert [one["cron_id"] for one in found] == ids[::-1]
    found = await lang.client.crons.search(assistant_id="slow", sort_by="cron_id", sort_order="asc", limit=1, offset=1)
    assert [one["cron_id"] for one in found] == ids[1:2]
    assert [one["cron_id"] for one in await lang.client.crons.search(enabled=False)] == ids[1:2]
    assert await lang.client.crons.count(assistant_id=crons[0]["assistant_id"]) == 3
    assert await lang.client.crons.count(thread_id="t") == 0
    assert await lang.client.crons.search(assistant_id="slow", limit=1, select=["cron_id"]) == [{"cron_id": ids[2]}]


async def test_a_cron_is_changed_and_taken_away(lang: Lang) -> None:
    cron_id = (await made(lang, input={"topic": "a"}))["cron_id"]
    end = datetime.now(UTC) + timedelta(days=900)
    cron = await lang.client.crons.update(cron_id, schedule="0 6 1 1 *", end_time=end, enabled=False)
    assert (cron["schedule"], cron["enabled"], cron["next_run_date"]) == ("0 6 1 1 *", False, None)
    assert str(cron["end_time"])[:10] == end.isoformat()[:10]
    cron = await lang.client.crons.update(cron_id, end_time=None, enabled=True, context={"mood": "calm"})
    assert (cron["end_time"], cron["enabled"], cron["payload"]["input"]) == (None, True, {"topic": "a"})
    assert cron["payload"]["context"] == {"mood": "calm"}
    await lang.client.crons.delete(cron_id)
    with pytest.raises(NotFoundError):
        await lang.client.crons.delete(cron_id)


REFUSED: list[tuple[Callable[..., Any], str]] = [
    (lambda c: c.create_for_thread("t", "sewing", schedule=YEARLY), "thread of its own"),
    (lambda c: c.create("sewing", schedule="never"), "/cron"),
    (lambda c: c.create("sewing", schedule=YEARLY, timezone="Mars/Olympus"), "/timezone"),
    (lambda c: c.create("sewing", schedule=YEARLY, end_time=datetime(2020, 1, 1, tzinfo=UTC)), "never fires"),
    (lambda c: c.create("sewing", schedule=YEARLY, input={"topic": 1}), "topic"),
    (lambda c: c.create("sewing", schedule=YEARLY, webhook="https://example.org"), "endpoint"),
    (lambda c: c.create("sewing", schedule=YEARLY, metadata={"a": 1}), "triggered_by"),
    (lambda c: c.create("sewing", schedule=YEARLY, on_run_completed="delete"), "retention"),
    (lambda c: c.create("sewing", schedule=YEARLY, interrupt_before="*"), "gate"),
    (lambda c: c.create("sewing", schedule=YEARLY, config={"configurable": {"checkpoint_id": "1"}}), "checkpoint"),
    (lambda c: c.search(metadata={"a": 1}), "none"),
]


async def test_what_a_schedule_cannot_do_is_refused_in_words(lang: Lang) -> None:
    for call, says in REFUSED:
        with pytest.raises(UnprocessableEntityError, match=says):
            await call(lang.client.crons)
    for unknown in ("x", "00000000-0000-8000-8000-000000000000"):
        with pytest.raises(NotFoundError):
            await lang.client.crons.update(unknown, enabled=False)
    with pytest.raises(NotFoundError):
        await lang.client.crons.create("nobody", schedule=YEARLY)


async def test_the_synchronous_client_has_crons_too(lang: Lang) -> None:
    def work() -> tuple[Any, Any]:
        cron = lang.sync.crons.create("talking", schedule=YEARLY)
        found = lang.sync.crons.search(assistant_id="talking")
        lang.sync.crons.delete(cron["cron_id"])
        return found, lang.sync.crons.count(assistant_id="talking")

    found, left = await lang.aside(work)
    assert (len(found), left) == (1, 0)

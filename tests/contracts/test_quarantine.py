"""The quarantine: what a steering puts aside is kept once, in its own transaction, and an input can come back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.errors import Fenced
from app.domain.ids import uuid7
from app.domain.integrity import Finding, Quarantined
from app.domain.times import utc_now

if TYPE_CHECKING:
    from tests.builders import Driver
    from tests.contracts.conftest import Store


def findings() -> list[Finding]:
    return [
        Finding(kind="checkpoint", version=2, problem="bad", expected=b"\x00\xff", stored='{"a":"\\u0000"}'),
        Finding(kind="output", run_id=uuid7(), execution_id=uuid7(), step_id="a", problem="bad", stored="[1]"),
        Finding(kind="missing", run_id="no uuid at all", problem="gone"),
    ]


def aside(*found: Finding, mended: str | None = None) -> list[Quarantined]:
    return [Quarantined(id=one.id, finding=one, found_at=utc_now(), mended=mended) for one in found]


async def steer(store: Store, driver: Driver, items: list[Quarantined], **changes: Any) -> None:
    move = driver.move(quarantined=items, **changes)

    async def decide(_thread: Any, _reads: Any) -> Any:
        return move

    await store.journal.steer(driver.thread.thread_id, decide)
    move.apply_to(driver.thread)


async def test_what_is_put_aside_comes_back_as_it_was(store: Store) -> None:
    driver, found = await store.drive(), findings()
    await steer(store, driver, aside(*found))
    kept = {item.id: item.finding for item in await store.reads.quarantined(driver.thread.thread_id)}
    assert kept.keys() == {one.id for one in found}
    assert [kept[one.id] for one in found[:2]] == found[:2]
    assert await store.reads.quarantined("nobody") == []


async def test_the_same_damage_is_kept_once(store: Store) -> None:
    driver, found = await store.drive(), findings()
    for _ in range(2):
        await steer(store, driver, aside(*found))
    assert len(await store.reads.quarantined(driver.thread.thread_id)) == 3


async def test_a_steering_that_is_refused_puts_nothing_aside(store: Store) -> None:
    driver = await store.drive()
    with pytest.raises(Fenced):
        await steer(store, driver, aside(*findings()), rev=99)
    assert await store.reads.quarantined(driver.thread.thread_id) == []


async def test_an_input_is_put_back(store: Store) -> None:
    driver = await store.drive()
    before = await store.reads.execution(driver.thread.execution_id)
    assert before is not None
    lost = Finding(
        kind="input", execution_id=before.id, problem="bad", expected=before.input_sha256, stored='"something else"'
    )
    await steer(store, driver, aside(lost, mended='{"mended": 1.0}'))
    after = await store.reads.execution(before.id)
    assert after == replace(before, input='{"mended": 1.0}')

"""The model of tests/chaos at a tiny dose, and the courses of events that it once found by chance."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.chaos.model import run_machine
from tests.chaos.model_acts import Model

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@asynccontextmanager
async def modelled(dsn: str) -> AsyncGenerator[Model]:
    model = Model(dsn)
    await model.open()
    try:
        yield model
    finally:
        await model.close()


def test_any_order_of_operations_goes_as_the_model_says(database_url: str) -> None:
    assert run_machine(database_url, 3, 5, steps=12).total() > 12


async def test_the_late_write_of_an_old_driver_does_not_bring_a_deleted_thread_back(database_url: str) -> None:
    async with modelled(database_url) as model:
        await model.start(0, "line", name="deleted")
        await model.settle()
        await model.purge(model.threads["deleted"], keys=True)
        await model.tell_zombies(finish=True)
        await model.settle()
        assert model.gone == {"deleted"}


async def test_the_late_write_of_an_old_driver_does_not_reach_a_new_thread_of_the_same_name(database_url: str) -> None:
    async with modelled(database_url) as model:
        await model.start(0, "line", name="deleted")
        await model.settle()
        await model.purge(model.threads["deleted"], keys=True)
        await model.start(1, "line", name="deleted")
        await model.settle()
        await model.tell_zombies(finish=True)
        await model.settle()
        await model.tell(model.threads["deleted"], 0, finish=True)
        await model.settle()


async def test_a_result_whose_commit_was_not_heard_of_is_kept_by_the_next_driver(database_url: str) -> None:
    async with modelled(database_url) as model:
        thread = model.threads[await model.start(0, "fan")]
        await model.settle()
        await model.tell_and_die(thread, 0, finish=True, written=True)
        await model.settle()
        assert thread.calls == {"b": 1, "c": 1}

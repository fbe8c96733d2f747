"""Editing a state: versions that nobody's step wrote, and what goes on from them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.commands import Edit
from app.domain.errors import InvalidRequest
from app.domain.state import END
from tests.unit.engine.house import Failing, Gate, step

if TYPE_CHECKING:
    from app.engine.control import Control
    from tests.unit.engine.house import House

CHAIN = (
    step("a", python="a", assign="first"),
    step("b", python="b", assign="second", input={"of": "{a.output}", "mood": "{context.mood}"}),
    step("c", python="c", input={"of": "{b.output}", "mood": "{context.mood}"}),
)


async def edit(house: House, thread_id: str, version: int, how: Edit | None = None, **given: Any) -> int:
    """The version that an edit has written."""
    rolled = {"resume": False, **given}
    accepted = await house.rollback(thread_id, version, edit=how or Edit(), **rolled)
    return accepted.thread.head_version


async def variables(control: Control, thread_id: str, version: int) -> dict[str, Any]:
    return (await control.load_state(thread_id, version)).context


async def ran(house: House, **context: Any) -> str:
    for name in "abc":
        house.on(name, Failing(ValueError(), times=0, answer=f"{name}!"))
    return await house.run(*CHAIN, context={"mood": "calm", **context})


async def test_an_edit_is_a_version_at_once_on_top_of_the_one_it_names(house: House) -> None:
    thread_id = await ran(house)
    written = await edit(house, thread_id, 2, context={"mood": "wild"})
    [*_, last] = await house.versions(thread_id)
    assert (last.version, last.parent_version, last.step_id, last.trigger) == (written, 2, "a", "edit")
    assert await variables(house.control, thread_id, written) == {"mood": "wild", "first": "a!"}
    assert (await house.thread(thread_id)).status == "paused"


async def test_what_runs_on_sees_what_was_edited_and_nothing_runs_that_had_ended(house: House) -> None:
    thread_id = await ran(house)
    await edit(house, thread_id, 2, context={"mood": "wild"})
    await house.resume(thread_id)
    await house.end(thread_id)
    assert [house.called(name) for name in "abc"] == [1, 2, 2]
    row = (await house.steps(thread_id))["b"]
    assert json.loads(row.input or "") == {"of": "a!", "mood": "wild"}


async def test_a_step_is_given_an_output_and_all_that_depends_on_it_begins_anew(house: House) -> None:
    thread_id = await ran(house)
    head = (await house.thread(thread_id)).head_version
    written = await edit(house, thread_id, head, Edit(step_id="b", output="mine"))
    state = await house.control.load_state(thread_id, written)
    assert (list(state.refs.steps), state.scope["b"]["output"], state.context["second"]) == (["a", "b"], "mine", "mine")
    await house.resume(thread_id)
    await house.end(thread_id)
    assert [house.called(name) for name in "abc"] == [1, 1, 2]
    assert json.loads((await house.steps(thread_id))["c"].input or "")["of"] == "mine"


async def test_a_variable_of_a_step_that_begins_anew_is_what_it_was_before(house: House) -> None:
    thread_id = await ran(house)
    head = (await house.thread(thread_id)).head_version
    written = await edit(house, thread_id, head, Edit(step_id="a", output=1))
    assert await variables(house.control, thread_id, written) == {"mood": "calm", "first": 1}


async def test_the_end_can_be_edited_and_stays_the_end_with_its_output(house: House) -> None:
    thread_id = await ran(house)
    head, output = (await house.thread(thread_id)).head_version, (await house.execution(thread_id)).output
    written = await edit(house, thread_id, head, context={"mood": "done"})
    thread, [*_, last] = await house.thread(thread_id), await house.versions(thread_id)
    assert (thread.status, last.step_id, (await house.execution(thread_id)).output) == ("completed", END, output)
    assert (await variables(house.control, thread_id, written))["mood"] == "done"


async def test_a_start_can_be_edited_and_keeps_the_variables_that_were_given(house: House) -> None:
    thread_id = await ran(house, second="given")
    await edit(house, thread_id, 1, context={"more": 1})
    await house.resume(thread_id)
    await house.end(thread_id)
    head = (await house.thread(thread_id)).head_version
    again = await edit(house, thread_id, head, Edit(step_id="a", output="x"))
    expected = {"mood": "calm", "more": 1, "first": "x", "second": "given"}
    assert await variables(house.control, thread_id, again) == expected


async def test_an_edit_of_a_running_thread_fences_it(house: House) -> None:
    gate = Gate("late")
    for name in "abc":
        house.on(name, gate if name == "b" else Gate.opened)
    thread_id = (await house.start(*CHAIN, context={"mood": "calm"})).thread.thread_id
    await house.until(lambda: gate.entered)
    await edit(house, thread_id, 1, context={"mood": "new"})
    gate.open()
    assert [one.version for one in await house.versions(thread_id)] == [1, 2, 3]


async def test_a_step_that_is_none_is_refused_and_nothing_is_written(house: House) -> None:
    thread_id = await ran(house)
    before = await house.thread(thread_id)
    with pytest.raises(InvalidRequest, match="no step z"):
        await edit(house, thread_id, 2, Edit(step_id="z"))
    assert await house.thread(thread_id) == before


async def test_the_thread_of_an_edit_verifies(house: House) -> None:
    thread_id = await ran(house)
    await edit(house, thread_id, 2, Edit(step_id="b", output={"n": 1}), context={"mood": "wild"})
    await house.resume(thread_id)
    await house.end(thread_id)
    report = await house.inspector.verify(thread_id)
    assert report.findings == []

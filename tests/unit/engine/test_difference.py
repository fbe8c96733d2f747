"""What changed between two versions: exact whatever the values are, and bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonpatch
import pytest

from app.domain.commands import StartCommand
from app.domain.errors import InvalidRequest
from app.domain.views import diff, patches
from app.domain.views.history import state_document
from app.engine import difference as differing
from app.engine.difference import difference
from app.store.memory_travel import MemoryTravels
from tests.unit.engine.house import Failing, step

if TYPE_CHECKING:
    from tests.unit.engine.house import House

STEPS = (
    step("a", assign="x", input={"big": 10**30, "list": [1, 2, 3]}),
    step("b", python="bad", on_error="continue", retry={"max_attempts": 1}),
    step("c", input={"list": [1, 3, True], "a/b~": None}, assign="x"),
)


async def patch(house: House, thread_id: str, one: int, other: int) -> list[dict[str, Any]]:
    return (await difference(house.reads, MemoryTravels(house.tables), thread_id, one, other)).patch


async def state(house: House, thread_id: str, version: int) -> Any:
    checkpoint = (await house.versions(thread_id))[version - 1]
    whole = await house.control.load_state(thread_id, version)
    return state_document(checkpoint, whole, on_timeline=True)["state"]


@pytest.mark.parametrize("detail", [diff.DETAIL, 1])
async def test_a_patch_is_exact_for_every_pair_of_versions(
    house: House, monkeypatch: pytest.MonkeyPatch, detail: int
) -> None:
    monkeypatch.setattr(diff, "DETAIL", detail)
    house.on("bad", Failing(ValueError("no")))
    thread_id = await house.run(*STEPS, input={"n": 1}, context={"x": 0, "y": 1.0})
    await house.control.start(_again(thread_id))
    await house.end(thread_id)
    versions = range(1, (await house.thread(thread_id)).last_version + 1)
    for one in versions:
        for other in versions:
            before, after = [await state(house, thread_id, version) for version in (one, other)]
            assert jsonpatch.apply_patch(before, await patch(house, thread_id, one, other)) == after


def _again(thread_id: str) -> Any:
    document = {"name": "sewing", "steps": list(STEPS)}
    return StartCommand(workflow=document, input={"n": 2}, has_input=True, thread_id=thread_id, context={"y": 1})


async def test_what_is_too_much_to_compare_is_refused_before_it_is_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_id = await house.run(step("a"), input="x" * 1_000)
    monkeypatch.setattr(differing, "MAX_BYTES", 500)
    with pytest.raises(InvalidRequest) as found:
        await patch(house, thread_id, 1, 2)
    assert found.value.code == "diff_too_large"
    assert await patch(house, thread_id, 2, 3) == [
        {"op": "replace", "path": "/metadata/current_step", "value": "END"},
        {"op": "replace", "path": "/metadata/trigger", "value": "end"},
    ]


def test_what_a_patch_changes_is_named() -> None:
    operations = [
        {"op": "replace", "path": "/input", "value": 1},
        {"op": "add", "path": "/context/a~1b~0/deep", "value": 1},
        {"op": "move", "path": "/steps/b/output", "from": "/steps/a/output"},
    ]
    assert diff.changed(operations) == {"input": True, "context": ["a/b~"], "steps": ["b", "a"]}


def test_lists_that_take_too_long_to_tell_apart_are_replaced_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "MEMBERS", 6)
    found = [patches.Patches().between([1, 2, 3], [3, 2, *rest]) for rest in ([1], [1, 0], [[1]])]
    assert [each is None for each in found] == [False, True, True]
    assert patches.Patches().between({"a": [1, 2, 3]}, {"a": [3, 2, 1]}) is None


def test_many_pairs_share_what_may_be_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "_ALL", 100)
    several = patches.Patches()
    assert [several.between([1, 2, 3, 4], [5, 6, 7]) is None for _ in range(3)] == [False, False, True]

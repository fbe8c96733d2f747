"""Whether a registered workflow can run here is asked again when it is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.domain.commands import StartCommand
from app.domain.errors import InvalidWorkflow
from app.engine import catalog
from tests.unit.engine.house import step

if TYPE_CHECKING:
    from tests.unit.engine.house import House


async def test_a_workflow_whose_function_is_gone_is_refused_at_the_start(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "_FRESH", 0.0)
    await house.control.register({"name": "sewing", "steps": [step("s")]})
    gone = house.functions.by_name.pop(("function", "echo"))
    with pytest.raises(InvalidWorkflow, match="echo"):
        await house.control.start(StartCommand(workflow="sewing"))
    house.functions.by_name["function", "echo"] = gone
    assert (await house.control.start(StartCommand(workflow="sewing"))).created


async def test_what_undoes_a_step_is_looked_for_too(house: House) -> None:
    with pytest.raises(InvalidWorkflow) as refused:
        await house.control.register({"name": "sewing", "steps": [step("s", compensate={"python": "nobody"})]})
    assert [problem.pointer for problem in refused.value.problems] == ["/steps/0/compensate/python"]

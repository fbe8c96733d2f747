"""Watchers hear of attempts, moves and drives, and cannot hurt what they watch."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from app.domain.runner import Failed
from app.domain.transition import Start
from app.engine.outcome import Result
from app.engine.watch import Watcher
from tests.unit.engine.house import QUICK, Failing, step

if TYPE_CHECKING:
    import pytest

    from app.domain.transition import Transition
    from app.engine.watch import AttemptFact
    from tests.unit.engine.house import House


class Diary(Watcher):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def taken_up(self, *_: object) -> None:
        self.told.append(("taken up",))

    def let_go(self, *_: object) -> None:
        self.told.append(("let go",))

    def began(self, attempt: AttemptFact) -> None:
        self.told.append(("began", attempt.step.spec.id, attempt.context.attempt))

    def ended(self, attempt: AttemptFact) -> None:
        self.told.append(("ended", attempt.step.spec.id, type(attempt.ending)))

    def moved(self, what: Start | Transition) -> None:
        events = [what.event] if isinstance(what, Start) else what.events
        self.told += [("moved", event.name) for event in events]


async def test_a_watcher_hears_of_a_thread_from_its_birth_to_its_end(house: House) -> None:
    diary = Diary()
    house.bus.watchers.all.append(diary)
    await house.run(step("a", input=1))
    assert diary.told == [
        ("moved", "workflow_start"),
        ("taken up",),
        ("moved", "step_start"),
        ("began", "a", 1),
        ("ended", "a", Result),
        ("moved", "step_complete"),
        ("moved", "workflow_complete"),
        ("let go",),
    ]


async def test_a_watcher_hears_why_an_attempt_failed(house: House) -> None:
    diary = Diary()
    house.bus.watchers.all.append(diary)
    house.on("flaky", Failing(ValueError("not yet"), times=1))
    await house.run(step("a", python="flaky", retry=QUICK))
    assert [told for told in diary.told if told[0] == "ended"] == [("ended", "a", Failed), ("ended", "a", Result)]


async def test_a_watcher_that_breaks_hurts_nobody(house: House, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Watcher):
        def moved(self, what: Start | Transition) -> None:
            raise RuntimeError(str(what))

    diary = Diary()
    house.bus.watchers.all += [Broken(), diary]
    with caplog.at_level(logging.ERROR):
        thread_id = await house.run(step("a", input=1))
    assert (await house.thread(thread_id)).status == "completed"
    assert ("moved", "workflow_complete") in diary.told
    assert "a watcher broke: Broken" in caplog.text

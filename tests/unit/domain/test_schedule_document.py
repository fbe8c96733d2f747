"""The document of a schedule: every fault with its place, and what templates give."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app.domain.errors import InvalidSchedule
from app.domain.schedule_document import MAX_BYTES, document, given, plan_of
from app.domain.schedules import Firing, Outcome, Schedule

AT = datetime(2026, 2, 5, 9, tzinfo=UTC)
WHOLE: dict[str, Any] = {
    "cron": "0 9 * * MON-FRI",
    "timezone": "Europe/Vienna",
    "workflow": "report@2",
    "input": {"since": "{schedule.previous_fire_time}"},
    "context": {"run": "{schedule.name} at {schedule.fire_time}"},
    "overlap": "buffer_one",
    "catchup_window": 60.0,
    "jitter": 5.0,
    "start_at": "2026-01-01T00:00:00+00:00",
    "max_firings": 3,
}


def problems(**value: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidSchedule) as raised:
        plan_of({"workflow": "w", "every": 60.0, **value})
    return [(one.pointer, one.message) for one in raised.value.problems]


def test_a_plan_says_what_its_document_said() -> None:
    assert document(plan_of(WHOLE)) == WHOLE
    assert document(plan_of({"every": 5.0, "workflow": "w", "input": None})) == {
        "every": 5.0,
        "workflow": "w",
        "input": None,
    }


@pytest.mark.parametrize(
    ("value", "pointers"),
    [
        ({"every": None}, ["/cron"]),
        ({"cron": "0 9 * * *"}, ["/cron"]),
        ({"every": 0.5}, ["/every"]),
        ({"timezone": "UTC"}, ["/timezone"]),
        ({"every": None, "cron": "x", "timezone": "x"}, ["/cron", "/timezone"]),
        ({"start_at": "2026-01-02T00:00:00+00:00", "end_at": "2026-01-01T00:00:00+00:00"}, ["/end_at"]),
        ({"end_at": "9999-12-31T00:00:00+00:00"}, ["/end_at"]),
        ({"input": {"a": ["{input.x}"]}, "context": {"b": "{schedule.nothing}"}}, ["/input/a/0", "/context/b"]),
        ({"input": "{oops"}, ["/input"]),
        ({"input": "x" * MAX_BYTES}, ["/input"]),
    ],
)
def test_each_fault_has_its_place(value: dict[str, Any], pointers: list[str]) -> None:
    assert [pointer for pointer, _ in problems(**value)] == pointers


def test_templates_know_the_firing_and_the_time_before_it() -> None:
    schedule = Schedule(id="s", name="news", plan=plan_of(WHOLE), since=AT, created_at=AT, updated_at=AT)
    friday = datetime(2026, 3, 27, 8, tzinfo=UTC)
    monday = datetime(2026, 3, 30, 7, tzinfo=UTC)
    firing = Firing(schedule_id="s", fire_time=monday, due_at=monday, decided_at=AT, outcome=Outcome.STARTING)
    values = given(schedule, firing)
    assert values.input == {"since": friday.isoformat().replace("+00:00", "Z")}
    assert values.context == {"run": "news at 2026-03-30T07:00:00Z"}


def test_the_thread_of_a_firing_belongs_to_its_schedule_and_time_alone() -> None:
    def thread(schedule_id: str, at: datetime) -> str:
        firing = Firing(schedule_id=schedule_id, fire_time=at, due_at=at, decided_at=AT, outcome=Outcome.STARTING)
        return firing.thread_id

    assert thread("a", AT) == thread("a", AT.astimezone())
    assert len({thread("a", AT), thread("b", AT), thread("a", AT.replace(second=1))}) == 3

"""Which threads of this process nobody here drives, by what it remembers and what the store says."""

from __future__ import annotations

import pytest

from app.domain.records import ThreadRecord, WorkflowRecord
from app.domain.status import Status
from app.domain.times import utc_now
from app.engine.adoption import undriven
from tests.builders import new_start

WORKFLOW = WorkflowRecord(id="w", name="sewing", version=1, hash="1", document="{}", created_at=utc_now())


def row(epoch: int) -> ThreadRecord:
    return new_start(WORKFLOW, thread_id="t", epoch=epoch, status=Status.RUNNING).thread


@pytest.mark.parametrize(
    ("begun", "orphan"),
    [
        ({}, True),
        ({"t": 2}, True),  # the run of an older epoch is on its way out: it drives nothing
        ({"t": 4}, False),
    ],
)
def test_a_thread_is_an_orphan_when_no_task_was_begun_for_its_epoch(begun: dict[str, int], orphan: bool) -> None:
    assert bool(undriven({"t": row(4)}, begun, set())) is orphan


def test_what_is_being_born_steered_or_loaded_here_or_has_just_ended_is_no_orphan() -> None:
    assert undriven({"t": row(4)}, {}, {"t"}) == []

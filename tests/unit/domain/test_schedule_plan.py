"""What is decided about a schedule that is due: overlap, catching up, and how it goes on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.domain.schedule_plan import PAGE, POLL, Decision, decide
from app.domain.schedules import BUFFERED, Firing, Kind, Outcome, Overlap, Plan, Schedule
from app.domain.status import Status
from app.domain.timing import Timing

START = datetime(2026, 2, 5, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def schedule(overlap: str = "skip", *, minutes: float = 0, **parts: Any) -> Schedule:
    """Each minute; its next time is so many minutes after START."""
    own = {name: parts.pop(name) for name in list(parts) if name in ("paused", "fired", "since")}
    plan = Plan(timing=Timing(every=60), workflow="w", overlap=Overlap(overlap), **parts)
    at = START + minutes * MINUTE
    told: dict[str, Any] = {"since": START - MINUTE, "created_at": START, "updated_at": START, **own}
    return Schedule(id="s", name="s", plan=plan, next_fire_at=at, next_due_at=at, **told)


def firing(minutes: float, outcome: str = "started", status: Status | None = Status.RUNNING, **parts: Any) -> Firing:
    at = START + minutes * MINUTE
    parts = {"watched": True, **parts}
    return Firing(
        schedule_id="s", fire_time=at, outcome=Outcome(outcome), due_at=at, decided_at=at, thread_status=status, **parts
    )


def outcomes(decision: Decision) -> list[str]:
    return [one.outcome.value for one in decision.move.made]


def test_a_time_that_is_due_starts_and_the_next_is_the_next() -> None:
    found = decide(schedule(), [], START)
    assert outcomes(found) == ["starting"]
    assert found.start == found.move.made
    assert (found.move.schedule.next_fire_at, found.move.schedule.last_fire_at) == (START + MINUTE, START)
    assert found.move.schedule.fired == 1
    assert found.move.stays_claimed


def test_what_is_not_due_is_looked_at_when_it_is() -> None:
    found = decide(schedule(minutes=1), [], START)
    assert (outcomes(found), found.move.look_at, found.move.stays_claimed) == ([], START + MINUTE, False)


def test_skip_leaves_a_time_out_while_a_thread_has_not_ended() -> None:
    for status in (Status.RUNNING, Status.PENDING, Status.WAITING, Status.PAUSED):
        assert outcomes(decide(schedule(), [firing(-1, status=status)], START)) == ["skipped"]
    for ended in (Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.INTERRUPTED, None):
        assert outcomes(decide(schedule(), [firing(-1, status=ended)], START)) == ["starting"]


def test_a_thread_that_is_being_started_counts_as_running() -> None:
    found = decide(schedule(), [firing(-1, "starting", None)], START)
    assert outcomes(found) == ["skipped"]
    assert [one.fire_time for one in found.start] == [START - MINUTE]


def test_times_that_are_due_together_overlap_like_others() -> None:
    now = START + 3 * MINUTE
    assert outcomes(decide(schedule("skip"), [], now)) == ["starting", "skipped", "skipped", "skipped"]
    assert outcomes(decide(schedule("buffer_one"), [], now)) == ["starting", "buffered", "skipped", "skipped"]
    assert outcomes(decide(schedule("buffer_all"), [], now)) == ["starting", "buffered", "buffered", "buffered"]
    assert outcomes(decide(schedule("allow"), [], now)) == ["starting"] * 4
    assert outcomes(decide(schedule("cancel_other"), [], now)) == ["skipped", "skipped", "skipped", "starting"]


def test_a_buffered_firing_starts_when_nothing_runs_any_more() -> None:
    waits = firing(-1, "buffered", None)
    held = decide(schedule("buffer_one", minutes=1), [firing(-2), waits], START)
    assert (held.start, held.buffered, held.running) == ([], True, [firing(-2).thread_id])
    assert held.move.look_at == START + POLL
    freed = decide(schedule("buffer_one", minutes=1), [firing(-2, status=Status.FAILED), waits], START)
    assert [(one.fire_time, one.outcome) for one in freed.start] == [(START - MINUTE, Outcome.STARTING)]
    assert freed.move.changed == freed.start
    assert freed.start[0].decided_at == START


def test_buffered_firings_start_one_after_the_other_the_oldest_first() -> None:
    waiting = [firing(-2, "buffered", None), firing(-1, "buffered", None)]
    found = decide(schedule("buffer_all"), waiting, START)
    assert [one.fire_time for one in found.start] == [START - 2 * MINUTE]
    assert outcomes(found) == ["buffered"]


def test_a_buffer_has_an_end() -> None:
    waiting = [firing(-number, "buffered", None) for number in range(BUFFERED, 0, -1)]
    assert outcomes(decide(schedule("buffer_all"), [firing(-5000), *waiting], START)) == ["skipped"]


def test_firings_of_a_backfill_follow_their_own_policy() -> None:
    wanted = [firing(-number, "buffered", None, kind=Kind.BACKFILL, overlap=Overlap.ALLOW) for number in (2, 1)]
    assert len(decide(schedule("skip", minutes=1), [firing(-3), *wanted], START).start) == 2


def test_a_paused_schedule_holds_its_own_buffered_firings_only() -> None:
    paused = replace(schedule("buffer_all", paused=True), next_fire_at=None, next_due_at=None)
    asked = firing(-1, "buffered", None, kind=Kind.BACKFILL, overlap=Overlap.BUFFER_ALL)
    found = decide(paused, [firing(-2, "buffered", None), asked], START)
    assert [one.kind for one in found.start] == [Kind.BACKFILL]


def test_what_is_too_late_is_missed_and_told_of_once() -> None:
    late = decide(schedule("allow", minutes=-180, catchup_window=120.0, since=START - timedelta(days=1)), [], START)
    first = late.move.made[0]
    assert (first.outcome, first.missed, first.fire_time) == (Outcome.MISSED, 178, START - 180 * MINUTE)
    assert first.until == START - 3 * MINUTE
    assert outcomes(late)[1:] == ["starting"] * 3


def test_so_many_missed_that_nobody_counts_them_are_passed_over() -> None:
    long_ago = START - timedelta(days=300)
    late = decide(replace(schedule("allow", catchup_window=60.0), next_fire_at=long_ago, since=long_ago), [], START)
    assert (late.move.made[0].missed, late.move.made[0].until) == (1_000, START - MINUTE)
    assert outcomes(late)[1:] == ["starting"] * 2


def test_a_long_gap_is_caught_up_in_pages() -> None:
    found = decide(schedule("allow", catchup_window=1e6), [], START + 500 * MINUTE)
    assert len(found.start) == PAGE
    assert found.move.schedule.next_fire_at == START + PAGE * MINUTE


def test_only_threads_that_are_started_count_towards_the_most() -> None:
    busy = decide(schedule("skip", max_firings=1), [firing(-1)], START)
    assert (outcomes(busy), busy.move.schedule.fired) == (["skipped"], 0)
    free = decide(schedule("allow", max_firings=2), [], START + 5 * MINUTE)
    assert (outcomes(free), free.move.schedule.next_fire_at) == (["starting"] * 2, None)
    assert free.move.schedule.last_fire_at == START + MINUTE


def test_times_before_it_was_changed_do_not_count() -> None:
    changed = schedule("allow", since=START + 5 * MINUTE)
    found = decide(changed, [], START + 6 * MINUTE)
    assert [one.fire_time for one in found.start] == [START, START + 6 * MINUTE]


def test_only_the_last_of_the_threads_that_have_ended_is_looked_at_again() -> None:
    ended = [firing(-number, status=Status.COMPLETED) for number in (3, 2, 1)]
    assert decide(schedule(), ended, START).move.closed == [START - 3 * MINUTE, START - 2 * MINUTE]

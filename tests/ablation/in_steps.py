"""Safeguards of a drive: what is started, what an attempt may do, what becomes of its end."""

from __future__ import annotations

from tests.ablation.safeguard import Edit, Room

RECOVERY = "unit/engine/test_recovery.py::"
STEPS = "unit/engine/test_steps.py::"
HELD = "unit/engine/test_held.py::"
SILENCE = "unit/engine/test_silence.py::"
LATE = "unit/engine/test_late.py::"
CANCEL = "unit/engine/test_cancel.py::"

run = Room("app/engine/run.py", promise="G1")
_COMMIT = "        signal = await self._deps.journal.commit(transition)\n"
_PUBLISH = "        self._deps.bus.moved(transition)\n"
run(
    "events are published after the commit",
    f"{_COMMIT}        transition.apply_to(self.thread)\n{_PUBLISH}",
    f"{_PUBLISH}{_COMMIT}        transition.apply_to(self.thread)\n",
    RECOVERY + "test_publishing_comes_only_after_the_commit",
)
_AGAIN = "        if not self._deps.may_start():  # this process was frozen between the launch and now\n"
run(
    "past the lease no step starts",
    "may_start = self._deps.may_start()",
    "may_start = True",
    HELD + "test_what_runs_goes_on_and_what_comes_after_it_waits",
    promise="G3",
    also=(Edit(file="app/engine/run.py", old=_AGAIN, new="        if step is None:\n"),),
)
run(
    "a thread that is to pause does not turn in circles",
    "step.due is not None and not self._drive.pausing:",
    "step.due is not None:",
    "unit/engine/test_steering.py::"
    "test_a_retry_that_is_due_while_another_step_holds_the_pause_up_does_not_turn_in_circles",
    promise="-",
)
run(
    "an attempt that has ended is not abandoned as well",
    "elif step.task is not None and not step.task.done():",
    "elif step.task is not None:",
    LATE + "test_an_attempt_that_ended_during_a_long_commit_is_not_abandoned_as_well",
)
run(
    "a process that froze before the first line does not start",
    _AGAIN,
    "        if step is None:\n",
    "unit/engine/test_slots.py::test_a_process_that_freezes_after_the_launch_starts_nothing",
    promise="G3",
)
run(
    "a commit brings the wish to its driver",
    "if wishes.is_cancel(signal):",
    "if signal is None:",
    CANCEL + "test_a_commit_brings_the_wish_to_its_driver",
    promise="G10",
)
run(
    "any commit sets the count of recoveries back",
    "            transition.recoveries = 0\n",
    "            pass\n",
    "unit/engine/test_budget.py::test_any_step_that_ends_sets_the_count_back",
    promise="G15",
)
run(
    "a stubborn attempt is left behind",
    "elif step.task is not None and not step.task.done():",
    "elif step is None:",
    SILENCE + "test_one_that_does_not_stop_is_left_behind_after_the_grace",
    promise="G10",
)
run(
    "the late end of an abandoned attempt counts for nothing",
    "if step.task is asyncio.current_task():",
    "if step is not None:",
    LATE + "test_what_an_abandoned_attempt_returns_is_discarded",
    promise="G2",
)
run(
    "stopping a run cancels its steps",
    "        for step in self._drive.open.values():\n            step.stop()\n",
    "",
    LATE + "test_cancelling_reaches_into_the_running_step",
    promise="G10",
)

run(
    "a child's end during its parent's last commit is left to who looks after it",
    "        if self._drive.over:\n            return\n        for step",
    "        for step",
    "unit/engine/test_children.py::test_a_child_that_ends_while_the_commit_of_its_parents_parking_is_on_its_way_is_seen",
    promise="-",
)
step = Room("app/engine/step.py")
step(
    "an output has a limit",
    "if len(text) > limit:",
    "if len(text) < 0:",
    STEPS + "test_an_output_over_the_limit_fails_the_step_for_good",
)
step(
    "an attempt that is over says nothing more",
    "        context.close()",
    "        context.cancelled",
    LATE + "test_an_abandoned_attempt_says_nothing_more",
    SILENCE + "test_a_thread_that_falls_silent_is_left_behind_and_can_see_that",
)
step(
    "a silent attempt is stopped",
    "    if limit is None:\n        yield\n",
    "    if step is not None:\n        yield\n",
    LATE + "test_a_silent_attempt_is_stopped_at_once",
    promise="G10",
)
step(
    "an attempt over its time is stopped",
    "asyncio.timeout(timeout), _listening(step, context):",
    "asyncio.timeout(None), _listening(step, context):",
    LATE + "test_an_attempt_over_its_time_is_stopped_at_once",
    promise="G10",
)
step(
    "a step that cancels itself fails alone",
    "        if step.stopping:\n",
    "        if step is not None:\n",
    STEPS + "test_whatever_a_step_raises_is_a_failure_of_that_step_alone",
)
step(
    "a value is used as it will be read back",
    "jsontext.loads(text) if len(text) <= limit else None",
    "outcome.output",
    LATE + "test_a_step_that_changes_its_result_afterwards_changes_nothing",
    promise="G2",
)
step(
    "a big output is written off the loop",
    "jsontext.weight(outcome.output, BIG_JSON), BIG_JSON)",
    "0, BIG_JSON)",
    STEPS + "test_a_big_output_is_written_and_read_off_the_loop",
)
step(
    "a session id holds what the database takes",
    'jsontext.clean(session).replace("\\0", "")',
    "session",
    LATE + "test_a_session_id_with_odd_characters_is_kept_as_text",
    promise="G14",
)
context = Room("app/engine/context.py")
context(
    "a closed context is mute",
    "    def _tell(self, tell: Callable[..., None], *arguments: object) -> None:\n        if self._closed:",
    "    def _tell(self, tell: Callable[..., None], *arguments: object) -> None:\n        if self is None:",
    LATE + "test_an_abandoned_attempt_says_nothing_more",
    also=(
        Edit(
            file="app/engine/context.py",
            old="        if not self._closed:\n            if self.heard",
            new="        if self is not None:\n            if self.heard",
        ),
    ),
)
drive = Room("app/engine/drive.py")
drive(
    "a final failure outlives a crash",
    "        self._failure = loaded.failed\n",
    "        self._failure = loaded.failed and None\n",
    "unit/engine/test_recovery.py::test_a_step_that_had_failed_for_good_is_not_tried_again_after_a_kill",
)
drive(
    "once a thread is to fail nothing is tried again",
    "if wait is None or self._failure is not None or step.parts is not None:",
    "if wait is None or step.parts is not None:",
    STEPS + "test_once_a_thread_is_to_fail_nothing_is_tried_again",
)
drive(
    "a paused thread starts nothing",
    "while self._failure is None and not self.pausing:",
    "while self._failure is None:",
    "unit/engine/test_steering.py::test_pausing_lets_what_runs_end_and_starts_nothing_more",
)
drive(
    "no step stays open under a failed thread",
    "                draft.step_update(steprows.changed(step, draft, StepStatus.CANCELLED))\n",
    "                step.due\n",
    LATE + "test_no_step_stays_open_under_a_failed_thread",
    promise="G9",
)
opening = Room("app/engine/opening.py", promise="G2")
opening(
    "a recovered step keeps its key",
    "key_execution_id=row.key_execution_id,",
    "key_execution_id=uuid7(),",
    RECOVERY + "test_after_a_kill_open_steps_run_again_with_their_key_and_completed_ones_do_not",
    promise="G2",
)
opening(
    "a recovered step keeps its spent attempts",
    "attempt=row.attempt,",
    "attempt=1,",
    LATE + "test_attempts_that_were_spent_stay_spent_over_a_crash",
    promise="G2",
)
draft = Room("app/engine/draft.py", promise="G4")
draft(
    "the next version is the highest so far and one",
    "version = t.last_version = t.head_version = t.last_version + 1",
    "version = t.last_version = t.head_version = t.head_version + 1",
    "unit/engine/test_rollback.py::test_rolling_back_to_two_goes_on_with_the_next_version_and_parent_two",
)
draft(
    "every event has the next number",
    "        t.last_seq += 1\n",
    "        t.last_seq += 2\n",
    "unit/engine/test_rollback.py::test_rolling_back_to_two_goes_on_with_the_next_version_and_parent_two",
    promise="G5",
)

ROOMS = (run, step, context, drive, opening, draft)

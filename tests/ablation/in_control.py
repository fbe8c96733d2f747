"""Safeguards of what people ask for: cancelling, with the children, starting once, steering under the lock."""

from __future__ import annotations

from tests.ablation.safeguard import Room

CANCEL = "unit/engine/test_cancel.py::"
STEERING = "unit/engine/test_steering.py::"
ROLLBACK = "unit/engine/test_rollback.py::"
CHILDREN = "unit/engine/test_children.py::"
START = "unit/engine/test_start.py::"
FORK = "unit/engine/test_fork.py::"
OVERTAKEN = "unit/engine/test_overtaken.py::"

family = Room("app/engine/family.py", promise="G10")
family(
    "a cancel that its driver did at the last moment is done",
    "if asked is None or thread is None or thread.status is not Status.CANCELLED:",
    "if asked is None or thread is not None:",
    "unit/engine/test_cancel.py::test_a_driver_that_answers_at_the_last_moment_has_cancelled_it_as_asked",
)
family(
    "a driver that lives is asked first",
    "asked = None if force else await self._ask_driver(thread_id, reason, check)",
    "asked = None",
    CANCEL + "test_another_process_lets_the_driver_cancel_it",
)
family(
    "a dead owner is not asked",
    " or await self._is_dead(driver):",
    ":",
    CANCEL + "test_a_dead_owners_thread_is_cancelled_directly",
)
family(
    "a driver that does not answer loses the thread",
    "while (left := deadline - monotonic()) > 0:",
    "while (left := 1.0) > 0:",
    CANCEL + "test_a_driver_that_does_not_answer_loses_the_thread_after_the_grace",
)
family(
    "a wish that was withdrawn is not obeyed",
    "if wished and not wishes.is_cancel(thread.signal):",
    "if wished and thread is None:",
    CANCEL + "test_a_wish_that_was_withdrawn_is_not_obeyed",
)
family(
    "what was streamed is kept",
    ".cancel(reason, texts))",
    ".cancel(reason))",
    CANCEL + "test_what_a_step_had_streamed_is_kept_as_partial",
)
family(
    "children are cancelled with their parent",
    "        await self.cancel_children(written[-1])\n        return thread",
    "        return thread",
    CHILDREN + "test_steering_the_parent_away_reaches_its_running_child[cancel]",
)
family(
    "children of the new drive are left alone",
    'if keys.get(child.parent_run_id or "") in gone:',
    "if child is not None:",
    CHILDREN + "test_the_child_of_the_new_drive_is_not_cancelled_with_the_old_one",
)
family(
    "a parent that fails ends its children",
    "            if thread.status in ENDED:\n                await self.cancel_child(",
    "            if thread is None:\n                await self.cancel_child(",
    CHILDREN + "test_a_parent_that_fails_beside_a_waiting_child_ends_it",
)

starts = Room("app/engine/starts.py", promise="G8")
starts(
    "a key in flight is a conflict",
    "if key in self._keys_in_flight:",
    "if key is None:",
    START + "test_a_key_in_flight_is_a_conflict",
)
starts(
    "a key stands for one body",
    "if owner.request_sha256 != command.request_sha256:",
    "if owner is None:",
    START + "test_one_key_for_two_requests_is_refused",
)
starts(
    "a slot of a start that bore nothing is given back",
    "if mine and not born:",
    "if born and not born:",
    START + "test_starting_twice_with_one_key_starts_once",
    promise="G11",
)
control = Room("app/engine/control.py", promise="G8")
control(
    "a slot of a refused steering is given back",
    "if mine and not launched:",
    "if launched and not launched:",
    STEERING + "test_resuming_a_running_thread_is_a_conflict_that_costs_no_slot",
    promise="G11",
)
control(
    "steering reaches the children",
    "            await self._worker.family.cancel_children(written[-1])\n",
    "",
    CHILDREN + "test_steering_the_parent_away_reaches_its_running_child[rollback]",
    promise="G10",
)
steering = Room("app/engine/steering.py", promise="G7")
steering(
    "steering raises the epoch",
    "transition.recoveries = thread.epoch + 1, True, 0",
    "transition.recoveries = thread.epoch, True, 0",
    OVERTAKEN + "test_every_steering_raises_the_epoch",
)
steering(
    "an expected version has to be the head",
    "if version is not None and version != self.thread.head_version:",
    "if version is not None and version < 0:",
    STEERING + "test_another_expected_version_is_a_conflict",
)
steering(
    "a thread ends once",
    'had streamed so far.\n\n        Raises Conflict when it has ended.\n        """\n        if self.thread.status in ENDED:',
    'had streamed so far.\n\n        Raises Conflict when it has ended.\n        """\n        if self.thread is None:',
    STEERING + "test_cancelling_ends_it_whatever_it_does_and_twice_is_a_conflict",
    promise="G9",
)
steering(
    "a running thread is not resumed",
    "        if self.thread.status in ACTIVE:\n",
    "        if self.thread is None:\n",
    STEERING + "test_resuming_a_running_thread_is_a_conflict_that_costs_no_slot",
)
steering(
    "no step stays open under a cancelled thread",
    "        await self._close_steps(self.thread.execution_id)\n",
    "",
    STEERING + "test_cancelling_ends_it_whatever_it_does_and_twice_is_a_conflict",
    promise="G9",
)
steering(
    "no step stays open under a superseded execution",
    "            await self._close_steps(old.id)\n",
    "",
    ROLLBACK + "test_the_late_result_of_a_thread_rolled_back_while_it_runs_is_discarded",
    promise="G9",
)
steering(
    "a thread that moved on is not interrupted",
    "if (now.epoch, now.rev) != (thread.epoch, thread.rev):",
    "if now is None:",
    OVERTAKEN + "test_a_thread_that_has_moved_on_is_not_interrupted",
    promise="G3",
)

forks = Room("app/engine/fork.py", promise="G2")
forks(
    "a fork keeps its overrides for whoever recovers it",
    "Parameters(overrides=dict(variant.overrides), forked_from=origin)",
    "Parameters(forked_from=origin)",
    FORK + "test_a_crash_in_the_middle_of_a_fork_keeps_its_overrides",
)
forks(
    "what a fork takes over counts as done elsewhere",
    "id=runs[run.id], thread_id=thread_id, usage=None)",
    "id=runs[run.id], thread_id=thread_id, execution_id=execution_id, usage=None)",
    FORK + "test_what_it_took_over_is_told_as_kept_from_before",
)
forks(
    "a damaged version is not forked",
    "        refuse(thread.thread_id, values.findings)\n",
    "",
    FORK + "test_a_damaged_version_is_not_forked[damage_output]",
    promise="G14",
)
forks(
    "a state that is forked is bounded",
    "if size > MAX_BYTES:",
    "if size < 0:",
    FORK + "test_a_state_that_is_too_large_is_not_forked",
)
forks(
    "a key that made some variants goes on from the same version",
    "            if origin is not None:\n",
    "            if origin is None:\n",
    FORK + "test_a_key_that_made_some_variants_makes_the_others_from_the_same_version",
    promise="G8",
)

ROOMS = (family, starts, control, steering, forks)

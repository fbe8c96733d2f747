"""Safeguards of steps that are done in parts, of what attempts remember, of caught failures and of limits."""

from __future__ import annotations

from tests.ablation.safeguard import Edit, Room

PARTS = "unit/engine/test_parts.py::"
NOTES = "unit/engine/test_notes.py::"
CATCH = "unit/engine/test_catch.py::"
LIMITS = "unit/engine/test_limits.py::"
STEERING = "unit/engine/test_steering.py::"

asked = Room("app/engine/asked.py", promise="G2")
asked(
    "resuming keeps the keys of what had not completed",
    "            keys[row.step_id] = row.key_execution_id\n",
    "            keys.pop(row.step_id, None)\n",
    STEERING + "test_resuming_keeps_the_idempotency_key_of_what_had_not_completed",
)
asked(
    "resuming keeps the sessions of what had not completed",
    "sessions |= {row.step_id: row.session_id} if row.session_id is not None else {}",
    "sessions |= {}",
    NOTES + "test_a_resumed_step_goes_on_with_its_session",
)
parts = Room("app/engine/parts.py", promise="G2")
parts(
    "items that had completed are not done again",
    "        items.ended.update(place for place in parts.completed if place < len(values))\n        if fresh:",
    "        if fresh:",
    PARTS + "test_after_a_kill_only_items_that_had_not_ended_run_again",
    PARTS + "test_a_resume_does_only_the_items_again_that_had_not_completed",
)
parts(
    "never more items run than may",
    "and len(self.open) < self.spec.for_each.concurrency",
    "and self.spec.for_each.concurrency",
    PARTS + "test_never_more_items_run_than_may",
)
parts(
    "after a failed item no other begins",
    "self.failure is None and len(self.open)",
    "len(self.open)",
    PARTS + "test_one_that_fails_lets_the_running_ones_end_and_begins_no_more",
)
parts(
    "a repeat goes on with its iteration",
    "laps = cls(spec, done=len(parts.completed))",
    "laps = cls(spec)",
    PARTS + "test_after_a_kill_a_repeat_goes_on_with_its_iteration",
)
parts(
    "a repeat is bounded",
    "return self.done - self.since >= self.spec.repeat.max_iterations",
    "return self.done > 50 + self.spec.repeat.max_iterations",
    PARTS + "test_a_repeat_is_bounded",
)
parts(
    "an item that had failed still fails its step after a crash",
    "        items.failure = _failure(parts.failure)\n",
    "",
    PARTS + "test_after_a_kill_a_failed_item_still_counts",
)
parts(
    "an item whose failure was collected is not tried again after a crash",
    "            items.ended.update(place for place in parts.failed if place < len(values))\n",
    "            pass\n",
    PARTS + "test_after_a_kill_a_failed_item_still_counts",
)
partwork = Room("app/engine/partwork.py", promise="G2")
partwork(
    "a resumed repeat keeps its new iterations over a crash",
    "since=int(mark) if mark.isdigit() else 0)",
    "since=0)",
    PARTS + "test_a_repeat_that_was_resumed_keeps_its_new_iterations_over_a_kill",
)
partwork(
    "a crash after a resume does not bring the old failure back",
    "            draft.item(row)\n",
    "            assert row\n",
    PARTS + "test_a_kill_after_a_resume_does_not_bring_the_old_failure_back",
)
partwork(
    "items of one list do not count for another",
    "if fresh and self._marks.get(spec.id, mark) != mark:",
    "if fresh and self._marks.get(spec.id, mark) == spec:",
    PARTS + "test_a_resume_over_another_list_begins_its_items_anew",
    promise="G14",
)
known = Room("app/engine/known_parts.py", promise="G14")
known(
    "an iteration goes on only from a sound output",
    "        if last is None or not integrity.is_text(last.output, last.output_sha256):\n",
    "        if last is None:\n",
    PARTS + "test_after_a_kill_an_iteration_whose_output_is_damaged_is_done_again",
)
gather = Room("app/engine/gather.py", promise="G14")
gather(
    "a damaged item is not used",
    "return item.output if is_text(item.output, item.output_sha256) else None",
    "return item.output",
    PARTS + "test_a_damaged_item_is_done_again",
)
gather(
    "an outage while outputs are put together fails nothing",
    "        except Unavailable:\n            await asyncio.sleep(_LOOK_AGAIN)\n",
    "        except InterruptedError:\n            await asyncio.sleep(_LOOK_AGAIN)\n",
    PARTS + "test_an_outage_while_outputs_are_put_together_fails_nothing",
    promise="G13",
)
gather(
    "the outputs of items together have a limit",
    "        if size > limit:",
    "        if size < 0:",
    PARTS + "test_outputs_that_are_too_large_together_fail_the_step",
    promise="-",
)
notes = Room("app/domain/notes.py", promise="G14")
notes(
    "a damaged note is not used",
    "if record.place != place or record.sha256 != notes._digest(record.name, record.value):",
    "if record.place != place:",
    NOTES + "test_a_damaged_note_takes_those_after_it_along",
)
context = Room("app/engine/context.py", promise="G2")
context(
    "what earlier attempts remembered is read",
    "                self._step.notes = Notes.read(found)",
    "                self._step.notes = Notes()",
    NOTES + "test_after_a_kill_the_next_process_finds_it",
    NOTES + "test_a_resume_finds_what_was_remembered",
)
reports = Room("app/engine/reports.py")
reports(
    "a name is remembered once",
    "                if name in step.notes.values:",
    "                if name in ():",
    NOTES + "test_a_name_is_remembered_once",
    NOTES + "test_of_two_at_once_under_one_name_one_is_kept",
)
reports(
    "over a limit an attempt stops where it remembers",
    "            if self._drive.over_budget is not None:",
    "            if self._drive.over:",
    LIMITS + "test_an_attempt_in_turns_stops_at_the_turn_that_goes_over_and_goes_on_from_there",
)
drive = Room("app/engine/drive.py")
drive(
    "over a limit a thread pauses",
    "            self.over_budget = self.budget.exceeded(draft.at)",
    "            self.budget.exceeded(draft.at)",
    LIMITS + "test_over_its_budget_a_thread_pauses",
)
drive(
    "a deadline is kept while the thread waits",
    "for at in (first, self.budget.deadline) if",
    "for at in (first,) if",
    LIMITS + "test_after_its_deadline_a_thread_pauses_also_while_it_waits",
)
drive(
    "text that was shown is told to be void",
    "        if step.streamed:",
    "        if step.stopping:",
    NOTES + "test_a_retry_makes_shown_text_void",
)
load = Room("app/engine/load.py")
load(
    "what was caught does not fail the thread after a crash",
    "if step.status is StepStatus.FAILED and step.id not in caught]",
    "if step.status is StepStatus.FAILED]",
    CATCH + "test_after_a_kill_the_thread_still_knows_what_was_caught",
)
load(
    "what the thread has cost outlives its driver",
    "spent=await reads.spent(thread.thread_id) if limited else NO_USAGE,",
    "spent=NO_USAGE,",
    LIMITS + "test_a_bare_resume_pauses_again_and_a_raised_limit_goes_on",
)

COMPENSATION = "unit/engine/test_compensation.py::"
compensation = Room("app/engine/compensation.py", promise="G2")
compensation(
    "what has been undone is not undone again",
    "if undo is not None and undo.id not in done:",
    "if undo is not None:",
    COMPENSATION + "test_after_a_kill_what_has_been_undone_is_not_undone_again",
    COMPENSATION + "test_a_rollback_that_stays_paused_undoes_first_and_pauses_once",
)
compensation(
    "a rollback that holds does so though the process ends",
    "            self._drive.settle(draft)  #",
    "            _ = draft  #",
    COMPENSATION + "test_a_goodbye_during_the_last_compensation_keeps_the_thread_paused",
)
compensation(
    "a damaged output is handed to no compensation",
    "            sound = row is not None and is_text(row.output, row.output_sha256)\n",
    "            sound = row is not None\n",
    COMPENSATION + "test_a_damaged_output_is_handed_to_no_compensation",
    promise="G14",
)
undo = Room("app/engine/undo.py")
undo(
    "what a version keeps is not undone",
    "run not in kept and status is not StepStatus.SKIPPED",
    "status is not StepStatus.SKIPPED",
    COMPENSATION + "test_a_kept_step_is_not_undone",
)
undo(
    "the latest is undone first",
    "for run in reversed(gone) if run in rows",
    "for run in gone if run in rows",
    COMPENSATION + "test_compensations_run_the_latest_first_and_before_anything_else",
)
asked(
    "a resume undoes only what has not been undone",
    'if f"{pair[0]}.undo" not in undone',
    "if pair",
    COMPENSATION + "test_a_resume_does_not_undo_again_what_an_earlier_execution_has_undone",
)
FLOW = "unit/engine/test_flow.py::"
recorded = Room("app/engine/recorded.py", promise="G2")
recorded(
    "a call of something else is found out",
    "        if known is not None:\n            what",
    "        if known is None:\n            what",
    FLOW + "test_code_that_changed_under_a_running_thread_is_reported",
)
recorded(
    "a call that has moved is found out",
    "        if step_id in self._ids and step_id not in self._again:",
    "        if step_id in self._again:",
    "unit/engine/test_flow_odd.py::test_a_step_that_has_moved_is_changed_code",
)
ODD = "unit/engine/test_flow_odd.py::"
flow = Room("app/engine/flow.py")
flow(
    "who was let go begins no more steps",
    "        if self._stopped:\n            raise asyncio.CancelledError\n        if asyncio",
    "        if asyncio",
    ODD + "test_clean_up_in_the_function_holds_nothing_when_the_thread_is_let_go",
)
flow(
    "a step that the function gives up holds nothing up",
    "                self.running += 1\n            raise\n",
    "                self.running += 0\n            raise\n",
    "unit/engine/test_flow.py::test_a_step_that_the_function_does_not_wait_for_any_more_holds_nothing_up",
    also=(
        Edit(file="app/engine/flow.py", old="return self.over or self.running <= 0", new="return self.running <= 0"),
    ),
)
flow(
    "tasks of asyncio are refused",
    "        if asyncio.current_task() not in self._lines:",
    "        if asyncio.current_task() is None:",
    ODD + "test_tasks_of_asyncio_around_steps_are_refused_with_a_word_on_gather",
)
coded = Room("app/engine/coded.py", promise="G2")
coded(
    "code that changed is found out though the function swallows it",
    "        match self._changed or self._flow.error:",
    "        match self._flow.error:",
    ODD + "test_a_function_that_swallows_everything_does_not_hide_that_it_has_changed",
)
coded(
    "a failure is past once the function has had it",
    "        return self._calls[step_id].raised\n",
    "        return True\n",
    ODD + "test_a_failure_in_a_gather_is_tried_again_by_a_resume",
)
coded(
    "steps that are not asked for any more are found out",
    "                if lost is None:\n",
    "                if lost is None or lost:\n",
    FLOW + "test_code_that_changed_under_a_running_thread_is_reported",
)
coded(
    "completed steps answer from the journal",
    "        if entry is not None:\n",
    "        if entry is not None and row is not None:\n",
    FLOW + "test_after_a_kill_completed_steps_answer_from_the_journal",
)

ROOMS = (
    asked,
    parts,
    partwork,
    known,
    gather,
    notes,
    context,
    reports,
    drive,
    load,
    compensation,
    undo,
    recorded,
    flow,
    coded,
)

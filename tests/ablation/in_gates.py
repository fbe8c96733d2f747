"""Safeguards of the gates: one answer, which is never lost, and is told once."""

from __future__ import annotations

from tests.ablation.safeguard import Room

BOOK = "contracts/test_gates.py::"
GATES = "unit/engine/test_gates.py::"

shared = Room("app/store/sql/waiting.sql", promise="G2")
book = Room("app/store/sql/gates.sql", promise="G2")
shared(
    "an answer makes a parked thread due",
    "AND status = 'waiting' THEN least(wake_at, now()) ELSE wake_at END",
    "AND status = 'waiting' THEN wake_at ELSE wake_at END",
    BOOK + "test_an_answer_makes_a_parked_thread_due[postgres]",
)
shared(
    "an answer leaves a paused thread paused",
    "WHEN incarnation_id IS NULL AND status = 'waiting' THEN",
    "WHEN incarnation_id IS NULL THEN",
    BOOK + "test_a_paused_thread_stays_paused_and_keeps_the_answer[postgres]",
)
shared(
    "an answer leaves a wish for the driver",
    "THEN wanted.wish ELSE signal END",
    "THEN signal ELSE signal END",
    BOOK + "test_an_answer_that_comes_while_the_thread_is_being_parked_makes_it_due[postgres]",
)
shared(
    "an answer displaces no wish to pause or cancel",
    "AND (signal IS NULL OR signal LIKE 'look:%') THEN",
    "THEN",
    BOOK + "test_an_answer_does_not_displace_a_wish_to_pause_or_cancel[postgres-pause]",
    promise="G7",
)
book(
    "the first answer holds",
    "WHERE {key} AND gate.answered_at IS NULL AND thread.thread_id",
    "WHERE {key} AND thread.thread_id",
    BOOK + "test_of_many_answers_at_once_exactly_one_wins[postgres]",
)
book(
    "a gate is closed with its step run and its thread",
    "AND thread.thread_id = gate.thread_id AND {waits}\n",
    "AND thread.thread_id = gate.thread_id\n",
    BOOK + "test_a_gate_is_closed_once_its_step_run_or_its_thread_has_ended[postgres]",
)
shared(
    "a timeout gives way to an answer",
    "WHERE {key} AND gate.answered_at IS NULL AND gate.timeout_at <= now();",
    "WHERE {key} AND gate.timeout_at <= now();",
    BOOK + "test_of_an_answer_and_the_timeout_whichever_was_first_holds[postgres]",
)
shared(
    "a gate is not timed out before its time",
    " AND gate.timeout_at <= now();",
    ";",
    BOOK + "test_a_gate_is_not_timed_out_before_its_time[postgres]",
)
book(
    "a run that has ended asks nothing anew",
    "AND run.id = EXCLUDED.run_id AND run.completed_at IS NULL",
    "AND run.id = EXCLUDED.run_id",
    BOOK + "test_a_run_that_has_ended_does_not_ask_anew[postgres]",
    promise="G3",
)
parking = Room("app/store/sql/journal.sql", promise="G2")
parking(
    "a wish makes no driven thread due",
    "WHEN moves.incarnation_id IS NOT NULL OR moves.clear_signal",
    "WHEN moves.clear_signal",
    BOOK + "test_the_driver_of_a_thread_is_told_by_a_wish_of_its_own[postgres]",
    promise="G3",
)
claims = Room("app/store/sql/queue.sql")
claims(
    "who takes a thread up has met the wish to look",
    "CASE WHEN signal LIKE 'look:%' THEN NULL ELSE signal END",
    "signal",
    BOOK + "test_whoever_takes_the_thread_up_has_met_the_wish[postgres]",
)
drive = Room("app/engine/drive.py", promise="G2")
drive(
    "a thread that is parked keeps the wish on its row",
    "clear_signal = draft.transition.status is not Status.WAITING",
    "clear_signal = wake_at is None",
    GATES + "test_an_answer_while_the_thread_is_being_parked_is_not_lost[before]",
)
openstep = Room("app/engine/openstep.py", promise="G2")
gatework = Room("app/engine/gatework.py", promise="G5")
gatework(
    "a wish to look is heeded once",
    " or wish == self._heard:",
    ":",
    GATES + "test_a_wish_to_look_is_heeded_once",
    promise="G2",
)
openstep(
    "an attempt that looked too early looks again",
    "StepStatus.RUNNING if self.at_gate and self.look_again else StepStatus.WAITING",
    "StepStatus.WAITING",
    GATES + "test_an_answer_while_the_gate_is_being_looked_at_is_not_lost",
)
gatework(
    "a question is told once",
    "not record.closed and not record.told_waiting:",
    "not record.closed:",
    GATES + "test_two_gates_beside_each_other_are_answered_one_by_one",
)
gatework(
    "an answer is told once",
    "record.sound and not record.told_answered:",
    "record.sound:",
    GATES + "test_a_runner_of_another_kind_may_ask_several_times",
)
step = Room("app/engine/step.py")
step(
    "the timeout of an attempt is not that of an answer",
    "isinstance(outcome, Asleep) and outcome.gate is None and",
    "isinstance(outcome, Asleep) and",
    GATES + "test_a_runner_of_another_kind_may_ask_several_times",
)
run = Room("app/engine/run.py", promise="G2")
run(
    "a commit that brings a wish to look is heeded",
    "        self.look(signal)\n",
    "",
    GATES + "test_the_wish_on_the_row_alone_reaches_the_driver",
)
runner = Room("app/runners/gate.py", promise="G14")
runner(
    "an answer that is not what was written is not used",
    "if not record.sound:",
    "if record.answer_sha256 is None:",
    GATES + "test_an_answer_that_is_not_what_was_written_fails_the_step",
)
runner(
    "what stands in for an answer fits the form",
    "if form is not None else []",
    "if form is not None and record.answered_by else []",
    GATES + "test_a_value_for_the_timeout_that_does_not_fit_the_form_fails_the_step",
    promise="-",
)
ROOMS = (shared, book, parking, claims, drive, openstep, gatework, step, run, runner)

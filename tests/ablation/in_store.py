"""Safeguards of the journal's statements: the flush, steering, leases."""

from __future__ import annotations

from tests.ablation.safeguard import Edit, Room

JOURNAL = "app/store/sql/journal.sql"
MOVES = "contracts/test_transitions.py::"
LEASES = "contracts/test_leases.py::"
STARTS = "contracts/test_starts.py::"
FLUSH = "store/test_journal.py::"
WRITER = "store/test_writer.py::"
_OK = "(ord IN (SELECT ord FROM ok)) IS TRUE"
_STALE = MOVES + "test_a_stale_epoch_or_rev_is_fenced_and_writes_nothing"
_FENCED = WRITER + "test_a_fenced_move_writes_no_row_of_any_table"

flush = Room(JOURNAL, promise="G3")
_WHERE = "WHERE thread.thread_id = moves.thread_id AND thread.epoch = moves.epoch AND thread.rev = moves.rev\n"
flush("a write names the epoch", _WHERE, _WHERE.replace(" AND thread.epoch = moves.epoch", ""), _STALE)
flush("a write names the rev", _WHERE, _WHERE.replace(" AND thread.rev = moves.rev", ""), _STALE)
flush(
    "a write names the execution that it belongs to",
    "        AND thread.execution_id = moves.held_execution_id\n        AND (moves",
    "        AND (moves",
    "store/test_model.py::test_the_late_write_of_an_old_driver_does_not_reach_a_new_thread_of_the_same_name",
)
flush(
    "a flush passes over locked rows",
    "FOR UPDATE OF thread SKIP LOCKED\n), moved",
    "FOR UPDATE OF thread\n), moved",
    MOVES + "test_a_commit_during_a_steer_waits_and_is_fenced[postgres]",
    promise="G1",
)
flush(
    "a row passed over is not fenced",
    "THEN 'busy' ELSE 'fenced'\n",
    "THEN 'fenced' ELSE 'fenced'\n",
    FLUSH + "test_a_row_that_somebody_holds_is_passed_over_and_written_later",
    promise="G1",
)
for _table, _number, _type in (
    ("executions", 3, "execution_2"),
    ("steps", 5, "step_2"),
    ("checkpoints", 7, "checkpoint_2"),
    ("events", 8, "event"),
    ("items", 9, "item"),
    ("notes", 10, "note"),
):
    flush(
        f"a fenced move writes no {_table}",
        f"FROM unnest(${_number}::journal_{_type}[])\n    WHERE {_OK}",
        f"FROM unnest(${_number}::journal_{_type}[])",
        _STALE,
        _FENCED,
        "contracts/test_parts.py::test_a_fenced_transition_writes_no_items_and_no_notes",
        promise="G1",
    )
flush(
    "a fenced move changes no executions",
    "        AND (change.ord IN (SELECT ord FROM ok)) IS TRUE\n), new_steps",
    "\n), new_steps",
    _FENCED,
    promise="G1",
)
flush(
    "a fenced move changes no steps",
    "        AND (change.ord IN (SELECT ord FROM ok)) IS TRUE\n), new_checkpoints",
    "\n), new_checkpoints",
    _FENCED,
    promise="G1",
)
flush(
    "a fenced child wakes no parent",
    "parent.wake_at > now() AND (moves.ord IN (SELECT ord FROM moved)) IS TRUE",
    "parent.wake_at > now()",
    WRITER + "test_a_fenced_child_wakes_no_parent",
    promise="G1",
)
flush(
    "the end of a child makes its parent due",
    "WHERE parent.wake_at > now() AND",
    "WHERE false AND",
    MOVES + "test_the_end_of_a_child_makes_its_waiting_parent_due",
    promise="-",
)
flush(
    "an ended execution never changes",
    " AND execution.completed_at IS NULL",
    "",
    MOVES + "test_an_ended_execution_never_changes",
    promise="G9",
)
flush(
    "an ended step run never changes",
    " AND step.completed_at IS NULL",
    "",
    MOVES + "test_an_open_step_run_is_changed_and_an_ended_one_never",
    promise="G2",
)
flush(
    "a wish wakes a thread that is being parked",
    "ELSE least(moves.wake_at, now())",
    "ELSE moves.wake_at",
    LEASES + "test_a_wish_that_comes_while_a_thread_is_parked_makes_it_due[postgres]",
    promise="G7",
)
flush(
    "a move keeps a wish that it does not clear",
    "CASE WHEN moves.clear_signal THEN NULL ELSE thread.signal END",
    "NULL",
    MOVES + "test_a_signal_waits_for_the_driver_and_does_not_fence_it",
    promise="G7",
)
flush(
    "a key is taken once",
    "ORDER BY tenant, idempotency_key\n    ON CONFLICT DO NOTHING",
    "ORDER BY tenant, idempotency_key",
    STARTS + "test_a_key_starts_one_thread_however_often_it_comes",
    promise="G8",
)
flush(
    "without its key nothing is born",
    "WHERE idempotency_key IS NULL OR execution_id IN (SELECT execution_id FROM keys)",
    "WHERE true",
    STARTS + "test_a_key_starts_one_thread_however_often_it_comes",
    promise="G8",
)
flush(
    "an id is born once",
    "ORDER BY thread_id\n    ON CONFLICT DO NOTHING",
    "ORDER BY thread_id",
    STARTS + "test_an_id_that_exists_is_not_started_again",
    promise="G8",
)
flush(
    "a key is given back when its thread existed",
    " AND NOT EXISTS (SELECT FROM threads WHERE threads.thread_id = starts.thread_id)",
    "",
    STARTS + "test_a_key_is_not_taken_by_a_start_whose_thread_exists",
    promise="G8",
    also=(Edit(file="app/store/journal.py", old="if key is not None:  # the key", new="if False and key:  # the key"),),
)
flush(
    "a key is given back when its id is taken at that moment",
    "AND execution_id = $3;\n\n-- take_key",
    "AND execution_id = $3 AND false;\n\n-- take_key",
    WRITER + "test_a_key_taken_while_another_start_takes_the_id_is_given_back",
    promise="G8",
)
flush(
    "a lost answer is looked up behind whoever still writes",
    "WHERE thread_id = ANY($1::text[]) ORDER BY thread_id FOR UPDATE;",
    "WHERE thread_id = ANY($1::text[]) ORDER BY thread_id;",
    WRITER + "test_a_lost_statement_that_still_runs_is_waited_for",
    promise="G1",
)
flush(
    "steering locks the row",
    "SELECT * FROM threads WHERE thread_id = $1 FOR UPDATE;",
    "SELECT * FROM threads WHERE thread_id = $1;",
    MOVES + "test_a_commit_during_a_steer_waits_and_is_fenced[postgres]",
    promise="G7",
)
flush(
    "a key of a steering is taken once",
    "ON CONFLICT DO NOTHING RETURNING key;",
    "ON CONFLICT (tenant, key) DO UPDATE SET key = $2 RETURNING key;",
    MOVES + "test_a_steer_takes_its_key_once[postgres]",
    promise="G8",
)
flush(
    "only a waiting thread is woken",
    "WHERE thread_id = $1 AND incarnation_id IS NULL AND (wake_at > now() OR (wake_at IS NULL AND status = 'waiting'));",
    "WHERE thread_id = $1;",
    LEASES + "test_waking_reaches_only_a_waiting_thread",
    promise="G3",
)

leases = Room(JOURNAL, promise="G3")
leases(
    "the monitor repeats its predicate in the UPDATE",
    "($2::timestamptz IS NULL OR heartbeat_at = $2)",
    "($2::timestamptz IS NULL OR true)",
    LEASES + "test_a_process_that_was_heard_of_again_is_not_closed_for_its_silence[postgres]",
)
leases(
    "taking a process off raises its epochs",
    "SET incarnation_id = NULL, epoch = epoch + 1, wake_at = now(),\n        recoveries",
    "SET incarnation_id = NULL, wake_at = now(),\n        recoveries",
    LEASES + "test_closing_a_process_frees_its_threads_and_fences_it[postgres]",
)
leases(
    "a crash is counted on what was driven",
    "recoveries = recoveries + $3::bool::int",
    "recoveries = recoveries",
    LEASES + "test_a_crash_counts_a_recovery_of_what_was_driven_and_a_goodbye_none",
    promise="G15",
)
leases(
    "a goodbye is not counted",
    "recoveries = recoveries + $3::bool::int",
    "recoveries = recoveries + ($3::bool IS NOT NULL)::int",
    LEASES + "test_a_crash_counts_a_recovery_of_what_was_driven_and_a_goodbye_none",
    promise="G15",
)
leases(
    "a locked thread does not hold up the monitor",
    "incarnation_id IN (SELECT id FROM removed)\n        ORDER BY thread_id FOR UPDATE SKIP LOCKED",
    "incarnation_id IN (SELECT id FROM removed)\n        ORDER BY thread_id FOR UPDATE",
    "store/test_locked_rows.py::test_the_monitor_passes_over_a_locked_thread_and_sweeps_it_later",
)
leases(
    "sweeping raises the epoch",
    "SET incarnation_id = NULL, epoch = epoch + 1, wake_at = now(),\n    recoveries",
    "SET incarnation_id = NULL, wake_at = now(),\n    recoveries",
    LEASES + "test_whoever_drove_a_swept_thread_is_fenced",
)
leases(
    "sweeping takes nothing from the living",
    "        AND NOT EXISTS (SELECT FROM incarnations WHERE incarnations.id = threads.incarnation_id)\n",
    "",
    LEASES + "test_a_thread_of_a_process_that_nobody_knows_is_freed[postgres]",
)
leases(
    "a sweep counts a recovery",
    "recoveries = recoveries + 1",
    "recoveries = recoveries",
    LEASES + "test_whoever_drove_a_swept_thread_is_fenced",
    promise="G15",
)
leases(
    "a locked thread does not hold up the sweep",
    "FOR UPDATE OF threads SKIP LOCKED",
    "FOR UPDATE OF threads",
    "store/test_locked_rows.py::test_the_monitor_passes_over_a_locked_thread_and_sweeps_it_later",
)

ROOMS = (flush, leases)

"""Safeguards of the policies: what is hidden and what is not, what may be deleted, and settings that hold."""

from __future__ import annotations

from tests.ablation.safeguard import Room

STORE = "contracts/test_retention.py::"
POSTGRES = "store/test_retention.py::"
WORK = "unit/engine/test_retention.py::"
SHOWN = "unit/engine/test_checkpoints.py::"
LIVE = "unit/test_live_settings.py::"

delete = Room("app/store/sql/retention.sql", promise="G3")
delete(
    "only what has ended is deleted",
    "AND t.status IN ('completed', 'failed', 'cancelled', 'interrupted') AND t.incarnation_id IS NULL",
    "AND t.incarnation_id IS NULL",
    STORE + "test_a_thread_that_has_not_ended_is_never_deleted[postgres-waiting]",
    STORE + "test_a_thread_that_has_not_ended_is_never_deleted[postgres-paused]",
)
delete(
    "a thread is deleted only as it was seen",
    " AND held.epoch = given.epoch AND held.rev = given.rev",
    "",
    STORE + "test_a_thread_that_has_moved_on_since_it_was_seen_is_left_alone[postgres]",
)
delete(
    "a family goes as a whole or not at all",
    "HAVING count(*) = count(held.epoch)",
    "HAVING count(held.epoch) > 0",
    STORE + "test_a_family_of_which_one_runs_is_left_alone_and_others_go[postgres]",
)
delete(
    "deleting waits for nobody who holds a row",
    "ORDER BY t.thread_id\n    FOR UPDATE SKIP LOCKED",
    "ORDER BY t.thread_id\n    FOR UPDATE",
    POSTGRES + "test_a_thread_that_somebody_holds_is_passed_over_at_once_and_others_go",
    promise="G1",
)
delete(
    "a scan tells of whole families only",
    "AS family ON family.whole",
    "AS family ON true",
    STORE + "test_the_scan_tells_of_a_family_as_deleting_it_takes_it[postgres]",
)
delete(
    "no table of threads is forgotten",
    "DELETE FROM quarantine WHERE thread_id = ANY ($1::text[]) RETURNING 1",
    "SELECT 1",
    POSTGRES + "test_every_table_that_knows_threads_is_deleted_from_and_finds_their_rows_by_an_index",
)

gates = Room("app/store/sql/gates.sql", promise="G3")
gates(
    "a gate of a deleted thread is not opened",
    "FROM threads WHERE thread_id = $1 FOR KEY SHARE",
    "FROM (SELECT $1::text AS thread_id) AS any_thread",
    POSTGRES + "test_a_gate_that_is_opened_late_leaves_no_row_of_a_deleted_thread",
)

registry = Room("app/store/registry.py")
registry(
    "a document that is started again is not tidied away",
    'await self._fetch("touch", known.id)',
    "known.id",
    STORE + "test_a_document_that_is_started_again_is_in_use_again[postgres]",
)

retention = Room("app/engine/retention.py")
retention(
    "one retention at a time",
    "if not await self.store.take(self._owner, LEASE):\n                raise _under_way()",
    "if False:\n                raise _under_way()",
    WORK + "test_only_one_process_runs_it_at_a_time",
)
retention(
    "one run of retention at a time in a process, whose lease both would have",
    "if self._busy:\n            raise _under_way()",
    "if False:\n            raise _under_way()",
    WORK + "test_of_two_runs_that_one_process_is_asked_for_at_once_one_begins",
)
retention(
    "who has lost the lease deletes nothing",
    "if monotonic() - self._held_at > LEASE / 3:",
    "if monotonic() < 0:",
    WORK + "test_who_has_lost_the_lease_stops_before_it_deletes",
)
retention(
    "a sub-workflow is not deleted without its parent",
    "if parent is not None and await self._reads.thread(parent) is not None:",
    "if parent is not None and parent == thread_id:",
    "api/test_retention.py::test_a_sub_workflow_goes_with_its_parent_only",
)

sweep = Room("app/engine/sweep.py")
sweep(
    "retention rests in proportion to its work",
    "max(_LEAST_REST, (monotonic() - began) * times)",
    "_LEAST_REST",
    WORK + "test_it_rests_in_proportion_to_the_time_that_a_batch_took",
)

sweep(
    "a long scan keeps the lease",
    "            await self._hold()  # many pages may go by without anything to delete\n",
    "",
    WORK + "test_pages_without_anything_to_delete_renew_the_lease_too",
)

steering = Room("app/engine/steering.py", promise="G4")
steering(
    "the version that a person steers from stays in sight",
    "        transition.shown = thread.head_version  # where people steer from stays in sight\n",
    "",
    SHOWN + "test_the_version_that_a_thread_failed_at_stays_in_sight_once_it_is_resumed",
    SHOWN + "test_a_hidden_head_can_be_rolled_back_to_and_returned_to",
)

config = Room("app/bootstrap/config.py")
config(
    "a secret is not shown",
    "value=MASK if name in SECRET and values[name] is not None else values[name],",
    "value=values[name],",
    "api/test_config.py::test_all_settings_are_shown_and_no_secret_is",
)
config(
    "only what takes effect at once is changed",
    "for name in values if name not in RELOADABLE]",
    "for name in values if name not in Settings.model_fields]",
    "api/test_config.py::test_what_does_not_hold_is_refused_as_a_whole[wanted1-/port]",
)
config(
    "settings that hold together only are taken up together",
    "        if error is None:\n            return found\n",
    "",
    LIVE + "test_what_holds_together_only_is_taken_up_together_after_a_restart",
)
config(
    "who changes a setting knows what others have set",
    "            self._take_over(await self._store.overrides())  # what another process has set just now\n",
    "",
    LIVE + "test_what_another_process_has_set_just_now_is_known_to_who_changes_it",
)
config(
    "true is no number",
    "for name, value in values.items() if _is_bool(value)]",
    "for name, value in values.items() if value is values]",
    "api/test_config.py::test_what_does_not_hold_is_refused_as_a_whole[wanted4-/retention_days]",
)

ROOMS = (delete, gates, registry, retention, sweep, steering, config)

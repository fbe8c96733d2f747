"""Safeguards of stored formats, and of threads that are moved to another version of their workflow."""

from __future__ import annotations

from tests.ablation.safeguard import Room

FORMATS = "unit/domain/test_formats.py::"
CORRUPT = "unit/engine/test_corruption.py::"
MOVING = "unit/engine/test_moving.py::"
UPKEEP = "contracts/test_upkeep.py::"

manifests = Room("app/domain/manifests.py", promise="G14")
manifests(
    "columns are held against what the manifest says of itself",
    "    if told == row or (told is None and checkpoint.format < FORMAT):\n",
    "    if told is not None or (told is None and checkpoint.format < FORMAT):\n",
    FORMATS + "test_a_column_that_was_changed_is_found_and_named",
    CORRUPT + "test_a_manifest_in_the_row_of_another_version_is_not_taken_for_its_own",
)
formats = Room("app/domain/formats.py", promise="G14")
formats(
    "only what is as it was written is upgraded",
    "or not is_text(checkpoint.manifest, checkpoint.sha256):",
    "or not checkpoint.manifest:",
    FORMATS + "test_a_damaged_text_is_not_upgraded_but_found_as_it_was_written",
    UPKEEP + "test_a_digest_that_did_not_hold_is_never_made_to_hold",
)
integrity = Room("app/domain/integrity.py", promise="G14")
integrity(
    "a later format is no damage",
    "    if checkpoint.format > FORMAT:  # of which nothing else can be said\n",
    "    if checkpoint.format < 0:\n",
    FORMATS + "test_a_later_format_is_no_damage_and_is_refused_by_its_name",
    CORRUPT + "test_what_a_later_release_has_written_is_left_to_it_and_not_put_aside",
)
integrity(
    "the parent of a damaged row is the one that its text names",
    "    if told is None or told[0] != checkpoint.version:\n",
    "    if told is None or told is not None:\n",
    CORRUPT + "test_a_head_whose_columns_lie_gives_way_to_the_parent_that_its_text_names",
)
takeup = Room("app/engine/takeup.py", promise="G14")
takeup(
    "a thread of a later format is let go of",
    "            await self._leave(thread, error)\n            return None\n",
    "            raise error\n",
    CORRUPT + "test_what_a_later_release_has_written_is_left_to_it_and_not_put_aside",
)
inspection = Room("app/engine/inspection.py", promise="G14")
inspection(
    "what a later release has written is not put aside",
    'if finding.kind != "format"]',
    'if finding.kind != ""]',
    CORRUPT + "test_a_later_format_off_the_timeline_keeps_nothing_from_being_repaired",
)
moving = Room("app/engine/moving.py")
moving(
    "a start with a delay keeps it when it is moved",
    "return max(begins, self._draft.at) if begins is not None else self._draft.at",
    "return self._draft.at",
    MOVING + "test_a_start_with_a_delay_begins_when_it_would_have",
)
moving(
    "an imported thread does not go back behind a move that nobody can compare",
    "if execution is not None and await _was_moved_since(reads, execution):",
    "if execution is None:",
    "unit/engine/test_transfer.py::test_a_thread_that_was_moved_comes_in_and_does_not_go_back_to_what_nobody_can_compare",
)
moving(
    "what was done must be the same in both versions",
    "[*misfits(self._pair, refs), *obstacles(self._pair, self._runs(rows, refs), asked, refs)]",
    "[*obstacles(self._pair, self._runs(rows, refs), asked, refs)]",
    MOVING + "test_what_was_done_or_runs_and_is_not_the_same_keeps_a_thread_where_it_is",
)
moving(
    "what is open must be the same in both versions",
    "[*misfits(self._pair, refs), *obstacles(self._pair, self._runs(rows, refs), asked, refs)]",
    "[*misfits(self._pair, refs)]",
    MOVING + "test_what_was_done_or_runs_and_is_not_the_same_keeps_a_thread_where_it_is",
)
moving(
    "a thread is moved from where it was when it was looked at",
    "if thread.definition_id != known.definition_id or thread.status not in command.statuses:",
    "if thread.status not in command.statuses:",
    MOVING + "test_two_migrations_at_once_move_a_thread_once",
)
moving(
    "a thread that ended meanwhile is not moved",
    "if thread.definition_id != known.definition_id or thread.status not in command.statuses:",
    "if thread.definition_id != known.definition_id:",
    MOVING + "test_a_step_that_ends_in_between_counts_as_done_and_must_fit",
)
moving(
    "a changed step begins under a new key",
    "exclude=changed | set(refs.ended()))",
    "exclude=set(refs.ended()))",
    MOVING + "test_a_failed_thread_stays_failed_and_a_resume_does_the_mended_step",
    promise="G2",
)
moving(
    "a wish to pause outlives a move",
    "        transition.clear_signal = False  # a wish to pause or to cancel is not met by this\n",
    "",
    MOVING + "test_a_wish_to_pause_outlives_the_move",
)
moving(
    "a state of another version is not gone on from unless it fits",
    "    if reasons:\n        told = [",
    "    if not reasons:\n        told = [",
    MOVING + "test_a_rollback_or_fork_to_a_state_that_does_not_fit_is_refused",
)
definite = Room("app/engine/definite.py")
definite(
    "nobody is steered by a definition that is not the thread's any more",
    "                if steering.thread.definition_id != known.definition_id:\n",
    "                if steering is None:\n",
    MOVING + "test_a_resume_that_read_the_old_version_is_decided_anew",
)
upkeep = Room("app/store/sql/upkeep.sql", promise="G14")
upkeep(
    "an upgrade touches nothing of a later format",
    "WHERE format < $1 AND",
    "WHERE format <> $1 AND",
    UPKEEP + "test_a_later_format_is_counted_and_left_alone",
)
stream = Room("app/api/thread_stream.py", promise="G6")
stream(
    "last events that are gone end the wait for them",
    '        if self._goal is None or self._cursor >= self._goal:\n            return b""\n        first',
    '        if self._goal is None or self._goal >= 0:\n            return b""\n        first',
    "api/test_stream.py::test_last_events_that_are_gone_are_a_gap_and_the_end_of_the_stream",
)
ROOMS = (manifests, formats, integrity, takeup, inspection, moving, definite, upkeep, stream)

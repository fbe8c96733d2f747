"""Safeguards of time travel: differences, timelines, replays, and threads as files."""

from __future__ import annotations

from tests.ablation.safeguard import Room

REPLAY = "unit/engine/test_replay.py::"
TRANSFER = "unit/engine/test_transfer.py::"
CONTRACT = "contracts/test_travel.py::"

difference = Room("app/engine/difference.py")
difference(
    "a difference that is too large is not read",
    "if weight > MAX_BYTES:",
    "if weight < 0:",
    "unit/engine/test_difference.py::test_what_is_too_much_to_compare_is_refused_before_it_is_read",
)

patches = Room("app/domain/views/patches.py")
patches(
    "what takes too long to tell apart is not told apart",
    "if members > MEMBERS or members**2 > self._left:",
    "if members < 0:",
    "unit/engine/test_difference.py::test_lists_that_take_too_long_to_tell_apart_are_replaced_as_a_whole",
    "unit/engine/test_difference.py::test_many_pairs_share_what_may_be_told_apart",
)

timeline = Room("app/domain/travel.py")
timeline(
    "a timeline ends where a version is gone",
    "if segment is not None and version <= segment.last_version else None",
    "if segment is not None else None",
    CONTRACT + "test_a_timeline_holds_what_the_head_came_from_and_nothing_that_is_gone",
)

replay = Room("app/engine/replay.py")
replay(
    "a step with effects is replayed only if that is allowed",
    "why = await self._effect(step, 0)",
    "why = None",
    REPLAY + "test_what_may_change_something_outside_is_refused_unless_it_is_allowed",
)
replay(
    "the steps of sub-workflows are looked at for effects",
    "        for each in child.steps:",
    "        for each in child.steps[:0]:",
    REPLAY + "test_what_may_change_something_outside_is_refused_unless_it_is_allowed",
)

recall = Room("app/engine/recall.py")
recall(
    "a replay reads no state that is too large",
    "if chain[-1].size_bytes > MAX_BYTES:",
    "if chain[-1].size_bytes < 0:",
    REPLAY + "test_a_state_that_is_too_large_is_not_read",
)
recall(
    "a recorded input is enough where nothing else is needed",
    "if plain and item is None and step.kind in WITH_INPUT:",
    "if plain and item == -1:",
    REPLAY + "test_a_recorded_input_is_enough_where_the_state_is_damaged",
)
recall(
    "templates are filled in from the state that the step saw",
    "head_version=self._version, execution_id=at)",
    "execution_id=at)",
    REPLAY + "test_a_long_input_is_filled_in_from_the_state_that_the_step_saw",
    REPLAY + "test_what_a_rollback_set_is_seen_where_the_step_saw_it",
)

check = Room("app/domain/transfer_check.py", promise="G14")
check(
    "a file holds only as it was written",
    'if row["lines"] != self._number - 1 or row["sha256"] != self._sha.hexdigest():',
    'if row["lines"] != self._number - 1:',
    TRANSFER + "test_every_changed_line_is_seen_by_the_files_digest",
)
check(
    "the outputs in a file hold",
    "self._found(integrity.check_output(record, record.id, record.step_id, completed=completed))",
    "assert record or completed",
    TRANSFER + "test_a_changed_value_is_seen_though_the_file_was_signed_again",
)
check(
    "the manifests in a file hold",
    'self._found(integrity.check_checkpoint(CheckpointRecord(thread_id="", **row)))',
    'CheckpointRecord(thread_id="", **row)',
    TRANSFER + "test_a_changed_value_is_seen_though_the_file_was_signed_again",
)
check(
    "a file is counted",
    "if wrong is not None:",
    "if wrong == 1:",
    TRANSFER + "test_rows_twice_out_of_order_missing_or_cut_off_are_refused",
)
check(
    "a file of a newer format is refused",
    "if isinstance(number, int) and number > FORMAT:",
    "if number == 0:",
    TRANSFER + "test_what_a_newer_release_wrote_is_refused",
)
check(
    "a file that is cut off is refused",
    "        if not self._ended:\n            raise bad",
    "        if self._number < 0:\n            raise bad",
    TRANSFER + "test_rows_twice_out_of_order_missing_or_cut_off_are_refused",
)

lines = Room("app/domain/transfer.py")
lines(
    "a field that is not known is refused",
    "unlike = sorted(told.keys() ^ fields.keys())",
    "unlike = sorted(fields.keys() - told.keys())",
    TRANSFER + "test_a_file_that_does_not_hold_together_is_refused",
)

names = Room("app/domain/transfer_ids.py", promise="G14")
names(
    "manifests of a copy name the copy's runs",
    "entry[0] = self.runs.get(entry[0], entry[0])",
    "entry[0] = str(entry[0])",
    TRANSFER + "test_a_copy_is_renamed_throughout",
)

transfer = Room("app/engine/transfer.py")
transfer(
    "an imported thread does not run by itself",
    "_KEEPS_ITS_STATUS: Final = frozenset({*ENDED, Status.PAUSED})",
    "_KEEPS_ITS_STATUS: Final = frozenset(Status)",
    TRANSFER + "test_a_running_thread_comes_in_paused_and_its_open_step_is_tried_again",
)
transfer(
    "a copy is nobody's sub-workflow",
    'alone = {"parent_thread_id": None, "parent_run_id": None}',
    "alone = {}",
    TRANSFER + "test_a_child_stays_one_where_it_keeps_its_name_and_is_nobodys_as_a_copy",
)
transfer(
    "only so many files come in at a time",
    "if self._uploads >= _UPLOADS:",
    "if self._uploads < 0:",
    TRANSFER + "test_only_so_many_files_come_in_at_a_time",
)

transfer(
    "who sends nothing does not keep others from sending",
    "async with asyncio.timeout(_PATIENCE):",
    "async with asyncio.timeout(None):",
    TRANSFER + "test_who_sends_nothing_does_not_keep_others_from_sending",
)
transfer(
    "two imports at once both come in",
    "except Conflict:  # somebody",
    "except ImportError:  # somebody",
    TRANSFER + "test_two_copies_that_come_in_at_once_both_come_in",
)

spool = Room("app/engine/spool.py")
spool(
    "a packed file is counted as it is unpacked",
    "if self._left < 0:",
    "if self._left is None:",
    "api/test_transfer.py::test_a_file_that_is_too_large_is_refused_packed_or_not",
)

archive = Room("app/store/transfer.py")
archive(
    "the events of an import are new to the feed",
    'more = (await connection.fetchval(_SQL["xact"]),)',
    "more = (1,)",
    CONTRACT + "test_the_events_of_an_import_stand_at_the_end_of_the_feed",
    promise="G6",
)

ROOMS = (difference, patches, timeline, replay, recall, check, lines, names, transfer, spool, archive)

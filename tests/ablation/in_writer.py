"""Safeguards of the store's Python: the group commit, connections, reads, hints, the embedded server."""

from __future__ import annotations

from tests.ablation.safeguard import Room

FLUSH = "store/test_journal.py::"
WRITER = "store/test_writer.py::"

writer = Room("app/store/writer.py", promise="G1")
writer(
    "a lost answer is looked up, not sent again blindly",
    "                await self._recover(batch)",
    "                await self.drop_connection()\n                self._put_back(batch)",
    FLUSH + "test_a_commit_whose_answer_is_lost_counts_once",
)
writer(
    "a commit without an answer is not taken for written",
    "found = threads.get(what.thread_id)",
    "found = (what.new_epoch, what.rev + 1)",
    WRITER + "test_what_never_reached_the_database_is_sent_again",
)
writer(
    "a start without an answer is not taken for written",
    "item.succeed(True) if what.execution.id in executions else lost.append(item)",
    "item.succeed(True)",
    WRITER + "test_what_never_reached_the_database_is_sent_again",
)
writer(
    "a write that another has overtaken is fenced after a lost answer",
    'item.fail(Fenced(f"thread {what.thread_id} has another driver"))',
    "item.succeed(None)",
    FLUSH + "test_a_lost_answer_of_a_thread_that_somebody_took_since_is_fenced",
    promise="G3",
)
writer(
    "a faulty item fails alone",
    "        middle = len(batch) // 2\n",
    "        for item in batch:\n            item.fail(Refused(db.describe(error)))\n        middle = len(batch) // 2\n",
    FLUSH + "test_a_faulty_item_fails_alone",
)
writer(
    "what waits when the service stops is told",
    "            for item in self._waiting:\n                item.fail(",
    "            for item in ():\n                item.fail(",
    FLUSH + "test_closing_while_the_database_is_away_tells_everybody_who_waits",
    promise="G12",
)
gathering = Room("app/store/gathering.py", promise="G1")
gathering(
    "a batch has one move of a thread",
    "if item.thread_id in threads:",
    "if item.thread_id is None:",
    FLUSH + "test_a_batch_has_one_item_of_a_thread_and_keeps_their_order",
)
gathering(
    "what is put back keeps its order",
    "self._items.extendleft(reversed(items))",
    "self._items.extendleft(items)",
    FLUSH + "test_a_batch_has_one_item_of_a_thread_and_keeps_their_order",
)
gathering(
    "a start that was given up is not written later",
    "if item.done.cancelled() and isinstance(item.what, Start):",
    "if item.done.cancelled() and item.what is None:",
    WRITER + "test_a_start_that_was_given_up_is_not_written_later",
    promise="G8",
)
journal = Room("app/store/journal.py", promise="G1")
journal(
    "a start sent twice knows its own",
    "if await reads.execution(start.execution.id) is not None:",
    "if start is None:",
    FLUSH + "test_a_start_that_was_written_before_is_found_to_be_ours",
    promise="G8",
)
journal(
    "steering that finds the row moved is fenced",
    'if any(row["outcome"] != "signal" for row in rows):',
    "if rows is None:",
    WRITER + "test_a_steering_that_decides_on_another_row_is_fenced",
    promise="G7",
)
journal(
    "a key in use refuses a steering",
    "        if taken is None:\n",
    "        if taken is execution_id:\n",
    "contracts/test_transitions.py::test_a_steer_takes_its_key_once[postgres]",
    promise="G8",
)
journal(
    "heartbeats have a line of their own",
    '            return bool(await self.hints.fetch(_QUERIES["heartbeat"], incarnation_id))',
    '            return bool(await self._fetch("heartbeat", incarnation_id))',
    "store/test_hints.py::test_heartbeats_do_not_wait_for_the_pool",
    promise="G3",
)
db = Room("app/store/db.py", promise="G3")
db(
    "commits are synchronous",
    '        "synchronous_commit": "on",  # what was answered is durable, whatever the server\'s default\n',
    "",
    WRITER + "test_commits_wait_for_the_disk_whatever_the_database_is_told",
    promise="G1",
)
db(
    "a frozen process loses its locks",
    '        "idle_in_transaction_session_timeout": "5s",\n',
    "",
    "store/test_locked_rows.py::test_nobody_holds_a_row_for_ever",
)
db(
    "nobody waits for a lock for ever",
    '        "lock_timeout": "5s",\n',
    "",
    "store/test_locked_rows.py::test_nobody_holds_a_row_for_ever",
)
db(
    "an unknown error of a cut connection counts as lost",
    "    asyncpg.InternalClientError,  # what",
    "    # what",
    WRITER + "test_what_a_cut_connection_raises_is_a_lost_answer",
    promise="G13",
)
db(
    "no connection is kept to a server that takes no writes",
    "_WRITABLE: Final = SessionAttribute.read_write",
    "_WRITABLE: Final = SessionAttribute.any",
    "store/test_failover.py::test_no_connection_is_made_to_a_server_that_takes_no_writes",
    promise="G13",
)
reads = Room("app/store/sql/reads.sql", promise="G6")
reads(
    "the feed stops at the oldest open transaction",
    "pg_snapshot_xmin(pg_current_snapshot())",
    "pg_snapshot_xmax(pg_current_snapshot())",
    "store/test_feed.py::test_what_commits_late_is_not_skipped",
)
reads(
    "the feed keeps to its horizon",
    "WHERE xact >= $1 AND xact < $2 AND",
    "WHERE xact >= $1 AND $2::bigint IS NOT NULL AND",
    "store/test_feed.py::test_what_commits_late_is_not_skipped",
)
hints = Room("app/store/hints.py", promise="G6")
hints(
    "after a cut line everything is looked at",
    "        self._tell_all(_EVERYTHING)",
    "        self._busy",
    "store/test_hints.py::test_a_line_that_is_cut_comes_back_and_everything_is_looked_at",
)
hints(
    "a commit is told to other processes",
    "            self._due = self._due or any(map(_due, batch))\n            self._news.set()\n",
    "            self._due = self._due or any(map(_due, batch))\n",
    "store/test_hints.py::test_a_commit_is_told_to_the_others_and_not_to_oneself",
)
registry = Room("app/store/sql/registry.sql")
registry(
    "versions of a definition are given under a lock",
    "SELECT pg_advisory_xact_lock(hashtextextended($1, 0));",
    "SELECT hashtextextended($1, 0);",
    "contracts/test_registry.py::test_registrations_at_once_number_every_content_once[postgres]",
)
embedded = Room("app/store/postgres_process.py")
embedded(
    "the embedded PostgreSQL does not run as root",
    "    if os.geteuid() != 0:\n",
    "    if os.geteuid() >= 0:\n",
    "store/test_embedded.py::test_it_answers_while_it_is_used_and_is_gone_afterwards",
)
cluster = Room("app/store/embedded.py")
cluster(
    "a dead embedded PostgreSQL is started again",
    "            if await _to_the_end(server.revive, on_cancel=server.give_up):",
    "            if server is None:",
    "store/test_embedded.py::test_a_server_that_dies_under_its_service_is_started_again_at_the_same_place",
    promise="G13",
)

ROOMS = (writer, gathering, journal, db, reads, hints, registry, embedded, cluster)

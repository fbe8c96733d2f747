"""Safeguards of the waits: nothing is lost between opening and following, nothing is taken twice."""

from __future__ import annotations

from tests.ablation.safeguard import Room

BOOK = "contracts/test_waits.py::"
WAITS = "unit/engine/test_waits.py::"

book = Room("app/store/sql/waits.sql", promise="G2")
book(
    "a thread takes each message once",
    "    AND NOT EXISTS (SELECT FROM waits AS other WHERE other.thread_id = gate.thread_id AND other.message_sha256 = $10)\n",
    "",
    BOOK + "test_a_thread_takes_each_message_once[postgres]",
)
book(
    "what has ended takes no message",
    "AND gate.topic IS NOT NULL AND thread.thread_id = gate.thread_id AND {waits}\n",
    "AND gate.topic IS NOT NULL AND thread.thread_id = gate.thread_id\n",
    BOOK + "test_what_has_ended_takes_nothing[postgres]",
    promise="G3",
)
book(
    "a run that is over takes no signal",
    "    WHERE {key} AND gate.answered_at IS NULL AND {waits}\n), next AS (",
    "    WHERE {key} AND gate.answered_at IS NULL\n), next AS (",
    BOOK + "test_a_wait_of_a_run_that_is_over_takes_no_signal[postgres]",
    promise="G3",
)
book(
    "a signal of the input before does not count",
    " AND sent.at_seq >= wanting.begin_seq",
    "",
    BOOK + "test_a_signal_from_before_the_input_does_not_count[postgres]",
)
book(
    "a signal is taken once",
    "WHERE sent.thread_id = $1 AND sent.taken_at IS NULL",
    "WHERE sent.thread_id = $1",
    BOOK + "test_a_signal_waits_for_its_wait_and_the_first_goes_first[postgres]",
)
book(
    "what was missed while the log was searched is searched for",
    "CASE WHEN missed AND $6::bigint IS NOT NULL THEN NULL ELSE $6 END",
    "$6::bigint",
    BOOK + "test_the_log_is_searched_anew_where_something_was_missed[postgres]",
)
book(
    "what came while nobody waited is searched for by the next run",
    "looked = NULL, missed = false, idle = false",
    "idle = false",
    BOOK + "test_another_run_of_the_step_waits_anew_from_the_same_beginning[postgres]",
)
book(
    "what rests is awake again when it is waited for anew",
    "missed = false, idle = false, opened_at",
    "missed = false, opened_at",
    BOOK + "test_one_that_rests_is_awake_again_once_somebody_waits_anew[postgres]",
)
book(
    "a run that has ended waits for nothing anew",
    "AND run.id = EXCLUDED.run_id AND run.completed_at IS NULL",
    "AND run.id = EXCLUDED.run_id",
    BOOK + "test_a_run_that_has_ended_does_not_wait_anew[postgres]",
    promise="G3",
)
book(
    "a held row is not waited for",
    "'lock_timeout', '300ms'",
    "'lock_timeout', '20s'",
    "store/test_waits.py::test_a_row_that_somebody_holds_is_not_waited_for",
    promise="-",
)
book(
    "of many who are given a message each takes it once",
    " AND other.message_sha256 = offered.digest)\n    RETURNING",
    " AND false)\n    RETURNING",
    BOOK + "test_many_threads_are_given_something_at_once[postgres]",
)
book(
    "of many who are given a message none takes it that has ended",
    "AND gate.topic IS NOT NULL AND {waits}\n        AND NOT EXISTS",
    "AND gate.topic IS NOT NULL\n        AND NOT EXISTS",
    BOOK + "test_many_threads_are_given_something_at_once[postgres]",
    promise="G3",
)
follow = Room("app/triggers/follow.py", promise="G2")
follow(
    "the follower asks for the end before it asks what is wanted",
    "        end = await self._source.end()\n        patterns = await self._consumer.wants()\n",
    "        patterns = await self._consumer.wants()\n        end = await self._source.end()\n",
    WAITS + "test_nothing_falls_between_the_moments_of_following[wants-open]",
)
follow(
    "who follows for nobody writes its place now and then",
    "        if not found.items and monotonic() < self._write_at:\n            return\n",
    "",
    "unit/triggers/test_follow.py::test_while_nothing_is_wanted_the_place_is_not_written_with_each_look",
    promise="-",
)
giver = Room("app/triggers/waits.py", promise="G2")
giver(
    "nothing newer is given while the log is being searched",
    "if wait.looked is None and await self._waits.book.missed(wait):",
    "if wait.looked == -1:",
    WAITS + "test_a_newer_message_is_not_given_before_an_older_one",
)
giver(
    "one whose thread's row is held is searched for later",
    "await self._waits.book.looked(self._wait, None)",
    "pass",
    WAITS + "test_a_row_that_somebody_holds_holds_nobody_else_up",
)
giver(
    "who died while he searched is stood in for",
    "                    await self._waits.look(wait)\n",
    "                    pass\n",
    WAITS + "test_who_died_before_he_had_searched_is_stood_in_for",
)
desk = Room("app/engine/waits.py", promise="G2")
desk(
    "the search goes on where something was missed",
    "            if await self.book.looked(wait, up_to):\n                break\n",
    "            await self.book.looked(wait, up_to)\n            break\n",
    WAITS + "test_what_was_missed_while_the_log_was_searched_is_searched_for",
)
desk(
    "a condition that cannot be decided fails its own step alone",
    "except (ExpressionError, JsonError, InvalidRequest) as error:",
    "except ZeroDivisionError as error:",
    WAITS + "test_a_bad_condition_fails_its_own_step_alone",
    promise="-",
)
desk(
    "of what many waits of a thread are for each is offered what none of the others has",
    "        async with turn:\n",
    "        if turn:\n",
    WAITS + "test_many_waits_of_one_thread_for_one_topic_cost_little_more_than_their_messages[messages]",
    promise="-",
)
runner = Room("app/runners/wait_for.py", promise="G2")
runner(
    "what was said before the step began is searched for",
    "            if not wait.closed and wait.looked is None:\n                wait = await self._look(wait)\n",
    "",
    WAITS + "test_a_message_from_before_the_step_began_counts",
)
runner(
    "what came in time goes before the timeout",
    "                wait = await self._look(wait)\n                wait = wait if",
    "                wait = wait if",
    WAITS + "test_what_came_in_time_and_was_not_noticed_goes_before_the_timeout",
)
runner(
    "a message that is not what was written is not used",
    "if not wait.sound:",
    "if wait.answer_sha256 is None:",
    WAITS + "test_a_damaged_message_fails_the_step",
    promise="G14",
)
runner(
    "a new input of a thread waits for what comes after it",
    "        if len(births) > 1:\n",
    "        if len(births) > 99:\n",
    WAITS + "test_a_new_input_for_the_thread_begins_anew",
)
ROOMS = (book, follow, giver, desk, runner)

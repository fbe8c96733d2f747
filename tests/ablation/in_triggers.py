"""Safeguards of messages and triggers: each message once for each trigger, nothing passed over, nobody held up, no loop."""

from __future__ import annotations

from tests.ablation.safeguard import Room

BOOK = "contracts/test_messages.py::"
STORE = "contracts/test_triggers.py::"
LOG = "store/test_messages.py::"
RESTORED = "store/test_restored.py::"
WORK = "unit/triggers/test_triggers.py::"

log = Room("app/store/sql/messages.sql")
log(
    "a message is known by its source and id",
    "ORDER BY id, source, seq\nON CONFLICT DO NOTHING",
    "ORDER BY id, source, seq",
    BOOK + "test_a_message_is_known_by_its_source_and_id[postgres]",
)
log(
    "a follower reads only what nothing can come before",
    "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xact\n), looked",
    "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xact\n), looked",
    LOG + "test_what_commits_late_is_not_passed_over",
)
log(
    "what a follower has not passed is not deleted",
    "WHERE m.xact < coalesce((SELECT xact FROM passed), pg",
    "WHERE m.xact < coalesce(NULL, pg",
    BOOK + "test_what_a_follower_has_not_passed_is_not_deleted[postgres]",
)
log(
    "a read of long messages is bounded",
    "WHERE place <= $5 AND before < $7",
    "WHERE place <= $5 AND before < $7 + 1e18",
    BOOK + "test_a_read_of_long_messages_takes_a_few_at_a_time[postgres]",
)
restored = Room("app/store/sql/restored.sql")
restored(
    "events of a restored database keep their order",
    "row_number() OVER (ORDER BY xact) - 1",
    "row_number() OVER (ORDER BY xact DESC) - 1",
    "store/test_restored.py::test_more_transactions_than_there_are_places_keep_their_order",
)
restored(
    "a follower of a restored database begins before what it had reached",
    "SET xact = places.place, thread = '', seq = 0",
    "SET xact = places.place",
    RESTORED + "test_messages_followers_and_triggers_keep_one_order_with_events",
)
restored(
    "a trigger of a restored database means what came after it",
    "UPDATE triggers AS t SET xact = places.place - 1",
    "UPDATE triggers AS t SET xact = places.place + 100000",
    RESTORED + "test_messages_followers_and_triggers_keep_one_order_with_events",
)
book = Room("app/store/messages.py")
book(
    "nothing is kept of messages that were given up",
    "                    self._waiting.remove(item)",
    "                    pass",
    LOG + "test_nothing_is_kept_of_those_that_were_given_up_while_the_server_hangs",
)
store = Room("app/store/sql/triggers.sql")
store(
    "a firing is written once",
    "ORDER BY id\nON CONFLICT DO NOTHING;\n\n-- claim",
    "ORDER BY id\nON CONFLICT (id) DO UPDATE SET outcome = excluded.outcome;\n\n-- claim",
    STORE + "test_a_firing_is_written_once[postgres]",
)
store(
    "a key is held until its window is over",
    "firing_id = CASE WHEN held.until <= $4",
    "firing_id = CASE WHEN held.until <= $4 OR true",
    STORE + "test_of_many_that_want_one_key_at_once_one_gets_it[postgres]",
)
store(
    "a change of a trigger names the one before",
    "AND name = $2 AND rev = $14",
    "AND name = $2 AND $14::bigint IS NOT NULL",
    STORE + "test_a_change_names_the_one_before[postgres]",
)
store(
    "what waits is tried by one process at a time",
    "SET try_at = now() + make_interval(secs => $2::float8) FROM due",
    "SET try_at = f.try_at + 0 * make_interval(secs => $2::float8) FROM due",
    STORE + "test_what_waits_is_got_by_one_when_it_may_be_tried_again[postgres]",
)
work = Room("app/triggers/triggers.py")
work(
    "a message from before the trigger is not meant",
    "            if one.trigger.since < message.place.xact and topics",
    "            if topics",
    WORK + "test_a_message_from_before_the_trigger_is_not_meant",
)
work(
    "what was acted on is not acted on again",
    "            if firing_id(compiled.trigger.id, message) in acted:\n                continue\n",
    "",
    WORK + "test_a_thread_that_was_deleted_is_not_started_again_by_its_message",
)
work(
    "starts that were cut off are not taken for done",
    "        if len(made) < len(wanted):",
    "        if len(made) < 0:",
    WORK + "test_a_crash_between_starts_and_their_record_starts_nothing_twice",
)
work(
    "a message of which nothing came gives its key back",
    "                await self._store.forgo([firing.id])\n                until = None\n",
    "                pass\n",
    WORK + "test_a_message_of_which_nothing_came_holds_no_key",
)
work(
    "messages with one key start one thread",
    "                if not claim.mine:",
    "                if False:",
    WORK + "test_messages_with_one_key_start_one_thread_within_the_window",
)
work(
    "what came of a message is written before its key is had for another",
    "                    await self._store.record(made)\n                end = at",
    "                    pass\n                end = at",
    WORK + "test_messages_of_one_key_in_several_windows_start_each_its_thread_though_it_was_cut_off",
)
work(
    "a message that holds its key already comes to its turn",
    "claim.until if claim.mine or claim.firing_id not in own else None",
    "claim.until",
    WORK + "test_one_that_acts_on_old_messages_beside_another_takes_no_start_away",
)
work(
    "what nobody expects of one message holds up no other",
    "    except Exception as error:  # noqa: BLE001 - what the libraries may raise is not known",
    "    except ZeroDivisionError as error:",
    WORK + "test_a_message_that_nobody_can_judge_is_recorded_and_holds_up_no_other",
)
work(
    "what many triggers want is acted on in parts",
    "            if len(pairs) >= _PAIRS:",
    "            if len(pairs) < 0:",
    WORK + "test_what_many_triggers_want_is_acted_on_a_part_at_a_time",
)
places = Room("app/store/sql/followers.sql")
places(
    "who finds another following writes nothing",
    "WHERE NOT EXISTS (SELECT FROM held)",
    "WHERE true",
    "store/test_followers.py::test_who_finds_another_at_it_locks_nothing",
)
places(
    "one that was followed for by a process that is known no more is free at once",
    "    OR NOT EXISTS (SELECT FROM incarnations WHERE id::text = known.owner)",
    "    OR false",
    "store/test_followers.py::test_who_serves_takes_the_place_of_one_that_is_known_no_more_at_once",
)
kept = Room("app/store/followers.py")
kept(
    "one that hangs is not renewed for ever with the others",
    "if whose == owner and asked > now - seconds]",
    "if whose == owner]",
    "store/test_followers.py::test_one_that_has_not_asked_for_as_long_as_its_lease_is_renewed_by_no_other",
)
store(
    "of each trigger what waits is tried in turn",
    "ORDER BY one.place, one.try_at",
    "ORDER BY one.try_at",
    STORE + "test_one_trigger_of_which_many_wait_leaves_the_others_their_chance[postgres]",
)
waits = Room("app/triggers/waiting.py")
waits(
    "one that waits and cannot be read holds up no other",
    "        except Exception as error:  # noqa: BLE001 - one that cannot be read must not hold up the others",
    "        except ZeroDivisionError as error:",
    WORK + "test_one_that_waits_and_cannot_be_read_fails_and_holds_up_no_other",
)
starting = Room("app/triggers/starting.py")
starting(
    "a thread's id is derived from its cause",
    "        thread_id=thread_id,\n        triggered_by=",
    "        thread_id=str(__import__('uuid').uuid4()),\n        triggered_by=",
    WORK + "test_a_crash_between_starts_and_their_record_starts_nothing_twice",
)
starting(
    "a full queue does not hold up the log",
    "            return waiting(wanted, error.code, error.message)\n        except BackstitchError",
    "            raise\n        except BackstitchError",
    WORK + "test_a_full_queue_holds_up_no_other_trigger_and_loses_nothing",
)
starting(
    "a chain of triggers ends",
    "        if len(chain) >= LONGEST_CHAIN or chain.count(compiled.trigger.id) >= SELF:",
    "        if len(chain) >= 2 * LONGEST_CHAIN:",
    WORK + "test_a_trigger_that_would_start_itself_for_ever_ends",
    WORK + "test_a_long_chain_of_triggers_ends_too",
)
starting(
    "a thread carries the chain that has led to it",
    "        chain=(*chain, trigger.id),",
    "        chain=(),",
    WORK + "test_a_trigger_that_would_start_itself_for_ever_ends",
)
follow = Room("app/triggers/follow.py")
follow(
    "what is written after it was asked what is wanted waits",
    "min(read.place, end))",
    "read.place)",
    WORK + "test_what_is_published_after_it_was_asked_what_is_wanted_is_left_for_the_next_time",
)
follow(
    "what was hinted at and cannot be read yet is looked for soon",
    "self._behind = Behind(until) if end < until else None",
    "self._behind = None",
    "unit/triggers/test_follow_end.py::"
    "test_what_cannot_be_read_yet_since_an_older_transaction_is_open_is_looked_for_soon_and_told_of",
)

ROOMS = (log, book, restored, store, work, places, kept, waits, starting, follow)

patterns = Room("app/domain/topics.py", promise="a mistyped event is told of, and not waited for")
patterns(
    "a pattern on which no event can come is refused",
    '    if is_own(pattern):\n        _check_own(pattern.split(".")[1:])\n',
    "",
    "unit/domain/test_topics.py::test_a_pattern_on_which_no_event_can_come_is_refused",
)
texts = Room("app/mcp_server/lenient.py", promise="a model may write an object as text")
texts(
    "an object that comes as text is read as an object",
    "        return jsontext.loads(given)\n",
    "        return given\n",
    "tools/test_http.py::test_objects_that_come_as_the_text_of_json_are_read",
)

"""Safeguards of the LangGraph SDK drop-in: each message once over cuts, and states that are edited without losing any."""

from __future__ import annotations

from tests.ablation.safeguard import Room

STREAMS = "api/test_langgraph_streams.py::"
TEXTS = "api/test_langgraph_texts.py::"
EDIT = "unit/engine/test_edit.py::"
TAKING = "api/test_langgraph_taking_over.py::"
KEPT = "contracts/test_sdk_threads.py::"
ANY = STREAMS + "test_whoever_joins_after_any_message_gets_all_that_comes_after_it"

stream = Room("app/api/langgraph/stream.py", promise="G6")
stream(
    "the event of a cursor is told again as far as it was not",
    "seen = cursor.seq - 1 if cursor.given else cursor.seq",
    "seen = cursor.seq",
    ANY,
)
stream(
    "a message that was seen is not told again",
    "            if rank > seen\n",
    "            if rank >= 0\n",
    ANY,
)
stream(
    "a cursor of another run says nothing",
    "if known is None or int(known[1]) <= self.first:",
    "if known is None:",
    STREAMS + "test_a_cursor_of_another_run_begins_at_the_beginning",
)
stream(
    "a run is told without those before and after it",
    "        if self._run_id not in (None, event.execution_id):",
    "        if self._run_id is None:",
    STREAMS + "test_a_run_can_be_joined_from_its_beginning_and_after_its_end",
)
passed = Room("app/api/thread_stream.py", promise="G13")
passed(
    "what was gathered before an outage is sent",
    "        except Unavailable:  # the cursor is past",
    "        except ZeroDivisionError:  # the cursor is past",
    STREAMS + "test_a_stream_outlives_an_outage_of_the_store",
)
stream(
    "a stream that the service ends is not complete",
    'if self._stream.complete or message["type"] != "http.response.body"',
    'if True or message["type"] != "http.response.body"',
    "acceptance/test_langgraph_sdk.py::test_a_stream_and_a_wait_outlive_the_service[stop]",
    promise="G12",
)

texts = Room("app/api/langgraph/texts.py", promise="G6")
texts(
    "text that was heard is left out",
    "            return self._take(rest)\n",
    "            return self._take(rest) and text\n",
    TEXTS + "test_whoever_comes_again_hears_the_rest_of_the_same_text",
    STREAMS + "test_a_stream_that_is_cut_goes_on_by_itself",
)
texts(
    "text that is said anew is held against what was heard",
    "(len(head) == self.heard and self.marked == self.digest)",
    "len(head) == self.heard",
    TEXTS + "test_another_text_is_another_message_from_its_beginning",
)

edit = Room("app/engine/edit.py", promise="G4")
edit(
    "an edited START holds all that came before",
    "full=at == START)",
    "full=False)",
    EDIT + "test_a_start_can_be_edited_and_keeps_the_variables_that_were_given",
)
edit(
    "what depends on an edited step begins anew",
    "again = spec.plan.downstream([step.id]) & set(refs.steps)",
    "again = {step.id} & set(refs.steps)",
    EDIT + "test_a_step_is_given_an_output_and_all_that_depends_on_it_begins_anew",
)

kept = Room("app/store/sql/sdk_threads.sql")
kept(
    "a thread whose steps do not all ask is busy",
    "            AND NOT EXISTS (\n                SELECT FROM gates AS gate",
    "            AND false AND NOT EXISTS (\n                SELECT FROM gates AS gate",
    KEPT + "test_a_thread_is_busy_while_a_step_beside_the_gate_goes_on[postgres]",
)
kept(
    "only threads that never ran are cleared away",
    "        AND NOT EXISTS (SELECT FROM threads AS t WHERE t.thread_id = s.thread_id)\n",
    "",
    KEPT + "test_old_threads_that_never_ran_are_cleared_when_others_are_made[postgres]",
)

kept(
    "what is said of a run later does not take away what was said before",
    "SET metadata = r.metadata || excluded.metadata,",
    "SET metadata = excluded.metadata,",
    KEPT + "test_what_is_kept_of_a_run_is_added_to[postgres]",
)

yielding = Room("app/api/langgraph/yielding.py", promise="G7")
yielding(
    "cancelling a run ends no other one",
    "        if thread.execution_id != run_id:\n",
    "        if False:\n",
    TAKING + "test_cancelling_a_run_does_not_end_the_one_that_took_its_place",
)
yielding(
    "what has just gone on is not taken for what stands",
    "        if thread.last_seq != seen.last_seq:\n",
    "        if False:\n",
    TAKING + "test_a_new_input_does_not_end_a_run_that_has_just_been_answered[2]",
)
starting = Room("app/api/langgraph/starting.py", promise="G7")
starting(
    "whoever takes another run's place looks again when that has just ended",
    "if self._wanted.multitask_strategy not in _TAKES_OVER or error.code not in _OVERTAKEN:",
    "if True:",
    TAKING + "test_a_run_begins_also_when_the_one_before_it_ends_at_that_moment[interrupt]",
)
runs = Room("app/api/langgraph/runs.py", promise="G6")
runs(
    "a run that took another's place is told from its own beginning",
    "after = max(begun.after, await _before(services, begun.thread_id, begun.run_id)) if begun.after else 0",
    "after = begun.after",
    TAKING + "test_a_stream_that_took_anothers_place_and_is_cut_at_its_beginning_doubles_nothing",
)
replies = Room("app/api/langgraph/replies.py")
replies(
    "the states of one answer are bounded together",
    "if self._weight > MOST and self._states > 1:",
    "if False:",
    "api/test_langgraph_states.py::test_a_page_of_states_that_weighs_too_much_is_refused",
)

ROOMS = (stream, passed, texts, edit, kept, yielding, starting, runs, replies)

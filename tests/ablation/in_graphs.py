"""Safeguards of graphs as steps: who may write their checkpoints, which is the newest, what is built from stored bytes."""

from __future__ import annotations

from tests.ablation.safeguard import Room

CONTRACT = "contracts/test_graph_checkpoints.py::"
POSTGRES = "store/test_langgraph.py::"
KIND = "unit/runners/test_langgraph.py::"
ASKED = "unit/runners/test_langgraph_interrupts.py::"
SERDE = "unit/runners/test_langgraph_serde.py::"
_LATE = CONTRACT + "test_whoever_has_opened_a_run_before_writes_nothing_any_more"
_MIDDLE = POSTGRES + "test_a_write_that_meets_the_successor_in_the_middle_of_opening_is_refused"

sql = Room("app/store/sql/langgraph.sql", promise="G3")
sql("a graph's writes name the fence", "AND fence = $3 FOR SHARE)", "AND $3::int > 0 FOR SHARE)", _LATE + "[postgres]")
sql(
    "a graph's checkpoint names the fence",
    "SET last_seq = last_seq + 1\n    WHERE thread_id = $1 AND run_key = $2 AND fence = $3\n",
    "SET last_seq = last_seq + 1\n    WHERE thread_id = $1 AND run_key = $2 AND $3::int > 0\n",
    _LATE + "[postgres]",
)
sql(
    "a graph's writes wait for whoever opens its run",
    "AND fence = $3 FOR SHARE)",
    "AND fence = $3)",
    _MIDDLE + "[put_writes]",
)
sql(
    "a graph's run is opened at the thread's epoch only",
    "AND ($3::int IS NULL OR epoch = $3) FOR SHARE",
    "AND ($3::int IS NULL OR epoch > 0) FOR SHARE",
    CONTRACT + "test_a_run_is_opened_only_in_a_thread_that_is_at_the_epoch[postgres-home-2]",
)
sql(
    "the newest checkpoint of a graph is the one stored last",
    "AND ns = $3 ORDER BY seq DESC LIMIT 1",
    "AND ns = $3 ORDER BY checkpoint_id DESC LIMIT 1",
    CONTRACT + "test_the_newest_is_what_was_stored_last_whatever_its_clock_said[postgres]",
)
sql(
    "a special write of a graph is replaced, others are not",
    "    WHERE langgraph_writes.idx < 0\n",
    "",
    CONTRACT + "test_a_write_is_stored_once_but_a_special_one_is_replaced[postgres]",
    promise="G2",
)
memory = Room("app/store/memory_langgraph.py", promise="G3")
memory("a graph's writes in memory name the fence", "held.fence != run.fence or ", "", _LATE + "[memory]")

serde = Room("app/runners/langgraph_serde.py")
serde(
    "nothing is built from a graph's stored bytes that nobody declared",
    "            self._inspect(content)\n",
    "            pass\n",
    SERDE + "test_no_call_in_msgpack_is_made_that_nobody_has_declared",
)
serde(
    "what could not be read again is refused when it is written",
    "        if kind == _MSGPACK:\n            self._inspect(data)\n        return kind, data\n",
    "        return kind, data\n",
    SERDE + "test_a_class_that_nobody_declared_is_refused_when_it_is_written",
)
serde(
    "a graph's stored value is of a kind that is read",
    "        elif kind not in _PLAIN:\n",
    "        elif not kind:\n",
    SERDE + "test_a_pickle_is_never_read",
    SERDE + "test_a_constructor_in_json_is_never_called",
)
questions = Room("app/runners/langgraph_questions.py")
questions(
    "an answer is not handed to a graph twice",
    "if not fresh and any(each.number in self._handed for each in known):",
    "if not known and not fresh:",
    ASKED + "test_an_answer_that_was_taken_up_before_a_crash_is_not_the_answer_to_the_next_question",
)
questions(
    "answers to graphs are told of by later attempts too",
    "                self._attempt.asked.append(gate)\n",
    "                pass\n",
    ASKED + "test_each_answer_is_looked_at_again_by_later_attempts_so_that_events_tell_of_it",
)
attempt = Room("app/runners/langgraph_run.py")
attempt(
    "a superstep of a graph is written before the next begins",
    'durability="sync"',
    'durability="async"',
    KIND + "test_what_a_node_has_done_is_stored_before_the_next_begins",
    promise="G2",
)
attempt(
    "another input is another run of a graph",
    'jsontext.dumps([settings["graph"], self._attempt.input])',
    'jsontext.dumps([settings["graph"]])',
    KIND + "test_another_input_under_the_same_key_is_another_run",
)
attempt(
    "a graph that stopped in its middle has not completed",
    "        if state.next:\n",
    "        if not state:\n",
    ASKED + "test_a_breakpoint_inside_of_a_subgraph_is_a_clear_failure",
)
threads = Room("app/runners/graph_threads.py")
threads(
    "plain nodes of graphs take none of the service's own threads",
    "        if not most:\n",
    "        if most >= 0:\n",
    "unit/runners/test_graph_threads.py::test_nodes_that_hang_leave_the_services_own_threads_alone",
)

ROOMS = (sql, memory, serde, questions, attempt, threads)

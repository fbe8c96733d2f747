"""Safeguards of what looks back: the list of events, log entries, and the net for secrets."""

from __future__ import annotations

from tests.ablation.safeguard import Room

WRITERS = "store/test_event_log.py::test_a_cursor_followed_beside_many_writers_sees_every_event_once"
EVENTS = "contracts/test_event_log.py::"
SECRETS = "unit/engine/test_secrets.py::"
NET = "unit/domain/test_known_secrets.py::"
KEEPING = "unit/telemetry/test_keeping.py::"
LOGS = "contracts/test_logs.py::"

events = Room("app/store/events.py", promise="G5")
events(
    "the list of events waits for older transactions",
    "end = min(present.xact, await",
    "end = min(_LAST, await",
    WRITERS,
)
events(
    "a filter looks at a bounded number of events",
    "        if not _filters(where)[1]:\n            return None\n",
    "        if where.limit:\n            return None\n",
    EVENTS + "test_a_page_looks_at_no_more_than_it_may_and_says_where_to_go_on",
)
events(
    "what a filter has not looked at is not passed over",
    "            return EventPage(items=items, next=last, place=last)\n",
    "            return EventPage(items=items, place=FeedPosition(end, '', 0))\n",
    EVENTS + "test_a_filter_that_looks_at_little_finds_all_in_the_end",
    WRITERS,
)
events(
    "a cursor of the list beyond the end is clamped",
    'after = min(where.after or FeedPosition(0, "", 0), present)',
    'after = where.after or FeedPosition(0, "", 0)',
    EVENTS + "test_a_cursor_of_a_database_that_was_further_begins_at_the_present",
)
reads = Room("app/store/reads.py", promise="G5")
reads(
    "what is left of a thread that is gone hides no event",
    "            if len(found) == wanted:",
    "            if len(found) == wanted and len(items) == limit:",
    "store/test_feed.py::test_what_is_left_of_a_thread_that_is_gone_hides_nothing",
)
listing = Room("app/api/events.py")
listing(
    "a cursor of another list of events is refused",
    "    if not own:\n",
    "    if not own and query.limit == 0:\n",
    "api/test_events.py::test_a_cursor_of_one_list_is_none_of_another",
)

step = Room("app/engine/step.py")
step(
    "an output loses known secrets",
    "text = KNOWN.json(jsontext.dumps(outcome.output))",
    "text = jsontext.dumps(outcome.output)",
    SECRETS + "test_an_output_loses_it_in_every_form",
)
step(
    "an error loses known secrets",
    "    if isinstance(ending, Failed) and KNOWN:\n",
    "    if isinstance(ending, Failed) and KNOWN and not step:\n",
    SECRETS + "test_a_failure_loses_it",
)
step(
    "a session loses known secrets",
    "outcome.session_id and KNOWN.text(outcome.session_id)",
    "outcome.session_id",
    SECRETS + "test_the_session_that_an_outcome_names_loses_it",
)
context = Room("app/engine/context.py")
context(
    "progress loses known secrets",
    "KNOWN.excerpt(jsontext.clean(str(message)[:1_000]))",
    "jsontext.clean(str(message)[:1_000])",
    SECRETS + "test_what_a_step_tells_and_keeps_loses_it",
)
context(
    "a session that is kept loses known secrets",
    "KNOWN.text(plain_text(session_id))",
    "plain_text(session_id)",
    SECRETS + "test_what_a_step_tells_and_keeps_loses_it",
)
context(
    "what is remembered loses known secrets",
    "KNOWN.json(jsontext.dumps(value))",
    "jsontext.dumps(value)",
    SECRETS + "test_what_a_step_tells_and_keeps_loses_it",
)
context(
    "streamed text loses known secrets",
    "            text = self._sieve.take(text)\n",
    "",
    SECRETS + "test_streamed_text_loses_it_however_it_is_cut",
)
context(
    "what the sieve holds back is shown at the end",
    "            self._listener.chunk(self._step, held)\n",
    "            pass\n",
    SECRETS + "test_streamed_text_loses_it_however_it_is_cut",
)
gates = Room("app/domain/gates.py")
gates(
    "a question loses known secrets",
    "_without_secrets(question))",
    "question)",
    SECRETS + "test_a_question_loses_it",
)
problems = Room("app/api/problem.py")
problems(
    "a problem loses known secrets",
    "        body = KNOWN.json(body.decode()).encode()\n",
    "        pass\n",
    "api/test_events.py::test_a_problem_never_tells_a_secret",
)
net = Room("app/domain/known_secrets.py")
net(
    "a secret is found across the pieces of a stream",
    "end = len(text) - self._known.begun(text)",
    "end = len(text)",
    NET + "test_a_sieve_finds_it_across_pieces",
)
net(
    "a stream that ends in the most of a secret does not tell it",
    "return self._known.text(held) if len(held) < _TELLING else MASK",
    "return self._known.text(held)",
    NET + "test_a_sieve_does_not_tell_the_most_of_a_secret_when_the_text_ends_in_it",
)
net(
    "a secret is found inside of base64",
    "    for offset in range(3):\n",
    "    for offset in range(1):\n",
    NET + "test_a_secret_inside_of_base64_is_found_wherever_it_begins",
)
net(
    "a common word is not taken for a secret everywhere",
    "and not is_guessable(value)]",
    "]",
    NET + "test_what_is_guessable_is_not_looked_for",
)
references = Room("app/runners/secret_values.py")
references(
    "a secret that is resolved is known",
    '        KNOWN.learn(found)\n        return f"{ref',
    '        return f"{ref',
    SECRETS + "test_a_reference_is_known_once_it_is_resolved",
)
lines = Room("app/telemetry/logs.py")
lines(
    "what cannot be told on stdout is not told on stderr",
    "    def handleError(",
    "    def handle_error(",
    "unit/telemetry/test_logs.py::test_what_cannot_be_told_tells_no_secret_on_stderr",
)
lines(
    "no secret is logged on stdout",
    "        return KNOWN.json(line) if self._as_json else KNOWN.text(line)\n",
    "        return line\n",
    "unit/telemetry/test_logs.py::test_no_secret_is_told",
)
keeping = Room("app/telemetry/keeping.py")
keeping(
    "no secret is kept in a log entry",
    "[_without_secrets(entry) for entry in batch]",
    "batch",
    KEEPING + "test_no_secret_is_kept",
)
keeping(
    "log entries wait in a bounded buffer",
    "            while len(self._waiting) > self._most or self._size > _MOST_CHARACTERS:\n                self._drop(1)\n\n"
    "    async def listed",
    "\n    async def listed",
    KEEPING + "test_what_was_dropped_is_told_of_when_it_is_over",
)
keeping(
    "log entries wait while the store is away",
    "                    self._take_back(batch)\n                    raise Unavailable",
    "                    raise Unavailable",
    KEEPING + "test_while_the_store_is_away_the_newest_wait_and_the_rest_is_counted",
)
threads = Room("app/runners/python.py")
threads(
    "what a thread logs knows its step",
    "context.run(call, *arguments)",
    "call(*arguments)",
    "unit/engine/test_places.py::test_a_function_s_own_logs_tell_of_its_attempt",
)
book = Room("app/store/logs.py")
book(
    "a page of log entries ends where the next one begins",
    '            values += last\n            filters += f" AND (at, id) >= (${len(values) - 1}, ${len(values)}::uuid)"\n',
    "            pass\n",
    "store/test_logs.py::test_every_page_begins_where_the_one_before_has_ended[False]",
)
rotation = Room("app/store/sql/logs.sql")
rotation(
    "log entries are dropped by their size",
    "FROM sums WHERE bytes > $2::bigint)",
    "FROM sums WHERE bytes > $2::bigint AND false)",
    LOGS + "test_of_too_many_the_oldest_are_dropped",
)
coded = Room("app/engine/coded.py")
coded(
    "secrets are no part of why a workflow in Python failed",
    'KNOWN.text(f"{type(error).__name__}: {error}")[:4_000]',
    'f"{type(error).__name__}: {error}"[:4_000]',
    SECRETS + "test_what_a_workflow_in_python_gives_or_raises_loses_it",
)
ending = Room("app/engine/ending.py")
ending(
    "secrets are no part of what a workflow in Python gives",
    "KNOWN.json(jsontext.dumps(course.output()))",
    "jsontext.dumps(course.output())",
    SECRETS + "test_what_a_workflow_in_python_gives_or_raises_loses_it",
)
STEPS = "api/test_steps.py::"
steer = Room("app/api/steer.py", promise="G8")
steer(
    "a dry resume changes nothing",
    "    if wanted.dry_run:\n        return await _resume_ahead(services, command)\n",
    "",
    STEPS + "test_a_dry_resume_tells_what_would_run_and_changes_nothing[memory]",
)
steer(
    "a dry rollback changes nothing",
    "    if wanted.dry_run:\n        return await _rollback_ahead(services, command)\n",
    "",
    STEPS + "test_a_dry_rollback_tells_what_it_would_undo_do_and_leave[memory]",
)
graph = Room("app/domain/views/graph.py", promise="-")
graph(
    "the graph tells no password of a URL",
    'return _USER.sub(r"\\g<scheme>", url)',
    "return url",
    "unit/domain/test_graph.py::test_a_label_is_what_the_step_calls_without_secrets[does0-GET https://host:8/a/b]",
)

listed = Room("app/store/sql/threads.sql")
listed(
    "an execution that another has taken the place of is no entry of the list of threads",
    "AND t.execution_id = e.id\n",
    "\n",
    "contracts/test_thread_list.py::test_each_thread_is_listed_once_and_what_is_resumed_comes_to_the_top[postgres]",
)
listed(
    "a text is looked for in so many bytes of inputs at a time",
    "WHERE e.before IS NULL OR e.before <= $7::bigint",
    "WHERE $7::bigint >= 0",
    "store/test_thread_list.py::test_long_inputs_are_searched_a_few_at_a_time",
)
listed(
    "of one workflow its own index is read",
    "ORDER BY e.status, e.created_at DESC, e.id DESC",
    "ORDER BY e.created_at + interval '0', e.id DESC",
    "store/test_thread_list.py::test_a_page_reads_little_more_than_it_shows",
)
title = Room("app/domain/views/title.py")
title(
    "no title is made of a secret",
    "for name, one in value.items() if not is_secret(name, in_query=True)",
    "for name, one in value.items() if name or not is_secret(name, in_query=True)",
    "unit/domain/test_title.py::test_a_secret_is_never_shown",
)

ROOMS = (
    *(coded, ending, listed, title),
    *(events, reads, listing, step, context, gates, problems, net, references),
    *(lines, keeping, threads, book, rotation),
    steer,
    graph,
)

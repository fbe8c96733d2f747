"""Safeguards of the Python client: what it sends again, and what it has seen."""

from __future__ import annotations

from tests.ablation.safeguard import Room

REQUESTS = "client/test_requests.py::"
THREADS = "client/test_threads.py::"
ORIGINS = "api/test_cross_origin.py::"

service = Room("app/client/service.py", promise="G8")
service(
    "every start of the client has a key",
    "        key = idempotency_key or str(uuid.uuid4())\n",
    "        key = idempotency_key\n",
    REQUESTS + "test_a_start_that_was_cut_off_is_sent_again_with_its_key",
    REQUESTS + "test_every_start_has_a_key_of_its_own_or_the_one_given",
)
service(
    "a thread that is resumed while the list is read is given once",
    'if entry["thread_id"] not in seen:',
    'if entry["thread_id"]:',
    "client/test_threads.py::test_threads_come_once_from_all_pages_with_their_entries",
)

connection = Room("app/client/http.py", promise="-")
connection(
    "what may have been done is not sent again",
    "and (repeatable or not error.sent)",
    "and (repeatable or error is not None)",
    REQUESTS + "test_what_may_have_been_done_is_not_done_again",
)
connection(
    "a refusal that may have been carried out is not sent again",
    "return repeatable and (error.status in PASSING",
    "return (error.status in PASSING",
    REQUESTS + "test_what_may_have_been_done_is_not_done_again",
)
connection(
    "a start in flight is asked for again",
    " or error.code == _IN_FLIGHT)",
    ")",
    REQUESTS + "test_a_start_whose_first_try_is_still_handled_is_asked_again",
    promise="G8",
)

connection(
    "a name leads to no other route",
    'name.replace(".", "%2E") if name in {".", ".."} else quote(name, safe="@")',
    'quote(name, safe="@")',
    REQUESTS + "test_a_name_cannot_lead_to_another_route",
)
connection(
    "the password of an address is not told",
    '        self.url = _without_user(url.rstrip("/"))\n',
    '        self.url = url.rstrip("/")\n',
    REQUESTS + "test_the_password_in_an_address_is_sent_and_not_told",
)

stream = Room("app/client/stream.py", promise="G6")
stream(
    "the client's reader goes on after the last event",
    "if self._cursor else {}",
    "if self._cursor < 0 else {}",
    THREADS + "test_waiting_is_told_of_the_end_by_the_stream",
)
stream(
    "the client drops an event that it has seen",
    "elif event.seq > self._cursor:",
    "elif event.seq > 0:",
    "cli/test_watch.py::test_an_event_that_comes_again_is_not_shown_again",
)
stream(
    "the client tells a text once",
    "        if place not in self._stale:",
    "        if place is not None:",
    THREADS + "test_the_text_of_a_step_comes_once_across_cuts",
)

stream(
    "a thread that was resumed during a cut has not ended",
    '        self._last = ""\n        try:',
    "        try:",
    THREADS + "test_a_thread_that_was_resumed_during_a_cut_has_not_ended",
)
stream(
    "events of a database that was put back are told",
    "                    self._look(event)\n",
    "",
    THREADS + "test_events_go_on_when_the_database_was_put_back_in_between",
)

blocking = Room("app/client/sync.py", promise="-")
blocking(
    "closing the client ends what is waited for",
    "others = asyncio.all_tasks() - {asyncio.current_task()}",
    "others = set[asyncio.Task[Any]]()",
    "client/test_sync.py::test_closing_it_ends_what_other_threads_wait_for",
)

threads = Room("app/client/threads.py", promise="-")
threads(
    "waiting outlives an outage",
    "            found = await self._surely()\n",
    "            found = await self.status()\n",
    THREADS + "test_waiting_outlives_an_outage_and_ends_with_a_refusal",
)

origins = Room("app/api/cross_origin.py", promise="-")
origins(
    "no page of another origin is let in unless it is named",
    "    if not origins:\n        return []\n",
    "    origins = origins or ('*',)\n",
    ORIGINS + "test_without_origins_nothing_stands_before_the_routes",
)

ROOMS = (service, connection, stream, blocking, threads, origins)

"""Safeguards of the traces, the health and the pool."""

from __future__ import annotations

from tests.ablation.safeguard import Room

TRACES = "unit/engine/test_traces.py::"
OTLP = "unit/telemetry/test_otlp.py::"
HEALTH = "unit/telemetry/test_health.py::"
POOL = "store/test_pool.py::"

parameters = Room("app/domain/parameters.py")
parameters(
    "a resume stays in the trace of what it goes on with",
    "return self if kind in WITH_INPUT else replace(self, trace=_trace_after(old))",
    "return self if kind in WITH_INPUT else replace(self)",
    TRACES + "test_a_resume_stays_in_the_trace_of_what_it_goes_on_with",
)
birth = Room("app/engine/birth.py")
birth(
    "the trace of a caller is kept with the execution",
    "execution.parameters = asked.text()",
    "pass",
    TRACES + "test_a_caller_that_is_traced_has_the_execution_in_its_trace_also_after_a_kill_and_a_resume",
)
traces = Room("app/telemetry/traces.py")
traces(
    "the root span has an id that every process works out",
    "self._outlet.ids.use(own)",
    "pass",
    TRACES + "test_after_a_kill_another_process_goes_on_in_the_same_trace",
)
traces(
    "a span tells the kind of an error and not its words",
    "spans.failed(span, ending.error.kind)",
    "spans.failed(span, ending.error.message)",
    TRACES + "test_nothing_that_was_asked_answered_or_complained_of_is_in_a_span",
)
traces(
    "the end of what was not driven here is looked up",
    "self._owed.append(execution_id)",
    "pass",
    TRACES + "test_the_end_of_what_was_never_driven_here_is_told_of_too",
)
traces(
    "an end that cannot be looked up takes nothing down",
    "                except Exception:  # noqa: BLE001 - one that",
    "                except InterruptedError:  # one that",
    TRACES + "test_an_end_that_cannot_be_looked_up_takes_nothing_down",
)
otel = Room("app/telemetry/otel.py")
otel(
    "a share of the traces is taken by bits that are evenly spread",
    "mixed = (low ^ low >> 29) * _SPREAD & _LOW",
    "mixed = trace_id",
    TRACES + "test_a_share_of_the_traces_is_a_share_though_ids_are_uuids",
)
otel(
    "a collector that does not answer holds up the end so long and no longer",
    "closing.join(seconds)",
    "closing.join()",
    OTLP + "test_a_collector_that_never_answers_does_not_hold_up_the_end",
    promise="G12",
)
health = Room("app/telemetry/health.py")
health(
    "a part that hangs does not hang the health",
    "async with asyncio.timeout(self._limit), self._looking:",
    "async with asyncio.timeout(None), self._looking:",
    HEALTH + "test_a_part_that_hangs_is_unavailable_and_holds_up_nothing",
)
health(
    "no secret is told in the words of a part",
    "detail = detail.replace(text, _MASK)",
    "pass",
    HEALTH + "test_a_secret_in_the_words_of_a_part_is_hidden",
)
parts = Room("app/telemetry/parts.py")
parts(
    "a file system that does not answer holds up one thread",
    "        if self._looking:\n            return",
    "        if False:\n            return",
    HEALTH + "test_a_file_system_that_does_not_answer_holds_up_one_thread_only",
)
pool = Room("app/store/pool.py")
pool(
    "a wait for a connection ends by no limit",
    "connection = await self._inner.acquire()",
    "connection = await self._inner.acquire(timeout=0.5)",
    POOL + "test_an_exhausted_pool_slows_and_does_not_fail",
)
pool(
    "who stops waiting is not counted on",
    "        finally:\n            self._waiting -= 1",
    "        finally:\n            pass",
    POOL + "test_who_stops_waiting_leaves_nothing_behind",
)
admission = Room("app/engine/admission.py")
admission(
    "who waits in a line that moves is not sent away",
    "if loop.time() < until:",
    "if loop.time() < came_at:",
    "unit/engine/test_queues.py::test_who_waits_for_a_turn_in_a_line_that_moves_gets_it",
)

ROOMS = (parameters, birth, traces, otel, health, parts, pool, admission)

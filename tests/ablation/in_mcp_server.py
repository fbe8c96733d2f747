"""Safeguards of the MCP server, of the long poll that it follows threads by, and of the tokens for streams."""

from __future__ import annotations

from tests.ablation.safeguard import Room

POLL = "api/test_polling.py::"
TICKETS = "unit/domain/test_tickets.py::"
HTTP = "tools/test_http.py::"
WORKFLOWS = "tools/test_workflow_tools.py::"

polling = Room("app/api/polling.py", promise="G6")
polling(
    "a poll subscribes before it reads",
    "                await _news(subscription, page.after, min(left, _SILENCE))",
    "                with services.bus.subscribe(thread_id) as late:\n"
    "                    await _news(late, page.after, min(left, _SILENCE))",
    POLL + "test_an_event_between_reading_and_waiting_is_not_lost",
)
polling(
    "after a silence a poll asks the table",
    "min(left, _SILENCE)",
    "left",
    POLL + "test_events_of_other_processes_are_found_after_a_silence",
)
polling(
    "a poll ends with the service",
    "or left <= 0 or streams.closing:",
    "or left <= 0:",
    POLL + "test_a_service_that_shuts_down_does_not_wait",
)
polling(
    "a thread is done once all of it was told",
    "self.thread.status in ENDED and self.next >= self.thread.last_seq",
    "self.thread.status in ENDED",
    POLL + "test_a_thread_that_has_ended_is_done_once_all_was_told",
)
polling(
    "a poll's cursor beyond the head is clamped",
    "after = min(query.after, thread.last_seq)",
    "after = query.after",
    POLL + "test_a_thread_that_has_ended_is_done_once_all_was_told",
)

tickets = Room("app/domain/tickets.py", promise="a token opens one thread's stream, for a while")
tickets(
    "a ticket is signed",
    "or not hmac.compare_digest(_bytes(mac), _mac(key, said))",
    "or not mac",
    TICKETS + "test_a_ticket_of_another_key_is_refused",
)
tickets(
    "a ticket's time is over once",
    "if float(parts[1]) <= now:",
    "if float(parts[1]) < 0:",
    TICKETS + "test_a_ticket_holds_for_its_thread_until_its_time_is_over",
)
tickets(
    "a ticket is for one thread",
    "if _bytes(parts[2]).decode() != thread_id:",
    "if not parts[2]:",
    TICKETS + "test_a_ticket_is_of_no_use_for_another_thread",
)

keys = Room("app/store/keys.py", promise="a token opens one thread's stream, for a while")
keys(
    "of keys that are made at once the first holds",
    '            found = await self._fetch("find", name)\n        return',
    '            found = [{"key": secrets.token_bytes(KEY_BYTES)}]\n        return',
    "contracts/test_keys.py::test_processes_that_ask_at_once_get_the_same_key",
)

starting = Room("app/mcp_server/starting.py", promise="G8")
starting(
    "a model's key reaches the start",
    "idempotency_key=key, **more",
    "**more",
    HTTP + "test_a_retry_with_the_same_key_starts_nothing_twice",
)
annex = Room("app/mcp_server/annex.py", promise="a client goes on after a restart")
annex(
    "MCP over HTTP keeps no session",
    "stateless=True",
    "stateless=False",
    HTTP + "test_a_client_of_before_with_a_session_of_before_goes_on",
)
annex(
    "hosts and origins are checked",
    "enable_dns_rebinding_protection=options.hosts is not None",
    "enable_dns_rebinding_protection=False",
    HTTP + "test_other_hosts_and_origins_are_turned_away",
)
tasks = Room("app/mcp_server/tasks.py", promise="a question is answered once, by whom it was put to")
tasks(
    "a question that is asked anew has another key",
    """/{gate['opened_at']}\"""",
    '"',
    "unit/mcp_server/test_tasks.py::test_a_question_that_is_asked_anew_has_another_key",
)
tasks(
    "a question that was declined stays open",
    'if given.get("action") != "accept":',
    "if not given:",
    WORKFLOWS + "test_a_question_that_was_declined_stays_open_and_the_task_can_be_cancelled",
)

arguments = Room("app/mcp_server/arguments.py", promise="a tool does what its arguments say, and nothing else")
arguments(
    "a thread id leads to no other route",
    "if THREAD_ID.match(given) is None:",
    "if not given:",
    HTTP + "test_every_error_says_what_is_wrong_and_what_to_do",
)
reading = Room("app/mcp_server/reading.py", promise="a tool does what its arguments say, and nothing else")
reading(
    "a key that is none is refused, not passed over",
    '    raise Refused("invalid_arguments", f"{_IN_META} in _meta should be 1 to 255 printable ASCII characters")',
    "    return None",
    WORKFLOWS + "test_one_key_in_the_call_starts_one_thread",
)
workflows = Room("app/mcp_server/workflows.py", promise="a tool does what its arguments say, and nothing else")
workflows(
    "no two workflows are one tool",
    """    return f"{name[: _LONGEST_NAME - _MARK - 1]}_{mark}\"""",
    "    return name if mark else mark",
    WORKFLOWS + "test_workflows_whose_names_would_be_one_are_two_tools",
)
server = Room("app/mcp_server/server.py", promise="the service outlives what goes wrong beside it")
server(
    "a look at the workflows that fails does not end the watch",
    "        except ClientError:\n            pass\n        except Exception:",
    "        except ClientError:\n            pass\n        except ZeroDivisionError:",
    WORKFLOWS + "test_a_look_at_the_workflows_that_fails_is_not_the_last",
)

ROOMS = (polling, tickets, keys, starting, annex, tasks, arguments, reading, workflows, server)

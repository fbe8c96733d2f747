"""Safeguards of the sessions with MCP servers: what is sent, what is told, who is spared, and that processes end."""

from __future__ import annotations

from tests.ablation.safeguard import Room

SERVERS = "unit/runners/test_mcp_servers.py::"
STEPS = "acceptance/test_mcp_steps.py::"
EXAMPLE = "unit/test_example_server.py::"
NOTES = "unit/examples/test_release_notes.py::"

session = Room("app/runners/mcp_session.py")
session(
    "a call carries the key of its step",
    "meta={KEY: key},",
    "meta={},",
    SERVERS + "test_an_endpoint_of_today_with_progress_cancellation_and_changes",
    promise="G2",
)
session(
    "a complaint of a tool tells no secret",
    "return replace(result, text=self.config.redact(result.text)) if result.is_error else result",
    "return replace(result)",
    SERVERS + "test_a_complaint_of_a_tool_tells_no_secret_of_the_operators_file",
)
session(
    "arguments that do not match never reach a server",
    "        await self._check(tool, arguments)\n",
    "",
    SERVERS + "test_an_unknown_server_tool_and_wrong_arguments_never_reach_a_server",
)
session(
    "a change of the tools is followed",
    "        if isinstance(message, ToolListChangedNotification):\n",
    "        if message is None:\n",
    SERVERS + "test_a_change_of_the_tools_is_followed",
)
session(
    "a server that nobody configured only reads",
    "if only is None or tool.name in only]",
    "if only is None or tool.name]",
    EXAMPLE + "test_it_only_reads",
)
servers = Room("app/runners/mcp_servers.py")
servers(
    "a server that nobody configured is not started before it is used",
    "            if server.config.only is None:\n                server.start()",
    "            server.start()",
    EXAMPLE + "test_it_is_neither_started_nor_told_of_until_it_is_used",
)
servers(
    "a session that was lost is opened again",
    "        self._timer = loop.call_later(seconds, self.start)\n",
    "",
    SERVERS + "test_a_process_that_is_killed_while_nobody_calls_is_replaced",
)
servers(
    "a session that is being opened is given up at the end",
    "                task.cancel()\n        return list(self._tasks.values())",
    "                pass\n        return []",
    SERVERS + "test_closing_does_not_wait_for_a_server_that_never_shook_hands",
)
servers(
    "a result has a limit",
    "        if size > self._max_bytes:",
    "        if size < 0:",
    SERVERS + "test_an_answer_that_is_too_long_fails_its_call_alone",
)
stdio = Room("app/runners/mcp_stdio.py")
stdio(
    "a server that hears nothing is killed",
    "            self._signal(signal.SIGKILL)\n",
    "",
    SERVERS + "test_closing_ends_the_processes_also_one_that_hears_nothing",
)
stdio(
    "what a server says is told without secrets",
    "                    text = self._config.redact(text)\n",
    "",
    SERVERS + "test_secrets_are_taken_out_of_what_a_server_says",
)
stdio(
    "a server is told no variable of the service",
    "environment = {**get_default_environment(), **self._config.env}",
    "environment = {**os.environ, **self._config.env}",
    SERVERS + "test_a_server_sees_its_own_variables_and_none_of_the_services",
)
lines = Room("app/runners/mcp_lines.py")
lines(
    "an answer that is too long ends its call",
    "        return int(found[1]) if found else None",
    "        return None",
    SERVERS + "test_an_answer_that_is_too_long_fails_its_call_alone",
)
http = Room("app/runners/mcp_http.py")
http(
    "a request that is lost fails no other",
    "            if not self._isolating:\n",
    "            if error:\n",
    SERVERS + "test_a_request_that_is_lost_on_the_way_fails_no_other",
)
http(
    "an answer over HTTP has a limit",
    "if self._limit is not None and size > self._limit:",
    "if size < 0:",
    SERVERS + "test_an_answer_of_an_endpoint_that_is_too_long_fails_its_call",
)

notes = Room("app/examples/release_notes/place.py")
notes(
    "release notes stay within their folder",
    "not file.is_relative_to(top) or ",
    "",
    NOTES + "test_the_file_cannot_be_outside_of_its_folder",
)
notes(
    "release notes that are there already are left alone",
    "written = not (file.is_file() and file.read_bytes() == raw)",
    "written = True",
    NOTES + "test_notes_are_written_whole_and_a_second_time_not_at_all",
)
ROOMS = (session, servers, stdio, lines, http, notes)

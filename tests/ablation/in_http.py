"""Safeguards of what goes outside: addresses, redirects, sizes, streams, secrets, and the processes of Claude Code."""

from __future__ import annotations

from tests.ablation.safeguard import Edit, Room

HTTP = "unit/runners/test_http.py::"
ADDRESSES = "unit/runners/test_addresses.py::"
CLIENT = "unit/runners/test_http_client.py::"
BODIES = "unit/runners/test_http_bodies.py::"
STREAMS = "unit/runners/test_http_streams.py::"
AGENT = "unit/runners/test_http_agent.py::"
ASIDE = "unit/runners/test_aside.py::"
CLAUDE = "unit/runners/test_claude_code_config.py::"
PROCESSES = "unit/runners/test_processes.py::"

addresses = Room("app/runners/addresses.py")
addresses(
    "a private address is refused",
    "    refuse_private(host, found)\n",
    "",
    HTTP + "test_a_private_address_is_refused_also_behind_a_name",
    ADDRESSES + "test_no_way_to_write_a_private_address_is_let_through",
)
addresses(
    "an address inside another is judged too",
    "    if inside is not None and not is_public(inside):\n        return False\n",
    "",
    HTTP + "test_only_addresses_of_the_open_internet_are_public",
)
addresses(
    "an address that is public only by its number is refused",
    '        "168.63.129.16/32",\n',
    "",
    ADDRESSES + "test_what_is_special_is_not_public",
)
addresses(
    "every address of a name is checked",
    "    refuse_private(host, found)\n    return",
    "    refuse_private(host, found[:1])\n    return",
    ADDRESSES + "test_every_address_of_a_name_is_checked",
)
addresses(
    "the connection goes to the address that was checked",
    "self._inner.connect_tcp(address, port,",
    "self._inner.connect_tcp(host, port,",
    ADDRESSES + "test_the_connection_goes_to_the_address_that_was_checked",
)
addresses(
    "connections are pooled by name, not by address",
    "                network_backend=CheckedBackend(),\n            )\n",
    "                network_backend=CheckedBackend(),\n            )\n\n"
    "    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:\n"
    "        address = (await _checked_addresses(request.url.host, 80, None))[0]\n"
    "        request.url = request.url.copy_with(host=address)\n"
    "        return await super().handle_async_request(request)\n",
    ADDRESSES + "test_two_names_at_one_address_share_no_connection",
)
client = Room("app/runners/http_client.py")
client(
    "a redirect is checked again",
    "            call = redirected(call, response.status_code, location)\n",
    "            call = redirected(call, response.status_code, location)\n"
    "            transport = self._transport(allow_private=True)\n",
    ADDRESSES + "test_a_redirect_leads_to_no_private_address",
)
client(
    "no redirect leads from https to http",
    'if call.url.scheme == "https" and url.scheme == "http":',
    'if call.url.scheme == "gopher":',
    CLIENT + "test_nothing_leads_from_https_to_less_or_to_what_is_no_plain_url",
)
client(
    "headers stay with the origin they are meant for",
    "    if _origin(url) != _origin(call.url):\n",
    '    if _origin(url) == ("", "", None):\n',
    CLIENT + "test_only_harmless_headers_go_to_another_origin",
    AGENT + "test_a_redirect_keeps_the_key_and_leaves_the_secrets_behind",
)
client(
    "private and public connections are apart",
    "            self._transports[allow_private] = Transport(allow_private=allow_private)\n",
    "            made = next(iter(self._transports.values()), None)\n"
    "            self._transports[allow_private] = made or Transport(allow_private=allow_private)\n",
    AGENT + "test_a_connection_to_a_private_address_serves_nobody_else",
)
bodies = Room("app/runners/http_bodies.py")
bodies(
    "an answer has a limit",
    "            if size > limit:\n",
    "            if size < 0:\n",
    BODIES + "test_a_body_stops_at_its_limit",
    AGENT + "test_what_unpacks_to_too_much_is_refused",
)
bodies(
    "a packed body does not hold everything up",
    "                await asyncio.sleep(0)",
    "                pass",
    BODIES + "test_a_little_that_unpacks_to_much_lets_others_have_their_turn",
)
bodies(
    "a packed body is unpacked in small pieces",
    "self._inner.decompress(raw, _PIECE)\n        self._begun",
    "self._inner.decompress(raw)\n        self._begun",
    BODIES + "test_no_piece_is_larger_than_it_has_to_be",
    also=(
        Edit(
            file="app/runners/http_bodies.py",
            old="        try:\n            return self._inner.decompress(raw, _PIECE)\n",
            new="        try:\n            return self._inner.decompress(raw)\n",
        ),
    ),
)
http = Room("app/runners/http.py")
http(
    "requests carry the key of their step",
    'headers = {"idempotency-key": attempt.context.idempotency_key}',
    "headers: dict[str, str] = {}",
    HTTP + "test_the_output_is_status_headers_and_parsed_body",
    promise="G2",
)
config = Room("app/runners/http_agent_config.py")
config(
    "requests of agents carry the key of their step",
    '    headers["idempotency-key"] = attempt.context.idempotency_key\n',
    "",
    AGENT + "test_the_input_goes_out_as_json_and_the_body_is_the_output",
    promise="G2",
)
config(
    "a value in a URL is one part of it",
    'parts.append(quote(found, safe=""))',
    "parts.append(found)",
    AGENT + "test_url_query_headers_and_body_are_templates",
)
config(
    "agents of the API do not let themselves inside",
    '    return wanted and (allow_private or agent.source in {"code", "file"})\n',
    "    return wanted\n",
    AGENT + "test_a_private_address_is_refused_unless_operator_or_service_allow_it",
)
config(
    "a private address is refused at registration",
    "written_fault(url.host)\n",
    "None\n",
    AGENT + "test_a_private_address_is_refused_when_an_agent_is_registered",
)
config(
    "a secret in a query is in no output",
    '            masks.add(str(httpx.QueryParams({"": value})).removeprefix("="))  # as the URL writes it\n',
    "            pass\n",
    AGENT + "test_a_secret_may_stand_in_the_query_and_is_in_no_output",
)
config(
    "the templates of an agent are counted together",
    "    config, holes = agent.config, holes_of(agent)\n    inside",
    "    config, holes = agent.config, None\n    inside",
    ASIDE + "test_the_holes_of_an_agent_are_counted_together",
)
config(
    "the holes of what a config leaves out are counted too",
    'config.get("output", _OUTPUT), "output"',
    'config.get("output"), "output"',
    ASIDE + "test_the_holes_of_what_an_agent_leaves_out_are_counted_where_it_is_registered_too",
)
asides = Room("app/runners/aside.py")
asides(
    "what is big is read off the loop",
    "if size > BIG else",
    "if size < 0 else",
    ASIDE + "test_what_is_small_is_done_at_once_and_what_is_big_in_a_thread",
    ASIDE + "test_a_big_answer_to_an_agent_is_read_in_a_thread",
    ASIDE + "test_a_big_answer_to_a_step_is_read_in_a_thread",
    ASIDE + "test_a_big_result_of_a_tool_is_read_in_a_thread",
    ASIDE + "test_a_big_body_of_a_request_is_read_in_a_thread",
)
kept = Room("app/runners/per_agent.py")
kept(
    "an agent of many holes that is stored already works",
    ' if agent.source == "api" and agent.version == 0 else None)',
    ")",
    ASIDE + "test_an_agent_of_many_holes_that_is_stored_or_the_operators_own_works",
)
kept(
    "templates are of the version that runs",
    "known[0] is not agent",
    "known[0].name != agent.name",
    ASIDE + "test_what_is_made_of_an_agent_is_made_once_a_version",
)
agent = Room("app/runners/http_agent.py")
agent(
    "the whole exchange has a deadline",
    "            async with asyncio.timeout(limit):\n                return await work\n",
    "            async with asyncio.timeout(limit + 60):\n                return await work\n",
    AGENT + "test_the_whole_stream_has_a_deadline_however_lively_it_is",
)
agent(
    "a secret is in no error",
    "message=masks.text(outcome.error.message)[:_TOLD]",
    "message=outcome.error.message[:_TOLD]",
    AGENT + "test_a_secret_is_in_no_output_and_no_error",
    also=(Edit(file="app/runners/http_agent.py", old="masks.raw(body)", new="body"),),
)
streams = Room("app/runners/http_streams.py")
streams(
    "a stream that breaks off within an event is not whole",
    '        if self._data or rest.startswith("data"):\n',
    "        if len(rest) < 0:\n",
    STREAMS + "test_an_event_without_its_end_is_none",
    AGENT + "test_a_stream_that_ends_before_its_end_is_tried_again",
)
secrets = Room("app/runners/secret_values.py")
secrets(
    "agents of the API name only what is listed",
    'if agent.source == "api" and name not in self.for_api:',
    'if agent.source == "nobody":',
    AGENT + "test_an_agent_of_the_api_names_only_what_is_listed",
)
secrets(
    "a secret is in no chunk, also in pieces",
    "        self._say(self._sieve.take(text))\n",
    "        self._say(self._sieve._known.text(text))\n",
    AGENT + "test_a_secret_is_in_no_chunk_also_in_pieces",
)
claude = Room("app/runners/claude_code_config.py")
claude(
    "agents of the API have no tools",
    "    if not _trusted(agent, house):\n        return []\n",
    "",
    CLAUDE + "test_an_agent_of_the_api_may_not_say_what_it_does_to_this_machine",
    also=(
        Edit(
            file="app/runners/claude_code_config.py",
            old="        for key in sorted(config.keys() - _FOR_ALL):\n",
            new="        for key in sorted(config.keys() - config.keys()):\n",
        ),
    ),
)
claude(
    "a child gets little of the environment",
    'return {name: "" for name in ambient if name not in kept} | own',
    "return own",
    CLAUDE + "test_the_environment_is_blanked_but_for_what_is_needed",
)
claude(
    "what stands in an input is text",
    '        "verbatim_prompts": True,',
    '        "verbatim_prompts": False,',
    CLAUDE + "test_a_plain_agent_has_no_tools_and_a_folder_of_its_own",
)
processes = Room("app/runners/processes.py")
processes(
    "orphans of a step are ended",
    "psutil.process_iter() if",
    "psutil.Process().children(recursive=True) if",
    PROCESSES + "test_children_of_children_end_too_and_nobody_else",
)

ROOMS = (addresses, client, bodies, http, config, asides, kept, agent, streams, secrets, claude, processes)

"""Safeguards of agents of the kind llm: what is not asked or called twice, and where keys and requests do not go."""

from __future__ import annotations

from tests.ablation.safeguard import Edit, Room

TURNS = "unit/runners/test_llm_turns.py::"
FAILURES = "unit/runners/test_llm_failures.py::"
SCHEMA = "unit/runners/test_llm_schema.py::"
CHECK = "unit/runners/test_llm_check.py::"
TEXT = "unit/runners/test_llm.py::"
BOUNDS = "unit/runners/test_llm_bounds.py::"
BIG = "unit/runners/test_llm_big.py::"
TRANSPORT = "unit/runners/test_llm_transport.py::"

kind = Room("app/runners/llm/kind.py")
kind(
    "a model's turn that was remembered is not asked for again",
    "turns = recall(await attempt.context.remembered())",
    "turns = recall({})",
    TURNS + "test_an_answer_that_was_remembered_needs_no_server_at_all",
    promise="G2",
)
talk = Room("app/runners/llm/talk.py")
talk(
    "a tool call of a model that has a result is not made again",
    "enumerate(self.calls, 1) if number not in self.results]",
    "enumerate(self.calls, 1)]",
    TURNS + "test_a_crash_repeats_nothing_that_was_remembered",
    promise="G2",
)
talk(
    "a model's answer has a limit",
    "        if self.size > self.limit:\n",
    "        if self.size < 0:\n",
    BOUNDS + "test_an_answer_without_end_is_given_up",
)
talk(
    "the parts of a model's answer are counted",
    "        if self.parts > MAX_PARTS:\n",
    "        if self.parts < 0:\n",
    BOUNDS + "test_the_parts_of_an_answer_are_counted",
)
talk(
    "the arguments of a model's tool call have a limit",
    "        if self.size > MAX_PART:\n",
    "        if self.size < 0:\n",
    BOUNDS + "test_the_arguments_of_one_tool_call_without_end_are_given_up",
)
talk(
    "the arguments of all tool calls of a model's answer have a limit",
    "        if self.argued > MAX_ARGUMENTS:\n",
    "        if self.argued < 0:\n",
    BOUNDS + "test_the_arguments_of_all_tool_calls_of_an_answer_have_a_limit_together",
)
talk(
    "the arguments of a model's tool call are read once",
    "        if not self.read:\n            self.read.append(self._parsed())\n",
    "        self.read = [self._parsed()]\n",
    BIG + "test_big_arguments_are_read_once_and_in_a_thread[anthropic]",
)
talk(
    "a model's refusal has a limit",
    "            self.count(piece)\n            self.refusal",
    "            self.refusal",
    BOUNDS + "test_a_refusal_without_end_is_given_up",
)
reading = Room("app/runners/llm/reading.py")
reading(
    "an event of a model's answer has a limit",
    "        if size > limit:\n",
    "        if size < 0:\n",
    BOUNDS + "test_an_answer_without_end_is_given_up",
)
reading(
    "a big event of a model's answer is read in a thread",
    "aside(partial(_value, message), len(message.data))",
    "aside(partial(_value, message), 0)",
    BIG + "test_big_arguments_are_read_once_and_in_a_thread",
)
reading(
    "an event of a model's answer holds so many pieces at most",
    "    if len(found) > _MOST_ITEMS:\n",
    "    if len(found) < 0:\n",
    BOUNDS + "test_one_event_cannot_hold_any_number_of_pieces",
)
reading(
    "what a model's provider streams has the types that it should have",
    "    if isinstance(value, kind):\n        return value\n",
    "    if isinstance(value, kind) or value:\n        return value\n",
    BOUNDS + "test_what_cannot_be_read_is_told_and_may_get_better",
)
reading(
    "what a model's provider streams is JSON",
    "    except (ValueError, RecursionError):\n",
    "    except MemoryError:\n",
    BOUNDS + "test_what_cannot_be_read_is_told_and_may_get_better",
)
reading(
    "what comes after a model's answer is not waited for",
    "            async for piece in body:\n                came += len(piece)\n                if came > _REST:\n",
    "            async for piece in body:\n                came += len(piece)\n                if came < 0:\n",
    BOUNDS + "test_what_comes_after_the_end_is_not_waited_for",
    also=(Edit(file="app/runners/llm/reading.py", old="timeout(_REST_TIME)", new="timeout(None)"),),
)
reading(
    "a provider's counts of tokens are such that can be counted",
    "return int(min(value, _MOST_TOKENS)) if value > 0 else 0",
    "return int(value)",
    BOUNDS + "test_no_count_of_a_provider_breaks_a_step",
)
reading(
    "a model's turn can be read again",
    "        jsontext.loads(jsontext.dumps(value))\n",
    "        jsontext.dumps(value)\n",
    BOUNDS + "test_a_call_nested_too_deep_to_be_kept_may_get_better",
)
anthropic = Room("app/runners/llm/anthropic.py")
anthropic(
    "a piece of a model's answer belongs to a block that has begun",
    "        if at is None or at >= len(self._blocks):\n",
    "        if at is None:\n",
    BOUNDS + "test_what_cannot_be_read_is_told_and_may_get_better",
)
anthropic(
    "a block of a model's answer has a limit",
    "    if jsontext.weight(value, MAX_PART) > MAX_PART:\n",
    "    if jsontext.weight(value, MAX_PART) < 0:\n",
    BOUNDS + "test_a_block_does_not_begin_with_any_number_of_values",
)
anthropic(
    "the big blocks of a model's answer are put together in a thread",
    "aside(listener.keep, heard.size)",
    "aside(listener.keep, 0)",
    BIG + "test_big_arguments_are_read_once_and_in_a_thread[anthropic]",
)
openai = Room("app/runners/llm/openai.py")
openai(
    "no more of a model's input is cached than there is",
    'min(heard.input_tokens, tokens(details.get("cached_tokens")))',
    'tokens(details.get("cached_tokens"))',
    BOUNDS + "test_no_more_of_the_input_is_cached_than_there_is",
)
prices = Room("app/runners/llm/prices.py")
prices(
    "what a model costs is a number that can be counted",
    "        ).bounded()\n",
    "        )\n",
    BOUNDS + "test_a_price_without_end_gives_a_cost_that_can_be_counted",
)
loop = Room("app/runners/llm/loop.py")
loop(
    "a model's tokens are counted with its turn",
    "            if heard.input_tokens or heard.output_tokens:\n",
    "            if False:\n",
    TEXT + "test_the_tokens_are_counted_before_the_turn_is_remembered",
)
loop(
    "a model's answer that breaks off is no answer",
    "        if heard.stop is None:\n",
    "        heard.stop = heard.stop or 'end_turn'\n        if heard.stop is None:\n",
    FAILURES + "test_an_answer_that_breaks_off_is_no_answer",
)
loop(
    "a model's turns have a bound",
    ">= self._config.max_turns:",
    "< 0:",
    TURNS + "test_after_max_turns_it_fails_for_good_without_more_calls",
)
loop(
    "a big turn of a model is written down in a thread",
    "aside(partial(self._kept, heard, self._offers), heard.size)",
    "aside(partial(self._kept, heard, self._offers), 0)",
    BIG + "test_big_arguments_are_read_once_and_in_a_thread",
)
loop(
    "a model's big answer is held to the schema in a thread",
    "aside(partial(self._shape.take, turn.text), len(turn.text))",
    "aside(partial(self._shape.take, turn.text), 0)",
    BIG + "test_a_big_structured_answer_is_read_in_a_thread",
)
tooling = Room("app/runners/llm/tooling.py")
tooling(
    "a tool call that fails lets the others end",
    "                failed.append(error)\n",
    "                raise\n",
    TURNS + "test_a_server_that_is_lost_fails_the_attempt_after_the_other_calls_have_ended",
)
structured = Room("app/runners/llm/structured.py")
structured(
    "a model's answer is held to the schema",
    "        problems = validate(self.schema, value)\n",
    "        problems = validate({}, value)\n",
    SCHEMA + "test_an_answer_that_does_not_fit_may_get_better",
)
failures = Room("app/runners/llm/failures.py")
failures(
    "a provider's words tell no key",
    'shown = text.replace(key, "***") if key else text',
    "shown = text",
    FAILURES + "test_no_key_is_told",
    also=(Edit(file="app/runners/llm/failures.py", old='_LIKE_A_KEY.sub("***", shown)', new="shown"),),
)
failures(
    "a model's answer without end is not asked for again",
    "kind=OUTPUT_TOO_LARGE, retryable=False)",
    "kind=OUTPUT_TOO_LARGE)",
    BOUNDS + "test_an_answer_without_end_is_given_up",
)
clients = Room("app/runners/llm/clients.py")
clients(
    "a provider's library does not try again by itself",
    "max_retries=0,",
    "max_retries=2,",
    FAILURES + "test_a_status_has_its_kind",
)
clients(
    "a key is in no request that a provider's library logs",
    '{"Accept-Encoding": "identity", **withheld}',
    '{"Accept-Encoding": "identity", **withheld, **({"Authorization": f"Bearer {key}"} if key else {})}',
    FAILURES + "test_no_key_is_logged_even_at_the_finest_level",
)
clients(
    "connections to a model's provider are made once",
    "        with self._connecting:\n",
    "        if self._connecting:\n",
    BIG + "test_connections_are_made_once_though_who_wanted_them_is_cancelled",
)
clients(
    "a provider's redirect is not followed",
    "follow_redirects=False,",
    "follow_redirects=True,",
    CHECK + "test_a_redirect_is_not_followed",
)
clients(
    "an agent of the API with an address of its own has connections of its own",
    "key, config.chosen_url)",
    "key, False)",
    CHECK + "test_an_agent_of_the_api_may_not_call_private_addresses",
)
clients(
    "a key of the operator's environment goes to no stranger's address",
    'if strangers or name == "Authorization"}',
    'if name == "Authorization"}',
    CHECK + "test_headers_of_the_operators_environment_go_to_no_strangers_address",
)
transport = Room("app/runners/llm/transport.py")
transport(
    "an agent of the API calls no private address",
    "        if strangers and not private:\n",
    "        if limit < 0:\n",
    CHECK + "test_an_agent_of_the_api_may_not_call_private_addresses",
    TRANSPORT + "test_every_address_of_a_name_is_checked",
)
transport(
    "the connection to a stranger's model goes to an address that was checked",
    "                network_backend=CheckedBackend(httpcore2),",
    "                network_backend=httpcore2.AnyIOBackend(),",
    TRANSPORT + "test_the_connection_goes_to_the_checked_address_and_all_else_keeps_the_name",
)
transport(
    "names at one address share no connection to a model",
    "        response = await super().handle_async_request(_stripped(request) if self._strangers else request)\n",
    "        request.extensions = {**request.extensions, 'sni_hostname': request.url.host}\n"
    "        request.url = request.url.copy_with(host='93.184.215.14')\n"
    "        response = await super().handle_async_request(_stripped(request) if self._strangers else request)\n",
    TRANSPORT + "test_two_names_at_one_address_share_no_connection_but_one_name_does",
)
transport(
    "headers of the operator's environment go to no stranger's address",
    ' if name.decode("latin-1").lower() in _SENT]',
    "]",
    CHECK + "test_headers_of_the_operators_environment_go_to_no_strangers_address",
    TRANSPORT + "test_a_stranger_gets_the_headers_that_are_meant_for_it_and_the_request_stays_as_it_is",
)
transport(
    "a model's answer has a limit as it comes",
    "_Bounded(response.stream, encoding, self._limit)",
    "_Bounded(response.stream, encoding, 1 << 40)",
    BOUNDS + "test_an_answer_without_end_is_given_up",
    BOUNDS + "test_an_answer_that_is_packed_though_that_was_not_asked_for_is_bounded_unpacked",
)
transport(
    "a provider's error has a limit and keeps its kind",
    "        with suppress(TooLong, UnknownEncoding, Damaged):\n",
    "        with suppress(UnknownEncoding):\n",
    BOUNDS + "test_an_error_without_end_keeps_its_kind",
    BOUNDS + "test_an_error_that_is_packed_keeps_its_kind",
)
transport(
    "a provider's error is read as text whatever charset it names",
    '"").partition(";")[0]\n',
    '"")\n',
    BOUNDS + "test_an_error_is_read_as_text_whatever_charset_it_names",
)
config = Room("app/runners/llm/config.py")
config(
    "an agent of the API may not name an address for a key",
    "        if self.chosen_url:\n",
    "        if not self.name:\n",
    CHECK + "test_an_agent_of_the_api_may_not_send_a_key_where_it_likes",
)
config(
    "an agent of the API may not name any secret as its key",
    "        if self.key_env != _KEY_VARIABLES[self.provider]:\n",
    "        if not self.key_env:\n",
    CHECK + "test_an_agent_of_the_api_may_not_send_other_secrets_as_a_key",
)
config(
    "where an agent of the API sends a key is not what the provider is called",
    'chosen_url=agent.source == "api" and url != usual,',
    'chosen_url=agent.source == "api" and url not in {usual, OWN_URLS[provider]},',
    CHECK + "test_the_key_of_the_operators_gateway_does_not_go_to_the_provider_because_a_stranger_says_so",
)
kind(
    "an agent of the API that was registered before is checked again",
    "        faults = self.check(agent)\n",
    "        faults: list[str] = []\n",
    CHECK + "test_an_agent_of_the_api_that_was_registered_before_sends_no_key_either",
)

ROOMS = (
    kind,
    talk,
    reading,
    anthropic,
    openai,
    prices,
    loop,
    tooling,
    structured,
    failures,
    clients,
    transport,
    config,
)

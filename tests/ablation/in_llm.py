"""Safeguards of agents of the kind llm: what is not asked or called twice, and where keys and requests do not go."""

from __future__ import annotations

from tests.ablation.safeguard import Edit, Room

TURNS = "unit/runners/test_llm_turns.py::"
FAILURES = "unit/runners/test_llm_failures.py::"
SCHEMA = "unit/runners/test_llm_schema.py::"
CHECK = "unit/runners/test_llm_check.py::"
TEXT = "unit/runners/test_llm.py::"

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
    "        if self.size > MAX_ANSWER:\n",
    "        if self.size < 0:\n",
    FAILURES + "test_an_answer_without_end_is_given_up",
)
loop = Room("app/runners/llm/loop.py")
loop(
    "a model's tokens are counted with its turn",
    "        finally:\n            if heard.input_tokens or heard.output_tokens:\n",
    "        finally:\n            if False:\n",
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
clients = Room("app/runners/llm/clients.py")
clients(
    "a provider's library does not try again by itself",
    "max_retries=0,",
    "max_retries=2,",
    FAILURES + "test_a_status_has_its_kind",
)
clients(
    "a key is in no request that a provider's library logs",
    '{"Accept-Encoding": "identity", **no_key}',
    '{"Accept-Encoding": "identity", **({"Authorization": f"Bearer {key}"} if key else no_key)}',
    FAILURES + "test_no_key_is_logged_even_at_the_finest_level",
)
clients(
    "a provider's redirect is not followed",
    "follow_redirects=False,",
    "follow_redirects=True,",
    CHECK + "test_a_redirect_is_not_followed",
)
clients(
    "an agent of the API with an address of its own has connections of its own",
    "config.by_api and config.own_url)",
    "False)",
    CHECK + "test_an_agent_of_the_api_may_not_call_private_addresses",
)
transport = Room("app/runners/llm/transport.py")
transport(
    "an agent of the API calls no private address",
    "        if not self._private:\n",
    "        if host is None:\n",
    CHECK + "test_an_agent_of_the_api_may_not_call_private_addresses",
)
transport(
    "an agent of the API sends no key to a public address",
    "        if _KEYS & set(request.headers) and any(",
    "        if not host and any(",
    CHECK + "test_a_key_of_an_agent_of_the_api_goes_to_no_public_address",
)
transport(
    "headers of the operator's environment go to no stranger's address",
    "for name in set(request.headers) - _SENT:",
    "for name in set():",
    CHECK + "test_headers_of_the_operators_environment_go_to_no_strangers_address",
)
config = Room("app/runners/llm/config.py")
config(
    "an agent of the API may not name an address for a key",
    "        if self.own_url and not allow_private:\n",
    "        if not self.name:\n",
    CHECK + "test_an_agent_of_the_api_may_not_send_a_key_where_it_likes",
)
config(
    "an agent of the API may not name any secret as its key",
    '        if not self.key_env.endswith(("_KEY", "_TOKEN")):\n',
    "        if not self.key_env:\n",
    CHECK + "test_an_agent_of_the_api_may_not_send_other_secrets_as_a_key",
)

ROOMS = (kind, talk, loop, tooling, structured, failures, clients, transport, config)

"""What is told of an agent of the kind llm when it is registered, and where an agent of the API may not reach."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from app.domain.input_schema import check_schema, validate
from app.domain.runner import Failed
from app.runners.llm.config import SCHEMA
from tests.unit.runners.llm_house import KEY, a_kind, agent, both, house
from tests.unit.runners.remembering import attempt

KEYS = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY, "DATABASE_URL": "postgresql://"}


def told(one: Any, *for_api: str, allow_private: bool = False, **secrets: str) -> list[str]:
    """What `check` says."""
    return a_kind({**KEYS, **secrets}, allow_private=allow_private, for_api=for_api).check(one)


@both
def test_an_agent_with_its_key_is_right(provider: str) -> None:
    assert told(agent(provider)) == []


@pytest.mark.parametrize(("provider", "variable"), [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY")])
def test_a_missing_key_names_its_variable(provider: str, variable: str) -> None:
    (found,) = told(agent(provider), OPENAI_API_KEY=" ", ANTHROPIC_API_KEY="")
    assert found == (
        f"{variable} is not set: agent writer (llm, {provider}) needs it; "
        "set it in the environment or .env, or set api_key_env"
    )


async def test_a_missing_key_is_a_fault_of_the_configuration_when_it_comes_to_that() -> None:
    outcome = await a_kind({}).perform(agent(), attempt("Hi"))
    assert isinstance(outcome, Failed)
    assert (outcome.error.kind, outcome.error.retryable) == ("configuration", False)
    assert "OPENAI_API_KEY is not set" in outcome.error.message


def test_an_agent_that_needs_no_key_needs_none() -> None:
    assert told(agent(url="http://localhost:11434/v1", api_key_env=None), OPENAI_API_KEY="") == []


@both
def test_a_library_that_is_not_installed_names_the_extra(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, provider, None)
    assert told(agent(provider)) == [
        f"the library for {provider} is not installed: pip install 'backstitch[{provider}]'"
    ]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"prompt": "{input.a"}, "prompt: "),
        ({"system": "}"}, "system: a '}' without its '{'"),
        ({"prompt": "{input.a} {context.b}"}, "prompt: context is not known here: an agent sees {input} only"),
        ({"timeout": "soon"}, "timeout: 'soon' is not a duration"),
        ({"timeout": 0}, "timeout: must be more than nothing"),
        ({"base_url": "ftp://somewhere"}, "base_url: 'ftp://somewhere' is no http(s) address"),
        ({"base_url": "http://host:port"}, "base_url: "),
        ({"base_url": "http://ho\tst/"}, "base_url: "),
        ({"base_url": "http://"}, "base_url: "),
        ({"structured": "tool"}, "structured: a tool for the answer is for anthropic only"),
        ({"tools": [{"mcp": "web"}]}, "tools: no MCP servers are configured"),
    ],
)
def test_what_cannot_be_is_told(config: dict[str, Any], problem: str) -> None:
    (found,) = told(agent(**config))
    assert found.startswith(problem)


def test_the_schema_of_the_configuration_is_one() -> None:
    assert check_schema(SCHEMA) == []


@pytest.mark.parametrize(
    "config",
    [
        {"provider": "openai"},
        {"provider": "other", "model": "m"},
        {"provider": "openai", "model": "m", "api_key": KEY},
        {"provider": "openai", "model": "m", "params": {"messages": []}},
        {"provider": "openai", "model": "m", "tools": [{"server": "web"}]},
        {"provider": "openai", "model": "m", "price": {"input_per_million": 1}},
        {"provider": "openai", "model": "m", "max_turns": 0},
    ],
)
def test_a_configuration_that_is_none_is_refused(config: dict[str, Any]) -> None:
    assert validate(SCHEMA, config) != []


# ---- agents of the API


def test_an_agent_of_the_api_may_use_the_key_at_its_provider() -> None:
    assert told(agent(source="api")) == []


ELSEWHERE = "https://elsewhere.example/v1"


@both
@pytest.mark.parametrize("allow_private", [True, False])
def test_an_agent_of_the_api_may_not_send_a_key_where_it_likes(provider: str, allow_private: bool) -> None:
    (found,) = told(agent(provider, ELSEWHERE, source="api"), allow_private=allow_private)
    assert found.startswith(f"base_url: an agent registered by the API may not have {provider.upper()}_API_KEY sent to")


@pytest.mark.parametrize("variable", ["DATABASE_URL", "ANTHROPIC_API_KEY", "OTHER_KEY", "GITHUB_TOKEN"])
def test_an_agent_of_the_api_may_not_send_other_secrets_as_a_key(variable: str) -> None:
    found = a_kind({**KEYS, variable: "s"}).check(agent(source="api", api_key_env=variable))
    assert found == [
        f"api_key_env: the variable {variable} is not open to agents of the API (API_AGENT_SECRETS lists those that are)"
    ]


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "OTHER_KEY"])
def test_an_agent_of_the_api_may_send_what_the_operator_has_listed_where_it_likes(variable: str) -> None:
    one = agent(url=ELSEWHERE, source="api", api_key_env=variable)
    assert told(one, variable, OTHER_KEY="k") == []


def test_a_listed_key_that_is_not_set_is_missed() -> None:
    (found,) = told(agent(url=ELSEWHERE, source="api", api_key_env="OTHER_KEY"), "OTHER_KEY")
    assert found.startswith("OTHER_KEY is not set: agent writer")


@pytest.mark.parametrize("source", ["file", "code"])
def test_the_operators_own_agents_may_name_what_they_like(source: str) -> None:
    one = agent(url=ELSEWHERE, source=source, api_key_env="DATABASE_URL")
    assert told(one) == []


def test_the_key_of_the_operators_gateway_does_not_go_to_the_provider_because_a_stranger_says_so() -> None:
    one = agent(url="https://api.openai.com/v1", source="api")
    (found,) = told(one, OPENAI_BASE_URL="https://gateway.example/v1")
    assert found.startswith("base_url: an agent registered by the API may not have OPENAI_API_KEY sent to")


@pytest.mark.parametrize("api_key_env", ["OPENAI_API_KEY", "DATABASE_URL"])
async def test_an_agent_of_the_api_that_was_registered_before_sends_no_key_either(api_key_env: str) -> None:
    async with house({"text": "x"}, DATABASE_URL="postgresql://") as at:
        failed = await at.failed(source="api", api_key_env=api_key_env)
    assert (failed.error.kind, failed.error.retryable, at.server.requests) == ("configuration", False, [])


def test_where_the_operators_environment_points_is_no_place_of_the_agents_own() -> None:
    one = agent(url="https://gateway.example/v1/", source="api")
    assert told(one, OPENAI_BASE_URL="https://gateway.example/v1") == []


PRIVATE = pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "[::ffff:127.0.0.1]"])


@PRIVATE
@pytest.mark.parametrize(
    ("source", "allow_private", "refused"), [("api", False, 1), ("api", True, 0), ("file", False, 0)]
)
def test_a_private_address_is_refused_at_registration(
    host: str, source: str, allow_private: bool, refused: int
) -> None:
    one = agent(url=f"http://{host}/v1", source=source, api_key_env=None)
    found = told(one, allow_private=allow_private)
    assert [word.startswith("base_url: ") and "is not public" in word for word in found] == [True] * refused


@PRIVATE
async def test_an_agent_of_the_api_may_not_call_private_addresses(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "app.runners.llm.config.written_fault", lambda _: None
    )  # a name tells nothing before it is resolved
    async with house({"text": "x"}, allow_private=False) as at:
        url = f"http://{host}:{at.server.port}/v1"
        failed = await at.failed(url=url, source="api", api_key_env=None)
    assert (failed.error.kind, failed.error.retryable) == ("address_refused", False)
    assert at.server.requests == []


@both
async def test_an_agent_of_the_api_may_call_private_addresses_where_that_is_allowed(provider: str) -> None:
    async with house({"text": "x"}, for_api=["LISTED"], LISTED="s3cret") as at:
        await at.completed(provider, source="api", api_key_env="LISTED")
    assert at.server.requests[0]["headers"]["authorization"] == "Bearer s3cret"


@both
async def test_a_listed_key_goes_to_a_public_address(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.runners.addresses.is_public", lambda _: True)
    async with house({"text": "x"}, allow_private=False, for_api=["LISTED"], LISTED="s3cret") as at:
        await at.completed(provider, source="api", api_key_env="LISTED")
    assert at.server.requests[0]["headers"]["authorization"] == "Bearer s3cret"


@both
async def test_an_agent_of_a_file_may_call_private_addresses(provider: str) -> None:
    async with house({"text": "x"}, allow_private=False) as at:
        await at.completed(provider)
    assert len(at.server.requests) == 1


@both
async def test_headers_of_the_operators_environment_go_to_no_strangers_address(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{name}_CUSTOM_HEADERS", "X-Secret: 1\nAuthorization: Bearer mine\nx-api-key: mine")
    monkeypatch.setenv("OPENAI_ORG_ID", "org")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "mine")
    async with house(*[{"text": "x"}] * 3, for_api=["LISTED"], LISTED="s3cret") as at:
        await at.completed(provider, source="api", api_key_env=None)
        await at.completed(provider, source="api", api_key_env="LISTED")
        await at.completed(provider, source="file", api_key_env=None)
    strange, listed, own = (request["headers"] for request in at.server.requests)
    assert not {"x-secret", "authorization", "x-api-key", "openai-organization"} & strange.keys()
    assert "mine" not in listed.values()
    assert own["x-secret"] == "1"


async def test_a_redirect_is_not_followed() -> None:
    async with house({"text": "x"}) as at:
        elsewhere = {"location": at.server.openai + "/chat/completions"}
        at.server.script = [{"status": 307, "headers": elsewhere}, {"text": "x"}]
        await at.failed()
    assert len(at.server.requests) == 1


async def test_clients_are_pooled_by_address_and_key() -> None:
    async with house(*[{"text": "x"}] * 4, OTHER_KEY="k2") as at:
        await at.completed()
        await at.completed(temperature=1)
        await at.completed(api_key_env="OTHER_KEY")
        assert len(at.kind._clients._clients) == 2
        assert len(at.kind._clients._connections) == 1

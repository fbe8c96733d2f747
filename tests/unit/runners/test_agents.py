"""Steps of agents: who is found, what is checked before and after, and which version is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.agents import Agent, Agents
from app.domain.errors import Unavailable
from app.domain.runner import Asleep, Completed, Failed
from app.runners.agents import AgentRunner
from app.runners.python import PythonRunner
from app.runners.python_agent import PythonAgents
from app.runners.registration import Functions, agent, function
from tests.unit.runners.attempts import attempt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.domain.runner import Attempt, Outcome

NUMBERS = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


class Known(Agents):
    """The agents of a test; `later` are found only when looked for."""

    def __init__(self, *agents: Agent) -> None:
        self.here = {each.name: each for each in agents}
        self.later: dict[str, Agent] = {}
        self.away = False

    def find(self, name: str) -> Agent | None:
        return self.here.get(name)

    def names(self) -> list[str]:
        return sorted(self.here)

    async def seek(self, name: str) -> Agent | None:
        if self.away:
            raise Unavailable("away")
        return self.later.get(name)


class Echo:
    """Gives what it is given, once it may."""

    def __init__(self) -> None:
        self.calls: list[Agent] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def config_schema(self) -> Mapping[str, Any]:
        return {"type": "object", "properties": {"n": {"type": "integer"}}}

    def check(self, agent: Agent) -> list[str]:
        return ["the variable KEY is not set"] if "keyed" in agent.tags else []

    async def perform(self, agent: Agent, attempt: Attempt) -> Outcome:
        self.calls.append(agent)
        await self.gate.wait()
        return Completed(output=agent.config.get("give", attempt.input))


def echo(name: str = "analyst", version: int = 3, **fields: Any) -> Agent:
    return Agent(name=name, kind="echo", version=version, **fields)


def runner(*agents: Agent, kind: Any = None) -> AgentRunner:
    return AgentRunner(Known(*agents), {"echo": kind or Echo()})


async def failure(runner: AgentRunner, name: str = "analyst", given: Any = None) -> tuple[str, bool, str]:
    outcome = await runner.perform(attempt(name, given))
    assert isinstance(outcome, Failed)
    return outcome.error.kind, outcome.error.retryable, outcome.error.message


async def test_the_version_that_does_it_is_told() -> None:
    what = attempt("analyst", {"n": 1})
    outcome = await runner(echo()).perform(what)
    assert isinstance(outcome, Completed)
    assert (outcome.output, what.context.agent_version) == ({"n": 1}, 3)


async def test_an_attempt_that_runs_keeps_its_version() -> None:
    kind, known = Echo(), Known(echo(version=1))
    kind.gate.clear()
    both = AgentRunner(known, {"echo": kind})
    first, second = attempt("analyst"), attempt("analyst")
    running = asyncio.create_task(both.perform(first))
    await asyncio.sleep(0)
    known.here["analyst"] = echo(version=2)
    kind.gate.set()
    await running
    await both.perform(second)
    assert (first.context.agent_version, second.context.agent_version) == (1, 2)
    assert [each.version for each in kind.calls] == [1, 2]


async def test_an_unknown_agent_fails_for_good_with_names_that_are_near() -> None:
    assert await failure(runner(echo()), "analist") == (
        "configuration",
        False,
        "no agent is registered as 'analist'; did you mean analyst?",
    )


async def test_an_agent_that_another_process_has_just_registered_is_found() -> None:
    known = Known()
    known.later["new"] = echo("new")
    assert isinstance(await AgentRunner(known, {"echo": Echo()}).perform(attempt("new", 1)), Completed)


async def test_without_the_store_an_unknown_agent_is_no_failure() -> None:
    known = Known()
    known.away = True
    assert isinstance(await AgentRunner(known, {}).perform(attempt("new")), Asleep)


async def test_an_input_that_does_not_fit_fails_for_good_and_reaches_nobody() -> None:
    kind = Echo()
    kind_of_failure, retryable, message = await failure(runner(echo(input_schema=NUMBERS), kind=kind), given={"n": "x"})
    assert (kind_of_failure, retryable) == ("validation", False)
    assert message.startswith("the input is not as agent analyst wants it: /n: ")
    assert kind.calls == []


async def test_a_heavy_input_and_output_are_held_against_their_schemas_too() -> None:
    heavy = {"n": "x" * 300_000}
    found = await failure(runner(echo(input_schema=NUMBERS)), given=heavy)
    assert found[2].startswith("the input is not as agent analyst wants it: /n: ")
    assert len(found[2]) < 500
    found = await failure(runner(echo(output_schema=NUMBERS)), given=heavy)
    assert found[0] == "invalid_output"


async def test_an_output_that_does_not_fit_fails_and_may_be_tried_again() -> None:
    found = await failure(runner(echo(output_schema=NUMBERS, config={"give": {}})))
    assert found[:2] == ("invalid_output", True)
    assert found[2].startswith("what agent analyst gave is not as its output schema wants it: (whole): ")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kind": "lllm"}, "no kind of agent 'lllm'; known: echo"),
        ({"config": {"n": "x"}}, "/config/n: "),
        ({"input_schema": {"type": "thing"}}, "/input/type: "),
    ],
)
async def test_what_somebody_wrote_by_hand_and_does_not_hold_fails_for_good(changes: dict[str, Any], told: str) -> None:
    broken = runner(replace(echo(), **changes))
    kind, retryable, message = await failure(broken)
    assert (kind, retryable) == ("configuration", False)
    assert told in message
    assert told in broken.check(attempt("analyst").step)[0]


async def test_a_mended_agent_is_looked_at_again() -> None:
    known = Known(echo(config={"n": "x"}))
    both = AgentRunner(known, {"echo": Echo()})
    assert isinstance(await both.perform(attempt("analyst")), Failed)
    known.here["analyst"] = echo(config={"n": 1})
    assert isinstance(await both.perform(attempt("analyst")), Completed)


def test_a_step_is_checked_before_it_runs() -> None:
    found = runner(echo(), echo("keyed", tags=("keyed",)))
    template: Any = SimpleNamespace(agent=None)
    assert found.check(template) == []
    assert found.check(attempt("analyst").step) == []
    assert found.check(attempt("keyed").step) == ["agent keyed: the variable KEY is not set"]
    assert found.check(attempt("nobody").step) == ["no agent is registered as 'nobody'; known: analyst, keyed"]


# ---- the kind python


@agent("doubler", description="Doubles", input_schema=NUMBERS, tags=["maths"])
def doubler(given: dict[str, int]) -> int:
    """Not this."""
    return 2 * given["n"]


@agent("plain")
async def plain(given: Any) -> Any:
    """Gives it
    back.

    And more.
    """
    return given


@function("negate")
def negate(given: int) -> int:
    return -given


@pytest.fixture
def functions() -> Functions:
    found = Functions()
    for call in (doubler, plain, negate):
        found.add(call)
    return found


@pytest.fixture
def python(functions: Functions) -> PythonAgents:
    return PythonAgents(functions, PythonRunner(functions, threads=1, processes=1))


def python_agent(name: str, **config: Any) -> Agent:
    return Agent(name=name, kind="python", version=1, config=config)


def test_code_says_what_an_agent_is(functions: Functions) -> None:
    (first, where), (second, _) = functions.agents()
    assert first == Agent(name="doubler", kind="python", description="Doubles", input_schema=NUMBERS, tags=("maths",))
    assert where == f"{__name__}:doubler"
    assert second.description == "Gives it back."


@pytest.mark.parametrize(
    ("who", "given", "output"),
    [
        (python_agent("doubler"), {"n": 2}, 4),
        (python_agent("other", function="doubler"), {"n": 2}, 4),
        (python_agent("other", function="negate"), 2, -2),
    ],
)
async def test_functions_are_called(python: PythonAgents, who: Agent, given: Any, output: Any) -> None:
    assert python.check(who) == []
    outcome = await python.perform(who, attempt(who.name, given))
    assert isinstance(outcome, Completed)
    assert outcome.output == output


@pytest.mark.parametrize("who", [python_agent("nobody"), python_agent("doubler", function="nobody")])
async def test_an_agent_whose_code_is_not_there_fails_for_good(python: PythonAgents, who: Agent) -> None:
    outcome = await python.perform(who, attempt(who.name))
    assert isinstance(outcome, Failed)
    assert (outcome.error.kind, outcome.error.retryable) == ("configuration", False)
    assert python.check(who) == [outcome.error.message]
    assert "MODULES" in outcome.error.message

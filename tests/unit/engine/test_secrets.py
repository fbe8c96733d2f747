"""Known secrets come out of no step: not in what it gives, tells, keeps or asks, nor in why it fails."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from app.domain.agents import Agent
from app.domain.known_secrets import KNOWN
from app.domain.runner import Completed, StepFailure
from app.runners.mcp_config import load_servers
from app.runners.secret_values import Masks, Secrets, Veil
from app.settings import load_settings
from tests.unit.engine.house import Failing, step
from tests.unit.engine.test_flow import done, error, output

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.engine.house import House

SECRET = 'sk-canary/0123"456789'
BASIC = base64.b64encode(f"user:{SECRET}".encode()).decode()


@pytest.fixture(autouse=True)
def learned(no_secrets: None) -> None:
    KNOWN.learn(SECRET)


def everything(house: House) -> str:
    """All that the store holds."""
    tables = house.tables
    return str(
        [tables.runs, tables.events, tables.executions, tables.notes, tables.gates, tables.checkpoints, tables.items]
    )


async def test_an_output_loses_it_in_every_form(house: House) -> None:
    async def leak(value: Any, ctx: Any) -> Any:
        return {"a": [SECRET, f"Basic {BASIC}"], SECRET: 1}

    house.on("leak", leak)
    thread_id = await house.run(step("a", python="leak", assign="kept"), step("b", input="{a.output}"))
    row = (await house.steps(thread_id))["a"]
    assert row.output is not None
    assert row.output.startswith('{"a":["***","Basic ')
    assert (await house.steps(thread_id))["b"].output == row.output
    assert "canary" not in everything(house)
    assert BASIC[8:-8] not in everything(house)


@pytest.mark.parametrize(
    "error",
    [ValueError(f"with {SECRET}"), StepFailure(f"x {BASIC}", kind=SECRET), ValueError("x" * 3_970 + " " + SECRET * 9)],
)
async def test_a_failure_loses_it(house: House, error: Exception) -> None:
    house.on("leak", Failing(error))
    thread_id = await house.run(step("a", python="leak", retry={"max_attempts": 2, "initial_interval": 0.001}))
    assert "***" in ((await house.execution(thread_id)).error or "")
    assert "canary" not in everything(house)
    assert BASIC[8:-8] not in everything(house)


async def test_what_a_step_tells_and_keeps_loses_it(house: House) -> None:
    async def leak(value: Any, ctx: Any) -> Any:
        ctx.progress(0.5, f"with {SECRET}")
        ctx.keep_session(f"session {SECRET}")
        await ctx.remember("note", {"of": SECRET})
        return dict(await ctx.remembered())

    house.on("leak", leak)
    thread_id = await house.run(step("a", python="leak"))
    row = (await house.steps(thread_id))["a"]
    assert (row.session_id, row.output) == ("session ***", '{"note":{"of":"***"}}')
    assert "canary" not in everything(house)


async def test_the_session_that_an_outcome_names_loses_it(house: House) -> None:
    class Runner:
        async def perform(self, attempt: Any) -> Completed:
            return Completed(output=1, session_id=f"s {SECRET}")

    house.runners["python"].perform = Runner().perform
    thread_id = await house.run(step("a"))
    assert (await house.steps(thread_id))["a"].session_id == "s ***"


@pytest.mark.parametrize("size", [1, 4, 100])
async def test_streamed_text_loses_it_however_it_is_cut(house: House, size: int) -> None:
    text = f"before {SECRET} after sk"

    async def leak(value: Any, ctx: Any) -> None:
        for place in range(0, len(text), size):
            ctx.chunk(text[place : place + size])

    house.on("leak", leak)
    accepted = await house.start(step("a", python="leak"))
    heard = ""
    with house.bus.subscribe(accepted.thread.thread_id) as reader:
        while "workflow_complete" not in heard:
            for item in await reader.next():
                heard += item.decode() if isinstance(item, bytes) else item.name
    shown = "".join(part.partition('"')[0] for part in heard.split('"text":"')[1:])
    assert shown == "before *** after sk"


async def test_a_question_loses_it(house: House) -> None:
    async def given(value: Any, ctx: Any) -> None: ...

    KNOWN.clear()
    document = {"show": {"said": "{input}"}, "title": "with {input}"}
    house.on("given", given)
    KNOWN.learn(SECRET)
    accepted = await house.start(step("a", gate=document), input=f"as typed {SECRET}")
    await house.until_status(accepted.thread.thread_id, "waiting")
    [gate] = house.tables.gates.values()
    assert (gate.show_json, gate.title) == ('{"said":"as typed ***"}', "with as typed ***")


async def test_what_a_workflow_in_python_gives_or_raises_loses_it(house: House) -> None:
    async def leak(ctx: Any, given: Any) -> Any:
        return {"with": SECRET}

    async def fails(ctx: Any, given: Any) -> Any:
        raise ValueError(f"with {SECRET}")

    gave, raised = await done(house, leak), await done(house, fails)
    assert await output(house, gave) == {"with": "***"}
    assert (await error(house, raised))["message"] == "ValueError: with ***"
    assert "canary" not in everything(house)


def agent() -> Agent:
    return Agent(name="a", kind="http")


def test_a_reference_is_known_once_it_is_resolved() -> None:
    KNOWN.clear()
    secrets = Secrets({"KEY": "the-key-0123456789", "MODE": "production"}.get)
    secrets.value({"env": "KEY"}, agent(), Masks())
    secrets.value({"env": "MODE"}, agent(), Masks())
    assert KNOWN.text("the-key-0123456789 in production") == "*** in production"
    KNOWN.clear()
    secrets.key("KEY")
    assert KNOWN.text("the-key-0123456789") == "***"


def test_of_mcp_servers_what_is_a_secret_by_its_name_or_in_a_header_is_known(tmp_path: Path) -> None:
    KNOWN.clear()
    file = tmp_path / "servers.yaml"
    file.write_text(
        "a: {command: x, args: ['${PLACE}', '${GIT_TOKEN}'], env: {API_TOKEN: '${B}', OTHER: '${PLACE}'}}\n"
        "b: {url: 'https://x', headers: {X-Any: 'Bearer ${C}'}}\n"
    )
    values = {"PLACE": "/srv/some/place", "GIT_TOKEN": "token-in-args", "B": "token-in-env", "C": "token-in-header"}
    load_servers(file, values.get)
    told = KNOWN.text("/srv/some/place token-in-args token-in-env token-in-header")
    assert told == "/srv/some/place *** *** ***"


def test_the_passwords_of_the_database_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.bootstrap.watching import learn_secrets  # noqa: PLC0415 - the engine is loaded with it

    KNOWN.clear()
    monkeypatch.setenv("LISTED", "listed-0123456789")
    learn_secrets(
        load_settings(
            database_url="postgresql://me:p%40ss-0123456789@db/x?password=other-0123456789",
            database_password="third-0123456789",
            api_agent_secrets="LISTED",
        )
    )
    told = KNOWN.text("p@ss-0123456789 p%40ss-0123456789 other-0123456789 third-0123456789 listed-0123456789")
    assert told == "*** *** *** *** ***"
    learn_secrets(load_settings(database_url="postgresql://[bad"))


def test_settings_do_not_show_the_address_of_the_database() -> None:
    assert "pass" not in repr(load_settings(database_url="postgresql://me:pass@db/x"))


@pytest.mark.parametrize("cut", range(1, 12))
def test_the_text_of_an_agent_loses_the_longer_of_its_secrets(cut: int) -> None:
    masks, told = Masks(), list[str]()
    masks.add("abcd")
    masks.add("abcd-efgh")
    veil = Veil(masks, told.append)
    for piece in ("a abcd-efgh abcd"[:cut], "a abcd-efgh abcd"[cut:]):
        veil(piece)
    veil.end()
    assert "".join(told) == "a *** ***"

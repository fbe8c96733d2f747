"""The tools of an agent: what the model is offered under which names, and its calls, each remembered as it ends."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from app.domain import jsontext
from app.domain.retry import CONFIGURATION, VALIDATION
from app.domain.runner import StepFailure
from app.runners.llm.structured import ANSWER
from app.runners.llm.talk import Call, Offer, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.domain.runner import StepContext
    from app.domain.tools import McpTools, Tool
    from app.runners.llm.config import ToolSource
    from app.runners.llm.talk import Turn, Wanted

_AT_ONCE: Final = 16
_NAME_LENGTH: Final = 64
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]")
_FOR_THE_MODEL: Final = frozenset({VALIDATION, "mcp.unknown_tool"})
"""Failures that the model has caused and can do better: it is told of them."""


async def offers(tools: McpTools | None, sources: Sequence[ToolSource]) -> list[Offer]:
    """What the model may call.  Raises StepFailure for a server that is not there, or a tool that it does not have."""
    if not sources:
        return []
    if tools is None:
        raise StepFailure("no MCP servers are configured", kind=CONFIGURATION, retryable=False)
    found: list[tuple[str, Tool]] = []
    for source in sources:
        listed = await tools.list(source.server)
        missing = sorted((source.allow or frozenset()) - {tool.name for tool in listed})
        if missing:
            message = f"MCP server {source.server} has no tool {', '.join(missing)}"
            raise StepFailure(message, kind=CONFIGURATION, retryable=False)
        found += [(source.server, tool) for tool in listed if source.allow is None or tool.name in source.allow]
    return _named(found)


def _named(tools: Sequence[tuple[str, Tool]]) -> list[Offer]:
    """Under names that providers take: unique, with the server's name before those that clash."""
    plain = Counter(_fitting(tool.name) for _, tool in tools)
    plain[ANSWER] += 1
    taken: set[str] = set()
    offered: list[Offer] = []
    for server, tool in tools:
        name = _fitting(tool.name)
        if plain[name] > 1:
            name = _fitting(f"{server}__{tool.name}")
        if name in taken:
            name = _shortened(name, f"{server}/{tool.name}")
        taken.add(name)
        offered.append(
            Offer(name=name, server=server, tool=tool.name, description=tool.description, schema=tool.input_schema)
        )
    return offered


def _fitting(name: str) -> str:
    fit = _NOT_IN_NAMES.sub("_", name)
    return fit if len(fit) <= _NAME_LENGTH else _shortened(fit, name)


def _shortened(name: str, whole: str) -> str:
    return f"{name[: _NAME_LENGTH - 9]}_{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def calls(wanted: Sequence[Wanted], offered: Sequence[Offer], number: int) -> list[Call]:
    """The calls that a model asks for in its turn `number`, each with where it goes or why it cannot be made."""
    by_name = {offer.name: offer for offer in offered}
    found: list[Call] = []
    for place, one in enumerate(wanted, 1):
        arguments, offer, fault = one.parsed(), by_name.get(one.name), None
        if offer is None:
            fault = f"there is no tool {jsontext.clean(one.name)!r}; there are: {', '.join(by_name) or 'none'}"
        elif arguments is None:
            fault = "the arguments are not a JSON object"
        found.append(
            Call(
                id=jsontext.clean(one.id) or f"call_{number}_{place}",
                name=_fitting(one.name) or "unknown",
                arguments=arguments or {},
                server=offer.server if offer is not None else "",
                tool=offer.tool if offer is not None else "",
                fault=fault,
            )
        )
    return found


async def run(turn: Turn, tools: McpTools | None, context: StepContext) -> None:
    """Make the calls of a turn that have no result yet, side by side.

    Raises what the first that could not be made raised, after all others have ended and are remembered.
    """
    gate, failed = asyncio.Semaphore(_AT_ONCE), list[BaseException]()

    async def one(place: int, call: Call) -> None:
        async with gate:
            try:
                result = await _called(call, tools, context, f"{context.idempotency_key}:tool:{turn.number}:{place}")
                await context.remember(
                    f"tool:{turn.number}:{place}", {"text": result.text, "is_error": result.is_error}
                )
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 - raised below, by itself: the engine has its own, a group hides them
                failed.append(error)
            else:
                turn.results[place] = result

    async with asyncio.TaskGroup() as group:
        for place, call in turn.open_calls:
            group.create_task(one(place, call))
    if failed:
        raise failed[0]


async def _called(call: Call, tools: McpTools | None, context: StepContext, key: str) -> Result:
    if call.fault is not None or tools is None:
        return Result(text=call.fault or "no MCP servers are configured", is_error=True)
    try:
        got = await tools.call(call.server, call.tool, call.arguments, key=key, progress=context.progress)
    except StepFailure as error:
        if error.kind not in _FOR_THE_MODEL:
            raise
        return Result(text=jsontext.clean(str(error)), is_error=True)
    return Result(text=jsontext.clean(got.text), is_error=got.is_error)

"""Wires whatever does steps: the runners of each kind of step, the kinds of agents, and the agents themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.bootstrap.agents import agent_directory
from app.bootstrap.kinds import Given, agent_kinds
from app.bootstrap.mcp import open_mcp
from app.runners.agents import AgentRunner
from app.runners.gate import GateRunner
from app.runners.http import HttpRunner
from app.runners.mcp import McpRunner
from app.runners.python import PythonRunner
from app.runners.sleep import SleepRunner
from app.runners.wait_for import WaitRunner
from app.runners.workflow import WorkflowRunner

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AsyncExitStack

    from app.bootstrap.code import Code
    from app.bootstrap.stores import Store
    from app.domain.runner import Runner
    from app.engine.agents import Directory
    from app.runners.mcp_servers import McpServers
    from app.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Doers:
    """`runners` by kind of step; `sub_workflows` among them still has to be told who starts threads, and `waits` who searches
    the logs.
    """

    runners: Mapping[str, Runner]
    sub_workflows: WorkflowRunner
    waits: WaitRunner
    directory: Directory
    mcp: McpServers


async def open_doers(settings: Settings, store: Store, code: Code, stack: AsyncExitStack) -> Doers:
    """All of them, until the stack closes.  Raises StartupError."""
    mcp = await open_mcp(settings, stack)
    python = PythonRunner(code.functions, threads=settings.step_threads, processes=settings.step_processes)
    http = HttpRunner(allow_private=settings.http_allow_private, max_bytes=settings.max_value_bytes)
    stack.push_async_callback(http.aclose)
    kinds = agent_kinds(Given(settings=settings, store=store, code=code, python=python, mcp=mcp), stack)
    directory, sub_workflows = agent_directory(store, kinds, code.agents()), WorkflowRunner()
    waits = WaitRunner(store.waits, store.stores.reads)
    runners: dict[str, Runner] = {
        "agent": AgentRunner(directory, kinds),
        "python": python,
        "http": http,
        "mcp": McpRunner(mcp),
        "workflow": sub_workflows,
        "gate": GateRunner(store.stores.gates, settings.max_value_bytes),
        "wait_for": waits,
        "sleep": SleepRunner(),
    }
    return Doers(runners=runners, sub_workflows=sub_workflows, waits=waits, directory=directory, mcp=mcp)

"""The kinds of agents: the one place where a name gets its code.

Those that are not ours come from installed packages: entry points of the group `backstitch.agent_kinds`, whose value is
called without arguments and gives an AgentKind (docs/extending.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Final

from app.bootstrap.outside import claude_code_kind, http_agent_kind
from app.domain.errors import StartupError
from app.runners.langgraph import LangGraphKind
from app.runners.llm import llm_kind
from app.runners.mcp_agent import McpAgentKind
from app.runners.python_agent import PythonAgents
from app.runners.secret_values import Secrets

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from app.bootstrap.code import Code
    from app.bootstrap.stores import Store
    from app.domain.agents import AgentKind
    from app.runners.mcp_servers import McpServers
    from app.runners.python import PythonRunner
    from app.settings import Settings

GROUP: Final = "backstitch.agent_kinds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What kinds may be made of."""

    settings: Settings
    store: Store
    code: Code
    python: PythonRunner
    mcp: McpServers


def agent_kinds(given: Given, stack: AsyncExitStack) -> dict[str, AgentKind]:
    """All kinds by name; those that hold something and have an `aclose` are closed with the stack.  Raises StartupError."""
    settings, store, mcp = given.settings, given.store, given.mcp
    kinds: dict[str, AgentKind] = {
        "python": PythonAgents(given.code.functions, given.python),
        "http": http_agent_kind(settings, settings.secret),
        "mcp": McpAgentKind(mcp),
        "llm": llm_kind(
            Secrets(settings.secret, frozenset(settings.api_agent_secrets)),
            mcp,
            allow_private=settings.http_allow_private,
            max_bytes=settings.max_value_bytes,
        ),
        "langgraph": LangGraphKind(
            store.graph_checkpoints,
            given.code.graphs,
            store.stores.gates,
            max_bytes=settings.max_value_bytes,
            threads=settings.step_threads,
        ),
        "claude-code": claude_code_kind(settings, settings.secret, mcp.config),
    }
    kinds.update(_installed(kinds))
    for kind in kinds.values():
        close = getattr(kind, "aclose", None)
        if close is not None:
            stack.push_async_callback(close)
    return kinds


def _installed(ours: dict[str, AgentKind]) -> dict[str, AgentKind]:
    found: dict[str, AgentKind] = {}
    for one in entry_points(group=GROUP):
        where = f"the kind of agents {one.name} ({one.value})"
        if one.name in ours or one.name in found:
            raise StartupError(f"{where} has a name that is taken")
        try:
            kind: Any = one.load()()
        except Exception as error:
            raise StartupError(f"{where} cannot be made: {error}") from error
        missing = [name for name in ("config_schema", "check", "perform") if not callable(getattr(kind, name, None))]
        if missing:
            raise StartupError(f"{where} has no {', '.join(missing)}")
        found[one.name] = kind
    return found

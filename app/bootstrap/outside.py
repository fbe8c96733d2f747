"""Wires the kinds of agents whose work is done outside of this process: HTTP services, and sessions of Claude Code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.runners.claude_code import ClaudeCodeKind
from app.runners.claude_code_config import House
from app.runners.http_agent import HttpAgentKind
from app.runners.http_client import HttpClient
from app.runners.secret_values import Secrets
from app.settings import environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.runners.claude_code_config import McpServer
    from app.settings import Settings

    Secret = Callable[[str], str | None]


def http_agent_kind(settings: Settings, secret: Secret) -> HttpAgentKind:
    """The kind `http`; close it with `aclose`.  `secret` gives the value of a variable that is no setting."""
    secrets = Secrets(secret, frozenset(settings.api_agent_secrets))
    return HttpAgentKind(
        HttpClient(), secrets, allow_private=settings.http_allow_private, max_bytes=settings.max_value_bytes
    )


def claude_code_kind(
    settings: Settings, secret: Secret, mcp_server: Callable[[str], McpServer | None]
) -> ClaudeCodeKind:
    """The kind `claude-code`; `mcp_server` finds a server of the operator's file by its name."""
    house = House(
        folder=settings.data_dir.resolve() / "claude-code",
        secrets=Secrets(secret, frozenset(settings.api_agent_secrets)),
        environment=environment,
        mcp_server=mcp_server,
        from_api=settings.claude_code_from_api,
        max_bytes=settings.max_value_bytes,
    )
    return ClaudeCodeKind(house, processes=settings.claude_code_processes)

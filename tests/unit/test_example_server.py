"""The MCP server that an example brings: there for whoever uses it, and told of to nobody else."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from app.bootstrap.mcp import open_mcp
from app.domain.runner import StepFailure
from app.examples.release_notes import SERVER
from app.settings import load_settings
from app.telemetry import parts

if TYPE_CHECKING:
    from pathlib import Path


async def test_it_is_neither_started_nor_told_of_until_it_is_used(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        servers = await open_mcp(load_settings(), stack)
        assert (servers.names, servers.reports(), parts.mcp(servers)) == ([SERVER], [], None)
        assert servers.config(SERVER) is None
        log = await servers.call(SERVER, "git_log", {"repo_path": str(tmp_path)}, key="k")
        assert log.is_error
        assert [(one.name, one.status) for one in servers.reports()] == [(SERVER, "connected")]
        assert parts.mcp(servers) is None


@pytest.mark.parametrize("tool", ["git_checkout", "git_commit", "git_reset"])
async def test_it_only_reads(tmp_path: Path, tool: str) -> None:
    async with AsyncExitStack() as stack:
        servers = await open_mcp(load_settings(), stack)
        with pytest.raises(StepFailure, match="git_log, git_show") as failure:
            await servers.call(SERVER, tool, {"repo_path": str(tmp_path)}, key="k")
        assert failure.value.kind == "mcp.unknown_tool"


async def test_the_operators_own_of_that_name_takes_its_place(tmp_path: Path) -> None:
    file = tmp_path / "servers.json"
    file.write_text(json.dumps({SERVER: {"url": "http://127.0.0.1:9/mcp"}}))
    async with AsyncExitStack() as stack:
        servers = await open_mcp(load_settings(mcp_servers=file), stack)
        assert [(one.name, one.kind) for one in servers.reports()] == [(SERVER, "http")]
        part = parts.mcp(servers)
        assert part is not None
        assert part["servers"] == 1

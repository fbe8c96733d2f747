"""The command that speaks MCP over stdin and stdout, for clients that start their servers themselves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import Common, command


@dataclass(frozen=True, slots=True, kw_only=True)
class Mcp(Common):
    """Options of `mcp`."""

    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", metavar="DIR", help="Where a service of its own keeps its database."),
    ] = None
    workflow_tools: Annotated[
        str | None,
        typer.Option(
            "--workflow-tools",
            metavar="all|none|NAMES",
            envvar="MCP_WORKFLOW_TOOLS",
            help="Workflows that are tools of their own, by comma.",
        ),
    ] = None


def register(app: typer.Typer) -> None:
    """Add this command to `app`."""
    command(app, Mcp)(mcp)


def mcp(o: Mcp) -> int:
    """Speak MCP over stdin and stdout, for Claude Code, Claude Desktop, Cursor and the like.

    Asks the service at --url; without one the service at the usual address if it runs, else it starts one of its own that
    ends with the client. Logs go to stderr.
    """
    from app.mcp_server.stdio import take_over  # noqa: PLC0415 - what --help need not load

    wire = take_over()
    from app.cli.mcp_stdio import speak  # noqa: PLC0415

    # Where a service was named, if only the usual one, none is started in its stead.
    return speak(wire, o.url, o.data_dir, o.workflow_tools)

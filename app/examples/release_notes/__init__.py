"""The workflow `release-notes`: what has changed in a git repository, told to its users, agreed with a person, in a file.

`DOCUMENT` is the workflow document, `doers()` are the functions that its steps name, `SERVER` is the name of the MCP server
that tells them the history, `COMMAND` starts it.
"""

# ruff: noqa: PLC0415 - what the steps need loads with the service that runs them

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

DOCUMENT: Final = Path(__file__).parent / "release-notes.yaml"
SERVER: Final = "example-git"
COMMAND: Final = (sys.executable, "-m", "mcp_server_git")
TOOLS: Final = frozenset({"git_log", "git_show"})
"""Those that only read: anybody may name the server in a workflow, and nobody has configured it."""


def doers() -> list[Callable[..., Any]]:
    """The agent `release-notes-writer` and the functions beside it, each marked by `registration`."""
    from app.examples.release_notes.commits import group_commits
    from app.examples.release_notes.edition import compose
    from app.examples.release_notes.place import find_place, write_notes
    from app.examples.release_notes.writer import write_section

    return [find_place, group_commits, write_section, compose, write_notes]

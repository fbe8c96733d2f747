"""The operator's file of MCP servers: what it may say, and what is told when it is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from app.domain.errors import StartupError
from app.runners.mcp_config import ServerConfig, load_servers

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = {"TOKEN": "sesame", "EMPTY": ""}


def load(folder: Path, content: Any) -> dict[str, ServerConfig]:
    """The servers of a file with that content; the folder stands for where it is."""
    file = folder / "servers.json"
    file.write_bytes(content.encode() if isinstance(content, str) else orjson.dumps(content))
    return load_servers(file, KNOWN.get)


def test_a_command_and_a_url_are_read_with_and_without_the_outer_key(tmp_path: Path) -> None:
    git = {"command": "git-mcp", "args": ["-r", 3], "env": {"A": "b"}, "cwd": "/srv", "type": "stdio"}
    web = {"url": "http://127.0.0.1:9/mcp", "headers": {"X": "y"}, "type": "streamable-http"}
    found = load(tmp_path, {"mcpServers": {"git": git, "web": web}})
    assert found == load(tmp_path, {"git": git, "web": web})
    assert found["git"] == ServerConfig(name="git", command="git-mcp", args=("-r", "3"), env={"A": "b"}, cwd="/srv")
    assert (found["web"].kind, found["web"].url, found["web"].headers) == ("http", web["url"], {"X": "y"})


def test_yaml_is_read_too_and_a_relative_folder_is_that_of_the_file(tmp_path: Path) -> None:
    found = load(tmp_path, "mcpServers:\n  git: {command: git-mcp, cwd: repo}\n")
    assert found["git"].cwd == str(tmp_path / "repo")


def test_variables_are_filled_in_and_kept_out_of_what_is_told(tmp_path: Path) -> None:
    entry = {"url": "https://x/mcp", "headers": {"A": "Bearer ${TOKEN}", "B": "${NONE:-else}", "C": "$TOKEN ${EMPTY}"}}
    server = load(tmp_path, {"web": entry})["web"]
    assert server.headers == {"A": "Bearer sesame", "B": "else", "C": "$TOKEN "}
    assert "sesame" not in repr(server)
    assert server.redact("refused: Bearer sesame") == "refused: Bearer ***"


def test_a_disabled_server_is_left_out_whatever_it_lacks(tmp_path: Path) -> None:
    assert load(tmp_path, {"off": {"command": "x", "disabled": True, "env": {"A": "${NONE}"}}}) == {}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "neither JSON nor YAML"),
        ("[]", "should hold"),
        ({"mcpServers": []}, "should hold"),
        ({"a b": {"command": "x"}}, "the server 'a b': not a name"),
        ({"a": 1}, "the server 'a': should be an object"),
        ({"a": {}}, "either `command`"),
        ({"a": {"command": "x", "url": "https://y"}}, "either `command`"),
        ({"a": {"command": "x", "arg": []}}, "unknown key 'arg'"),
        ({"a": {"command": "x", "args": "y"}}, "`args` should be a list"),
        ({"a": {"command": "x", "env": ["y"]}}, "`env` should be an object"),
        ({"a": {"command": "x", "env": {"A": None}}}, "`env` should hold texts"),
        ({"a": {"command": "x", "env": {"A": "${NONE}"}}}, "the variable NONE, which is not set"),
        ({"a": {"url": "ftp://x"}}, "`url` should begin with"),
        ({"a": {"url": "https://x", "type": "sse"}}, "`type` 'sse' is not supported"),
        ({"a": {"url": "https://x", "headers": {"A": "b\nc"}}}, "a character that it cannot have"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_the_name_of_the_server(tmp_path: Path, content: Any, told: str) -> None:
    with pytest.raises(StartupError) as caught:
        load(tmp_path, content)
    message = str(caught.value)
    assert message.startswith("MCP_SERVERS: ")
    assert told in message
    assert "\n" not in message


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot be read: No such file"):
        load_servers(tmp_path / "none.json", KNOWN.get)

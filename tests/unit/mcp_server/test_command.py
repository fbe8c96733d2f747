"""`backstitch mcp`: a service that was named is asked, whether it runs or not; else one of its own may be started."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import mcp_stdio
from app.cli.root import app
from app.mcp_server import stdio

USUAL = "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("arguments", "environment", "asked"),
    [
        ([], {}, None),
        (["--url", USUAL], {}, USUAL),
        ([], {"BACKSTITCH_URL": USUAL}, USUAL),
        ([], {"BACKSTITCH_URL": "http://other:1"}, "http://other:1"),
    ],
)
def test_only_without_a_named_service_one_may_be_started(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], environment: dict[str, str], asked: str | None
) -> None:
    seen: list[Any] = []

    def speak(_: Any, url: str | None, *__: Any) -> int:
        seen.append(url)
        return 0

    monkeypatch.setattr(stdio, "take_over", lambda: None)
    monkeypatch.setattr(mcp_stdio, "speak", speak)
    found = CliRunner(env={"BACKSTITCH_URL": None, **environment}).invoke(app, ["mcp", *arguments])
    assert (found.exit_code, seen) == (0, [asked])

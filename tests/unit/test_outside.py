"""The kinds of agents outside of this process, wired from settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.bootstrap.outside import claude_code_kind, http_agent_kind
from app.domain.agents import Agent
from app.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = {"SHOP_KEY": "0123456789", "ANTHROPIC_API_KEY": "0123456789"}


def agent(kind: str, **config: object) -> Agent:
    return Agent(name="a", kind=kind, config=config, source="api")


def test_the_settings_say_which_secrets_are_open_to_agents_of_the_api() -> None:
    shop = agent("http", url="https://shop.example/", headers={"x-key": {"env": "SHOP_KEY"}})
    closed, opened = load_settings(), load_settings(api_agent_secrets="OTHER, SHOP_KEY")
    assert len(http_agent_kind(closed, VARIABLES.get).check(shop)) == 1
    assert http_agent_kind(opened, VARIABLES.get).check(shop) == []


def test_the_settings_say_what_agents_of_the_api_may_do_to_this_machine(tmp_path: Path) -> None:
    coder = agent("claude-code", prompt="Do it", cwd=str(tmp_path))

    def problems(*, from_api: bool) -> str:
        settings = load_settings(data_dir=tmp_path, claude_code_from_api=from_api)
        return " ".join(claude_code_kind(settings, VARIABLES.get, lambda _: None).check(coder))

    assert "cwd" in problems(from_api=False)
    assert "cwd" not in problems(from_api=True)

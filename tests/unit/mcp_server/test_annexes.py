"""Which hosts, origins and workflows the settings let the MCP server have."""

from __future__ import annotations

from typing import Any

import pytest

from app.cli.annexes import annexes, exposed
from app.settings import load_settings


def options(**given: Any) -> Any:
    [annex] = annexes(load_settings(**given))
    return annex._options  # pyright: ignore[reportAttributeAccessIssue]


def test_this_machine_and_the_configured_host_are_let_in_at_any_port() -> None:
    found = options(host="10.1.2.3")
    assert {"localhost", "localhost:*", "127.0.0.1:*", "[::1]:*", "10.1.2.3", "10.1.2.3:*"} <= set(found.hosts)
    assert {"http://localhost:*", "https://10.1.2.3"} <= set(found.origins)


def test_an_address_that_stands_for_all_names_nobody() -> None:
    assert not any("[::]" in name for name in options(host="::").hosts)


def test_more_hosts_and_origins_can_be_let_in() -> None:
    found = options(mcp_allowed_hosts="flows.example, proxy:8080", mcp_allowed_origins="https://app.example")
    assert {"flows.example", "flows.example:*", "proxy:8080"} <= set(found.hosts)
    assert "proxy:8080:*" not in found.hosts
    assert {"https://app.example", "https://flows.example:*", "http://proxy:8080"} <= set(found.origins)


def test_pages_that_may_use_the_service_from_a_browser_may_ask_it_too() -> None:
    found = options(cors_allow_origins="https://app.example").origins
    assert "https://app.example" in found
    assert not {"*", "https://app.example"} & set(options(cors_allow_origins="*").origins)


def test_a_star_lets_every_host_in() -> None:
    assert options(mcp_allowed_hosts="*").hosts is None


@pytest.mark.parametrize(
    ("given", "found"), [([], frozenset()), (["none"], frozenset()), (["all"], None), (["a", " b"], frozenset("ab"))]
)
def test_workflows_are_tools_by_name_or_all(given: list[str], found: Any) -> None:
    assert exposed(given) == found


def test_it_can_be_switched_off() -> None:
    assert annexes(load_settings(mcp_enabled=False)) == []

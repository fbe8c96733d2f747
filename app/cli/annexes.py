"""What the service serves beside the API, as the settings say; their modules are loaded when the service starts."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.api.annex import Annex
    from app.settings import Settings

_HERE: Final = ("localhost", "127.0.0.1", "[::1]")
_ANYWHERE: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - not bound here
ANY: Final = "*"


def annexes(settings: Settings) -> list[Annex]:
    """The MCP server, unless it is switched off."""
    if not settings.mcp_enabled:
        return []
    from app.mcp_server.annex import McpAnnex, Options  # noqa: PLC0415

    names = _names(settings)
    return [
        McpAnnex(
            Options(
                version=package_version(),
                hosts=None if ANY in settings.mcp_allowed_hosts else tuple(_with_ports(names)),
                origins=(
                    *settings.mcp_allowed_origins,
                    *(one for one in settings.cors_allow_origins if one != ANY),
                    *_with_ports(f"{way}://{name}" for name in names for way in _WAYS),
                ),
                exposed=exposed(settings.mcp_workflow_tools),
            )
        )
    ]


_WAYS: Final = ("http", "https")


def exposed(names: Iterable[str]) -> frozenset[str] | None:
    """Which workflows are tools: None for all."""
    found = frozenset(name.strip() for name in names) - {"", "none"}
    return None if "all" in found else found


def package_version() -> str:
    """Of this program."""
    try:
        return version("backstitch")
    except PackageNotFoundError:
        return "0"


def _names(settings: Settings) -> list[str]:
    """Under which the service may be asked."""
    own = [] if settings.host in _ANYWHERE else [f"[{settings.host}]" if ":" in settings.host else settings.host]
    return list(dict.fromkeys([*_HERE, *own, *settings.mcp_allowed_hosts]))


def _with_ports(names: Iterable[str]) -> list[str]:
    """Each as it is, and at any port unless it names one."""
    found: list[str] = []
    for name in names:
        rest = name.rpartition("]")[2] if "[" in name else name.partition("://")[2] or name
        found += [name] if ":" in rest else [name, f"{name}:*"]
    return found

"""Serves a client over the pipes: out of a service that runs, else out of one of its own in this process."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from app.cli.annexes import annexes, exposed, package_version
from app.cli.process import ServerError, is_taken, url_of
from app.cli.rendering import complain
from app.client import Backstitch, ClientError
from app.domain.errors import StartupError
from app.mcp_server.stdio import serve

if TYPE_CHECKING:
    from pathlib import Path

    from app.mcp_server.stdio import Wire
    from app.settings import Settings

_CANNOT: Final = 2
_LOOK: Final = 2.0
"""Seconds in which a service that runs should answer."""
_TURNS: Final = 60
_BETWEEN: Final = 0.5


def speak(wire: Wire, url: str | None, data_dir: Path | None, tools: str | None) -> int:
    """Serve the client; `url` None: the service at the usual address if it runs, else one of its own.  The exit code."""
    if url is not None:
        return _through(wire, url, tools)
    from app.settings import SettingsError, load_settings  # noqa: PLC0415 - not needed beside a service that runs

    try:
        settings = load_settings(data_dir=data_dir)
    except SettingsError as error:
        complain(str(error))
        return _CANNOT
    usual = url_of(settings.host, settings.port)
    return _through(wire, usual, tools) if asyncio.run(_answers(usual)) else _own(wire, settings, tools)


def _through(wire: Wire, url: str, tools: str | None) -> int:
    """Out of the service at the address, whether it runs now or not."""
    # There is nothing here to be saved: let Ctrl-C end the process at once, as SIGTERM does.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _say(f"asking the service at {url}")
    asyncio.run(_serve(wire, url, tools))
    return 0


async def _serve(wire: Wire, url: str, tools: str | None) -> None:
    async with Backstitch(url, retry_for=0) as service:
        await serve(wire, service, version=package_version(), exposed=exposed((tools or "").split(",")))


def _own(wire: Wire, settings: Settings, tools: str | None) -> int:
    """Out of a service in this process, at the usual address if that is free, as long as the client is there."""
    from app.api.server import run_server  # noqa: PLC0415 - the whole service
    from app.telemetry import logs  # noqa: PLC0415

    usual = url_of(settings.host, settings.port)
    if _is_taken(settings):
        settings = settings.changed({"port": 0})
    logs.configure(settings.log_level, sys.stderr)
    _say("no service answers: starting one that ends with this client")
    try:
        run_server(settings, annexes(settings), lambda url: _serve(wire, _reached(url), tools))
    except StartupError as error:
        # Another client may have started one at the same moment: it has the port, and will answer soon.
        if settings.port and _is_taken(settings) and asyncio.run(_comes(usual)):
            return _through(wire, usual, tools)
        complain(str(error))
        return _CANNOT
    except KeyboardInterrupt:
        return 0
    return 0


async def _answers(url: str) -> bool:
    """Whether a service of ours listens there."""
    async with Backstitch(url, timeout=_LOOK, retry_for=0) as service:
        with suppress(ClientError):
            return (await service.request("GET", "/api/health/live")).get("status") == "live"
    return False


async def _comes(url: str) -> bool:
    for _ in range(_TURNS):
        if await _answers(url):
            return True
        await asyncio.sleep(_BETWEEN)
    return False


def _reached(url: str) -> str:
    """From this machine."""
    parts = urlsplit(url)
    return url_of(parts.hostname or "", parts.port or 0)


def _is_taken(settings: Settings) -> bool:
    """Whether something else listens at the usual address."""
    with suppress(ServerError):
        return is_taken(settings.host, settings.port)
    return False


def _say(text: str) -> None:
    sys.stderr.write(f"backstitch mcp: {text}\n")
    sys.stderr.flush()
